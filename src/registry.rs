//! The plugins of the gateway: which there are, what they offer, which instances of them run.

pub mod breaker;

pub mod catalog;

pub mod changes;

pub mod error;

pub mod gate;

mod grants;

pub mod handle_tools;

pub mod health;

pub mod kinds;

pub mod life;

pub mod life_events;

pub mod naming;

mod bringing_up;

mod measured;

mod membership;

pub mod discover;

pub mod order;

pub mod plugin;

pub mod pool;

pub mod rules;

pub mod surroundings;

pub mod viewer;

pub mod why;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::watch;

use crate::background::Supervisor;
use crate::model::caller::Caller;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::page::{UnknownCursor, Wanted};
use crate::registry::catalog::{Catalog, Offer, Offers};
use crate::registry::changes::{Changes, Seen};
use crate::registry::naming::Alphabet;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Who;
use crate::registry::rules::Rules;
use crate::registry::surroundings::Surroundings;
pub use crate::registry::viewer::Viewer;
use crate::wire::list::ListKind;

/// How long a list waits for lists of plugins that are others now and have not been read yet.
const MAX_LATE: Duration = Duration::from_millis(300);

/// The most catalogs that are kept for clients to whom something else is offered than in general.
const MAX_VIEWS: usize = 32;

/// All plugins and what they offer.
pub struct Registry {
    /// In the order they start in. Replaced as a whole.
    plugins: ArcSwap<Vec<Arc<Plugin>>>,
    /// Held while the set of plugins changes: one change at a time. Whether the gateway stops: then none comes any more.
    changing: tokio::sync::Mutex<bool>,
    /// Plugins that are tried out and not registered yet.
    trials: Mutex<Vec<Arc<Plugin>>>,
    settings: Settings,
    catalog: ArcSwap<Catalog>,
    /// Catalogs of clients to whom plugins offer something else than in general, the latest last.
    views: Mutex<Vec<Arc<Catalog>>>,
    /// How many changes are going on of which clients are told when they are over.
    holds: AtomicUsize,
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

/// Keeps clients from being told of changes.
pub struct Hold(Arc<Registry>);

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.holds.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.changed();
        }
    }
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
    /// A registry of these plugins. Nothing is started.
    pub fn new(plugins: Vec<Arc<Plugin>>, settings: Settings, supervisor: Supervisor) -> Arc<Self> {
        let registry = Self {
            catalog: ArcSwap::from_pointee(Catalog::default()),
            plugins: ArcSwap::from_pointee(membership::arrange(plugins)),
            changing: tokio::sync::Mutex::new(false),
            trials: Mutex::default(),
            settings,
            views: Mutex::default(),
            holds: AtomicUsize::new(0),
            rebuilding: Mutex::new(()),
            changes: watch::Sender::new(0),
            settled: watch::Sender::new(false),
            client: watch::Sender::new(None),
            surroundings: Arc::default(),
            supervisor,
        };
        let plugins = registry.plugins.load_full();
        for plugin in plugins.iter() {
            plugin.pool.live_in(&registry.surroundings);
            registry.tell_loaded(plugin);
        }
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

    /// Makes a new catalog from what the plugins offer in general, if that has changed.
    fn rebuild(&self) {
        let _alone = self
            .rebuilding
            .lock()
            .expect("no holder of this lock panics");
        let offers = self.offers();
        if self.catalog.load().is_made_of(&offers) {
            return;
        }
        self.catalog.store(Arc::new(self.catalog_of(offers)));
    }

    fn catalog_of(&self, offers: Offers) -> Catalog {
        let Settings {
            alphabet, rules, ..
        } = &self.settings;
        Catalog::of(offers, *alphabet, rules)
    }

    fn offers(&self) -> Offers {
        let plugins = self.plugins.load();
        let offer = |plugin| Offer::of(plugin, plugin.pool.surface());
        plugins.iter().map(offer).collect()
    }

    fn offers_to(&self, who: &Who) -> Offers {
        let plugins = self.plugins.load();
        let offer = |plugin: &Arc<Plugin>| Offer::of(plugin, plugin.pool.surface_for(who));
        plugins.iter().map(offer).collect()
    }

    /// Switches a tool on or off that `plugin` lists as `name`; whether it was otherwise before. Clients are told.
    pub fn switch(&self, plugin: &Plugin, name: &str, on: bool) -> bool {
        let is_other = self.settings.rules.switches.set(name, on);
        if is_other {
            plugin.switched.fetch_add(1, Ordering::AcqRel);
            self.changed();
        }
        is_other
    }

    /// Whether an operator has switched off the tool that is listed as `name`.
    pub fn is_switched_off(&self, name: &str) -> bool {
        self.settings.rules.switches.is_off(name)
    }

    /// Switches the tools of these listed names off, and all others on.
    pub fn switch_off(&self, names: BTreeSet<String>) {
        self.settings.rules.switches.replace(names);
        for plugin in self.plugins().iter() {
            plugin.switched.fetch_add(1, Ordering::AcqRel);
        }
        self.changed();
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
        let offers = self.offers_to(who);
        self.rebuild();
        let general = self.catalog.load();
        if general.is_made_of(&offers) {
            return Arc::clone(&general);
        }
        let views = || self.views.lock().expect("no holder of this lock panics");
        let known = |views: &[Arc<Catalog>]| {
            let mut views = views.iter();
            views.find(|view| view.is_made_of(&offers)).cloned()
        };
        if let Some(view) = known(&views()) {
            return view;
        }
        let view = Arc::new(self.catalog_of(offers));
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
            let plugins = self.plugins();
            let sleeping = plugins
                .iter()
                .filter(|plugin| viewer.caller.sees(plugin.id()) && plugin.is_asleep_and_unknown());
            let woken = sleeping.map(|plugin| plugin.warm());
            futures::future::join_all(woken).await;
            let asked = plugins.iter().filter(|plugin| {
                let seen = viewer.caller.sees(plugin.id()) && plugin.closed().is_none();
                seen && plugin.withheld().is_none()
                    && plugin.is_known()
                    && !plugin.pool.is_known_to(&viewer.who)
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
            Seen::of(&viewer.who).listed(kind.topic(), catalog.made_of());
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
        seen.begin(&self.offers_to(&viewer.who));
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

    /// All plugins at this moment, in the order they start in.
    pub fn plugins(&self) -> Arc<Vec<Arc<Plugin>>> {
        self.plugins.load_full()
    }

    /// Notes that what anyone is offered may be something else now.
    fn changed(&self) {
        self.rebuild();
        if !self.is_held() {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn is_held(&self) -> bool {
        self.holds.load(Ordering::SeqCst) != 0
    }

    /// While this is held, clients are not told of changes; of those that came meanwhile they are told then.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.holds.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(self))
    }

    /// What surrounds the plugins.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Takes in what plugins have said since the catalog was made; whether there was anything.
    pub fn catch_up(&self) -> bool {
        let behind = !self.catalog.load().is_made_of(&self.offers());
        if behind {
            self.rebuild();
        }
        behind
    }

    /// Waits until lists that plugins say are others now have been taken in; whether there were any.
    pub async fn catch_up_with_plugins(&self, caller: &Caller) -> bool {
        let plugins = self.plugins();
        let seen = plugins.iter().filter(|plugin| caller.sees(plugin.id()));
        let caught = futures::future::join_all(seen.map(|plugin| plugin.pool.catch_up())).await;
        self.rebuild();
        caught.contains(&true)
    }

    /// Wakes the plugins that a tool of that name may belong to, if what they offer is not known: those with the longest
    /// prefix that fits. `None` when there is no such plugin; a fault when none of them is to be woken.
    pub async fn wake(&self, name: &str, caller: &Caller) -> Option<Result<(), Fault>> {
        let closed = self.catalog.load().closed_owner(name, caller).cloned();
        let candidates = match closed {
            Some(closed) => vec![closed],
            None => self.unknown_owners(name, caller),
        };
        if candidates.is_empty() {
            return None;
        }
        if candidates.iter().any(|plugin| plugin.closed().is_some()) {
            let message = self.why(name, caller);
            return Some(Err(Fault::new(FaultKind::Unavailable, message)));
        }
        let woken = candidates.iter().map(|plugin| plugin.warm());
        let (woken, failed): (Vec<_>, Vec<_>) = futures::future::join_all(woken)
            .await
            .into_iter()
            .partition(Result::is_ok);
        if woken.is_empty() {
            return failed.into_iter().next();
        }
        self.rebuild();
        Some(Ok(()))
    }

    /// The plugins that may offer `name` and have not said yet what they offer.
    fn unknown_owners(&self, name: &str, caller: &Caller) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins();
        let prefixed = plugins.iter().filter(|plugin| {
            let prefix = plugin.manifest.effective_prefix();
            let is_open = plugin.closed().is_none();
            // Of one without a prefix that is closed nobody can say whether the name is its.
            caller.sees(plugin.id())
                && plugin.withheld().is_none()
                && !plugin.is_known()
                && name.starts_with(&prefix)
                && (is_open || !prefix.is_empty())
        });
        let length = |plugin: &Plugin| plugin.manifest.effective_prefix().len();
        let prefixed: Vec<_> = prefixed.collect();
        let longest = prefixed.iter().map(|plugin| length(plugin)).max();
        let longest = prefixed
            .into_iter()
            .filter(|plugin| Some(length(plugin)) == longest);
        longest.cloned().collect()
    }
}
