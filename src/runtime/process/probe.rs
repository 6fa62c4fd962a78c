//! Trying from inside whether a confinement holds. A kernel may lack what it takes, and say nothing of it.

#[cfg(all(feature = "shell", target_os = "linux"))]
mod inside;

#[cfg(all(feature = "shell", target_os = "linux"))]
mod outside;

use std::ffi::OsString;

use crate::plugin::Sandbox;
use crate::runtime::process::Runner;

/// The first argument that makes the gateway's program try what it can reach.
pub const PROBE_ARGUMENT: &str = "__probe";

/// Whether a confinement holds.
pub(super) struct Probe;

impl Probe {
    /// Tries it: one that may write in one directory, if `write`.
    #[cfg(all(feature = "shell", target_os = "linux"))]
    pub(super) async fn of(runner: &Runner, write: bool) -> Sandbox {
        outside::probe(runner, write).await
    }

    #[cfg(not(all(feature = "shell", target_os = "linux")))]
    #[expect(clippy::unused_async, reason = "on Linux it waits")]
    pub(super) async fn of(_: &Runner, _: bool) -> Sandbox {
        Sandbox {
            tried: Vec::new(),
            why_not: Some(
                "only Linux can confine programs, in a gateway with the feature `shell`".into(),
            ),
        }
    }
}

/// Tries what the arguments name, and says line by line what came of it.
#[cfg(all(feature = "shell", target_os = "linux"))]
pub fn run(arguments: impl Iterator<Item = OsString>) -> String {
    inside::run(arguments)
}

/// There is nothing to try.
#[cfg(not(all(feature = "shell", target_os = "linux")))]
pub fn run(_: impl Iterator<Item = OsString>) -> String {
    String::new()
}
