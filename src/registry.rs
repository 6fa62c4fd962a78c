//! The plugins of the gateway: which there are, what they offer, which instances of them run.

pub mod catalog;

pub mod gate;

pub mod naming;

pub mod discover;

pub mod order;

pub mod plugin;

pub mod pool;

pub mod rules;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::background::Supervisor;
use crate::manifest::Load;
use crate::model::caller::Caller;
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Catalog;
use crate::registry::naming::Alphabet;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Standing;
use crate::registry::rules::Rules;

/// How many plugins are started at the same time.
const STARTS_AT_ONCE: usize = 8;

/// Clients are told of changes at most this often.
const CHANGES_PAUSE: Duration = Duration::from_secs(1);

/// How often instances are looked through for idle ones.
const IDLE_SWEEP: Duration = Duration::from_secs(5);

/// All plugins and what they offer.
pub struct Registry {
    plugins: Vec<Arc<Plugin>>,
    alphabet: Alphabet,
    rules: Rules,
    /// How long a list waits for plugins that are being started with the gateway.
    settle: Duration,
    catalog: ArcSwap<Catalog>,
    /// Held while a catalog is made and stored, so that an older one never takes the place of a newer one.
    rebuilding: Mutex<()>,
    /// Counts the changes of the catalog that clients are told of.
    changes: watch::Sender<u64>,
    /// Whether every plugin that starts with the gateway has started or failed.
    settled: watch::Sender<bool>,
    supervisor: Supervisor,
}

impl Registry {
    /// A registry of these plugins, the first one first in lists. Nothing is started.
    pub fn new(
        plugins: Vec<Arc<Plugin>>,
        alphabet: Alphabet,
        rules: Rules,
        settle: Duration,
        supervisor: Supervisor,
    ) -> Arc<Self> {
        let catalog = ArcSwap::from_pointee(Catalog::of(&plugins, alphabet, &rules));
        let (changes, settled) = (watch::Sender::new(0), watch::Sender::new(false));
        Arc::new(Self {
            plugins,
            alphabet,
            rules,
            settle,
            catalog,
            rebuilding: Mutex::new(()),
            changes,
            settled,
            supervisor,
        })
    }

    /// Starts what starts with the gateway, each plugin after those it depends on, and keeps the catalog up to date.
    pub fn start(self: &Arc<Self>) {
        for plugin in &self.plugins {
            let (registry, plugin) = (Arc::clone(self), Arc::clone(plugin));
            self.supervisor.spawn(
                format!("{} surface", plugin.manifest.id),
                |stop| async move {
                    let mut surface = plugin.pool.surface();
                    loop {
                        tokio::select! {
                            changed = surface.changed() => if changed.is_err() { return },
                            () = stop.cancelled() => return,
                        }
                        if !registry.rebuild() {
                            // The plugin says that something changed, which our lists do not show.
                            registry.tell();
                        }
                    }
                },
            );
        }
        let registry = Arc::clone(self);
        self.supervisor
            .spawn("start of plugins", |stop| async move {
                tokio::select! {
                    () = registry.start_eager() => {}
                    () = stop.cancelled() => {}
                }
                // Whoever waits for this sees all of them, whether or not their changes were taken in one by one yet.
                registry.rebuild();
                registry.settled.send_replace(true);
            });
        let registry = Arc::clone(self);
        self.supervisor.spawn("idle instances", |stop| async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(IDLE_SWEEP) => {}
                    () = stop.cancelled() => return,
                }
                registry
                    .plugins
                    .iter()
                    .for_each(|plugin| plugin.pool.stop_idle());
                // Looks through all processes of the machine, which may be many.
                tokio::task::spawn_blocking(crate::runtime::process::reap_orphans)
                    .await
                    .ok();
            }
        });
    }

    async fn start_eager(&self) {
        let done: HashMap<&PluginId, watch::Sender<bool>> = self
            .plugins
            .iter()
            .map(|plugin| (&plugin.manifest.id, watch::Sender::new(false)))
            .collect();
        let places = Semaphore::new(STARTS_AT_ONCE);
        let starts = self.plugins.iter().map(|plugin| async {
            // One that is not started waits for nobody: two that need each other would wait for ever.
            let needs = plugin
                .refused
                .is_none()
                .then_some(&plugin.manifest.depends_on);
            for dependency in needs.into_iter().flatten() {
                if let Some(done) = done.get(dependency) {
                    // The sender lives as long as this loop.
                    done.subscribe().wait_for(|done| *done).await.ok();
                }
            }
            if plugin.manifest.load == Load::Eager && plugin.refused.is_none() {
                let _place = places.acquire().await;
                // A failure is logged where it happens, and told to whoever calls.
                plugin.warm().await.ok();
            }
            if let Some(done) = done.get(&plugin.manifest.id) {
                done.send_replace(true);
            }
        });
        futures::future::join_all(starts).await;
    }

    /// Makes a new catalog from what the plugins offer now. Says whether clients were told of a change.
    fn rebuild(&self) -> bool {
        let _alone = self
            .rebuilding
            .lock()
            .expect("no holder of this lock panics");
        let now = Catalog::of(&self.plugins, self.alphabet, &self.rules);
        let before = self.catalog.load();
        let lists_same = now.same_as(&before);
        self.catalog.store(Arc::new(now));
        if !lists_same {
            self.tell();
        }
        !lists_same
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The current catalog. A reader keeps the snapshot it took.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Reads the current catalog without keeping it.
    pub fn with_catalog<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        read(&self.catalog.load())
    }

    /// The current catalog, after the plugins that start with the gateway had a moment to start.
    pub async fn settled_catalog(&self) -> Arc<Catalog> {
        if !*self.settled.borrow() {
            let mut settled = self.settled.subscribe();
            // Whoever is not there by then is told of by a change.
            tokio::time::timeout(self.settle, settled.wait_for(|settled| *settled))
                .await
                .ok();
        }
        self.catalog()
    }

    /// Whether every plugin that starts with the gateway has started or failed.
    pub fn is_settled(&self) -> bool {
        *self.settled.borrow()
    }

    /// The changes of the catalog.
    pub fn changes(&self) -> Changes {
        Changes {
            changes: self.changes.subscribe(),
            owed: false,
            told: None,
        }
    }

    /// The catalog of what is known at this moment, for who does not let the registry keep it up to date.
    pub fn rebuilt_catalog(&self) -> Arc<Catalog> {
        self.rebuild();
        self.catalog()
    }

    /// All plugins, in order.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// Takes in what plugins have said since the catalog was made; whether there was anything.
    pub fn catch_up(&self) -> bool {
        let behind = !self.catalog.load().is_current(&self.plugins);
        if behind {
            self.rebuild();
        }
        behind
    }

    /// Wakes the plugin that a tool of that name would belong to, if what it offers is not known. `None` when there is
    /// no such plugin.
    pub async fn wake(&self, name: &str, caller: &Caller) -> Option<Result<(), Fault>> {
        let candidates = self
            .plugins
            .iter()
            .filter(|plugin| !plugin.is_known() && caller.sees(&plugin.manifest.id));
        let plugin = candidates
            .clone()
            .filter(|plugin| name.starts_with(&plugin.manifest.effective_prefix()));
        let plugin = plugin.max_by_key(|plugin| plugin.manifest.effective_prefix().len())?;
        let woken = plugin.warm().await;
        if woken.is_ok() {
            self.rebuild();
        }
        Some(woken)
    }

    /// Why no tool of that name is listed, for people.
    pub fn why(&self, name: &str, caller: &Caller) -> Option<String> {
        let catalog = self.catalog();
        if let Some(hidden) = catalog.hidden(caller).find(|hidden| hidden.name == name) {
            return Some(format!(
                "plugin `{}` offers it, but {}",
                hidden.plugin, hidden.reason
            ));
        }
        let seen = self
            .plugins
            .iter()
            .filter(|plugin| caller.sees(&plugin.manifest.id));
        let plugin = seen.filter(|plugin| {
            let prefix = plugin.manifest.effective_prefix();
            !prefix.is_empty() && name.starts_with(&prefix)
        });
        let plugin = plugin.max_by_key(|plugin| plugin.manifest.effective_prefix().len())?;
        let id = &plugin.manifest.id;
        Some(match plugin.standing() {
            Standing::Failed(why) => why,
            Standing::Starting => format!("plugin `{id}` is being started"),
            Standing::Idle | Standing::Active | Standing::Stopped => {
                format!("plugin `{id}` offers no such tool")
            }
        })
    }

    /// Stops all instances, dependents before what they depend on, all others at the same time.
    pub async fn stop(&self) {
        let done: HashMap<&PluginId, watch::Sender<bool>> = self
            .plugins
            .iter()
            .map(|plugin| (&plugin.manifest.id, watch::Sender::new(false)))
            .collect();
        let stops =
            self.plugins.iter().map(|plugin| async {
                let id = &plugin.manifest.id;
                for dependent in self.plugins.iter().filter(|other| {
                    other.refused.is_none() && other.manifest.depends_on.contains(id)
                }) {
                    if let Some(done) = done.get(&dependent.manifest.id) {
                        done.subscribe().wait_for(|done| *done).await.ok();
                    }
                }
                plugin.pool.stop().await;
                if let Some(done) = done.get(id) {
                    done.send_replace(true);
                }
            });
        futures::future::join_all(stops).await;
    }
}

/// Waits for changes of the catalog, for one client.
#[derive(Debug)]
pub struct Changes {
    changes: watch::Receiver<u64>,
    /// A change was seen that the client is not told of yet.
    owed: bool,
    /// When it was last told of one.
    told: Option<Instant>,
}

impl Changes {
    /// Waits until the client is to be told of a change: at once, but at most once a second. Changes that come closer
    /// together are told as one; none is lost when the wait is given up.
    pub async fn next(&mut self) {
        if !self.owed {
            if self.changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            self.owed = true;
        }
        if let Some(told) = self.told {
            tokio::time::sleep_until(told + CHANGES_PAUSE).await;
        }
        self.changes.mark_unchanged();
        self.owed = false;
        self.told = Some(Instant::now());
    }
}
