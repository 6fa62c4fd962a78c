//! GET: the stream of a session that belongs to no request, and streams that a client comes back to.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::unfold;
use http::header::{ACCEPT, HeaderMap};
use http::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::front::http::HttpFront;
use crate::front::http::body::{Body, problem, stream};
use crate::front::http::guard::only;
use crate::front::http::legacy::NoSession;
use crate::front::http::legacy::reading::Reading;
use crate::front::http::mcp::{busy, error_response, not_allowed};
use crate::front::http::stream::{event, events};
use crate::model::caller::Caller;
use crate::registry::Viewer;
use crate::registry::changes::Changes;
use crate::session::reader::Reader;
use crate::session::streams::EventId;
use crate::wire::error::{INVALID_REQUEST, RpcError};
use crate::wire::message::{Params, write_notification};

/// What a client that comes back saw last.
const LAST_EVENT_ID: &str = "last-event-id";

impl HttpFront {
    /// Opens the standalone stream of a session, or goes on with the stream of an event.
    pub(in crate::front::http) fn legacy_get(
        self: &Arc<Self>,
        headers: &HeaderMap,
        caller: &Arc<Caller>,
    ) -> Response<Body> {
        if !accepts_events(headers) {
            let message = "send `Accept: text/event-stream`";
            return problem(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message);
        }
        let session = match self.session(headers, caller) {
            Ok(session) => session,
            // A modern client has no such stream.
            Err(NoSession::Version(_)) => return not_allowed(),
            Err(none) => return none.response(None),
        };
        if self.is_draining() {
            return busy("the gateway is stopping");
        }
        session.touch();
        let opened = match only(headers, LAST_EVENT_ID) {
            Err(()) => return NoSession::Ambiguous.response(None),
            Ok(None) => Reader::standalone(&session),
            Ok(Some(seen)) => {
                let seen = seen.to_str().ok().and_then(|id| id.parse::<EventId>().ok());
                seen.and_then(|seen| Some((Reader::after(&session, seen)?, seen)))
            }
        };
        let Some((reader, before)) = opened else {
            return not_kept();
        };
        let reading = Reading::new(&session, reader, before);
        if !before.is_standalone() {
            return reading.response();
        }
        let begin = Standalone {
            reading,
            changes: self
                .desk
                .registry()
                .changes(Viewer::of_session(caller, &session)),
            ended: self.draining.clone(),
        };
        events(stream(unfold(begin, Standalone::step)))
    }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accepts = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        matches!(
            kind.split(';').next().unwrap_or("").trim(),
            "text/event-stream" | "text/*" | "*/*"
        )
    })
}

/// The answer to a client that comes back for what is not there: its answer was given, or is lost. Another stream in its
/// place would let it wait for ever, and 404 would tell it that the session is over.
fn not_kept() -> Response<Body> {
    let message =
        "Invalid request: the stream of this `Last-Event-ID` is not kept any more, or never was";
    let error = RpcError::new(INVALID_REQUEST, message);
    error_response(StatusCode::BAD_REQUEST, None, &error)
}

/// The standalone stream of a session while somebody reads it.
struct Standalone {
    reading: Reading,
    changes: Changes,
    ended: CancellationToken,
}

impl Standalone {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        let part = tokio::select! {
            part = self.reading.next() => part?,
            topics = self.changes.next() => {
                let mut told = Vec::new();
                for topic in topics {
                    let mut out = Vec::new();
                    write_notification(&mut out, &topic.changed(), &Params::default());
                    told.extend_from_slice(&event(&out));
                }
                told.into()
            }
            () = self.ended.cancelled() => return None,
        };
        Some((part, self))
    }
}
