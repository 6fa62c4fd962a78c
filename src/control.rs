//! What an operator does with plugins while the gateway runs: register, unregister, start, stop, reload, report. The
//! fronts and the command line have no other door to the life of plugins.
//!
//! Only plugins that the configuration knows can be named here: a command line never comes over the network.

pub mod error;

pub mod info;

pub mod instances;

pub mod logs;

pub mod reload;

pub mod settings;

pub mod source;

mod why;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::control::error::ControlError;
use crate::control::info::{Listing, PluginInfo, Report};
use crate::control::instances::InstanceInfo;
use crate::control::reload::Reloads;
use crate::control::settings::{Overlay, Stored};
use crate::control::source::{Build, Candidate, Discovery, Found, Source};
use crate::manifest::Kind;
use crate::metrics::page::Page;
use crate::model::plugin_id::PluginId;
use crate::registry::Registry;
use crate::registry::life::State;
use crate::registry::plugin::{Plugin, StartError};

/// The right to change one plugin.
type Turn = tokio::sync::OwnedMutexGuard<()>;

/// The operator's hand on the plugins.
pub struct Control {
    registry: Arc<Registry>,
    source: Arc<dyn Source>,
    /// The settings that were changed while the gateway ran.
    stored: Arc<Stored>,
    /// How long calls that run may go on when their plugin is taken away.
    drain: Duration,
    max_plugins: usize,
    /// One reload at a time.
    alone: tokio::sync::Mutex<()>,
    /// One change of each plugin at a time.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Plugins that the operator has taken out by hand: a reload does not bring them back.
    set_aside: Mutex<HashSet<(Kind, PluginId)>>,
    reloads: Mutex<Reloads>,
    /// Set when the gateway stops: nothing is started any more.
    closed: AtomicBool,
}

impl Control {
    /// Control over the plugins of `registry`, which come from `source`.
    pub fn new(
        registry: Arc<Registry>,
        source: Arc<dyn Source>,
        stored: Arc<Stored>,
        drain: Duration,
        max_plugins: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry,
            source,
            stored,
            drain,
            max_plugins,
            alone: tokio::sync::Mutex::new(()),
            turns: Mutex::default(),
            set_aside: Mutex::default(),
            reloads: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// Starts nothing and exchanges nothing from now on: the gateway is about to stop.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Waits until no other reload goes on.
    async fn alone(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, ControlError> {
        let alone = self.alone.lock().await;
        self.open()?;
        Ok(alone)
    }

    /// Waits until nobody else changes the plugin.
    async fn turn(&self, id: &str) -> Result<Turn, ControlError> {
        let turn = {
            let mut turns = self.turns.lock().expect("no holder of this lock panics");
            // Those that nobody waits for are made again when they are needed.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(id.to_owned()).or_default())
        };
        let turn = turn.lock_owned().await;
        self.open()?;
        Ok(turn)
    }

    fn open(&self) -> Result<(), ControlError> {
        match self.closed.load(Ordering::SeqCst) {
            true => Err(ControlError::conflict("the gateway is stopping".to_owned())),
            false => Ok(()),
        }
    }

    fn set_aside(&self) -> MutexGuard<'_, HashSet<(Kind, PluginId)>> {
        self.set_aside
            .lock()
            .expect("no holder of this lock panics")
    }

    /// The directories in which something may come, go or change that makes a difference.
    pub async fn places(&self) -> BTreeSet<PathBuf> {
        let source = Arc::clone(&self.source);
        let places = tokio::task::spawn_blocking(move || source.places()).await;
        places.unwrap_or_default()
    }

    /// Where plugins come from, and what of them could not be used when everything was read last.
    pub fn discovery(&self) -> Discovery {
        self.source.discovery()
    }

    /// Reads the configuration and the plugin directories.
    async fn found(&self) -> Result<Found, ControlError> {
        self.found_with(self.stored.now()).await
    }

    /// The same with other settings on top.
    async fn found_with(&self, overlay: Arc<Overlay>) -> Result<Found, ControlError> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.read(&overlay)).await;
        match read {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(problems)) => Err(ControlError::bad_config(&problems)),
            Err(_) => Err(ControlError::failed("the configuration could not be read")),
        }
    }

    /// All plugins: those in the registry, and those that were found and are not in it.
    pub async fn list(&self) -> Result<Listing, ControlError> {
        let found = self.found().await?;
        let plugins = self.registry.plugins();
        let registered = plugins.iter().map(|plugin| {
            let mut candidates = found.candidates.iter();
            let found = candidates.find(|candidate| candidate.key() == plugin.key());
            PluginInfo::of(plugin).lacking(found)
        });
        let known = |candidate: &&Candidate| {
            let (kind, id) = candidate.key();
            plugins.iter().any(|plugin| plugin.key() == (kind, id))
        };
        let candidates = found
            .candidates
            .iter()
            .filter(|candidate| !known(candidate));
        let unregistered = candidates.map(PluginInfo::of_candidate);
        let broken = found.broken.iter().map(PluginInfo::of_broken);
        Ok(Listing {
            registered: registered.collect(),
            unregistered: unregistered.chain(broken).collect(),
        })
    }

    /// One plugin, in the registry or not.
    pub async fn get(&self, id: &str) -> Result<PluginInfo, ControlError> {
        let listing = self.list().await?;
        let mut others = listing.registered.into_iter().chain(listing.unregistered);
        let found = others.find(|info| info.id == id);
        found.ok_or_else(|| ControlError::not_found(id))
    }

    /// How every plugin does that is in the registry, also those that were never started.
    pub fn report(&self) -> Report {
        Report::of(&self.registry.plugins(), &self.reloads())
    }

    /// The instances that run, by plugin in the order these start in.
    pub fn instances(&self) -> Vec<InstanceInfo> {
        let plugins = self.registry.plugins();
        let each = plugins.iter().flat_map(|plugin| instances::of(plugin));
        each.collect()
    }

    /// Takes a plugin into the registry and starts it, if it starts by itself. One that has to be built is built first;
    /// `rebuild` builds it in any case.
    pub async fn register(&self, id: &str, rebuild: bool) -> Result<PluginInfo, ControlError> {
        let _turn = self.turn(id).await?;
        if !self.registry.named(id).is_empty() {
            return Err(ControlError::conflict(format!(
                "plugin `{id}` is registered already"
            )));
        }
        let found = self.found().await?;
        let candidate = self.candidate(&found, id)?;
        if self.registry.plugins().len() >= self.max_plugins {
            return Err(self.full());
        }
        if rebuild || candidate.state == State::SourceOnly {
            let built = self.source.build(candidate, rebuild).await;
            built.map_err(|fault| ControlError::of_build(&fault))?;
        }
        let plugin = self.source.make(candidate);
        let (kind, id) = plugin.key();
        self.set_aside().remove(&(kind, id.clone()));
        let inserted = self.registry.insert(vec![Arc::clone(&plugin)]).await;
        inserted.map_err(|err| ControlError::conflict(err.to_string()))?;
        Ok(PluginInfo::of(&plugin))
    }

    /// The plugin of that id that could be registered.
    fn candidate<'a>(&self, found: &'a Found, id: &str) -> Result<&'a Candidate, ControlError> {
        let mut named = found.candidates.iter();
        if let Some(candidate) = named.find(|candidate| candidate.manifest.id.as_str() == id) {
            return match candidate.state {
                State::Available | State::SourceOnly => Ok(candidate),
                state => Err(ControlError::conflict(format!(
                    "plugin `{id}` is {state}{}",
                    candidate.why()
                ))),
            };
        }
        let mut broken = found.broken.iter();
        let broken = broken.find(|broken| broken.id.as_ref().is_some_and(|is| is.as_str() == id));
        Err(broken.map_or_else(
            || ControlError::not_found(id),
            |broken| ControlError::bad_manifest(&broken.problems),
        ))
    }

    /// Builds a plugin from source, in the registry or not. What runs of it goes on as it was.
    pub async fn build(&self, id: &str, rebuild: bool) -> Result<Build, ControlError> {
        let found = self.found().await?;
        let mut candidates = found.candidates.iter();
        let candidate = candidates.find(|candidate| candidate.manifest.id.as_str() == id);
        let candidate = candidate.ok_or_else(|| ControlError::not_found(id))?;
        if candidate.state == State::Disabled {
            let why = candidate.why();
            return Err(ControlError::conflict(format!(
                "plugin `{id}` is disabled{why}"
            )));
        }
        let built = self.source.build(candidate, rebuild).await;
        built.map_err(|fault| ControlError::of_build(&fault))
    }

    fn full(&self) -> ControlError {
        let max = self.max_plugins;
        ControlError::conflict(format!(
            "there are {max} plugins already; raise `max_plugins`, or take some out"
        ))
    }

    /// Takes a plugin out: its tools are gone at once, what runs comes to its end. A reload does not bring it back.
    pub async fn unregister(&self, id: &str) -> Result<(), ControlError> {
        let _turn = self.turn(id).await?;
        let plugin = self.named(id)?;
        let (kind, key) = plugin.key();
        self.set_aside().insert((kind, key.clone()));
        self.registry.remove(&plugin, self.drain).await;
        Ok(())
    }

    /// Starts a plugin that does not run. Whatever failed before is forgotten.
    pub async fn start(&self, id: &str) -> Result<PluginInfo, ControlError> {
        let _turn = self.turn(id).await?;
        let plugin = self.named(id)?;
        match self.registry.start_plugin(&plugin).await {
            Ok(()) => Ok(PluginInfo::of(&plugin)),
            Err(StartError::InvalidState(err)) => Err(ControlError::conflict(err.to_string())),
            Err(StartError::Failed(fault)) => Err(ControlError::of_fault(&fault)),
        }
    }

    /// Stops a plugin: its tools are not listed any more, what runs comes to its end. It stays in the registry. The error
    /// that it may have made of that is kept with it.
    pub async fn stop(&self, id: &str) -> Result<PluginInfo, ControlError> {
        let _turn = self.turn(id).await?;
        let plugin = self.named(id)?;
        let stopped = plugin.halt(self.drain).await;
        stopped.map_err(|err| ControlError::conflict(err.to_string()))?;
        Ok(PluginInfo::of(&plugin))
    }

    /// Writes what became of reloads, in numbers.
    pub fn measure(&self, page: &mut Page) {
        let reloads = self.reloads();
        let failed = usize::from(reloads.last_error.is_some());
        let help = "Whether the last reload changed nothing, because the configuration was wrong";
        page.level("toolgate_config_reload_failed", help, &[], failed);
        let help = "Reloads, by what became of them";
        for (outcome, count) in [("done", reloads.done), ("failed", reloads.failed)] {
            page.counter(
                "toolgate_config_reloads",
                help,
                &[("outcome", outcome)],
                count,
            );
        }
        let help = "Plugins that are wrong as of the last reload, and stay as they were";
        page.level(
            "toolgate_config_broken_plugins",
            help,
            &[],
            reloads.broken.len(),
        );
    }

    /// The plugin of that id in the registry.
    fn named(&self, id: &str) -> Result<Arc<Plugin>, ControlError> {
        let mut named = self.registry.named(id);
        match named.len() {
            0 => Err(ControlError::not_found(id)),
            1 => Ok(named.remove(0)),
            _ => Err(ControlError::conflict(format!(
                "there are several plugins `{id}` of different kinds"
            ))),
        }
    }
}
