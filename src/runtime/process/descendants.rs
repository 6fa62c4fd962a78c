//! Ending processes: whole groups, and whoever carries a mark. Linux can find the latter; elsewhere only groups are known.

#[cfg(unix)]
use rustix::process::{Pid, Signal as Os, kill_process, kill_process_group};

use crate::runtime::process::table;

/// How to end a process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Term,
    Kill,
}

#[cfg(unix)]
fn system(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(unix)]
pub(super) fn signal_group(pid: u32, signal: Signal) {
    let signal = match signal {
        Signal::Term => Os::TERM,
        Signal::Kill => Os::KILL,
    };
    if let Some(group) = system(pid) {
        // The group may be gone.
        kill_process_group(group, signal).ok();
    }
}

/// Ends one process. It may be gone.
#[cfg(unix)]
pub(super) fn kill(pid: u32) {
    if let Some(pid) = system(pid) {
        kill_process(pid, Os::KILL).ok();
    }
}

#[cfg(not(unix))]
pub(super) fn signal_group(_: u32, _: Signal) {}

#[cfg(not(unix))]
pub(super) fn kill(_: u32) {}

/// Ends every process, except this one, that carries `mark` or is `also`; gives who that was.
pub(super) fn kill_found(mark: &str, also: impl Fn(u32) -> bool) -> Vec<u32> {
    let own = std::process::id();
    let found =
        |pid: &u32| *pid != own && (also(*pid) || table::carries(*pid, mark).unwrap_or_default());
    let found: Vec<u32> = table::pids().filter(found).collect();
    found.iter().for_each(|pid| kill(*pid));
    found
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::process::{WaitOptions, waitpid};

    use crate::runtime::process::descendants::system;
    use crate::runtime::process::table::{Row, pids};
    use crate::runtime::process::with_ours;

    /// Whether this process collects orphans. Where it does not, its other children are nobody's business here.
    static COLLECTS: AtomicBool = AtomicBool::new(false);

    /// Makes the orphans of our children ours, so that they can be found and waited for.
    pub fn become_subreaper() {
        let own = rustix::process::getpid();
        if let Err(err) = rustix::process::set_child_subreaper(Some(own)) {
            tracing::warn!("Orphans of plugins will not be collected: {err}");
            return;
        }
        COLLECTS.store(true, Ordering::Relaxed);
    }

    /// Collects the ended orphans that became ours.
    pub fn reap_orphans() {
        if !COLLECTS.load(Ordering::Relaxed) {
            return;
        }
        let own = std::process::id();
        with_ours(|ours| {
            for pid in pids().filter(|pid| !ours.contains(pid)) {
                let ended = Row::of(pid).is_some_and(|row| row.parent == own && !row.runs);
                if ended {
                    waitpid(system(pid), WaitOptions::NOHANG).ok();
                }
            }
        });
    }
}

#[cfg(target_os = "linux")]
pub use linux::{become_subreaper, reap_orphans};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    /// Orphans belong to the system here.
    pub fn become_subreaper() {}

    /// Orphans belong to the system here.
    pub fn reap_orphans() {}
}

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{become_subreaper, reap_orphans};
