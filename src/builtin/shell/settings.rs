//! What operators say of the plugin.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// The settings; the manifest's schema bounds them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    pub(super) sandbox: Want,
    /// What programs may read, beside the system's own files. They work in the first unless told otherwise.
    pub(super) directories: Vec<PathBuf>,
    /// What `shell.exec_write` may change.
    pub(super) write_directories: Vec<PathBuf>,
    /// Whether the programs that only look are listed.
    pub(super) defaults: bool,
    /// Those of them that are not.
    pub(super) without: Vec<String>,
    pub(super) programs: BTreeMap<String, ProgramSettings>,
    pub(super) timeout_seconds: u64,
    pub(super) output_bytes: usize,
    pub(super) memory_bytes: u64,
    pub(super) processes: u64,
    pub(super) open_files: u64,
    pub(super) cpu_seconds: u64,
}

/// Whether there must be a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Want {
    Required,
    BestEffort,
}

/// One program of the operator's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProgramSettings {
    /// Its file; looked for in the gateway's `PATH` where left out.
    pub(super) path: Option<PathBuf>,
    /// Whether it is for `shell.exec_write` only.
    pub(super) writes: bool,
    /// The first argument must be one of these.
    pub(super) subcommands: Option<Vec<String>>,
    pub(super) deny_arguments: Vec<String>,
    /// Of what is refused for this program anyway, what is not.
    pub(super) allow_arguments: Vec<String>,
    /// Other programs that it may start.
    pub(super) starts: Vec<PathBuf>,
    /// What it may open sockets for.
    pub(super) sockets: Vec<Socket>,
    pub(super) i_know_it_runs_code: bool,
}

/// What sockets are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Socket {
    Unix,
    Netlink,
    Network,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sandbox: Want::Required,
            directories: Vec::new(),
            write_directories: Vec::new(),
            defaults: true,
            without: Vec::new(),
            programs: BTreeMap::new(),
            timeout_seconds: 60,
            output_bytes: 64 << 10,
            memory_bytes: 256 << 20,
            processes: 32,
            open_files: 256,
            cpu_seconds: 60,
        }
    }
}
