//! The operator's file as it is written: `toolgate.toml`, or the same in JSON.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::schema;
use crate::config::{Startup, ToolNames};
use crate::dispatch::config::PolicyConfig;
use crate::events::config::EventsConfig;
use crate::front::config::{AuthConfig, ServerConfig};
use crate::ledger::config::LedgerConfig;
use crate::manifest::glob::Pattern;
use crate::telemetry::config::TelemetryConfig;

/// The settings of toolgate.
///
/// `${VAR}` and `${VAR:-default}` in texts are filled in from the environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "toolgate.toml")]
pub struct ConfigFile {
    /// The HTTP server.
    pub server: ServerConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// What may be called, whoever calls.
    pub policy: PolicyConfig,
    /// The event bus.
    pub events: EventsConfig,
    /// Where calls are recorded.
    pub ledger: LedgerConfig,
    /// What the gateway tells other systems of itself.
    pub telemetry: TelemetryConfig,
    /// Directories that are searched for plugins, relative to this file. When left out, `custom_plugins` beside this
    /// file, if it is there. The variable `TOOLGATE_PLUGIN_PATHS` adds more.
    pub plugin_dirs: Vec<PathBuf>,
    /// Names of folders that are not searched: patterns such as `*.draft`. Given here they replace the usual ones, which
    /// are for what builds leave behind. Hidden folders and those of package managers are never searched.
    #[serde(default = "plugin_ignore")]
    pub plugin_ignore: Vec<Pattern>,
    /// Plugins by id: settings for one that is found, or a whole plugin with `runtime` and its section. Every key of
    /// a manifest may stand here and replaces what the manifest says.
    #[schemars(schema_with = "schema::plugin_entries")]
    pub plugins: IndexMap<String, IgnoredAny>,
    /// Servers as assistants write them: `command`, `args`, `env`, or `url`, `headers`.
    #[serde(rename = "mcpServers")]
    #[schemars(schema_with = "schema::assistant_servers")]
    pub mcp_servers: IndexMap<String, IgnoredAny>,
    /// How many enabled plugins the gateway takes.
    #[serde(default = "max_plugins")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_plugins: usize,
    /// Which characters listed tool names may have.
    pub tool_names: ToolNames,
    /// What becomes of the start of the gateway when a plugin cannot be set up.
    pub startup: Startup,
}

/// How many plugins the gateway takes when the file does not say.
pub fn max_plugins() -> usize {
    100
}

/// The folders of plugin directories that are not searched when the file does not say.
pub fn plugin_ignore() -> Vec<Pattern> {
    let pattern = |text| Pattern::new(text).expect("these are patterns");
    ["build", "dist"].map(pattern).to_vec()
}
