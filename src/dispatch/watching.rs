//! Resources that are watched for clients. A watch outlives the instance it began on: the next one is told of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dispatch::address::Address;
use crate::dispatch::audit::Record;
use crate::dispatch::subject::Subject;
use crate::dispatch::{CallError, Dispatcher, bridge, cancelled, full, is_unknown, shutting_down};
use crate::manifest::Handles;
use crate::model::answer::Answer;
use crate::model::client::{Deaf, Hearer};
use crate::model::fault::{Fault, FaultKind};
use crate::registry::plugin::Plugin;
use crate::registry::pool::Lease;
use crate::runtime::updates::Watch;
use crate::runtime::{CallContext, Request};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Params, Reply};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most resources that one session watches.
const MAX_PER_SESSION: usize = 1_000;

/// How long a plugin may take to hear that a resource is no longer watched.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long to wait before a plugin that ended is asked again to tell of a resource; doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest such wait.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The most resources of one plugin that one session asks it for at once.
const AT_ONCE: usize = 16;

/// The places among those that one session asks one plugin for at once.
#[derive(Default)]
struct Turns(OnceLock<Semaphore>);

/// What sessions watch, by session and URI.
#[derive(Default)]
pub(super) struct Watching(Mutex<HashMap<Arc<str>, HashMap<String, OfSession>>>);

/// What one session watches.
struct OfSession {
    /// Tells this watch from a later one of the same resource.
    number: u64,
    watched: Watched,
    /// Ends the task that waits for the end of the session.
    _until: DropGuard,
}

/// A resource is watched until this is dropped.
pub struct Watched {
    wish: Arc<Wish>,
    _until: DropGuard,
}

/// One watch on one instance.
struct Placed {
    lease: Lease,
    watch: Watch,
}

/// What is watched, for whom.
struct Wish {
    address: Address,
    /// The plugin's own URI.
    own: Arc<str>,
    /// The URI the client knows it by, where that is another.
    listed: Option<Json>,
    hearer: Arc<dyn Hearer>,
    context: CallContext,
    /// Where it is watched now.
    placed: Mutex<Option<Placed>>,
}

impl Watching {
    fn sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<String, OfSession>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Dispatcher {
    /// Watches a resource for `hearer`, in the session of `context`: all that is watched in one session shares the
    /// instances that serve that alone. In place of it stands `handle` where the plugin takes handles. The result is the
    /// plugin's. It counts as a call while it is being set up, and ends with the session.
    pub async fn watch(
        self: &Arc<Self>,
        uri: &str,
        hearer: Arc<dyn Hearer>,
        handle: Option<&Arc<Session>>,
        context: CallContext,
    ) -> Result<(Watched, Reply), CallError> {
        let subject = Subject::Resource(uri.to_owned());
        let method = Method::ResourcesSubscribe;
        let mut record = Record::open(&*self.audit, &method, uri, &context);
        let placed = self
            .place(&subject, &hearer, handle, &context, &mut record)
            .await;
        record.close(placed.as_ref().map(|(_, _, outcome)| outcome));
        let (wish, placed, outcome) = placed?;
        match outcome {
            Outcome::Error(error) => Err(CallError::Plugin(error)),
            Outcome::Result(reply) => {
                let ended = CancellationToken::new();
                let until = ended.clone().drop_guard();
                let wish = Arc::new(wish.lasting(ended));
                wish.put(Some(placed));
                let (dispatcher, kept) = (Arc::clone(self), Arc::clone(&wish));
                let name = format!("{} watch", wish.address.plugin.manifest.id);
                self.supervisor.spawn(name, |stop| async move {
                    dispatcher.keep(&kept, stop).await;
                });
                let watched = Watched {
                    wish,
                    _until: until,
                };
                Ok((watched, reply))
            }
        }
    }

    /// Watches a resource for the session of the call until it is told not to, or ends.
    pub async fn subscribe(
        self: &Arc<Self>,
        uri: &str,
        context: CallContext,
    ) -> Result<Reply, CallError> {
        let Some(session) = context.session.clone() else {
            let message = "only a session can watch resources";
            return Err(Fault::new(FaultKind::Denied, message).into());
        };
        let watched = self
            .watching
            .sessions()
            .get(&session.id)
            .map_or(0, HashMap::len);
        if watched >= MAX_PER_SESSION {
            let message = format!("a session watches at most {MAX_PER_SESSION} resources");
            return Err(Fault::new(FaultKind::Busy, message)
                .because("overloaded")
                .into());
        }
        let hearer = Arc::clone(&session) as Arc<dyn Hearer>;
        let number = self.next_call();
        let (watched, reply) = self.watch(uri, hearer, None, context).await?;
        let ended = CancellationToken::new();
        let until = ended.clone().drop_guard();
        let (dispatcher, name) = (Arc::clone(self), uri.to_owned());
        let id = Arc::clone(&session.id);
        let of_session = OfSession {
            number,
            watched,
            _until: until,
        };
        let mut sessions = self.watching.sessions();
        let known = sessions.entry(id).or_default();
        // One that took its place has ended by that.
        drop(known.insert(name.clone(), of_session));
        drop(sessions);
        self.supervisor.spawn("session watch", |stop| async move {
            tokio::select! {
                () = session.ended().cancelled() => {}
                () = ended.cancelled() => {}
                () = stop.cancelled() => {}
            }
            dispatcher.forget(&session.id, &name, number);
        });
        Ok(reply)
    }

    /// Ends that. The result is the plugin's, where it was watching.
    pub async fn unsubscribe(&self, uri: &str, context: CallContext) -> Result<Reply, CallError> {
        let nothing = Reply {
            result: Json::literal("{}"),
            result_type: None,
        };
        let Some(session) = &context.session else {
            return Ok(nothing);
        };
        let known = {
            let mut sessions = self.watching.sessions();
            let watched = sessions.get_mut(&session.id);
            watched.and_then(|watched| watched.remove(uri))
        };
        let Some(OfSession { watched, .. }) = known else {
            return Ok(nothing);
        };
        let wish = Arc::clone(&watched.wish);
        let Some(placed) = wish.take() else {
            return Ok(nothing);
        };
        let subject = Subject::Resource(uri.to_owned());
        let method = Method::ResourcesUnsubscribe;
        let mut record = Record::open(&*self.audit, &method, uri, &context);
        record.found(&wish.address.plugin);
        let answer = wish.leave(placed, &context).await;
        drop(watched);
        let outcome = match answer {
            Some(answer) => bridge::to_client(answer, &subject, context.era()),
            None => Ok(Outcome::Result(nothing)),
        };
        record.close(outcome.as_ref());
        match outcome? {
            Outcome::Result(reply) => Ok(reply),
            Outcome::Error(error) => Err(CallError::Plugin(error)),
        }
    }

    fn forget(&self, session: &Arc<str>, uri: &str, number: u64) {
        let mut sessions = self.watching.sessions();
        let Some(watched) = sessions.get_mut(session) else {
            return;
        };
        if watched.get(uri).is_some_and(|known| known.number == number) {
            watched.remove(uri);
        }
        if watched.is_empty() {
            sessions.remove(session);
        }
    }

    async fn place(
        &self,
        subject: &Subject,
        hearer: &Arc<dyn Hearer>,
        handle: Option<&Arc<Session>>,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<(Wish, Placed, Outcome), Fault> {
        let addresses = self.find(subject, context).await?;
        let count = addresses.len();
        for (at, address) in addresses.into_iter().enumerate() {
            record.found(&address.plugin);
            let takes_it = address.plugin.manifest.handles != Handles::Off;
            let session = handle.filter(|_| takes_it).or(context.session.as_ref());
            let within = CallContext {
                session: session.cloned(),
                ..context.clone()
            };
            let wish = Wish::new(address, subject, hearer, within);
            let (placed, answer) = tokio::select! {
                biased;
                placed = wish.place() => placed?,
                () = context.cancel.cancelled() => return Err(cancelled()),
                () = self.closing.cancelled() => return Err(shutting_down()),
            };
            if at + 1 == count || !is_unknown(&answer, subject) {
                let outcome = bridge::to_client(answer, subject, context.era())?;
                return Ok((wish, placed, outcome));
            }
        }
        Err(self.unknown(subject, &context.caller))
    }

    /// Sees to it that the resource stays watched, whatever becomes of instances, until nobody wants that any more.
    async fn keep(&self, wish: &Wish, stop: CancellationToken) {
        let unwanted = async {
            tokio::select! {
                () = wish.context.cancel.cancelled() => {}
                () = stop.cancelled() => {}
                () = self.closing.cancelled() => {}
                () = wish.session_ended() => {}
            }
        };
        tokio::pin!(unwanted);
        loop {
            let Some(ended) = wish.instance_ended() else {
                return;
            };
            tokio::select! {
                () = &mut unwanted => {
                    if let Some(placed) = wish.take() {
                        wish.leave(placed, &wish.parting()).await;
                    }
                    return;
                }
                () = ended.cancelled() => {}
            }
            let mut pause = PAUSE;
            loop {
                tokio::select! {
                    () = &mut unwanted => return,
                    () = tokio::time::sleep(pause) => {}
                }
                let placed = tokio::select! {
                    () = &mut unwanted => return,
                    placed = wish.place() => placed,
                };
                // One that refuses does not watch: it is asked again, as one that does not start is.
                if let Ok((placed, answer)) = placed
                    && matches!(answer.outcome, Outcome::Result(_))
                {
                    wish.put(Some(placed));
                    wish.tell();
                    break;
                }
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

impl Turns {
    /// No more than the plugin's gate lets through, so that one session alone does not fill the queue before it.
    fn of(&self, plugin: &Plugin) -> &Semaphore {
        let passing = plugin.manifest.limits.max_concurrent_calls as usize;
        self.0
            .get_or_init(|| Semaphore::new(passing.clamp(1, AT_ONCE)))
    }
}

impl Wish {
    fn new(
        address: Address,
        subject: &Subject,
        hearer: &Arc<dyn Hearer>,
        context: CallContext,
    ) -> Self {
        let own = address.own.as_ref().and_then(Json::string);
        Self {
            own: own.map_or_else(|| subject.name().into(), Into::into),
            listed: address.own.as_ref().map(|_| Json::of(subject.name())),
            address,
            hearer: Arc::clone(hearer),
            context,
            placed: Mutex::default(),
        }
    }

    /// The same beyond the call it came with: what a plugin says to its requests from now on goes to the session, if
    /// there is one.
    fn lasting(self, ended: CancellationToken) -> Self {
        let session = self.context.session.as_ref();
        let client = session.and_then(|session| session.client());
        Self {
            context: CallContext {
                client: client.unwrap_or_else(|| Arc::new(Deaf)),
                cancel: ended,
                farewell: None,
                ..self.context
            },
            ..self
        }
    }

    fn placed(&self) -> MutexGuard<'_, Option<Placed>> {
        self.placed.lock().expect("no holder of this lock panics")
    }

    fn put(&self, placed: Option<Placed>) {
        *self.placed() = placed;
    }

    fn take(&self) -> Option<Placed> {
        self.placed().take()
    }

    /// Cancelled when the instance that watches has ended; `None` when none watches any more.
    fn instance_ended(&self) -> Option<CancellationToken> {
        let placed = self.placed();
        let lease = &placed.as_ref()?.lease;
        Some(lease.instance().ended().clone())
    }

    /// Waits for the end of the session that it is watched in.
    async fn session_ended(&self) {
        match &self.context.session {
            Some(session) => session.ended().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The context of the request that ends it, when its own has.
    fn parting(&self) -> CallContext {
        CallContext {
            cancel: CancellationToken::new(),
            ..self.context.clone()
        }
    }

    fn request(&self, method: Method) -> Request {
        let mut params = Params::default();
        params.members.set("uri", Json::of(&*self.own));
        Request { method, params }
    }

    /// Says that the resource may be another than it was: nobody told of it while nobody watched.
    fn tell(&self) {
        let mut params = Params::default();
        let uri = self.listed.clone();
        let uri = uri.unwrap_or_else(|| Json::of(&*self.own));
        params.members.set("uri", uri);
        self.hearer.hear(&Method::ResourcesUpdated, &params);
    }

    fn turns(&self) -> Option<Arc<Turns>> {
        let session = self.context.session.as_ref()?;
        Some(session.drawer(&self.address.plugin.manifest.id).get())
    }

    /// Passes the gate, takes an instance and asks it to tell of the resource. Bounded by the time of a call.
    async fn place(&self) -> Result<(Placed, Answer), Fault> {
        let plugin = &self.address.plugin;
        let bound = Duration::from_millis(self.address.timeout_ms(&Method::ResourcesSubscribe));
        let placing = async {
            let turns = self.turns();
            let _turn = match &turns {
                // It is never closed.
                Some(turns) => turns.of(plugin).acquire().await.ok(),
                None => None,
            };
            let _permit = plugin.gate.enter().await.map_err(|_| full(plugin))?;
            let pass = plugin.enter()?;
            let lease = plugin.pool.lease(&self.context).await?;
            let (own, listed) = (Arc::clone(&self.own), self.listed.clone());
            let watch = lease.updates().watch(own, listed, Arc::clone(&self.hearer));
            let request = self.request(Method::ResourcesSubscribe);
            let answer = lease.instance().request(request, &self.context).await;
            if let Some(pass) = pass {
                pass.ended(&answer, None);
            }
            Ok((Placed { lease, watch }, answer?))
        };
        tokio::time::timeout(bound, placing)
            .await
            .unwrap_or_else(|_| {
                let message = format!("Operation timed out after {} ms", bound.as_millis());
                Err(Fault::new(FaultKind::Timeout, message))
            })
    }

    /// Tells the plugin that nobody watches any more; `None` where it need not know. A legacy one does not count who does.
    async fn leave(&self, placed: Placed, context: &CallContext) -> Option<Answer> {
        let Placed { lease, watch } = placed;
        drop(watch);
        let instance = lease.instance();
        if instance.era() == Era::Legacy && lease.updates().is_watched(&self.own) {
            return None;
        }
        let request = self.request(Method::ResourcesUnsubscribe);
        let asked = instance.request(request, context);
        // It may end at this moment, or not answer: then it has nothing to tell either.
        tokio::time::timeout(FAREWELL, asked).await.ok()?.ok()
    }
}
