//! Finding and ending what a child started. Linux knows all of it; elsewhere only the process group.

/// How to end a process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Term,
    Kill,
}

#[cfg(unix)]
pub(super) fn signal_group(pid: u32, signal: Signal) {
    use rustix::process::{Pid, Signal as Os, kill_process_group};

    let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    let signal = match signal {
        Signal::Term => Os::TERM,
        Signal::Kill => Os::KILL,
    };
    // The group may be gone.
    kill_process_group(group, signal).ok();
}

#[cfg(not(unix))]
pub(super) fn signal_group(_: u32, _: Signal) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

    use crate::runtime::process::{MARK, with_ours};

    /// How often a sweep looks for processes that were started while it ran.
    const PASSES: usize = 5;

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

    fn processes() -> impl Iterator<Item = Pid> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
    }

    fn carries(pid: Pid, mark: &[u8]) -> bool {
        let path = format!("/proc/{}/environ", pid.as_raw_pid());
        std::fs::read(Path::new(&path))
            .is_ok_and(|environ| memchr::memmem::find(&environ, mark).is_some())
    }

    /// Parent, group and state of a process.
    fn status(pid: Pid) -> Option<(i32, i32, char)> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        let mut fields = text.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        Some((
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
            state,
        ))
    }

    /// Ends every process of the group `group` or with the mark; says how many there were.
    pub(in crate::runtime::process) fn kill_marked(group: u32, mark: &str) -> usize {
        let mark = format!("{MARK}={mark}");
        let own = rustix::process::getpid();
        let mut ended = 0;
        for _ in 0..PASSES {
            let of_group = |pid| {
                status(pid).is_some_and(|(_, pgrp, state)| pgrp == group as i32 && state != 'Z')
            };
            let marked =
                |pid: &Pid| *pid != own && (of_group(*pid) || carries(*pid, mark.as_bytes()));
            let found: Vec<Pid> = processes().filter(marked).collect();
            if found.is_empty() {
                break;
            }
            ended += found.len();
            for pid in found {
                kill_process(pid, Signal::KILL).ok();
            }
            reap_orphans();
        }
        reap_orphans();
        ended
    }

    /// Collects the ended orphans that became ours.
    pub fn reap_orphans() {
        if !COLLECTS.load(Ordering::Relaxed) {
            return;
        }
        let own = rustix::process::getpid().as_raw_pid();
        with_ours(|ours| {
            for pid in processes() {
                let orphan = !ours.contains(&(pid.as_raw_pid() as u32))
                    && status(pid).is_some_and(|(parent, _, state)| parent == own && state == 'Z');
                if orphan {
                    waitpid(Some(pid), WaitOptions::NOHANG).ok();
                }
            }
        });
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::kill_marked;
#[cfg(target_os = "linux")]
pub use linux::{become_subreaper, reap_orphans};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use crate::runtime::process::descendants::{Signal, signal_group};

    /// Orphans belong to the system here.
    pub fn become_subreaper() {}

    /// Orphans belong to the system here.
    pub fn reap_orphans() {}

    pub(in crate::runtime::process) fn kill_marked(group: u32, _: &str) -> usize {
        signal_group(group, Signal::Kill);
        0
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::kill_marked;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{become_subreaper, reap_orphans};
