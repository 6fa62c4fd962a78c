//! How a plugin publishes events and hears of those of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::model::event::{Event, EventId};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::model::topic::{Pattern, Topic};
use crate::plugin::HookResult;
use crate::wire::json::Json;

/// The events of the gateway, as one plugin may use them. Cheap to clone; may be kept.
///
/// Publishing needs the grant `EVENTS_PUB`, hearing `EVENTS_SUB`: the manifest requests them, the operator grants them. What
/// was asked for ends with the instance of the plugin.
///
/// ```
/// use async_trait::async_trait;
/// use serde_json::json;
/// use toolgate::plugin::{HookResult, Plugin, PluginContext};
///
/// struct Shipper;
///
/// #[async_trait]
/// impl Plugin for Shipper {
///     async fn on_init(&self, context: &PluginContext) -> HookResult {
///         let events = context.events().clone();
///         context.events().subscribe("order.paid", move |event| {
///             let events = events.clone();
///             async move {
///                 // One event turns into the next.
///                 events.publish("order.shipped", &json!({ "paid": event.id }))?;
///                 Ok(())
///             }
///         })?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    owner: PluginId,
    way: Option<Way>,
    /// How long a handler may take.
    bound: Duration,
    /// Where handlers run, once the plugin has started.
    workplace: watch::Sender<Option<Arc<dyn Workplace>>>,
    /// Counts the subscriptions.
    count: AtomicUsize,
    /// Cancelled at the end of the instance.
    until: CancellationToken,
}

/// The way to the bus, and what of it is granted.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) hub: Arc<dyn Hub>,
    pub(crate) may_publish: bool,
    pub(crate) may_hear: bool,
}

/// Stands between plugins and the bus. Must not keep the gateway alive.
pub(crate) trait Hub: Send + Sync {
    /// Publishes an event of `owner`. Never waits.
    fn publish(&self, owner: &PluginId, topic: Topic, payload: Json) -> Result<EventId, Fault>;

    /// Has each event handled by the group, until the end of the instance.
    fn subscribe(&self, wish: Wish) -> Result<(), Fault>;

    /// What is published from now on.
    fn tail(&self, pattern: Pattern) -> Result<BoxStream<'static, Arc<Event>>, Fault>;

    /// What is kept, newest first.
    fn recent(
        &self,
        pattern: Pattern,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Arc<Event>>, Fault>>;
}

/// A subscription of a plugin.
pub(crate) struct Wish {
    pub(crate) owner: PluginId,
    /// Its name; without one each gateway hears for itself, and nothing is delivered twice.
    pub(crate) group: Option<String>,
    pub(crate) pattern: Pattern,
    pub(crate) handle: Handle,
    pub(crate) until: CancellationToken,
}

/// Handles one event where the plugin runs; what went wrong, in words.
pub(crate) type Handle =
    Arc<dyn Fn(Arc<Event>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Where the code of a plugin runs.
pub(crate) trait Workplace: Send + Sync {
    /// Runs a handler there. A panic is a failure.
    fn run(&self, work: BoxFuture<'static, HookResult>) -> BoxFuture<'static, Result<(), String>>;
}

impl Events {
    pub(crate) fn new(
        owner: PluginId,
        way: Option<Way>,
        bound: Duration,
        until: CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared {
            owner,
            way,
            bound,
            workplace: watch::Sender::new(None),
            count: AtomicUsize::new(0),
            until,
        }))
    }

    /// Publishes an event. Never waits for anyone who hears it, nor for the bus. Topics that begin with `toolgate.` are the
    /// gateway's own. Fails without the grant `EVENTS_PUB` (`permission_denied`), for a text that is no topic, and for a
    /// payload of more than 256 KiB.
    pub fn publish(
        &self,
        topic: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<EventId, Fault> {
        let way = self.way(|way| way.may_publish, "EVENTS_PUB")?;
        let topic = topic.parse::<Topic>().map_err(unfit)?;
        let payload = serde_json::to_vec(payload).map_err(unfit)?;
        let payload = Json::scan(payload.into()).map_err(unfit)?;
        way.hub.publish(&self.0.owner, topic, payload)
    }

    /// Has `handler` called with each event whose topic `pattern` chooses, in order, one at a time, from the first
    /// subscription of this pattern on. An event is delivered at least once: again after a time when the handler fails,
    /// panics, or takes longer than a call of the plugin may, and after five times it goes to the dead letters. Where
    /// several gateways share a bus, each event is delivered to one of them. Handlers run where the plugin does, from its
    /// start to its end. Fails without the grant `EVENTS_SUB` (`permission_denied`).
    pub fn subscribe<F, W>(&self, pattern: &str, handler: F) -> Result<(), Fault>
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output = HookResult> + Send + 'static,
    {
        // The same subscriptions have the same names after each start.
        let number = self.0.count.fetch_add(1, Ordering::Relaxed);
        let group = Some(format!("{}#{number}", self.0.owner));
        self.hear(group, pattern, handler)
    }

    /// The same to look at only: each gateway delivers each event that it hears of, once at the most. Who is too slow
    /// misses some.
    pub fn listen<F, W>(&self, pattern: &str, handler: F) -> Result<(), Fault>
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output = HookResult> + Send + 'static,
    {
        self.hear(None, pattern, handler)
    }

    fn hear<F, W>(&self, group: Option<String>, pattern: &str, handler: F) -> Result<(), Fault>
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output = HookResult> + Send + 'static,
    {
        let way = self.way(|way| way.may_hear, "EVENTS_SUB")?;
        let pattern = pattern.parse().map_err(unfit)?;
        let (handler, bound) = (Arc::new(handler), self.0.bound);
        let workplace = self.0.workplace.subscribe();
        let handle: Handle = Arc::new(move |event| {
            let (handler, mut workplace) = (Arc::clone(&handler), workplace.clone());
            Box::pin(async move {
                let work = async move {
                    let there = match workplace.wait_for(Option::is_some).await {
                        Ok(there) => there.clone(),
                        Err(_) => None,
                    };
                    let there = there.ok_or_else(|| "the plugin has ended".to_owned())?;
                    there
                        .run(Box::pin(async move { handler(event).await }))
                        .await
                };
                let late = |_| {
                    Err(format!(
                        "it was not handled within {} ms",
                        bound.as_millis()
                    ))
                };
                tokio::time::timeout(bound, work).await.unwrap_or_else(late)
            })
        });
        way.hub.subscribe(Wish {
            owner: self.0.owner.clone(),
            group,
            pattern,
            handle,
            until: self.0.until.clone(),
        })
    }

    /// The events that `pattern` chooses, as they are published: best effort, who is too slow misses some. Fails without
    /// the grant `EVENTS_SUB`.
    pub fn tail(&self, pattern: &str) -> Result<BoxStream<'static, Arc<Event>>, Fault> {
        let way = self.way(|way| way.may_hear, "EVENTS_SUB")?;
        way.hub.tail(pattern.parse().map_err(unfit)?)
    }

    /// The events that are kept and that `pattern` chooses, newest first. Fails without the grant `EVENTS_SUB`, and where
    /// the bus cannot be reached.
    pub async fn recent(&self, pattern: &str, limit: usize) -> Result<Vec<Arc<Event>>, Fault> {
        let way = self.way(|way| way.may_hear, "EVENTS_SUB")?;
        way.hub.recent(pattern.parse().map_err(unfit)?, limit).await
    }

    /// Lets handlers run from now on.
    pub(crate) fn open(&self, workplace: Arc<dyn Workplace>) {
        self.0.workplace.send_replace(Some(workplace));
    }

    /// Ends all that was asked for.
    pub(crate) fn close(&self) {
        self.0.until.cancel();
        self.0.workplace.send_replace(None);
    }

    fn way(&self, granted: impl Fn(&Way) -> bool, grant: &str) -> Result<&Way, Fault> {
        let owner = &self.0.owner;
        let Some(way) = &self.0.way else {
            let message = format!("there is no event bus for plugin `{owner}`");
            return Err(Fault::new(FaultKind::Unavailable, message));
        };
        if !granted(way) {
            let message = format!("plugin `{owner}` lacks the grant `{grant}`");
            return Err(Fault::new(FaultKind::Denied, message).because("permission_denied"));
        }
        Ok(way)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

fn unfit(why: impl std::fmt::Display) -> Fault {
    Fault::new(FaultKind::BadInput, why.to_string())
}
