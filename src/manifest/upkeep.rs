//! How a plugin is built, how its health is asked for, and when a remote one is left alone.

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
    /// Bad checks in a row after which the plugin is unhealthy.
    #[schemars(range(min = 1, max = 10_000))]
    pub unhealthy_after: u32,
    /// Good checks in a row after which it is healthy again.
    #[schemars(range(min = 1, max = 10_000))]
    pub healthy_after: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            tool: None,
            interval_ms: 30_000,
            timeout_ms: 5_000,
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

/// When a remote server that cannot be reached is no longer asked, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Failures in a row after which calls are refused at once: no connection, HTTP 5xx, a connection that breaks before
    /// the answer, silence.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures: u32,
    /// Milliseconds until one call is let through to try; doubles with each that fails.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub open_ms: u64,
    /// The most it grows to.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub max_open_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 5,
            open_ms: 1_000,
            max_open_ms: 60_000,
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
