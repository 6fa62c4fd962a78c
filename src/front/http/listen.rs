//! `subscriptions/listen` over HTTP: a stream that lasts (MCP 2026-07-28, subscriptions).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::unfold;
use http::Response;
use tokio_util::sync::CancellationToken;

use crate::front::http::HttpFront;
use crate::front::http::body::{Body, stream};
use crate::front::http::mcp::error_response;
use crate::front::http::modern::status;
use crate::front::http::stream::{event, events};
use crate::front::subscription::Subscription;
use crate::model::caller::{Caller, ClientProfile};
use crate::wire::message::{Id, Params, write_result};
use crate::wire::sse::write_comment;

/// How often a quiet stream shows that it is alive.
pub(in crate::front) const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl HttpFront {
    /// Opens the stream. It does not count as a call: it ends when the gateway stops.
    pub(super) async fn listen(
        self: &Arc<Self>,
        id: Id,
        params: &Params,
        caller: &Arc<Caller>,
        profile: ClientProfile,
    ) -> Response<Body> {
        let opened = Subscription::open(&self.desk, id.clone(), params, caller, Arc::new(profile));
        let subscription = match opened.await {
            Ok(subscription) => subscription,
            Err(error) => return error_response(status(&error), Some(&id), &error),
        };
        let begin = Listening {
            id,
            subscription,
            ended: self.draining.clone(),
            over: false,
        };
        events(stream(unfold(begin, Listening::step)))
    }
}

struct Listening {
    id: Id,
    subscription: Subscription,
    ended: CancellationToken,
    over: bool,
}

impl Listening {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if self.over {
            return None;
        }
        let message = tokio::select! {
            // The acknowledgement comes first, even when the gateway is about to stop.
            biased;
            message = self.subscription.next() => event(&message),
            () = self.ended.cancelled() => {
                self.over = true;
                let mut out = Vec::new();
                write_result(&mut out, &self.id, &self.subscription.result());
                event(&out)
            }
            () = tokio::time::sleep(KEEP_ALIVE) => comment(),
        };
        Some((message, self))
    }
}

/// A comment, which clients ignore and proxies do not.
pub(in crate::front) fn comment() -> Bytes {
    let mut out = Vec::new();
    write_comment(&mut out);
    out.into()
}
