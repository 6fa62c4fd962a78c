//! The event streams of one session: what is on its way to the client, and what it may come back for.
//!
//! Each request that is answered by a stream has one of its own, and one stands for itself. An event belongs to one
//! stream for good. It waits until a connection takes it; then a copy is kept for a client that lost the connection, for
//! a time and within bounds that all streams of the session share (MCP 2025-11-25, transports, resumability).

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::session::outbox::{MAX_BYTES, MAX_MESSAGES};

/// The number of the stream that belongs to no request.
pub const STANDALONE: u64 = 0;

/// How many times as much may wait before a question is refused as before a notification is dropped.
const QUESTIONS_ROOM: usize = 2;

/// What is kept for a client that comes back: events that a connection has taken, and those of streams without one.
#[derive(Debug, Clone, Copy)]
pub struct Replay {
    /// The most events; 0 keeps none.
    pub messages: usize,
    /// The most bytes of messages, unless a single one is larger.
    pub bytes: usize,
    /// For how long.
    pub keep: Duration,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            messages: 256,
            bytes: 1 << 20,
            keep: Duration::from_secs(60),
        }
    }
}

/// Names one event: unlike any other of the session, and most likely of all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    tag: u32,
    stream: u64,
    /// The first event of a stream is 1; 0 stands before it.
    number: u64,
}

/// The streams of one session.
#[derive(Debug)]
pub struct Streams {
    /// Tells the ids of this session from those of others, which a client that has several may mistake.
    tag: u32,
    replay: Replay,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Boxed, because the map takes room for many at once and mostly has one.
    streams: BTreeMap<u64, Box<Stream>>,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Stream {
    /// The events that are still there, the oldest first.
    events: VecDeque<Event>,
    bytes: usize,
    /// The number of the newest event.
    last: u64,
    /// The number of the last event that a connection has taken.
    sent: u64,
    unsent_bytes: usize,
    /// Wakes the connection that reads it.
    reader: Option<Arc<Notify>>,
    /// Nothing more is to come.
    is_over: bool,
    /// It belongs to no request, whose end would be its own.
    is_standalone: bool,
}

/// What is said by a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Told,
    Asked,
    Answer,
}

#[derive(Debug)]
struct Event {
    message: Bytes,
    kind: Kind,
    at: Instant,
}

/// What a connection that asks for the next event gets.
pub(super) enum Next {
    Event(EventId, Bytes),
    /// Nothing yet.
    Wait,
    /// Nothing any more, from this stream or for this connection.
    Over,
}

impl Streams {
    pub(super) fn new(replay: Replay) -> Self {
        let mut tag = [0; 4];
        getrandom::fill(&mut tag).expect("the system has a random generator");
        Self {
            tag: u32::from_le_bytes(tag),
            replay,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Begins the stream of a request.
    pub fn open(&self) -> u64 {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.streams.insert(number, Box::default());
        number
    }

    /// Queues a message; `false` when it was dropped, because too much waits or the stream is over.
    pub fn offer(&self, stream: u64, message: Bytes) -> bool {
        self.queue(stream, message, Kind::Told)
    }

    /// Queues a question, which is not dropped later while somebody waits for its answer; `false` when it cannot be
    /// taken: far too much waits, or the stream is over.
    pub fn send(&self, stream: u64, message: Bytes) -> bool {
        self.queue(stream, message, Kind::Asked)
    }

    fn queue(&self, number: u64, message: Bytes, kind: Kind) -> bool {
        let mut state = self.state();
        let queued = state
            .stream(number)
            .is_some_and(|stream| stream.queue(message, kind));
        if queued {
            state.trim(&self.replay);
        } else {
            state.dropped += 1;
        }
        queued
    }

    /// Ends a stream with the answers that it was for.
    pub fn finish(&self, number: u64, answers: impl IntoIterator<Item = Bytes>) {
        let mut state = self.state();
        let Some(stream) = state.stream(number) else {
            return;
        };
        for answer in answers {
            stream.queue(answer, Kind::Answer);
        }
        stream.is_over = true;
        stream.wake();
        state.trim(&self.replay);
    }

    /// Lets `reader` read a stream from the first event on that no connection has taken. An older reader ends: a client
    /// that lost its connection comes back before we know. The id is the one that stands before that event.
    pub(super) fn attach(&self, number: u64, reader: &Arc<Notify>) -> Option<EventId> {
        let mut state = self.state();
        let stream = state.stream(number)?;
        stream.read_by(reader);
        let sent = stream.sent;
        Some(self.id(number, sent))
    }

    /// Lets `reader` read the stream of an event from there on, in place of an older reader. `None` when there is no
    /// such event, or its stream is not kept any more.
    pub(super) fn attach_after(&self, after: EventId, reader: &Arc<Notify>) -> Option<u64> {
        let mut state = self.state();
        let stream = state.streams.get_mut(&after.stream)?;
        if after.tag != self.tag || after.number > stream.last {
            return None;
        }
        stream.go_to(after.number);
        stream.read_by(reader);
        Some(after.stream)
    }

    pub(super) fn detach(&self, number: u64, reader: &Arc<Notify>) {
        let mut state = self.state();
        if let Some(stream) = state.streams.get_mut(&number) {
            stream.reader.take_if(|known| Arc::ptr_eq(known, reader));
        }
        state.trim(&self.replay);
    }

    pub(super) fn next(&self, number: u64, reader: &Arc<Notify>) -> Next {
        let mut state = self.state();
        let stream = state.streams.get_mut(&number);
        let Some(stream) = stream.filter(|stream| stream.is_read_by(reader)) else {
            return Next::Over;
        };
        match stream.next() {
            Some((at, message)) => {
                state.trim(&self.replay);
                Next::Event(self.id(number, at), message)
            }
            None if stream.is_over => Next::Over,
            None => Next::Wait,
        }
    }

    /// Whether a connection reads the stream that belongs to no request.
    pub(super) fn standalone_is_read(&self) -> bool {
        let state = self.state();
        let stream = state.streams.get(&STANDALONE);
        stream.is_some_and(|stream| stream.reader.is_some())
    }

    /// Forgets what was kept for longer than it is to be.
    pub(super) fn sweep(&self, now: Instant) {
        let mut state = self.state();
        let keep = self.replay.keep;
        let is_old = |event: &Event| now.saturating_duration_since(event.at) >= keep;
        let mut lost = 0;
        for stream in state.streams.values_mut() {
            while stream.events.front().is_some_and(is_old) && stream.can_spare() {
                lost += u64::from(stream.forget_oldest());
            }
            if stream.events.is_empty() {
                stream.events = VecDeque::new();
            }
        }
        state.dropped += lost;
        state.tidy();
    }

    /// How many messages were lost: there was no room for them, or nobody came for them.
    pub fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// How many events are there, and the bytes of their messages.
    pub fn held(&self) -> (usize, usize) {
        let state = self.state();
        state.streams.values().fold((0, 0), |(events, bytes), one| {
            (events + one.events.len(), bytes + one.bytes)
        })
    }

    fn id(&self, stream: u64, number: u64) -> EventId {
        EventId {
            tag: self.tag,
            stream,
            number,
        }
    }
}

impl State {
    fn stream(&mut self, number: u64) -> Option<&mut Stream> {
        if number == STANDALONE {
            let stream = self.streams.entry(STANDALONE).or_default();
            stream.is_standalone = true;
            return Some(stream);
        }
        self.streams.get_mut(&number).map(|stream| &mut **stream)
    }

    /// Forgets events until what is kept is within its bounds.
    fn trim(&mut self, replay: &Replay) {
        while self.exceeds(replay) && self.forget_one() {}
        self.tidy();
    }

    fn exceeds(&self, replay: &Replay) -> bool {
        let kept = self.streams.values().map(|stream| stream.kept());
        let (messages, bytes) = kept.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        messages > replay.messages || (bytes > replay.bytes && messages > 1)
    }

    /// Forgets the oldest event of all streams.
    fn forget_one(&mut self) -> bool {
        let streams = self.streams.values_mut();
        let spare = streams.filter(|stream| stream.can_spare());
        let oldest = spare.min_by_key(|stream| stream.events.front().map(|event| event.at));
        let Some(oldest) = oldest else { return false };
        let was_lost = oldest.forget_oldest();
        self.dropped += u64::from(was_lost);
        true
    }

    /// Forgets the streams that nobody can come back to.
    fn tidy(&mut self) {
        self.streams.retain(|_, stream| {
            !stream.is_over || stream.reader.is_some() || !stream.events.is_empty()
        });
    }
}

impl Stream {
    fn queue(&mut self, message: Bytes, kind: Kind) -> bool {
        if self.is_over || !self.has_room(message.len(), kind) {
            return false;
        }
        self.bytes += message.len();
        self.unsent_bytes += message.len();
        self.last += 1;
        self.events.push_back(Event {
            message,
            kind,
            at: Instant::now(),
        });
        self.wake();
        true
    }

    /// Whether there is room for a message of `size` bytes, unless it is the only one. Questions have room where
    /// notifications have none any more; the answer, which is the last message, always has.
    fn has_room(&self, size: usize, kind: Kind) -> bool {
        let times = match kind {
            Kind::Told => 1,
            Kind::Asked => QUESTIONS_ROOM,
            Kind::Answer => return true,
        };
        let unsent = self.unsent();
        let fits = self.unsent_bytes + size <= times * MAX_BYTES;
        unsent < times * MAX_MESSAGES && (fits || unsent == 0)
    }

    fn wake(&self) {
        if let Some(reader) = &self.reader {
            reader.notify_one();
        }
    }

    fn is_read_by(&self, reader: &Arc<Notify>) -> bool {
        self.reader
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, reader))
    }

    fn read_by(&mut self, reader: &Arc<Notify>) {
        // It finds that it is not the reader any more.
        self.wake();
        self.reader = Some(Arc::clone(reader));
    }

    /// The number of the newest event that is gone.
    fn gone(&self) -> u64 {
        self.last - self.events.len() as u64
    }

    /// How many events no connection has taken.
    fn unsent(&self) -> usize {
        usize::try_from(self.last - self.sent).unwrap_or(usize::MAX)
    }

    fn next(&mut self) -> Option<(u64, Bytes)> {
        let at = self.events.len() - self.unsent();
        let message = self.events.get(at)?.message.clone();
        self.sent += 1;
        self.unsent_bytes -= message.len();
        Some((self.sent, message))
    }

    /// Sends what stands behind the event `number` again, as far as it is there.
    fn go_to(&mut self, number: u64) {
        self.sent = number.max(self.gone());
        let unsent = self.events.iter().rev().take(self.unsent());
        self.unsent_bytes = unsent.map(|event| event.message.len()).sum();
    }

    /// What counts against the bounds of what is kept.
    fn kept(&self) -> (usize, usize) {
        match &self.reader {
            None => (self.events.len(), self.bytes),
            Some(_) => (
                self.events.len() - self.unsent(),
                self.bytes - self.unsent_bytes,
            ),
        }
    }

    /// Whether the oldest event may be forgotten. What nobody has taken may be once nobody reads it; a question of a
    /// call not before the end of the call.
    fn can_spare(&self) -> bool {
        self.events.front().is_some_and(|oldest| {
            self.unsent() < self.events.len()
                || (self.reader.is_none()
                    && (self.is_over || self.is_standalone || oldest.kind != Kind::Asked))
        })
    }

    /// Whether no connection had taken it.
    fn forget_oldest(&mut self) -> bool {
        let was_unsent = self.unsent() == self.events.len();
        let Some(event) = self.events.pop_front() else {
            return false;
        };
        self.bytes -= event.message.len();
        if was_unsent {
            self.unsent_bytes -= event.message.len();
            self.sent += 1;
        }
        was_unsent
    }
}

impl EventId {
    /// Whether it is one of the stream that belongs to no request.
    pub fn is_standalone(self) -> bool {
        self.stream == STANDALONE
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}.{}.{}", self.tag, self.stream, self.number)
    }
}

/// A text that is no id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no event has such an id")]
pub struct BadEventId;

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, BadEventId> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(BadEventId);
        let (tag, stream, number) = (part()?, part()?, part()?);
        Ok(Self {
            tag: u32::from_str_radix(tag, 16).map_err(|_| BadEventId)?,
            stream: stream.parse().map_err(|_| BadEventId)?,
            number: number.parse().map_err(|_| BadEventId)?,
        })
    }
}

#[cfg(test)]
mod tests;
