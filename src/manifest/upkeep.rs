//! How a plugin is built, how its health is asked for, and when a remote one is left alone.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The script that builds a plugin whose manifest names no command, in the plugin's folder.
pub const BUILD_SCRIPT: &str = "scripts/build.sh";

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

/// How often a call is made anew that failed and may be: of a tool that only looks, or may be called twice without harm,
/// and never of one that changes things otherwise. All attempts share the time of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts in all; 1 makes none anew.
    #[schemars(range(min = 1, max = 10))]
    pub max_attempts: u32,
    /// Milliseconds before the second attempt; doubles with each.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub initial_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_ms: 200,
        }
    }
}

/// How results are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Results {
    /// Whether a result object that says `success: false` is a failure (`isError`), and `retry: true` in it asks for
    /// another attempt. Left out, that is so for code in the gateway and for plugins in a folder of their own whose
    /// manifest declares tools; results of other servers mean what MCP says and nothing more.
    pub success_flag: Option<bool>,
}

/// How a plugin is built from source. A folder that has `scripts/build.sh` and no `[build]` is built as if it had an
/// empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// The program and its arguments, run in the plugin's folder; no shell reads them. A program with a relative path is
    /// looked for in the plugin's folder.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// When it is built.
    pub when: BuildWhen,
    /// Milliseconds a build may take.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub timeout_ms: u64,
    /// Files or folders in the plugin's folder that the build makes. When one of them is missing, or the program of
    /// `mcp_stdio.command`, the plugin has to be built.
    pub outputs: Vec<PathBuf>,
    /// Names of variables handed down from the gateway's own environment, where they are set. `PATH`, `HOME`, `LANG`,
    /// `LC_ALL`, `TZ` and `TMPDIR` always are.
    pub env_passthrough: Vec<String>,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            command: vec!["sh".to_owned(), BUILD_SCRIPT.to_owned()],
            when: BuildWhen::Missing,
            timeout_ms: 600_000,
            outputs: Vec::new(),
            env_passthrough: Vec::new(),
        }
    }
}

/// When a plugin is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildWhen {
    /// When what it should run is not there.
    #[default]
    Missing,
    /// Once after each time the plugin is registered: with the gateway, or by a reload.
    Always,
    /// By hand.
    Never,
}
