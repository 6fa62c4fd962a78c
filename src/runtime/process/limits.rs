//! What the system lets this process have.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[cfg(unix)]
use crate::runtime::process::bounds::Terms;

/// Seconds that a process which has used up its processor time has left to say so.
#[cfg(unix)]
const LAST_SECONDS: u64 = 2;

/// Lets the gateway open as many files as it may: each connection and each pipe is one.
#[cfg(unix)]
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(err) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("Could not raise the limit on open files: {err}");
    }
}

/// How many files the gateway may open once it has raised its limit. `None` is without bound, or unknown.
#[cfg(unix)]
pub fn file_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// There is no such limit here.
#[cfg(not(unix))]
pub fn file_limit() -> Option<u64> {
    None
}

/// There is no such limit here.
#[cfg(not(unix))]
pub fn raise_file_limit() {}

/// Binds this process, and what it starts, to `terms`. What the system refuses is left as it is.
#[cfg(unix)]
pub(super) fn accept(terms: &Terms) {
    lower(Resource::Core, 0, 0);
    if let Some(files) = terms.open_files {
        lower(Resource::Nofile, files, files);
    }
    if let Some(seconds) = terms.cpu_seconds {
        lower(Resource::Cpu, seconds, seconds + LAST_SECONDS);
    }
    if let Some(bytes) = terms.data_bytes {
        lower(Resource::Data, bytes, bytes);
    }
    leave_some_processes();
    if let Some(nice) = terms.nice.and_then(|nice| i32::try_from(nice).ok()) {
        rustix::process::nice(nice).ok();
    }
    if let Some(score) = terms.goes_first {
        // Nobody may lower what was set for the gateway.
        let path = "/proc/self/oom_score_adj";
        let now = std::fs::read_to_string(path).ok();
        let now = now.and_then(|text| text.trim().parse::<i64>().ok());
        if now.is_some_and(|now| now < i64::try_from(score).unwrap_or(i64::MAX)) {
            std::fs::write(path, score.to_string()).ok();
        }
    }
}

/// The system counts the processes and threads of a user, whoever started them, so a bound for one plugin alone cannot
/// be said to it. The last quarter of what the user may have is kept for others, the gateway among them. It counts
/// nothing for the superuser.
#[cfg(unix)]
fn leave_some_processes() {
    if rustix::process::getuid().is_root() {
        return;
    }
    if let Some(now) = getrlimit(Resource::Nproc).current {
        lower(Resource::Nproc, now / 4 * 3, now / 4 * 3);
    }
}

#[cfg(unix)]
fn lower(resource: Resource, current: u64, maximum: u64) {
    let now = getrlimit(resource);
    let least = |bound: u64, now: Option<u64>| Some(now.map_or(bound, |now| bound.min(now)));
    let limit = Rlimit {
        current: least(current, now.maximum),
        maximum: least(maximum, now.maximum),
    };
    setrlimit(resource, limit).ok();
}
