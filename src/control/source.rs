//! Where plugins can come from: what the configuration and the plugin directories hold at one moment.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::control::settings::{Layers, Overlay};
use crate::manifest::problem::Problems;
use crate::manifest::{Grant, Kind, Manifest};
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::life::State;
use crate::registry::plugin::{self, Plugin};

/// Where plugins can come from.
pub trait Source: Send + Sync {
    /// Reads everything anew, with the settings of `overlay` on top. `Err` is about the operator's own file; what is wrong with one plugin is among what was
    /// found. Blocks: it reads files.
    fn read(&self, overlay: &Overlay) -> Result<Found, Problems>;

    /// The directories in which something may come, go or change that makes a difference.
    fn places(&self) -> BTreeSet<PathBuf>;

    /// Builds a plugin from source, unless nothing is missing and `rebuild` is not wanted.
    fn build<'a>(
        &'a self,
        candidate: &'a Candidate,
        rebuild: bool,
    ) -> BoxFuture<'a, Result<Build, Fault>>;

    /// Where plugins are looked for, and what of them cannot be used, as everything was read last. Does not look.
    fn discovery(&self) -> Discovery {
        Discovery::default()
    }

    /// Makes a plugin; nothing of it runs.
    fn make(&self, candidate: &Candidate) -> Arc<Plugin>;
}

/// What is known of where plugins come from.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// The places, in the order in which they are searched.
    pub sources: Vec<DiscoverySource>,
    /// The plugins found there that cannot be used.
    pub broken: Vec<Broken>,
}

/// One place that plugins come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiscoverySource {
    /// What kind of place it is.
    pub kind: SourceKind,
    /// Where it is; empty for what is compiled in.
    pub place: PathBuf,
}

/// What kind of place plugins come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Compiled into the gateway.
    Builtin,
    /// A directory that the configuration names.
    Directory,
    /// A directory that a variable names: `TOOLGATE_PLUGIN_PATHS` or `ORDINAUT_EXT_PATHS`.
    Environment,
    /// The configuration file, which may define plugins itself.
    Config,
}

impl DiscoverySource {
    /// Whether a plugin of that source comes from here.
    pub fn has(&self, source: &plugin::Source) -> bool {
        match (self.kind, source) {
            (SourceKind::Builtin, plugin::Source::Builtin) => true,
            (SourceKind::Config, plugin::Source::Config(file)) => *file == self.place,
            (SourceKind::Directory | SourceKind::Environment, plugin::Source::Folder(folder)) => {
                folder.starts_with(&self.place)
            }
            (
                SourceKind::Builtin
                | SourceKind::Directory
                | SourceKind::Environment
                | SourceKind::Config,
                _,
            ) => false,
        }
    }

    /// The same; where it is is for operators.
    #[must_use]
    pub fn shown_to(self, is_operator: bool) -> Self {
        match is_operator {
            true => self,
            false => Self {
                place: PathBuf::new(),
                ..self
            },
        }
    }
}

/// What came of a build that did not fail.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Build {
    /// Whether anything was done: nothing was missing otherwise.
    pub ran: bool,
    /// How long it took.
    pub took_ms: f64,
    /// The end of what it wrote.
    pub output: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Plugins whose manifests say something sensible.
    pub candidates: Vec<Candidate>,
    /// Plugins that cannot be used.
    pub broken: Vec<Broken>,
    /// Sections of the operator's file that are others than at the start, and are not looked at while the gateway runs.
    pub needs_restart: Vec<&'static str>,
    /// What the operator's file says of plugins that are nowhere.
    pub notes: Vec<String>,
    /// What it says of the gateway itself, defaults filled in.
    pub gateway: serde_json::Value,
}

/// A plugin that could be registered, or is.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it says of itself, with what the operator changed.
    pub manifest: Arc<Manifest>,
    /// Where it comes from.
    pub source: plugin::Source,
    /// Where its settings come from.
    pub layers: Layers,
    /// What it may do.
    pub grants: BTreeSet<Grant>,
    /// Whether the operator has said which.
    pub grants_chosen: bool,
    /// Whether it can be registered: `available`, `source_only`, `incomplete` or `disabled`.
    pub state: State,
    /// What is missing, where something is.
    pub lacks: Option<String>,
}

/// A plugin that was found and cannot be used.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Its id, when that much is known.
    pub id: Option<PluginId>,
    /// Where it lies.
    pub source: plugin::Source,
    /// What kind of mistake it is: a stable word for programs.
    pub code: &'static str,
    /// What is wrong.
    pub problems: Problems,
}

impl Candidate {
    /// What tells it from all others.
    pub fn key(&self) -> (Kind, &PluginId) {
        (self.manifest.kind, &self.manifest.id)
    }

    /// Whether `plugin` was made of just this.
    pub fn is(&self, plugin: &Plugin) -> bool {
        *self.manifest == *plugin.pool.next_manifest()
            && self.grants == plugin.grants
            && self.source == plugin.source
    }

    /// Whether it is to be in the registry.
    pub fn is_wanted(&self) -> bool {
        self.state != State::Disabled
    }

    /// What keeps it from being registered, to be put behind its state.
    pub(super) fn why(&self) -> String {
        match (&self.lacks, self.state) {
            (Some(lacks), _) => format!(": {lacks}"),
            (None, State::Disabled) => format!(
                ": set `plugins.{}.enabled = true` in the configuration",
                self.manifest.id
            ),
            (None, _) => String::new(),
        }
    }
}
