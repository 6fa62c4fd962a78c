//! A connection's end of an event stream.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::session::Session;
use crate::session::streams::{EventId, Next, STANDALONE};

/// Reads one stream of a session, until the stream is over or another reader takes its place. Dropping it leaves the
/// stream to whoever comes back for it.
#[derive(Debug)]
pub struct Reader {
    session: Arc<Session>,
    stream: u64,
    ready: Arc<Notify>,
}

impl Reader {
    /// Reads a stream from the first event on that no connection has taken; with the id that stands before it. `None`
    /// when there is no such stream.
    pub fn of(session: &Arc<Session>, stream: u64) -> Option<(Self, EventId)> {
        let ready = Arc::default();
        let before = session.streams().attach(stream, &ready)?;
        Some((Self::new(session, stream, ready), before))
    }

    /// Reads the stream that belongs to no request.
    pub fn standalone(session: &Arc<Session>) -> Option<(Self, EventId)> {
        let reader = Self::of(session, STANDALONE);
        if session.is_over() {
            session.streams().finish(STANDALONE, []);
        }
        reader
    }

    /// Reads on after an event that the client has seen. `None` when its stream is not kept any more, or never was.
    pub fn after(session: &Arc<Session>, seen: EventId) -> Option<Self> {
        let ready = Arc::default();
        let stream = session.streams().attach_after(seen, &ready)?;
        Some(Self::new(session, stream, ready))
    }

    fn new(session: &Arc<Session>, stream: u64, ready: Arc<Notify>) -> Self {
        Self {
            session: Arc::clone(session),
            stream,
            ready,
        }
    }

    /// Waits for the next message; `None` when none will come. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(EventId, Bytes)> {
        loop {
            match self.session.streams().next(self.stream, &self.ready) {
                Next::Event(id, message) => return Some((id, message)),
                Next::Over => return None,
                Next::Wait => self.ready.notified().await,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.session.streams().detach(self.stream, &self.ready);
        self.session.touch();
    }
}
