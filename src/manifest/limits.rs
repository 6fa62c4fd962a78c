//! What a plugin may use: instances, calls, time and memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of one plugin. Whatever is above a bound is refused, cut or dropped, never queued without end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Instances alive at one time, over all sessions.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_instances: u32,
    /// Calls running at one time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_concurrent_calls: u32,
    /// Calls waiting for their turn; the next one is refused.
    #[schemars(range(max = 1_000_000))]
    pub max_queue: u32,
    /// Milliseconds one call may take; progress starts it again.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub call_timeout_ms: u64,
    /// Milliseconds one call may take whatever its progress.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub max_call_ms: u64,
    /// Milliseconds from the start of an instance to its first complete list.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub start_timeout_ms: u64,
    /// Milliseconds without a call after which an instance is stopped; 0 never.
    #[schemars(range(max = 2_592_000_000_u64))]
    pub idle_timeout_ms: u64,
    /// Bytes of one message from the plugin.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub max_message_bytes: usize,
    /// Entries taken from each of its lists: tools, prompts, resources, templates.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_tools: usize,
    /// Pages asked for of one list.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_list_pages: usize,
    /// Bytes of one description in them.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub max_description_bytes: usize,
    /// Bytes of its latest error output that are kept.
    #[schemars(range(max = 16_777_216))]
    pub stderr_buffer_bytes: usize,
    /// Bytes of memory that the processes of one instance may hold together; 0 without bound. An instance that holds more
    /// is stopped.
    #[schemars(range(max = 1_125_899_906_842_624_u64))]
    pub memory_bytes: u64,
    /// Processes of one instance, its own children included; 0 without bound. An instance that has more is stopped.
    #[schemars(range(max = 1_000_000))]
    pub processes: u32,
    /// Files that each of its processes may have open; 0 as many as the gateway.
    #[schemars(range(max = 1_000_000))]
    pub open_files: u32,
    /// Seconds of processor time that each of its processes may use from its start on; 0 without bound.
    #[schemars(range(max = 1_000_000_000))]
    pub cpu_seconds: u64,
    /// How far its processes stand back behind the gateway where processors are short, 0 not at all.
    #[schemars(range(max = 19))]
    pub nice: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_instances: 16,
            max_concurrent_calls: 50,
            max_queue: 200,
            call_timeout_ms: 30_000,
            max_call_ms: 900_000,
            start_timeout_ms: 10_000,
            idle_timeout_ms: 300_000,
            max_message_bytes: 16_777_216,
            max_tools: 1_000,
            max_list_pages: 100,
            max_description_bytes: 102_400,
            stderr_buffer_bytes: 65_536,
            memory_bytes: 2_147_483_648,
            processes: 256,
            open_files: 4_096,
            cpu_seconds: 0,
            nice: 5,
        }
    }
}

/// The restart budget. When it is spent the plugin is in state `error` and is not started until one of the starts that
/// count is older than the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
    /// Starts after a failure within the window; with 0 the next one waits until the window is over.
    #[schemars(range(max = 10_000))]
    pub max: u32,
    /// The window in milliseconds.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub within_ms: u64,
    /// Milliseconds before the first of them; doubles with each.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub backoff_initial_ms: u64,
    /// The most it grows to.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub backoff_max_ms: u64,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            max: 5,
            within_ms: 60_000,
            backoff_initial_ms: 200,
            backoff_max_ms: 30_000,
        }
    }
}
