//! Starting plugins, each after those it depends on, and following what becomes of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::manifest::{Kind, Load};
use crate::model::plugin_id::PluginId;
use crate::registry::Registry;
use crate::registry::kinds::lacks;
use crate::registry::life::State;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Who;

/// How many plugins are started at the same time.
const STARTS_AT_ONCE: usize = 8;

/// How often instances are looked through for idle ones.
const IDLE_SWEEP: Duration = Duration::from_secs(5);

impl Registry {
    /// Follows the plugins and starts those that start with the gateway; `wait` says to wait for the only client first.
    pub(super) fn begin(self: &Arc<Self>, wait: bool) {
        let plugins = self.plugins();
        plugins.iter().for_each(|plugin| self.follow(plugin));
        let registry = Arc::clone(self);
        self.supervisor
            .spawn("start of plugins", |stop| async move {
                let client = wait.then(|| registry.client.subscribe());
                let starting = async {
                    let who = the_client(client).await;
                    registry.bring_up(&plugins, who.as_ref()).await;
                };
                tokio::select! {
                    () = starting => {}
                    () = stop.cancelled() => {}
                }
                // Whoever waits for this sees all of them, whether or not their changes were taken in one by one yet.
                registry.rebuild();
                registry.settled.send_replace(true);
            });
        let registry = Arc::clone(self);
        self.supervisor
            .spawn("idle instances", |stop| registry.sweep(stop));
    }

    async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(IDLE_SWEEP) => {}
                () = stop.cancelled() => return,
            }
            let plugins = self.plugins();
            plugins.iter().for_each(|plugin| plugin.pool.stop_idle());
            // Looks through all processes of the machine, which may be many.
            tokio::task::spawn_blocking(crate::runtime::process::reap_orphans)
                .await
                .ok();
        }
    }

    /// Takes in what becomes of a plugin for as long as it is in the registry.
    pub(super) fn follow(self: &Arc<Self>, plugin: &Arc<Plugin>) {
        self.poll_health(plugin);
        let (registry, plugin) = (Arc::clone(self), Arc::clone(plugin));
        let name = format!("{} surface", plugin.id());
        // From this moment on nothing is missed.
        let (mut offered, mut life) = (plugin.pool.changes(), plugin.life.changes());
        self.supervisor.spawn(name, |stop| async move {
            loop {
                tokio::select! {
                    // Both senders live as long as the plugin, which is held here.
                    _ = offered.changed() => {}
                    _ = life.changed() => registry.free_dependents(&plugin),
                    () = plugin.removed.cancelled() => return,
                    () = stop.cancelled() => return,
                }
                registry.changed();
            }
        });
    }

    /// Starts those of `plugins` that start by themselves, each after those it depends on, for `who` if there is but one
    /// client. One that fails keeps its dependents from starting, and nobody else.
    pub(super) async fn bring_up(self: &Arc<Self>, plugins: &[Arc<Plugin>], who: Option<&Who>) {
        let done: HashMap<(Kind, &PluginId), watch::Sender<bool>> = plugins
            .iter()
            .map(|plugin| (plugin.key(), watch::Sender::new(false)))
            .collect();
        let places = Semaphore::new(STARTS_AT_ONCE);
        let starts = plugins.iter().map(|plugin| async {
            // One that lacks something for good waits for nobody: two that need each other would wait for ever.
            let starts = plugin.manifest.load == Load::Eager && !plugin.is_stopped();
            if starts && self.is_complete(plugin) {
                for dependency in self.dependencies(plugin) {
                    if let Some(done) = done.get(&dependency.key()) {
                        // The sender lives as long as this loop.
                        done.subscribe().wait_for(|done| *done).await.ok();
                    }
                }
                self.look_for_dependencies(plugin).await;
                if plugin.blocked().is_none() {
                    let _place = places.acquire().await;
                    // A failure is logged where it happens, and told to whoever calls.
                    match who {
                        None => plugin.warm().await.ok(),
                        Some(who) => plugin.pool.warm_for(who).await.ok(),
                    };
                }
            }
            if let Some(done) = done.get(&plugin.key()) {
                done.send_replace(true);
            }
        });
        futures::future::join_all(starts).await;
    }

    /// The plugins that `plugin` depends on, as far as they are there.
    pub(super) fn dependencies(&self, plugin: &Plugin) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins();
        let needed = plugins.iter().filter(|other| plugin.needs(other.id()));
        needed.cloned().collect()
    }

    /// Whether all plugins are registered that `plugin` depends on, and none of them needs it in turn.
    fn is_complete(&self, plugin: &Plugin) -> bool {
        !plugin.life.is_lacking()
    }

    /// Finds out whether all is there that `plugin` needs.
    pub(super) async fn look_for_dependencies(&self, plugin: &Plugin) {
        // What is not there at all was said when the set of plugins was put in order.
        if self.is_complete(plugin) {
            for dependency in self.dependencies(plugin) {
                self.wake_dependency(&dependency).await;
            }
            plugin.wait_for(self.missing(plugin));
            // What came between the look and the word would not be noticed again.
            plugin.wait_for(self.missing(plugin));
        }
    }

    /// Starts what starts at its first use and is used now.
    async fn wake_dependency(&self, dependency: &Plugin) {
        let sleeps = dependency.life.state() == State::Loaded;
        if sleeps && dependency.manifest.load == Load::Lazy {
            dependency.warm().await.ok();
        }
    }

    /// What `plugin` needs and is not there at this moment.
    fn missing(&self, plugin: &Plugin) -> Option<String> {
        let plugins = self.plugins();
        let manifests: Vec<_> = plugins.iter().map(|plugin| &*plugin.manifest).collect();
        if let Some(lacks) = lacks(&plugin.manifest, &manifests) {
            return Some(lacks);
        }
        let dependencies = self.dependencies(plugin);
        let down = dependencies
            .iter()
            .find(|dependency| !dependency.is_there())?;
        Some(format!(
            "it needs `{}`, which is {}",
            down.id(),
            down.life.state()
        ))
    }

    /// A plugin has come to another state: those that only waited for it are started.
    fn free_dependents(self: &Arc<Self>, plugin: &Plugin) {
        if plugin.life.state() != State::Active {
            return;
        }
        let waits = |other: &&Arc<Plugin>| {
            let idle = matches!(other.life.state(), State::Loaded | State::Unavailable);
            other.needs(plugin.id())
                && idle
                && !other.pool.is_running()
                && self.is_complete(other)
                && self.missing(other).is_none()
        };
        let waiting: Vec<_> = self.plugins().iter().filter(waits).cloned().collect();
        if waiting.is_empty() {
            return;
        }
        waiting.iter().for_each(|plugin| plugin.wait_for(None));
        let registry = Arc::clone(self);
        self.supervisor
            .spawn("start of dependents", |stop| async move {
                tokio::select! {
                    () = registry.bring_up(&waiting, None) => {}
                    () = stop.cancelled() => {}
                }
            });
    }
}

async fn the_client(client: Option<watch::Receiver<Option<Who>>>) -> Option<Who> {
    // The sender lives as long as the registry, which waits here.
    let mut client = client?;
    let who = client.wait_for(Option::is_some).await.ok();
    who.and_then(|who| who.clone())
}
