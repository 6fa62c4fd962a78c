//! Sessions: what a client that opened one may come back to.
//!
//! A session belongs to one principal. It holds what must outlive a request: the client's profile, the log level, one
//! drawer per plugin, the requests in flight, the standalone stream. An idle one costs well under 2 KB.

pub mod outbox;

pub mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::model::caller::ClientProfile;
use crate::model::client::{Client, Hearer};
use crate::model::drawer::Drawer;
use crate::model::plugin_id::PluginId;
use crate::session::outbox::Outbox;
use crate::wire::level::LogLevel;
use crate::wire::message::{Id, Params, write_notification};
use crate::wire::method::Method;

/// One session.
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
    /// The way to the client outside of any call.
    client: OnceLock<Arc<dyn Client>>,
}

#[derive(Debug)]
struct Live {
    opened: Instant,
    last_used: Instant,
    log_level: Option<LogLevel>,
    drawers: HashMap<PluginId, Arc<Drawer>>,
    in_flight: HashMap<Id, CancellationToken>,
    stream: Option<Arc<Outbox>>,
}

/// A request of a session while it runs. Dropping it ends that.
#[derive(Debug)]
pub struct InFlight {
    session: Arc<Session>,
    id: Id,
    /// Cancelled when the client says that it no longer wants the answer, or when the session ends.
    pub cancel: CancellationToken,
}

impl Session {
    /// A session outside any table: the one of a stdio process.
    pub fn new(id: Arc<str>, principal: Arc<str>, profile: Arc<ClientProfile>) -> Arc<Self> {
        let now = Instant::now();
        let live = Live {
            opened: now,
            last_used: now,
            log_level: None,
            drawers: HashMap::new(),
            in_flight: HashMap::new(),
            stream: None,
        };
        Arc::new(Self {
            id,
            principal,
            profile,
            live: Mutex::new(live),
            ended: OnceLock::new(),
            client: OnceLock::new(),
        })
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().expect("no holder of this lock panics")
    }

    /// Notes a request as in flight. `None` when one of the same id is: ids are unique among the requests in flight
    /// (JSON-RPC 2.0 section 4).
    pub fn begin(self: &Arc<Self>, id: &Id) -> Option<InFlight> {
        let cancel = CancellationToken::new();
        let mut live = self.live();
        live.last_used = Instant::now();
        if live.in_flight.contains_key(id) {
            return None;
        }
        live.in_flight.insert(id.clone(), cancel.clone());
        drop(live);
        Some(InFlight {
            session: Arc::clone(self),
            id: id.clone(),
            cancel,
        })
    }

    /// Cancels the request `id`; unknown ones are ignored, they may be over already.
    pub fn cancel(&self, id: &Id) {
        if let Some(cancel) = self.live().in_flight.get(id) {
            cancel.cancel();
        }
    }

    /// Says how the client is reached outside of any call. The first way given is kept.
    pub fn reach_by(&self, client: Arc<dyn Client>) {
        drop(self.client.set(client));
    }

    /// The way to the client outside of any call, where there is one.
    pub fn client(&self) -> Option<&Arc<dyn Client>> {
        self.client.get()
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

    /// Opens the standalone stream. An older one ends: a client that lost its connection comes back before we know.
    pub fn open_stream(&self) -> Arc<Outbox> {
        let stream = Arc::new(Outbox::default());
        let older = self.live().stream.replace(Arc::clone(&stream));
        if let Some(older) = older {
            older.close();
        }
        stream
    }

    /// The standalone stream, if one is open.
    pub fn stream(&self) -> Option<Arc<Outbox>> {
        self.live().stream.clone()
    }

    /// Forgets the standalone stream, unless it is another one by now.
    pub fn close_stream(&self, stream: &Arc<Outbox>) {
        let mut live = self.live();
        live.stream.take_if(|open| Arc::ptr_eq(open, stream));
        live.last_used = Instant::now();
    }

    /// Whether nothing of it is in use.
    pub fn is_idle(&self) -> bool {
        let live = self.live();
        live.in_flight.is_empty() && live.stream.is_none()
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

    /// Ends it: its requests are cancelled, its stream closes.
    pub fn end(&self) {
        self.ended().cancel();
        let mut live = self.live();
        live.in_flight.values().for_each(CancellationToken::cancel);
        if let Some(stream) = live.stream.take() {
            stream.close();
        }
    }
}

impl Hearer for Session {
    fn hear(&self, method: &Method, params: &Params) {
        if let Some(client) = self.client() {
            return client.notify(method, params);
        }
        if let Some(stream) = self.stream() {
            let mut text = Vec::with_capacity(256);
            write_notification(&mut text, method, params);
            stream.push(text.into());
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
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
        session.cancel(&Id::number(1));
        session.cancel(&Id::number(3));
        assert!(one.is_some_and(|one| one.cancel.is_cancelled()));
        assert!(two.is_some_and(|two| !two.cancel.is_cancelled()));
    }

    #[test]
    fn a_second_stream_ends_the_first() {
        let session = session();
        let first = session.open_stream();
        let second = session.open_stream();
        assert!(first.is_closed() && !second.is_closed());
        session.close_stream(&first);
        assert!(session.stream().is_some());
        session.end();
        assert!(second.is_closed());
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
