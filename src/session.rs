//! Sessions: what a client that opened one may come back to.
//!
//! A session belongs to one principal. It holds what must outlive a request: the client's profile, the log level, one
//! drawer per plugin, the requests in flight, the questions its client was asked, its event streams. An idle one costs well
//! under 1 KB.

pub mod outbox;

pub mod questions;

pub mod reader;

pub mod streams;

pub mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::model::caller::ClientProfile;
use crate::model::client::{Client, Farewell, Hearer};
use crate::model::drawer::Drawer;
use crate::model::plugin_id::PluginId;
use crate::session::questions::Questions;
use crate::session::streams::{Replay, STANDALONE, Streams};
use crate::wire::level::LogLevel;
use crate::wire::message::{Id, Params, write_notification};
use crate::wire::method::Method;

/// How much of its id is shown: enough to tell sessions apart, too little to use one.
const SHOWN: usize = 8;

/// The beginning of a session's id, as records and lists show it.
pub fn shown(id: &str) -> &str {
    &id[..SHOWN.min(id.len())]
}

/// One session.
#[derive(Debug)]
pub struct Session {
    /// Unguessable, visible ASCII.
    pub id: Arc<str>,
    /// The only one who may use it.
    pub principal: Arc<str>,
    /// What the client said of itself at `initialize`.
    pub profile: Arc<ClientProfile>,
    live: Mutex<Live>,
    /// Made when somebody first wants to know that the session ends.
    ended: OnceLock<CancellationToken>,
    replay: Replay,
    /// Made at first use.
    streams: OnceLock<Box<Streams>>,
    /// The one way to a client that has no event streams.
    pipe: OnceLock<Pipe>,
    /// How the client is asked outside of any call.
    outside: OnceLock<Outside>,
}

/// Makes the client of a session, as it is reached outside of any call.
struct Outside(Box<MakeClient>);

type MakeClient = dyn Fn(&Arc<Session>) -> Arc<dyn Client> + Send + Sync;

/// Takes a message for the client, or drops it; never waits.
struct Pipe(Box<dyn Fn(Bytes) + Send + Sync>);

#[derive(Debug)]
struct Live {
    opened: Instant,
    last_used: Instant,
    log_level: Option<LogLevel>,
    drawers: HashMap<PluginId, Arc<Drawer>>,
    in_flight: HashMap<Id, (CancellationToken, Farewell)>,
    /// Made at the first question.
    questions: Option<Box<Questions>>,
}

/// A request of a session while it runs. Dropping it ends that.
#[derive(Debug)]
pub struct InFlight {
    session: Arc<Session>,
    id: Id,
    /// Cancelled when the client says that it no longer wants the answer, or when the session ends.
    pub cancel: CancellationToken,
    /// What the client says then.
    pub farewell: Farewell,
}

impl Session {
    /// A session outside any table: the one of a stdio process.
    pub fn new(id: Arc<str>, principal: Arc<str>, profile: Arc<ClientProfile>) -> Arc<Self> {
        Self::with_replay(id, principal, profile, Replay::default())
    }

    /// A session whose client can come back for what it missed, within the bounds of `replay`.
    pub fn with_replay(
        id: Arc<str>,
        principal: Arc<str>,
        profile: Arc<ClientProfile>,
        replay: Replay,
    ) -> Arc<Self> {
        let now = Instant::now();
        let live = Live {
            opened: now,
            last_used: now,
            log_level: None,
            drawers: HashMap::new(),
            in_flight: HashMap::new(),
            questions: None,
        };
        Arc::new(Self {
            id,
            principal,
            profile,
            live: Mutex::new(live),
            ended: OnceLock::new(),
            replay,
            streams: OnceLock::new(),
            pipe: OnceLock::new(),
            outside: OnceLock::new(),
        })
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().expect("no holder of this lock panics")
    }

    /// Notes a request as in flight. `None` when one of the same id is: ids are unique among the requests in flight
    /// (JSON-RPC 2.0 section 4).
    pub fn begin(self: &Arc<Self>, id: &Id) -> Option<InFlight> {
        let (cancel, farewell) = (CancellationToken::new(), Farewell::default());
        let mut live = self.live();
        live.last_used = Instant::now();
        if live.in_flight.contains_key(id) {
            return None;
        }
        live.in_flight
            .insert(id.clone(), (cancel.clone(), farewell.clone()));
        drop(live);
        Some(InFlight {
            session: Arc::clone(self),
            id: id.clone(),
            cancel,
            farewell,
        })
    }

    /// Cancels the request that the params of a `notifications/cancelled` name; unknown ones are ignored, they may be
    /// over already.
    pub fn cancel(&self, params: &Params) {
        let id = params.members.get("requestId").and_then(Id::of);
        if let Some((cancel, farewell)) = id.and_then(|id| self.live().in_flight.get(&id).cloned())
        {
            farewell.say(params);
            cancel.cancel();
        }
    }

    /// Notes that the client was here.
    pub fn touch(&self) {
        self.live().last_used = Instant::now();
    }

    /// The drawer of one plugin.
    pub fn drawer(&self, plugin: &PluginId) -> Arc<Drawer> {
        Arc::clone(self.live().drawers.entry(plugin.clone()).or_default())
    }

    /// From which level on the client wants log messages; `None` leaves it to the plugins.
    pub fn log_level(&self) -> Option<LogLevel> {
        self.live().log_level
    }

    /// Sets that level.
    pub fn set_log_level(&self, level: LogLevel) {
        self.live().log_level = Some(level);
    }

    /// Its event streams.
    pub fn streams(&self) -> &Streams {
        self.streams
            .get_or_init(|| Box::new(Streams::new(self.replay)))
    }

    /// Says how the client is told things, where that is not by event streams. Must not wait. For the one front that
    /// has the session; said once.
    pub fn reach_by(&self, pipe: impl Fn(Bytes) + Send + Sync + 'static) {
        if self.pipe.set(Pipe(Box::new(pipe))).is_err() {
            tracing::debug!("A session is reached by one pipe, the first");
        }
    }

    /// Says how the client is asked outside of any call. For the one front that has the session; said once.
    pub fn ask_by(&self, outside: impl Fn(&Arc<Self>) -> Arc<dyn Client> + Send + Sync + 'static) {
        if self.outside.set(Outside(Box::new(outside))).is_err() {
            tracing::debug!("A session is asked in one way, the first");
        }
    }

    /// The client, as it is reached outside of any call; `None` where it is not.
    pub fn client(self: &Arc<Self>) -> Option<Arc<dyn Client>> {
        self.outside.get().map(|Outside(outside)| outside(self))
    }

    /// Tells the client something that belongs to no request. Where nobody listens it waits, within bounds, for who
    /// comes. `false` when it was dropped: too much waits, or the client does not want log messages of this level.
    pub fn tell(&self, method: &Method, params: &Params) -> bool {
        if *method == Method::LogMessage
            && self.log_level().is_some_and(|least| !least.lets(params))
        {
            return false;
        }
        let mut text = Vec::with_capacity(256);
        write_notification(&mut text, method, params);
        match self.pipe.get() {
            Some(Pipe(pipe)) => {
                pipe(text.into());
                true
            }
            None => self.streams().offer(STANDALONE, text.into()),
        }
    }

    /// Forgets what was kept for its client for long enough.
    pub fn sweep(&self, now: Instant) {
        if let Some(streams) = self.streams.get() {
            streams.sweep(now);
        }
    }

    /// Whether nothing of it is in use.
    pub fn is_idle(&self) -> bool {
        let streams = self.streams.get();
        let is_read = streams.is_some_and(|streams| streams.standalone_is_read());
        !is_read && self.live().in_flight.is_empty()
    }

    /// Since when it has not been used, and since when it exists.
    pub fn times(&self) -> (Instant, Instant) {
        let live = self.live();
        (live.last_used, live.opened)
    }

    /// Cancelled when the session ends.
    pub fn ended(&self) -> &CancellationToken {
        self.ended.get_or_init(CancellationToken::new)
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.ended
            .get()
            .is_some_and(CancellationToken::is_cancelled)
    }

    /// Ends it: its requests are cancelled, and the stream that belongs to none of them closes.
    pub fn end(&self) {
        self.ended().cancel();
        let live = self.live();
        live.in_flight
            .values()
            .for_each(|(cancel, _)| cancel.cancel());
        drop(live);
        if let Some(streams) = self.streams.get() {
            streams.finish(STANDALONE, []);
        }
    }
}

impl Hearer for Session {
    fn hear(&self, method: &Method, params: &Params) {
        if !self.tell(method, params) {
            tracing::debug!("Dropped a `{method}` for a session");
        }
    }
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipe")
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut live = self.session.live();
        live.in_flight.remove(&self.id);
        live.last_used = Instant::now();
        if live.in_flight.is_empty() {
            live.in_flight.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::reader::Reader;

    fn session() -> Arc<Session> {
        Session::new("s".into(), "p".into(), Arc::new(ClientProfile::bare()))
    }

    #[test]
    fn an_id_is_unique_while_it_is_in_flight() {
        let session = session();
        let first = session.begin(&Id::number(1)).expect("free");
        assert!(session.begin(&Id::number(1)).is_none());
        drop(first);
        assert!(session.begin(&Id::number(1)).is_some());
    }

    #[test]
    fn cancelling_reaches_the_request_and_only_it() {
        let session = session();
        let (one, two) = (session.begin(&Id::number(1)), session.begin(&Id::number(2)));
        let named = |id: u64| Params::of(&serde_json::json!({ "requestId": id }));
        session.cancel(&named(1));
        session.cancel(&named(3));
        assert!(one.is_some_and(|one| one.cancel.is_cancelled()));
        assert!(two.is_some_and(|two| !two.cancel.is_cancelled()));
    }

    #[tokio::test]
    async fn a_second_reader_ends_the_first_and_the_session_ends_the_second() {
        let session = session();
        let (mut first, _) = Reader::standalone(&session).expect("there is one");
        let (mut second, _) = Reader::standalone(&session).expect("there is one");
        assert!(first.next().await.is_none());
        drop(first);
        assert!(!session.is_idle());
        session.end();
        assert!(second.next().await.is_none());
        let (mut late, _) = Reader::standalone(&session).expect("there is one");
        assert!(late.next().await.is_none());
    }

    #[test]
    fn what_is_told_goes_through_the_pipe_where_there_is_one() {
        let session = session();
        let said = Arc::new(Mutex::new(Vec::new()));
        let saying = Arc::clone(&said);
        session.reach_by(move |message| saying.lock().expect("fine").push(message));
        session.set_log_level(LogLevel::Error);
        let params = |level: &str| Params::of(&serde_json::json!({ "level": level }));
        assert!(session.tell(&Method::LogMessage, &params("error")));
        assert!(!session.tell(&Method::LogMessage, &params("info")));
        assert_eq!(said.lock().expect("fine").len(), 1);
        assert!(session.streams.get().is_none());
    }

    #[test]
    fn an_idle_session_is_small() {
        // Two counters, the session, and the text of its id.
        let size = size_of::<Session>() + 16 + 48;
        assert!(size <= 512, "{size} bytes");
    }

    #[test]
    fn a_drawer_keeps_one_value_per_type() {
        let session = session();
        let id: PluginId = "p".parse().expect("an id");
        *session
            .drawer(&id)
            .get::<Mutex<u32>>()
            .lock()
            .expect("fine") = 7;
        assert_eq!(
            *session
                .drawer(&id)
                .get::<Mutex<u32>>()
                .lock()
                .expect("fine"),
            7
        );
    }
}
