//! What notifiers are told: calls of tools, and what happens to plugins. Each has a queue of its own and a task that
//! empties it; nobody waits for either. What a full queue cannot take is dropped and counted.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Dispatcher;
use crate::dispatch::errand::gateway_for;
use crate::dispatch::events::{CALLS, Events, OWN};
use crate::manifest::Kind;
use crate::model::plugin_id::PluginId;
use crate::plugin::Clock;
use crate::registry::kinds::in_order;
use crate::registry::life_events::LifeEvent;
use crate::registry::plugin::Plugin;
use crate::wire::json::Json;

/// How many events wait for one notifier.
const MAX_QUEUE: usize = 256;

/// One event, as notifiers get it: never arguments, never results.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Notice {
    pub(super) event: Cow<'static, str>,
    pub(super) time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plugin: Option<PluginId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Whether it is about the life of a plugin, as opposed to calls and what plugins tell themselves.
    #[serde(skip)]
    pub(super) is_of_life: bool,
}

/// Who is told of events.
pub(super) struct Notices {
    /// Whether there is any: all that a call costs where there is none.
    listening: AtomicBool,
    queues: ArcSwap<Vec<Arc<Queue>>>,
    /// Held while the queues are replaced.
    changing: Mutex<()>,
    /// The bus, which is told as well.
    events: Arc<Events>,
}

struct Queue {
    plugin: Arc<Plugin>,
    sender: mpsc::Sender<Arc<Notice>>,
    /// How many were dropped since the last one that was not.
    dropped: AtomicU64,
}

impl Notice {
    /// An event of this name, now.
    pub(super) fn now(event: impl Into<Cow<'static, str>>) -> Self {
        Self {
            event: event.into(),
            time: Clock::default().utc(),
            ..Self::default()
        }
    }

    fn of_life(event: &LifeEvent) -> Self {
        Self {
            plugin: Some(event.plugin.clone()),
            state: event.state,
            is_of_life: true,
            error: event.error.as_ref().map(|why| Cow::Owned(why.to_string())),
            ..Self::now(event.kind.as_str())
        }
    }
}

impl Notices {
    pub(super) fn new(events: &Arc<Events>) -> Self {
        Self {
            listening: AtomicBool::new(false),
            queues: ArcSwap::default(),
            changing: Mutex::new(()),
            events: Arc::clone(events),
        }
    }

    /// Whether anyone is told of calls.
    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed) || self.events.wants_calls()
    }

    /// Tells all who want to hear of it. Never waits.
    pub(super) fn tell(&self, notice: Notice) {
        let is_call = CALLS
            .iter()
            .any(|topic| topic.strip_prefix(OWN) == Some(&notice.event));
        if notice.is_of_life || (is_call && self.events.wants_calls()) {
            self.events.publish_own(&notice);
        }
        let notice = Arc::new(notice);
        for queue in self.queues.load().iter() {
            queue.put(&notice);
        }
    }
}

impl Queue {
    fn put(&self, notice: &Arc<Notice>) {
        let id = &self.plugin.manifest.id;
        // What a notifier does is not told to itself: that could go on for ever.
        let is_own = notice.plugin.as_ref() == Some(id) && notice.event.starts_with("plugin.");
        if is_own || !self.plugin.manifest.notifier.wants(&notice.event) {
            return;
        }
        if self.sender.try_send(Arc::clone(notice)).is_err()
            && self.dropped.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::warn!(plugin.id = %id, "The notifier `{id}` is too slow: {MAX_QUEUE} events wait for it, further ones are dropped");
        }
    }
}

impl Dispatcher {
    /// Begins to tell notifiers of events. Before plugins start, so that they hear of that.
    pub fn begin_notices(self: &Arc<Self>) {
        let dispatcher = Arc::clone(self);
        let mut life = self.registry.surroundings().life.subscribe();
        self.take_notifiers();
        self.supervisor
            .spawn("events for notifiers", |stop| async move {
                loop {
                    let event = tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        event = life.recv() => event,
                    };
                    match event {
                        Ok(event) => {
                            dispatcher.take_notifiers();
                            dispatcher.notices.tell(Notice::of_life(&event));
                        }
                        Err(RecvError::Lagged(missed)) => {
                            tracing::warn!("Notifiers are not told of {missed} events of plugins");
                        }
                        Err(RecvError::Closed) => return,
                    }
                }
            });
    }

    /// Gives each notifier a queue, and takes it from those that are no longer there.
    fn take_notifiers(self: &Arc<Self>) {
        let plugins = self.registry.plugins();
        let notifiers = in_order(plugins.iter(), Kind::Notifier, |plugin: &Arc<Plugin>| {
            &*plugin.manifest
        });
        let notices = &self.notices;
        let _alone = notices
            .changing
            .lock()
            .expect("no holder of this lock panics");
        let known = notices.queues.load_full();
        let same = known.len() == notifiers.len()
            && known
                .iter()
                .zip(&notifiers)
                .all(|(queue, plugin)| Arc::ptr_eq(&queue.plugin, plugin));
        if same {
            return;
        }
        let queues: Vec<Arc<Queue>> = notifiers
            .into_iter()
            .map(|plugin| {
                let mut known = known.iter();
                let known = known.find(|queue| Arc::ptr_eq(&queue.plugin, plugin));
                known.cloned().unwrap_or_else(|| self.queue_of(plugin))
            })
            .collect();
        notices
            .listening
            .store(!queues.is_empty(), Ordering::Relaxed);
        notices.queues.store(Arc::new(queues));
    }

    /// A queue, and the task that empties it. That ends when the queue is given up.
    fn queue_of(self: &Arc<Self>, plugin: &Arc<Plugin>) -> Arc<Queue> {
        let (sender, mut waiting) = mpsc::channel(MAX_QUEUE);
        let queue = Arc::new(Queue {
            plugin: Arc::clone(plugin),
            sender,
            dropped: AtomicU64::new(0),
        });
        let (dispatcher, weak) = (Arc::clone(self), Arc::downgrade(&queue));
        let plugin = Arc::clone(plugin);
        let name = format!("{} events", plugin.manifest.id);
        self.supervisor.spawn(name, |stop| async move {
            let mut is_well = true;
            loop {
                let notice = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = dispatcher.closing.cancelled() => return,
                    notice = waiting.recv() => notice,
                };
                let Some(notice) = notice else { return };
                if let Some(queue) = weak.upgrade() {
                    note_dropped(&queue);
                }
                is_well = dispatcher.notify(&plugin, &notice, is_well).await;
            }
        });
        queue
    }

    /// Tells one notifier; whether that went well. Its failure is nobody else's.
    async fn notify(&self, plugin: &Arc<Plugin>, notice: &Notice, was_well: bool) -> bool {
        let section = &plugin.manifest.notifier;
        let timeout = Duration::from_millis(section.timeout_ms);
        let caller = gateway_for(None);
        let context = self.errand(caller, Some(timeout), CancellationToken::new());
        let told = self.run_errand(plugin, &section.tool, Json::of(notice), &context);
        let Err(fault) = told.await else { return true };
        let id = &plugin.manifest.id;
        if was_well && fault.reason != "shutting_down" {
            tracing::warn!(plugin.id = %id, reason = fault.reason, "The notifier `{id}` failed: {fault}");
        }
        false
    }
}

fn note_dropped(queue: &Queue) {
    let dropped = queue.dropped.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        let id = &queue.plugin.manifest.id;
        tracing::warn!(plugin.id = %id, dropped, "Did not tell the notifier `{id}` of {dropped} events");
    }
}
