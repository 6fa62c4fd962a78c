//! One resource that is watched: for whom, and on which instance at this moment.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::dispatch::address::Address;
use crate::dispatch::full;
use crate::dispatch::subject::Subject;
use crate::manifest::Kind;
use crate::model::answer::Answer;
use crate::model::client::{Deaf, Hearer};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Lease;
use crate::runtime::updates::Watch;
use crate::runtime::{CallContext, Request};
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// How long a plugin may take to hear that a resource is no longer watched.
const FAREWELL: Duration = Duration::from_secs(2);

/// The most resources of one plugin that one session asks it for at once.
const AT_ONCE: usize = 16;

/// The places among those that one session asks one plugin for at once.
#[derive(Default)]
struct Turns(OnceLock<Semaphore>);

/// One watch on one instance.
pub(super) struct Placed {
    pub(super) plugin: Weak<Plugin>,
    lease: Lease,
    watch: Watch,
}

/// What is watched, for whom.
pub(super) struct Wish {
    /// Whose it is: the plugin itself may be exchanged meanwhile.
    pub(super) kind: Kind,
    pub(super) id: PluginId,
    /// The plugin's own URI.
    own: Arc<str>,
    /// The URI the client knows it by, where that is another.
    listed: Option<Json>,
    hearer: Arc<dyn Hearer>,
    pub(super) context: CallContext,
    /// Where it is watched now.
    placed: Mutex<Option<Placed>>,
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
    pub(super) fn new(
        address: &Address,
        subject: &Subject,
        hearer: &Arc<dyn Hearer>,
        context: CallContext,
    ) -> Self {
        let own = address.own.as_ref().and_then(Json::string);
        let (kind, id) = address.plugin.key();
        Self {
            kind,
            id: id.clone(),
            own: own.map_or_else(|| subject.name().into(), Into::into),
            listed: address.own.as_ref().map(|_| Json::of(subject.name())),
            hearer: Arc::clone(hearer),
            context,
            placed: Mutex::default(),
        }
    }

    /// The same beyond the call it came with: what a plugin says to its requests from now on goes to the session, if
    /// there is one.
    pub(super) fn lasting(self, ended: CancellationToken) -> Self {
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

    pub(super) fn put(&self, placed: Option<Placed>) {
        *self.placed() = placed;
    }

    pub(super) fn take(&self) -> Option<Placed> {
        self.placed().take()
    }

    /// Cancelled when the instance that watches has ended; `None` when none watches any more.
    pub(super) fn instance_ended(&self) -> Option<CancellationToken> {
        let placed = self.placed();
        let lease = &placed.as_ref()?.lease;
        Some(lease.instance().ended().clone())
    }

    /// Waits for the end of the session that it is watched in.
    pub(super) async fn session_ended(&self) {
        match &self.context.session {
            Some(session) => session.ended().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The context of the request that ends it, when its own has.
    pub(super) fn parting(&self) -> CallContext {
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
    pub(super) fn tell(&self) {
        let mut params = Params::default();
        let uri = self.listed.clone();
        let uri = uri.unwrap_or_else(|| Json::of(&*self.own));
        params.members.set("uri", uri);
        self.hearer.hear(&Method::ResourcesUpdated, &params);
    }

    fn turns(&self) -> Option<Arc<Turns>> {
        let session = self.context.session.as_ref()?;
        Some(session.drawer(&self.id).get())
    }

    /// Passes the gate, takes an instance and asks it to tell of the resource. Bounded by the time of a call.
    pub(super) async fn place(&self, plugin: &Arc<Plugin>) -> Result<(Placed, Answer), Fault> {
        let address = Address::of_plugin(plugin);
        let bound = Duration::from_millis(address.timeout_ms(&Method::ResourcesSubscribe));
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
            let plugin = Arc::downgrade(plugin);
            let placed = Placed {
                plugin,
                lease,
                watch,
            };
            Ok((placed, answer?))
        };
        tokio::time::timeout(bound, placing)
            .await
            .unwrap_or_else(|_| {
                let message = format!("Operation timed out after {} ms", bound.as_millis());
                Err(Fault::new(FaultKind::Timeout, message))
            })
    }

    /// Tells the plugin that nobody watches any more; `None` where it need not know. A legacy one does not count who does.
    pub(super) async fn leave(&self, placed: Placed, context: &CallContext) -> Option<Answer> {
        let Placed { lease, watch, .. } = placed;
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
