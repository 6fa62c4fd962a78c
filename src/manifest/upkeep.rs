//! How a plugin is built and how its health is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// The plugin's own name of a tool to call; left out, the protocol's own means are used.
    pub tool: Option<String>,
    /// Milliseconds between two checks.
    #[schemars(range(min = 100, max = 2_592_000_000_u64))]
    pub interval_ms: u64,
    /// Milliseconds one check may take.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub timeout_ms: u64,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            tool: None,
            interval_ms: 30_000,
            timeout_ms: 5_000,
        }
    }
}

/// How a plugin is built from source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The program and its arguments, run in the plugin's folder.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// When it is built.
    #[serde(default)]
    pub when: BuildWhen,
    /// Milliseconds a build may take.
    #[serde(default = "build_timeout_ms")]
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub timeout_ms: u64,
}

/// When a plugin is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildWhen {
    /// When what it should run is not there.
    #[default]
    Missing,
    /// Before every start.
    Always,
    /// By hand.
    Never,
}

fn build_timeout_ms() -> u64 {
    600_000
}
