//! The plugins of the gateway: which there are, what they offer, which instances of them run.

pub mod catalog;

pub mod changes;

pub mod gate;

pub mod handle_tools;

pub mod kinds;

pub mod life_events;

pub mod naming;

pub mod discover;

pub mod order;

pub mod plugin;

pub mod pool;

pub mod rules;

pub mod surroundings;

pub mod viewer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use crate::background::Supervisor;
use crate::manifest::Load;
use crate::model::caller::Caller;
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::page::{UnknownCursor, Wanted};
use crate::registry::catalog::{Catalog, Surfaces};
use crate::registry::changes::{Changes, Seen};
use crate::registry::naming::Alphabet;
use crate::registry::plugin::Plugin;
use crate::registry::pool::{Standing, Who};
use crate::registry::rules::Rules;
use crate::registry::surroundings::Surroundings;
pub use crate::registry::viewer::Viewer;
use crate::wire::list::ListKind;

/// How many plugins are started at the same time.
const STARTS_AT_ONCE: usize = 8;

/// How long a list waits for lists of plugins that are others now and have not been read yet.
const MAX_LATE: Duration = Duration::from_millis(300);

/// The most catalogs that are kept for clients to whom something else is offered than in general.
const MAX_VIEWS: usize = 32;

/// How often instances are looked through for idle ones.
const IDLE_SWEEP: Duration = Duration::from_secs(5);

/// All plugins and what they offer.
pub struct Registry {
    plugins: Vec<Arc<Plugin>>,
    settings: Settings,
    catalog: ArcSwap<Catalog>,
    /// Catalogs of clients to whom plugins offer something else than in general, the latest last.
    views: Mutex<Vec<Arc<Catalog>>>,
    /// Held while a catalog is made and stored, so that an older one never takes the place of a newer one.
    rebuilding: Mutex<()>,
    /// Counts the changes of what anyone is offered.
    changes: watch::Sender<u64>,
    /// Whether every plugin that starts with the gateway has started or failed.
    settled: watch::Sender<bool>,
    /// The client that plugins are started for, where there is but one.
    client: watch::Sender<Option<Who>>,
    /// What surrounds the plugins.
    surroundings: Arc<Surroundings>,
    supervisor: Supervisor,
}

/// How lists are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which characters a listed name may have.
    pub alphabet: Alphabet,
    /// What the operator does not let through.
    pub rules: Rules,
    /// How long a list waits for plugins that are being started.
    pub settle: Duration,
    /// The most entries of one page of a list.
    pub page: usize,
    /// Whether all callers see the same plugins.
    pub same_for_all: bool,
}

impl Registry {
    /// A registry of these plugins, the first one first in lists. Nothing is started.
    pub fn new(plugins: Vec<Arc<Plugin>>, settings: Settings, supervisor: Supervisor) -> Arc<Self> {
        let registry = Self {
            catalog: ArcSwap::from_pointee(Catalog::default()),
            plugins,
            settings,
            views: Mutex::default(),
            rebuilding: Mutex::new(()),
            changes: watch::Sender::new(0),
            settled: watch::Sender::new(false),
            client: watch::Sender::new(None),
            surroundings: Arc::default(),
            supervisor,
        };
        let pools = registry.plugins.iter().map(|plugin| &plugin.pool);
        pools.for_each(|pool| pool.live_in(&registry.surroundings));
        registry.rebuild();
        Arc::new(registry)
    }

    /// Like [`Registry::start`], for a gateway with a single client: waits for it, so that each plugin is told of this
    /// client from the beginning.
    pub fn start_for_client(self: &Arc<Self>) {
        self.begin(true);
    }

    /// Says who the single client is. The first one counts.
    pub fn meet(&self, who: &Who) {
        self.client.send_if_modified(|client| {
            let first = client.is_none();
            client.get_or_insert_with(|| who.clone());
            first
        });
    }

    /// Starts what starts with the gateway, each plugin after those it depends on, and keeps the catalog up to date.
    pub fn start(self: &Arc<Self>) {
        self.begin(false);
    }

    fn begin(self: &Arc<Self>, wait: bool) {
        for plugin in &self.plugins {
            let (registry, plugin) = (Arc::clone(self), Arc::clone(plugin));
            self.supervisor.spawn(
                format!("{} surface", plugin.manifest.id),
                |stop| async move {
                    let mut changes = plugin.pool.changes();
                    loop {
                        tokio::select! {
                            changed = changes.changed() => if changed.is_err() { return },
                            () = stop.cancelled() => return,
                        }
                        registry.rebuild();
                        registry.changes.send_modify(|count| *count += 1);
                    }
                },
            );
        }
        let registry = Arc::clone(self);
        self.supervisor
            .spawn("start of plugins", |stop| async move {
                let client = registry.client.subscribe();
                tokio::select! {
                    () = registry.start_eager(wait.then_some(client)) => {}
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

    async fn start_eager(&self, client: Option<watch::Receiver<Option<Who>>>) {
        let who = match client {
            None => None,
            // The sender lives as long as this.
            Some(mut client) => client
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|who| who.clone()),
        };
        let done: HashMap<&PluginId, watch::Sender<bool>> = self
            .plugins
            .iter()
            .map(|plugin| (&plugin.manifest.id, watch::Sender::new(false)))
            .collect();
        let places = Semaphore::new(STARTS_AT_ONCE);
        let starts = self.plugins.iter().map(|plugin| async {
            // One that is not started waits for nobody: two that need each other would wait for ever.
            let needs = plugin.refused.is_none().then(|| plugin.manifest.needs());
            for dependency in needs.into_iter().flatten() {
                if let Some(done) = done.get(dependency) {
                    // The sender lives as long as this loop.
                    done.subscribe().wait_for(|done| *done).await.ok();
                }
            }
            if plugin.manifest.load == Load::Eager && plugin.refused.is_none() {
                let _place = places.acquire().await;
                // A failure is logged where it happens, and told to whoever calls.
                match &who {
                    None => plugin.warm().await.ok(),
                    Some(who) => plugin.pool.warm_for(who).await.ok(),
                };
            }
            if let Some(done) = done.get(&plugin.manifest.id) {
                done.send_replace(true);
            }
        });
        futures::future::join_all(starts).await;
    }

    /// Makes a new catalog from what the plugins offer in general, if that has changed.
    fn rebuild(&self) {
        let _alone = self
            .rebuilding
            .lock()
            .expect("no holder of this lock panics");
        let surfaces = self.surfaces();
        if self.catalog.load().is_made_of(&surfaces) {
            return;
        }
        self.catalog.store(Arc::new(self.catalog_of(surfaces)));
    }

    fn catalog_of(&self, surfaces: Surfaces) -> Catalog {
        let Settings {
            alphabet, rules, ..
        } = &self.settings;
        Catalog::of(&self.plugins, surfaces, *alphabet, rules)
    }

    fn surfaces(&self) -> Surfaces {
        let plugins = self.plugins.iter();
        plugins.map(|plugin| plugin.pool.surface()).collect()
    }

    fn surfaces_for(&self, who: &Who) -> Surfaces {
        let plugins = self.plugins.iter();
        plugins.map(|plugin| plugin.pool.surface_for(who)).collect()
    }

    /// The current catalog, as it is for clients in general. A reader keeps the snapshot it took.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Reads the current catalog without keeping it.
    pub fn with_catalog<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        read(&self.catalog.load())
    }

    /// The current catalog as it is for `who`: servers may offer other things to other clients.
    pub fn view(&self, who: &Who) -> Arc<Catalog> {
        let surfaces = self.surfaces_for(who);
        self.rebuild();
        let general = self.catalog.load();
        if general.is_made_of(&surfaces) {
            return Arc::clone(&general);
        }
        let views = || self.views.lock().expect("no holder of this lock panics");
        let known = |views: &[Arc<Catalog>]| {
            let mut views = views.iter();
            views.find(|view| view.is_made_of(&surfaces)).cloned()
        };
        if let Some(view) = known(&views()) {
            return view;
        }
        let view = Arc::new(self.catalog_of(surfaces));
        let mut views = views();
        if views.len() >= MAX_VIEWS {
            views.remove(0);
        }
        views.push(Arc::clone(&view));
        view
    }

    /// The current catalog as it is for `viewer`, after the plugins that are being started had a moment. Those that may
    /// offer something else to such a client are started for it.
    pub async fn settled_view(&self, viewer: &Viewer) -> Arc<Catalog> {
        let ready = async {
            self.settled_within_reason().await;
            let asked = self.plugins.iter().filter(|plugin| {
                let seen = viewer.caller.sees(&plugin.manifest.id) && plugin.refused.is_none();
                seen && plugin.is_known() && !plugin.pool.is_known_to(&viewer.who)
            });
            // A failure is logged where it happens; the list is then the one for clients in general.
            let starts = asked.map(|plugin| plugin.pool.warm_for(&viewer.who));
            futures::future::join_all(starts).await;
        };
        // Whoever is not there by then is told of by a change.
        tokio::time::timeout(self.settings.settle, ready).await.ok();
        let caught_up = self.catch_up_with_plugins(&viewer.caller);
        tokio::time::timeout(MAX_LATE, caught_up).await.ok();
        self.view(&viewer.who)
    }

    /// Waits until the plugins that start with the gateway have started or failed, for as long as a list would.
    pub async fn settle(&self) {
        tokio::time::timeout(self.settings.settle, self.settled_within_reason())
            .await
            .ok();
    }

    async fn settled_within_reason(&self) {
        if !*self.settled.borrow() {
            let mut settled = self.settled.subscribe();
            // The sender lives as long as this.
            settled.wait_for(|settled| *settled).await.ok();
        }
    }

    /// One page of a list for `viewer`.
    pub async fn page(
        &self,
        viewer: &Viewer,
        kind: ListKind,
        cursor: Option<&str>,
    ) -> Result<Bytes, UnknownCursor> {
        let catalog = self.settled_view(viewer).await;
        if viewer.who.session.is_some() {
            Seen::of(&viewer.who).listed(kind.topic(), catalog.surfaces());
        }
        catalog.page(Wanted {
            kind,
            caller: &viewer.caller,
            era: viewer.who.profile.era(),
            cursor,
            page: self.settings.page,
            same_for_all: self.settings.same_for_all,
        })
    }

    /// Whether every plugin that starts with the gateway has started or failed.
    pub fn is_settled(&self) -> bool {
        *self.settled.borrow()
    }

    /// The changes of what `viewer` is offered, from now on.
    pub fn changes(self: &Arc<Self>, viewer: Viewer) -> Changes {
        let counted = self.changes.subscribe();
        let seen = Seen::of(&viewer.who);
        seen.begin(&self.surfaces_for(&viewer.who));
        Changes {
            counted,
            seen,
            registry: Arc::clone(self),
            viewer,
            told: None,
        }
    }

    /// The catalog of what is known at this moment, for who does not let the registry keep it up to date.
    pub fn rebuilt_catalog(&self) -> Arc<Catalog> {
        self.rebuild();
        self.catalog()
    }

    /// Whether all callers see the same plugins.
    pub fn is_same_for_all(&self) -> bool {
        self.settings.same_for_all
    }

    /// What surrounds the plugins.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// All plugins, in order.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// Takes in what plugins have said since the catalog was made; whether there was anything.
    pub fn catch_up(&self) -> bool {
        let behind = !self.catalog.load().is_made_of(&self.surfaces());
        if behind {
            self.rebuild();
        }
        behind
    }

    /// Waits until lists that plugins say are others now have been taken in; whether there were any.
    pub async fn catch_up_with_plugins(&self, caller: &Caller) -> bool {
        let plugins = self.plugins.iter();
        let seen = plugins.filter(|plugin| caller.sees(&plugin.manifest.id));
        let caught = futures::future::join_all(seen.map(|plugin| plugin.pool.catch_up())).await;
        self.rebuild();
        caught.contains(&true)
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
        let stops = self.plugins.iter().map(|plugin| async {
            let id = &plugin.manifest.id;
            for dependent in self.plugins.iter().filter(|other| {
                other.refused.is_none() && other.manifest.needs().any(|need| need == id)
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
