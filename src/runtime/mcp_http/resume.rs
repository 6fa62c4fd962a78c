//! Streams that broke before they had brought an answer, and are taken up again where they broke (MCP 2025-11-25,
//! streamable HTTP, resumability).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;

use crate::model::fault::{Fault, FaultKind};
use crate::runtime::mcp_http::answer::{Events, Form, form};
use crate::runtime::mcp_http::head::Head;
use crate::runtime::mcp_http::link::{HttpLink, Turn};
use crate::wire::revision::Era;

/// How often a stream is taken up again without anything new having come.
const MAX_QUIET: u32 = 5;

/// The least wait before a stream is taken up again, whatever the server says.
const MIN_RETRY: Duration = Duration::from_millis(5);

/// The longest that a server's `retry` is respected.
pub(super) const MAX_RETRY: Duration = Duration::from_secs(300);

/// Why a stream was not taken up again.
enum Unresumed {
    /// It may be possible later.
    NotNow(Fault),
    /// The server will not.
    Never(Fault),
}

impl HttpLink {
    /// Takes up the stream of `turn` that broke with `broke`, as often as is sensible: waits as the server wants it to,
    /// and longer each time that brought nothing. The request is never sent again, so a stream that no event gave a
    /// place to go on from, and one of a modern server, stay broken. Ends with the call's deadline, at the latest.
    pub(super) async fn resume(
        &self,
        turn: &Turn<'_>,
        events: &mut Events,
        broke: Fault,
    ) -> Result<(), Fault> {
        let last = events.last_id.clone();
        let Some(last) = last.filter(|_| events.is_cut && turn.head.era() != Some(Era::Modern))
        else {
            return Err(broke);
        };
        let mut wait_longer = Duration::ZERO;
        while events.n_quiet < MAX_QUIET {
            let wait = self.pause(events).max(wait_longer);
            events.n_quiet += 1;
            tokio::time::sleep(wait).await;
            // What `initialize` opened is not agreed on yet.
            let head = turn.head.revision.is_none().then(|| self.being_opened());
            let head = head.flatten();
            match self
                .take_up(head.as_ref().unwrap_or(&turn.head), &last)
                .await
            {
                Ok(body) => {
                    events.go_on(body);
                    return Ok(());
                }
                Err(Unresumed::NotNow(fault)) => {
                    let plugin = &self.endpoint.upstream.plugin;
                    tracing::debug!(plugin.id = %plugin, reason = fault.reason, "Could not take up a stream: {fault}");
                    wait_longer = fault.retry_after.unwrap_or_default().min(MAX_RETRY);
                }
                Err(Unresumed::Never(fault)) => return Err(fault),
            }
        }
        let mut broke = broke;
        let tried = format!("; its stream was taken up again {MAX_QUIET} times in vain");
        broke.message.push_str(&tried);
        Err(broke)
    }

    /// How long to wait before a stream is taken up again.
    fn pause(&self, events: &Events) -> Duration {
        let first = events.retry.unwrap_or(self.pace.first);
        let first = first.clamp(MIN_RETRY, MAX_RETRY);
        let grown = first.saturating_mul(1 << events.n_quiet);
        grown.min(self.pace.most.max(first))
    }

    /// What the server sends behind the event `last`.
    async fn take_up(&self, head: &Head, last: &HeaderValue) -> Result<Incoming, Unresumed> {
        let upstream = &self.endpoint.upstream;
        let headers = || head.of_stream(Some(last));
        let empty = Bytes::new();
        let asked = self.endpoint.ask(&http::Method::GET, &empty, &headers);
        let answer = asked.await.map_err(|fault| match fault.reason {
            "redirect_refused" => Unresumed::Never(fault),
            _ => Unresumed::NotNow(fault),
        })?;
        let status = answer.status();
        let fault = || upstream.status(status, answer.headers());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Unresumed::Never(fault())),
            StatusCode::TOO_MANY_REQUESTS => Err(Unresumed::NotNow(fault())),
            StatusCode::NOT_IMPLEMENTED | StatusCode::NO_CONTENT => {
                Err(Unresumed::Never(self.not_taken_up(status)))
            }
            status if status.is_server_error() => Err(Unresumed::NotNow(fault())),
            status if status.is_success() => match form(upstream, answer.headers()) {
                Ok(Form::Events) => Ok(answer.into_body()),
                Ok(Form::Json) => Err(Unresumed::Never(self.not_taken_up(status))),
                Err(fault) => Err(Unresumed::Never(fault)),
            },
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if head.session.is_some() => {
                // It may have lost the session. The next request finds out, and opens another. This call goes with the
                // session: what has been begun is not sent again.
                self.changed.mark_all();
                Err(Unresumed::Never(self.not_taken_up(status)))
            }
            _ => Err(Unresumed::Never(self.not_taken_up(status))),
        }
    }

    fn not_taken_up(&self, status: StatusCode) -> Fault {
        let what = format_args!(
            "the stream of its answer broke, and it answered {status} when that was to be taken up again; whether the request took effect is not known"
        );
        self.endpoint
            .upstream
            .fault(FaultKind::Unavailable, "resumption_refused", what)
    }
}
