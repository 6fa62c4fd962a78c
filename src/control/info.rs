//! What is said about plugins: for lists, for reports, in the words of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::control::reload::Reloads;
use crate::control::source::{Broken, Candidate};
use crate::manifest::{Grant, Kind, Load};
use crate::registry::health::HealthReport;
use crate::registry::life::State;
use crate::registry::plugin::{Plugin, Source};
use crate::wire::list::ListKind;

/// All plugins.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// Those in the registry.
    pub registered: Vec<PluginInfo>,
    /// Those that were found and are not in it.
    pub unregistered: Vec<PluginInfo>,
}

/// One plugin, as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct PluginInfo {
    /// Its id; where it lies, if its manifest cannot be read.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// Where it stands, in fewer words: `ready`, `running`, `stopped`, `error`; `available`, `source_only`,
    /// `incomplete`, `disabled`.
    pub status: &'static str,
    /// Where it stands.
    pub state: State,
    /// The process of its first instance; empty where it has none.
    pub process_id: String,
    /// Whether nothing of it runs.
    pub is_exited: bool,
    /// The runtime it uses.
    pub runtime: Option<&'static str>,
    /// Where it comes from.
    pub source: String,
    /// Whether it starts with the gateway.
    pub auto_start: bool,
    /// Whether it is in the registry.
    pub registered: bool,
    /// What it may do.
    pub grants: BTreeSet<Grant>,
    /// What it asks for and may not do, each with why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub denied: BTreeMap<Grant, String>,
    /// How many tools it offers, as far as is known.
    pub tools: usize,
    /// What is wrong with it, or was.
    pub error: Option<String>,
    /// What kind of mistake it is, where its manifest cannot be used: `manifest_invalid`, `version_incompatible`,
    /// `ambiguous_plugin`, `too_many_plugins`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// How the plugins in the registry do.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Each of them.
    pub plugins: Vec<PluginReport>,
    /// What became of reading the configuration again.
    pub reloads: Reloads,
}

/// How one plugin does.
#[derive(Debug, Serialize)]
pub struct PluginReport {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub status: State,
    /// Milliseconds until it was there, at its latest start.
    pub load_time_ms: Option<f64>,
    /// Milliseconds from there until it was ready.
    pub init_time_ms: Option<f64>,
    /// Seconds since it became active; 0 when it is not.
    pub uptime_seconds: f64,
    /// How often something of it failed.
    pub error_count: u64,
    /// How often it was started again after it had ended by itself.
    pub restarts: u64,
    /// What is wrong with it, or was when it stopped.
    pub error: Option<String>,
    /// Calls that run.
    pub calls_in_flight: usize,
    /// How it is, beside where it stands.
    pub health: HealthReport,
}

impl Listing {
    /// Leaves out what is the operator's business: what could run and does not, and where things lie.
    pub fn for_users(&mut self) {
        self.unregistered.clear();
        let registered = std::mem::take(&mut self.registered).into_iter();
        self.registered = registered.filter_map(PluginInfo::for_user).collect();
    }
}

impl PluginInfo {
    /// Leaves out where it lies; `None` where it is not in the registry.
    pub fn for_user(mut self) -> Option<Self> {
        self.source.clear();
        self.registered.then_some(self)
    }

    /// One in the registry.
    pub fn of(plugin: &Arc<Plugin>) -> Self {
        let (manifest, life) = (&plugin.manifest, plugin.life.snapshot());
        let process = plugin.pool.processes().first().map(|(pid, _)| *pid);
        Self {
            id: manifest.id.to_string(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: Some(manifest.kind),
            status: word(life.state, plugin.gate.in_flight() > 0),
            state: life.state,
            process_id: process.map_or_else(String::new, |pid| pid.to_string()),
            is_exited: !plugin.pool.is_running(),
            runtime: Some(plugin.runtime.as_str()),
            source: plugin.source.to_string(),
            auto_start: manifest.load == Load::Eager,
            registered: true,
            grants: plugin.grants.clone(),
            denied: plugin.denied(),
            tools: plugin.surface().list(ListKind::Tools).definitions.len(),
            error: life.error,
            code: None,
        }
    }

    /// The same, where it may be that it failed because something of it, as it was found, has still to be built.
    pub(super) fn lacking(mut self, found: Option<&Candidate>) -> Self {
        let lacks = found.is_some_and(|found| found.state == State::SourceOnly);
        if lacks && self.state == State::Error {
            self.state = State::SourceOnly;
            self.status = self.state.as_str();
        }
        self
    }

    /// One that could be registered.
    pub(super) fn of_candidate(candidate: &Candidate) -> Self {
        let manifest = &candidate.manifest;
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: Some(manifest.kind),
            runtime: manifest.runtimes().first().map(|kind| kind.as_str()),
            auto_start: manifest.load == Load::Eager,
            grants: candidate.grants.clone(),
            denied: BTreeMap::new(),
            error: candidate.lacks.clone(),
            ..Self::not_there(manifest.id.to_string(), candidate.state, &candidate.source)
        }
    }

    /// One that cannot be used.
    pub(super) fn of_broken(broken: &Broken) -> Self {
        let source = broken.source.to_string();
        let id = broken.id.as_ref().map_or(source, ToString::to_string);
        Self {
            error: Some(broken.problems.to_string()),
            code: Some(broken.code),
            ..Self::not_there(id, State::Incomplete, &broken.source)
        }
    }

    fn not_there(id: String, state: State, source: &Source) -> Self {
        Self {
            name: id.clone(),
            id,
            version: String::new(),
            kind: None,
            status: state.as_str(),
            state,
            process_id: String::new(),
            is_exited: true,
            runtime: None,
            source: source.to_string(),
            auto_start: false,
            registered: false,
            grants: BTreeSet::new(),
            denied: BTreeMap::new(),
            tools: 0,
            error: None,
            code: None,
        }
    }
}

/// The word for a state where only a few are known; `busy` says that a call runs.
fn word(state: State, busy: bool) -> &'static str {
    match state {
        State::Active if busy => "running",
        State::Active | State::Loaded | State::Initialized => "ready",
        State::Stopping | State::Stopped => "stopped",
        State::Error | State::Unavailable => "error",
        State::Incomplete | State::SourceOnly | State::Available | State::Disabled => {
            state.as_str()
        }
    }
}

impl Report {
    /// Leaves out what is wrong with the configuration: it names files, and plugins that are not everybody's.
    pub fn for_users(&mut self) {
        self.reloads.last_error = None;
        self.reloads.broken.clear();
    }

    pub(super) fn of(plugins: &[Arc<Plugin>], reloads: &Reloads) -> Self {
        Self {
            plugins: plugins
                .iter()
                .map(|plugin| PluginReport::of(plugin))
                .collect(),
            reloads: reloads.clone(),
        }
    }
}

impl PluginReport {
    fn of(plugin: &Plugin) -> Self {
        let life = plugin.life.snapshot();
        Self {
            id: plugin.id().to_string(),
            status: life.state,
            load_time_ms: life.times.load.map(milliseconds),
            init_time_ms: life.times.init.map(milliseconds),
            uptime_seconds: life.uptime.as_secs_f64(),
            error_count: life.error_count,
            restarts: life.restarts,
            error: life.error,
            calls_in_flight: plugin.gate.in_flight(),
            health: plugin.health_report(),
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
