//! The operator's settings: found, read, variables filled in, laid over the manifests, and checked.
//!
//! ```text
//! prepare = load (find and read the file) + resolve (find the plugins, join each with its overrides)
//! ```
//! A mistake in the operator's own file stops the start, all mistakes at once. A mistake in a plugin's folder, or in
//! one server of a file that belongs to an assistant, leaves that plugin out and says why.

pub mod assistant;
pub mod check;
pub mod env;
pub mod expand;
pub mod file;
pub mod folder;
pub mod from_env;
pub mod load;
pub mod plugin_entry;
pub mod resolve;
pub mod schema;

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::plugin_entry::PluginEntry;
use crate::dispatch::config::PolicyConfig;
use crate::events::config::EventsConfig;
use crate::front::config::{AuthConfig, ServerConfig};
use crate::ledger::config::LedgerConfig;
use crate::manifest::glob::Pattern;
use crate::model::plugin_id::PluginId;
use crate::telemetry::config::TelemetryConfig;

pub use crate::config::env::Env;
pub use crate::config::load::{Loaded, load, prepare};
pub use crate::config::resolve::{Builtin, LeftOut, Resolution, ResolvedPlugin, Source, resolve};
pub use crate::config::schema::{SCHEMA_NAMES, schema_json};
pub use crate::manifest::problem::{Problem, Problems};

/// Everything the operator's file says, defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: ServerConfig,
    pub auth: AuthConfig,
    pub policy: PolicyConfig,
    pub events: EventsConfig,
    pub ledger: LedgerConfig,
    pub telemetry: TelemetryConfig,
    /// Absolute, or relative to the working directory when the config file's own path is.
    pub plugin_dirs: Vec<PathBuf>,
    /// Folders in them that are passed over, by name.
    pub plugin_ignore: Vec<Pattern>,
    /// The entries of `[plugins]` and `[mcpServers]`, in the order of the file.
    pub plugins: IndexMap<PluginId, PluginEntry>,
    /// Enabled plugins the gateway takes; those above are left out.
    pub max_plugins: usize,
    pub tool_names: ToolNames,
    pub startup: Startup,
}

impl Config {
    /// What it says of the gateway itself, as JSON. Secrets are in it.
    pub fn shown(&self) -> serde_json::Value {
        serde_json::json!({
            "server": self.server,
            "auth": self.auth,
            "policy": self.policy,
            "events": self.events,
            "ledger": self.ledger,
            "plugin_dirs": self.plugin_dirs,
            "plugin_ignore": self.plugin_ignore,
            "max_plugins": self.max_plugins,
            "tool_names": self.tool_names,
            "startup": self.startup,
        })
    }
}

/// What becomes of the start of the gateway when a plugin cannot be set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Startup {
    /// That plugin and those that need it are not there, and say why; all others are served.
    #[default]
    Degrade,
    /// The gateway does not start: what was set up is stopped again, and the exit code is 1. Nothing is served before all
    /// plugins that start with the gateway are set up, one after the other.
    Strict,
}

/// Which characters listed tool names may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolNames {
    /// `[A-Za-z0-9_.-]`
    #[default]
    Default,
    /// Dots become underscores, for model APIs that refuse them.
    Strict,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            auth: AuthConfig::default(),
            policy: PolicyConfig::default(),
            events: EventsConfig::default(),
            ledger: LedgerConfig::default(),
            telemetry: TelemetryConfig::default(),
            plugin_dirs: Vec::new(),
            plugin_ignore: file::plugin_ignore(),
            plugins: IndexMap::new(),
            max_plugins: file::max_plugins(),
            tool_names: ToolNames::Default,
            startup: Startup::Degrade,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
