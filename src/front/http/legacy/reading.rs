//! An event stream of a session while somebody reads it.

use bytes::Bytes;
use futures::stream::unfold;
use http::Response;

use crate::front::http::body::{Body, stream};
use crate::front::http::listen::{KEEP_ALIVE, comment};
use crate::front::http::stream::events;
use crate::session::Session;
use crate::session::reader::Reader;
use crate::session::streams::EventId;
use crate::wire::sse::{write_event, write_priming};

/// After how many milliseconds a client that lost its connection is to come back.
const RETRY_MS: u64 = 1_000;

/// A connection that reads a stream.
pub(super) struct Reading {
    reader: Reader,
    /// The event that tells the client where it can come back to, until it is written.
    priming: Option<EventId>,
}

impl Reading {
    /// Reads on after the event `before`.
    pub(super) fn new(session: &Session, reader: Reader, before: EventId) -> Self {
        let revision = session.profile.revision;
        Self {
            reader,
            priming: revision.has_priming().then_some(before),
        }
    }

    /// The answer to a request that is this stream.
    pub(super) fn response(self) -> Response<Body> {
        events(stream(unfold(self, async |mut reading| {
            let part = reading.next().await?;
            Some((part, reading))
        })))
    }

    /// Waits for the next part of the stream; `None` at its end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        if let Some(id) = self.priming.take() {
            write_priming(&mut out, &id.to_string(), RETRY_MS);
            return Some(out.into());
        }
        tokio::select! {
            biased;
            event = self.reader.next() => {
                let (id, message) = event?;
                out.reserve(message.len() + 64);
                write_event(&mut out, Some(&id.to_string()), &message);
                Some(out.into())
            }
            () = tokio::time::sleep(KEEP_ALIVE) => Some(comment()),
        }
    }
}
