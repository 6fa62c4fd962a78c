//! Which plugins there are: they come, go, and are exchanged while the gateway runs.

use std::collections::HashMap;
use std::sync::Arc;
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
            let closing = self.changing.lock().await;
            if *closing {
                return Ok(());
            }
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
                plugin.pool.live_in(&self.surroundings);
                self.follow(plugin);
            }
            self.put(plugins);
            new.iter().for_each(|plugin| self.tell_loaded(plugin));
        }
        self.bring_up(&self.freed(new), None).await;
        self.changed();
        Ok(())
    }

    /// Starts a plugin that does not run, after those it depends on.
    pub async fn start_plugin(self: &Arc<Self>, plugin: &Arc<Plugin>) -> Result<(), StartError> {
        plugin.may_start().map_err(StartError::InvalidState)?;
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
        }
        let faults = self.leave(plugin, drain).await;
        let gone = LifeEvent::new(plugin.id(), LifeKind::Removed);
        self.surroundings.life.tell(gone);
        faults
    }

    /// Tells that a plugin is registered now.
    pub(super) fn tell_loaded(&self, plugin: &Plugin) {
        let come = LifeEvent::new(plugin.id(), LifeKind::Loaded);
        let state = plugin.life.state().as_str();
        self.surroundings.life.tell(come.in_state(state));
    }

    /// Puts `new` in the place of `old`, of the same kind and id. Where `old` is at work, `new` is started first and asked
    /// whether it is well; if it is not, everything stays as it was. Calls go to the one or the other, none is lost.
    /// Nothing is done where `old` is not registered any more.
    pub async fn replace(
        self: &Arc<Self>,
        old: &Arc<Plugin>,
        new: &Arc<Plugin>,
        drain: Duration,
    ) -> Result<(), StartError> {
        new.pool.live_in(&self.surroundings);
        new.pool.learn_from(&old.pool);
        if old.life.state() == State::Active {
            self.try_out(old, new).await?;
        }
        let Some(()) = self.exchange(old, new).await else {
            new.pool.stop().await;
            return Ok(());
        };
        if old.is_stopped() {
            // What the operator has stopped stays stopped.
            new.halt(Duration::ZERO).await.ok();
            self.changed();
        } else {
            self.bring_up(&self.freed(vec![Arc::clone(new)]), None)
                .await;
        }
        self.leave(old, drain).await;
        Ok(())
    }

    /// Stores the set with `new` in the place of `old`; `None` where `old` is not in it, or the gateway stops.
    async fn exchange(self: &Arc<Self>, old: &Arc<Plugin>, new: &Arc<Plugin>) -> Option<()> {
        let closing = self.changing.lock().await;
        if *closing {
            return None;
        }
        let mut plugins = self.plugins().to_vec();
        let place = plugins.iter_mut().find(|plugin| Arc::ptr_eq(plugin, old))?;
        *place = Arc::clone(new);
        self.follow(new);
        self.put(plugins);
        self.tell_loaded(new);
        Some(())
    }

    /// Starts a plugin that nobody can call yet, and asks whether it is well.
    async fn try_out(&self, old: &Arc<Plugin>, new: &Arc<Plugin>) -> Result<(), StartError> {
        let mut plugins = self.plugins().to_vec();
        let place = plugins.iter_mut().find(|plugin| Arc::ptr_eq(plugin, old));
        if let Some(place) = place {
            *place = Arc::clone(new);
        }
        new.lack(lacking(&plugins).remove(&owned(new)));
        self.look_for_dependencies(new).await;
        if new.manifest.load == Load::Manual {
            // It runs because the operator has started it.
            new.life.on(Signal::Initialize).ok();
        }
        let tried = self.on_trial(new, async {
            new.warm().await?;
            let bound = Duration::from_millis(new.manifest.health.timeout_ms);
            match new.pool.any_instance() {
                Some(instance) => instance.probe(bound).await,
                None => Ok(()),
            }
        });
        let tried = tried.await;
        if tried.is_err() {
            new.pool.stop().await;
        }
        tried.map_err(StartError::Failed)
    }

    /// Does `work` with a plugin that is not registered yet; when the gateway stops meanwhile, so does the plugin.
    async fn on_trial<T>(&self, plugin: &Arc<Plugin>, work: impl Future<Output = T>) -> T {
        let trials = || self.trials.lock().expect("no holder of this lock panics");
        trials().push(Arc::clone(plugin));
        let done = work.await;
        trials().retain(|other| !Arc::ptr_eq(other, plugin));
        done
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
        self.changed();
    }

    /// Plugins that have come, and those that waited for them and for nothing else.
    fn freed(&self, new: Vec<Arc<Plugin>>) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins();
        let waits = |other: &&Arc<Plugin>| {
            let mut depends = new.iter();
            depends.any(|plugin| other.needs(plugin.id()))
                && !new.iter().any(|plugin| Arc::ptr_eq(plugin, other))
                && !other.pool.is_running()
        };
        let waiting: Vec<_> = plugins.iter().filter(waits).cloned().collect();
        new.into_iter().chain(waiting).collect()
    }

    /// Starts what starts by itself and what that needs, one after the other in order. At the first failure stops what it
    /// has started, in reverse, and gives the failure back. What is active already is left as it is, so that it may be
    /// asked for again.
    pub async fn setup_all(self: &Arc<Self>) -> Result<(), RegistryError> {
        let plugins = self.plugins();
        if let Some(cycle) = cycles(&plugins).into_iter().next() {
            return Err(RegistryError::DependencyCycle { members: cycle });
        }
        let is_active = |plugin: &Plugin| plugin.life.state() == State::Active;
        let off = plugins.iter().filter(|plugin| !is_active(plugin));
        let off: Vec<&Arc<Plugin>> = off.collect();
        let mut failed = None;
        for plugin in &off {
            // One that another needed may have been started for that.
            if plugin.manifest.load != Load::Eager || is_active(plugin) {
                continue;
            }
            if let Err(error) = self.start_plugin(plugin).await {
                let id = plugin.id().clone();
                failed = Some(RegistryError::SetupFailed { id, error });
                // It is not tried again.
                plugin.stop(Duration::ZERO).await;
                break;
            }
        }
        if failed.is_some() {
            for plugin in off.into_iter().rev().filter(|plugin| is_active(plugin)) {
                plugin.stop(Duration::ZERO).await;
            }
        }
        self.changed();
        failed.map_or(Ok(()), Err)
    }

    /// Stops all active plugins, dependents before what they depend on. Goes on whatever fails, and says it at the end.
    pub async fn teardown_all(&self) -> Result<(), TeardownErrors> {
        let failed = self.stop_all().await;
        match failed.is_empty() {
            true => Ok(()),
            false => Err(TeardownErrors(failed)),
        }
    }

    /// Stops all instances, dependents before what they depend on, all others at the same time. Nothing comes any more.
    pub async fn stop(&self) {
        *self.changing.lock().await = true;
        let trials = self
            .trials
            .lock()
            .expect("no holder of this lock panics")
            .clone();
        let trials = trials.iter().map(|plugin| plugin.stop(Duration::ZERO));
        // Each has said in the log what went wrong.
        tokio::join!(self.stop_all(), futures::future::join_all(trials));
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
    let mut lacking = lacking(&plugins);
    for plugin in &plugins {
        plugin.lack(lacking.remove(&owned(plugin)));
    }
    let order = order(&nodes(&plugins)).order;
    let rank: HashMap<&PluginId, usize> =
        order.iter().enumerate().map(|(at, id)| (id, at)).collect();
    plugins.sort_by_key(|plugin| rank.get(plugin.id()).copied().unwrap_or(usize::MAX));
    plugins
}

fn owned(plugin: &Plugin) -> (Kind, PluginId) {
    let (kind, id) = plugin.key();
    (kind, id.clone())
}

/// What each of these plugins needs and is not among them, or needs it in turn.
fn lacking(plugins: &[Arc<Plugin>]) -> HashMap<(Kind, PluginId), String> {
    let order = order(&nodes(plugins));
    let names = |ids: &[PluginId]| {
        let ids: Vec<_> = ids.iter().map(PluginId::as_str).collect();
        ids.join("`, `")
    };
    let mut by_id: HashMap<&PluginId, String> = HashMap::new();
    for cycle in &order.cycles {
        let why = format!("it depends on itself through `{}`", names(cycle));
        by_id.extend(cycle.iter().map(|id| (id, why.clone())));
    }
    for id in &order.behind_cycles {
        by_id.insert(id, "a plugin it needs depends on itself".to_owned());
    }
    for (id, missing) in &order.missing {
        let why = format!("it needs `{}`, which is not there", names(missing));
        by_id.insert(id, why);
    }
    let manifests: Vec<_> = plugins.iter().map(|plugin| &*plugin.manifest).collect();
    let why = |plugin: &Arc<Plugin>| {
        // It says more than that something is not there.
        let lacks = lacks(&plugin.manifest, &manifests);
        let why = lacks.or_else(|| by_id.get(plugin.id()).cloned())?;
        Some((owned(plugin), why))
    };
    plugins.iter().filter_map(why).collect()
}

#[cfg(test)]
mod tests;
