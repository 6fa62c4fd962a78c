//! What goes wrong with the set of plugins: each error with a code that stays.

use crate::manifest::Kind;
use crate::manifest::problem::Problems;
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::plugin::StartError;

/// What went wrong with the set of plugins.
#[derive(Debug)]
pub enum RegistryError {
    /// No plugin of that kind, or none of that name.
    KindUnknown {
        /// What was asked for.
        kind: Kind,
        /// Under which name, if any.
        name: Option<String>,
    },
    /// Several plugins where there can be one.
    AmbiguousPlugin {
        /// Their kind.
        kind: Kind,
        /// Their ids.
        members: Vec<PluginId>,
    },
    /// A manifest that says something wrong.
    ManifestInvalid(Problems),
    /// A plugin for other versions of the gateway.
    VersionIncompatible(Problems),
    /// No runtime that the plugin could use is there.
    RuntimeNotSupported {
        /// The plugin.
        id: PluginId,
        /// Why not, for each of its runtimes.
        reason: String,
    },
    /// Plugins that need each other.
    DependencyCycle {
        /// By name.
        members: Vec<PluginId>,
    },
    /// A plugin that could not be set up; those before it were stopped again.
    SetupFailed {
        /// The plugin.
        id: PluginId,
        /// Why.
        error: StartError,
    },
    /// Plugins that did not stop well. All others, and these, have stopped.
    Teardown(TeardownErrors),
}

/// Plugins that did not stop well, in the order they stopped.
#[derive(Debug)]
pub struct TeardownErrors(pub Vec<(PluginId, Fault)>);

impl RegistryError {
    /// The word for it, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KindUnknown { .. } => "kind_unknown",
            Self::AmbiguousPlugin { .. } => "ambiguous_plugin",
            Self::ManifestInvalid(_) => "manifest_invalid",
            Self::VersionIncompatible(_) => "version_incompatible",
            Self::RuntimeNotSupported { .. } => "runtime_not_supported",
            Self::DependencyCycle { .. } => "dependency_cycle",
            Self::SetupFailed { .. } => "setup_failed",
            Self::Teardown(_) => "teardown_errors",
        }
    }
}

fn listed(members: &[PluginId]) -> String {
    let names: Vec<_> = members.iter().map(PluginId::as_str).collect();
    format!("`{}`", names.join("`, `"))
}

impl std::fmt::Display for RegistryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::KindUnknown { kind, name: None } => write!(f, "there is no {kind} plugin"),
            Self::KindUnknown {
                kind,
                name: Some(name),
            } => write!(f, "there is no {kind} plugin `{name}`"),
            Self::AmbiguousPlugin { kind, members } => match members.as_slice() {
                [one] => write!(f, "there is a {kind} plugin `{one}` already"),
                several => {
                    let names = listed(several);
                    write!(f, "there are several {kind} plugins, name one of {names}")
                }
            },
            Self::ManifestInvalid(problems) | Self::VersionIncompatible(problems) => {
                problems.fmt(f)
            }
            Self::RuntimeNotSupported { id, reason } => {
                write!(f, "plugin `{id}` cannot run here: {reason}")
            }
            Self::DependencyCycle { members } => {
                write!(f, "plugins need each other: {}", listed(members))
            }
            Self::SetupFailed { id, error } => write!(f, "plugin `{id}` was not set up: {error}"),
            Self::Teardown(errors) => errors.fmt(f),
        }
    }
}

impl std::fmt::Display for TeardownErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.0.iter().map(|(id, fault)| format!("`{id}`: {fault}"));
        let failed: Vec<_> = failed.collect();
        write!(f, "plugins did not stop well: {}", failed.join("; "))
    }
}

impl std::error::Error for RegistryError {}

impl std::error::Error for TeardownErrors {}
