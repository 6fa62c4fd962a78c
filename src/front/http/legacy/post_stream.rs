//! The stream that answers one POST, begun when there is something to stream.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::front::session_client::Way;
use crate::session::Session;
use crate::session::reader::Reader;
use crate::session::streams::EventId;

/// What goes to the client on the answer to one POST.
#[derive(Debug)]
pub(super) struct PostStream {
    session: Arc<Session>,
    state: Mutex<State>,
    began: Notify,
}

#[derive(Debug)]
enum State {
    /// The answer can still be JSON.
    Undecided,
    /// It is this stream of the session. The reader is there from the beginning, so that nothing counts as missed
    /// before the answer to the POST begins.
    Stream(u64, Option<(Reader, EventId)>),
    /// The answer is JSON, or the client went away before it was given a stream that it could come back to.
    Closed,
}

/// Gives the stream up when dropped, for a client that went away.
pub(super) struct Answering<'a>(pub(super) &'a PostStream);

/// Ends the stream when dropped, also where the work on the answer panics.
pub(super) struct Ending(pub(super) Arc<PostStream>);

impl PostStream {
    pub(super) fn new(session: &Arc<Session>) -> Arc<Self> {
        Arc::new(Self {
            session: Arc::clone(session),
            state: Mutex::new(State::Undecided),
            began: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Begins the stream unless it was begun; `None` when there can be none any more.
    fn begin(&self) -> Option<u64> {
        let mut state = self.state();
        match *state {
            State::Stream(stream, _) => Some(stream),
            State::Closed => None,
            State::Undecided => {
                let stream = self.session.streams().open();
                *state = State::Stream(stream, Reader::of(&self.session, stream));
                drop(state);
                self.began.notify_one();
                Some(stream)
            }
        }
    }

    /// Waits until something is to be streamed.
    pub(super) async fn began(&self) {
        self.began.notified().await;
    }

    /// Reads the stream, which begins now if it has not; with the id that stands before its first event. `None` when
    /// the answer is JSON. For the one answer to the POST.
    pub(super) fn read(&self) -> Option<(Reader, EventId)> {
        self.begin()?;
        self.give_up()
    }

    fn give_up(&self) -> Option<(Reader, EventId)> {
        match &mut *self.state() {
            State::Stream(_, reader) => reader.take(),
            State::Undecided | State::Closed => None,
        }
    }

    /// Says how the answer is to be given: `true` as JSON, `false` as the last message of the stream.
    pub(super) fn is_whole(&self) -> bool {
        let mut state = self.state();
        if matches!(*state, State::Undecided) {
            *state = State::Closed;
        }
        matches!(*state, State::Closed)
    }

    /// Puts the last messages on the stream.
    pub(super) fn finish(&self, answers: impl IntoIterator<Item = Bytes>) {
        if let State::Stream(stream, _) = *self.state() {
            self.session.streams().finish(stream, answers);
        }
    }
}

impl Way for Arc<PostStream> {
    fn offer(&self, message: Bytes) {
        let taken = self
            .begin()
            .is_some_and(|stream| self.session.streams().offer(stream, message));
        if !taken {
            tracing::debug!("Dropped a notification for a client that does not read");
        }
    }

    async fn send(&self, message: Bytes) -> bool {
        self.begin()
            .is_some_and(|stream| self.session.streams().send(stream, message))
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if !self.0.is_whole() {
            drop(self.0.give_up());
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.0.is_whole() {
            self.0.finish([]);
        }
    }
}
