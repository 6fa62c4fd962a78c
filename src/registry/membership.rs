//! Which plugins there are: they come, go, and are exchanged while the gateway runs.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::manifest::{Kind, Load};
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::Registry;
use crate::registry::error::{RegistryError, TeardownErrors};
use crate::registry::kinds::lacks;
use crate::registry::life::{Signal, State};
use crate::registry::life_events::{LifeEvent, LifeKind};
use crate::registry::order::{Node, order};
use crate::registry::plugin::{Plugin, StartError};

impl Registry {
    /// The plugin of that kind and id.
    pub fn find(&self, kind: Kind, id: &PluginId) -> Option<Arc<Plugin>> {
        let plugins = self.plugins();
        plugins
            .iter()
            .find(|plugin| plugin.key() == (kind, id))
            .cloned()
    }

    /// The plugin that stands where `plugin` stood when somebody took it up: itself, or the one it was exchanged for.
    /// `None` when it was taken out.
    pub fn present(&self, plugin: &Arc<Plugin>) -> Option<Arc<Plugin>> {
        if !plugin.has_left() {
            return Some(Arc::clone(plugin));
        }
        let (kind, id) = plugin.key();
        self.find(kind, id)
    }

    /// Waits until another plugin than `last` is there under that key. The caller sees to it that this ends.
    pub async fn another(&self, kind: Kind, id: &PluginId, last: &Weak<Plugin>) -> Arc<Plugin> {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(plugin) = self.find(kind, id)
                && Arc::as_ptr(&plugin) != last.as_ptr()
            {
                return plugin;
            }
            // The sender lives as long as this.
            changes.changed().await.ok();
        }
    }

    /// The plugins of that id: one of each kind at most.
    pub fn named(&self, id: &str) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins();
        let named = plugins.iter().filter(|plugin| plugin.id().as_str() == id);
        named.cloned().collect()
    }

    /// The plugin of `kind`: the one called `name`, or the only one. The same question gives the same plugin.
    pub fn get(&self, kind: Kind, name: Option<&str>) -> Result<Arc<Plugin>, RegistryError> {
        let plugins = self.plugins();
        let of_kind = plugins.iter().filter(|plugin| plugin.manifest.kind == kind);
        let fit = of_kind.filter(|plugin| name.is_none_or(|name| plugin.id().as_str() == name));
        let fit: Vec<_> = fit.collect();
        match fit.as_slice() {
            [] => Err(RegistryError::KindUnknown {
                kind,
                name: name.map(str::to_owned),
            }),
            [plugin] => Ok(Arc::clone(plugin)),
            several => Err(RegistryError::AmbiguousPlugin {
                kind,
                members: several.iter().map(|plugin| plugin.id().clone()).collect(),
            }),
        }
    }

    /// Takes plugins in, and starts those that start by themselves. What waited for them is started, too.
    pub async fn insert(self: &Arc<Self>, new: Vec<Arc<Plugin>>) -> Result<(), RegistryError> {
        if new.is_empty() {
            return Ok(());
        }
        {
            let _alone = self.changing.lock().await;
            let mut plugins = self.plugins().to_vec();
            for plugin in &new {
                let (kind, id) = plugin.key();
                if plugins.iter().any(|other| other.key() == (kind, id)) {
                    let members = vec![id.clone()];
                    return Err(RegistryError::AmbiguousPlugin { kind, members });
                }
                plugins.push(Arc::clone(plugin));
            }
            for plugin in &new {
                self.settle_in(plugin);
                self.follow(plugin);
            }
            self.put(plugins);
        }
        self.bring_up(&self.freed(new), None).await;
        self.changed();
        Ok(())
    }

    /// Starts a plugin that does not run, after those it depends on.
    pub async fn start_plugin(self: &Arc<Self>, plugin: &Arc<Plugin>) -> Result<(), StartError> {
        self.look_for_dependencies(plugin).await;
        plugin.start().await
    }

    /// Takes a plugin out: its tools are gone at once, calls that run come to their end for as long as `drain`. Says what
    /// went wrong while it stopped.
    pub async fn remove(self: &Arc<Self>, plugin: &Arc<Plugin>, drain: Duration) -> Vec<Fault> {
        {
            let _alone = self.changing.lock().await;
            let mut plugins = self.plugins().to_vec();
            plugins.retain(|other| !Arc::ptr_eq(other, plugin));
            self.put(plugins);
            plugin.leave();
        }
        let faults = self.leave(plugin, drain).await;
        let gone = LifeEvent::new(plugin.id(), LifeKind::Removed);
        self.surroundings.life.tell(gone);
        faults
    }

    /// Gives a plugin what surrounds all of them.
    pub(super) fn settle_in(&self, plugin: &Plugin) {
        plugin.pool.live_in(&self.surroundings);
        let come = LifeEvent::new(plugin.id(), LifeKind::Loaded);
        let state = plugin.life.state().as_str();
        self.surroundings.life.tell(come.in_state(state));
    }

    /// Puts `new` in the place of `old`, of the same kind and id. Where `old` is at work, `new` is started first and asked
    /// whether it is well; if it is not, everything stays as it was. Calls go to the one or the other, none is lost.
    pub async fn replace(
        self: &Arc<Self>,
        old: &Arc<Plugin>,
        new: &Arc<Plugin>,
        drain: Duration,
    ) -> Result<(), StartError> {
        self.settle_in(new);
        new.pool.learn_from(&old.pool);
        let at_work = old.life.state() == State::Active || new.manifest.load == Load::Eager;
        let stopped = matches!(old.life.state(), State::Stopped | State::Stopping);
        if at_work && !stopped && new.blocked().is_none() {
            self.try_out(new).await?;
        }
        {
            let _alone = self.changing.lock().await;
            let mut plugins = self.plugins().to_vec();
            match plugins.iter_mut().find(|plugin| Arc::ptr_eq(plugin, old)) {
                Some(place) => *place = Arc::clone(new),
                None => plugins.push(Arc::clone(new)),
            }
            self.follow(new);
            self.put(plugins);
            old.leave();
        }
        if stopped {
            // What the operator has stopped stays stopped.
            for signal in [Signal::Initialize, Signal::Start, Signal::Stop, Signal::End] {
                new.life.on(signal).ok();
            }
            self.changed();
        }
        self.leave(old, drain).await;
        Ok(())
    }

    /// Starts a plugin that nobody can call yet, and asks whether it is well.
    async fn try_out(&self, plugin: &Arc<Plugin>) -> Result<(), StartError> {
        let tried = async {
            plugin.warm().await?;
            let bound = Duration::from_millis(plugin.manifest.health.timeout_ms);
            match plugin.pool.any_instance() {
                Some(instance) => instance.probe(bound).await,
                None => Ok(()),
            }
        };
        let tried = tried.await;
        if tried.is_err() {
            plugin.pool.stop().await;
        }
        tried.map_err(StartError::Failed)
    }

    /// Ends a plugin that is no longer in the set.
    async fn leave(&self, plugin: &Arc<Plugin>, drain: Duration) -> Vec<Fault> {
        let faults = plugin.stop(drain).await;
        plugin.removed.cancel();
        faults
    }

    /// Stores another set of plugins, and says what keeps each from starting.
    fn put(&self, plugins: Vec<Arc<Plugin>>) {
        self.plugins.store(Arc::new(arrange(plugins)));
        // Those made before would keep plugins that are gone.
        self.views
            .lock()
            .expect("no holder of this lock panics")
            .clear();
        self.changed();
    }

    /// Plugins that have come, and those that waited for them and for nothing else.
    fn freed(&self, new: Vec<Arc<Plugin>>) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins();
        let waits = |other: &&Arc<Plugin>| {
            let mut depends = new.iter();
            depends.any(|plugin| other.needs(plugin.id()))
                && !new.iter().any(|plugin| Arc::ptr_eq(plugin, other))
                && other.blocked().is_none()
                && !other.pool.is_running()
        };
        let waiting: Vec<_> = plugins.iter().filter(waits).cloned().collect();
        new.into_iter().chain(waiting).collect()
    }

    /// Starts everything that is not blocked, in order; at the first failure stops what it has started, in reverse, and
    /// gives the failure back. What is active already is left as it is.
    pub async fn setup_all(self: &Arc<Self>) -> Result<(), RegistryError> {
        let plugins = self.plugins();
        if let Some(cycle) = cycles(&plugins).into_iter().next() {
            return Err(RegistryError::DependencyCycle { members: cycle });
        }
        let mut begun: Vec<&Arc<Plugin>> = Vec::new();
        for plugin in plugins.iter() {
            if plugin.life.state() == State::Active {
                continue;
            }
            if let Err(error) = plugin.start().await {
                for plugin in begun.into_iter().rev() {
                    plugin.stop(Duration::ZERO).await;
                }
                let id = plugin.id().clone();
                return Err(RegistryError::SetupFailed { id, error });
            }
            begun.push(plugin);
        }
        self.changed();
        Ok(())
    }

    /// Stops all active plugins, dependents before what they depend on. Goes on whatever fails, and says it at the end.
    pub async fn teardown_all(&self) -> Result<(), TeardownErrors> {
        let failed = self.stop_all().await;
        match failed.is_empty() {
            true => Ok(()),
            false => Err(TeardownErrors(failed)),
        }
    }

    /// Stops all instances, dependents before what they depend on, all others at the same time.
    pub async fn stop(&self) {
        // Each has said in the log what went wrong.
        self.stop_all().await;
    }

    async fn stop_all(&self) -> Vec<(PluginId, Fault)> {
        let plugins = self.plugins();
        let done: HashMap<(Kind, &PluginId), watch::Sender<bool>> = plugins
            .iter()
            .map(|plugin| (plugin.key(), watch::Sender::new(false)))
            .collect();
        let circular: Vec<PluginId> = cycles(&plugins).concat();
        let stops = plugins.iter().map(|plugin| async {
            let dependents = plugins
                .iter()
                .filter(|other| other.needs(plugin.id()) && !circular.contains(other.id()));
            for dependent in dependents {
                if let Some(done) = done.get(&dependent.key()) {
                    done.subscribe().wait_for(|done| *done).await.ok();
                }
            }
            let faults = plugin.stop(Duration::ZERO).await;
            if let Some(done) = done.get(&plugin.key()) {
                done.send_replace(true);
            }
            let failed = faults.into_iter().next();
            failed.map(|fault| (plugin.id().clone(), fault))
        });
        let failed = futures::future::join_all(stops).await;
        failed.into_iter().rev().flatten().collect()
    }
}

fn nodes(plugins: &[Arc<Plugin>]) -> Vec<Node> {
    let node = |plugin: &Arc<Plugin>| Node {
        id: plugin.id().clone(),
        priority: plugin.manifest.priority,
        depends_on: plugin.manifest.needs().cloned().collect(),
    };
    plugins.iter().map(node).collect()
}

fn cycles(plugins: &[Arc<Plugin>]) -> Vec<Vec<PluginId>> {
    order(&nodes(plugins)).cycles
}

/// Puts plugins into the order they start in, and tells each of them what it needs and is not there.
pub(super) fn arrange(mut plugins: Vec<Arc<Plugin>>) -> Vec<Arc<Plugin>> {
    let order = order(&nodes(&plugins));
    let names = |ids: &[PluginId]| {
        let ids: Vec<_> = ids.iter().map(PluginId::as_str).collect();
        ids.join("`, `")
    };
    let mut blocked: HashMap<&PluginId, String> = HashMap::new();
    for cycle in &order.cycles {
        let why = format!("it depends on itself through `{}`", names(cycle));
        blocked.extend(cycle.iter().map(|id| (id, why.clone())));
    }
    for id in &order.behind_cycles {
        blocked.insert(id, "a plugin it needs depends on itself".to_owned());
    }
    for (id, missing) in &order.missing {
        let why = format!("it needs `{}`, which is not there", names(missing));
        blocked.insert(id, why);
    }
    let manifests: Vec<_> = plugins.iter().map(|plugin| &*plugin.manifest).collect();
    for plugin in &plugins {
        let lacks = || lacks(&plugin.manifest, &manifests);
        let why = blocked.get(plugin.id()).cloned().or_else(lacks);
        // One that runs goes on: what it needed at its start may go.
        if why.is_none() || !plugin.pool.is_running() {
            plugin.block(why);
        }
    }
    let rank: HashMap<&PluginId, usize> = order
        .order
        .iter()
        .enumerate()
        .map(|(at, id)| (id, at))
        .collect();
    plugins.sort_by_key(|plugin| rank.get(plugin.id()).copied().unwrap_or(usize::MAX));
    plugins
}
