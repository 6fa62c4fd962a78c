//! The guard: a small process beside the gateway that outlives it, to end what its children have started.
//!
//! The kernel ends a child itself when the gateway dies, but not what that child has started. The guard reads a pipe from
//! the gateway, on which nothing ever comes. At its end, however the gateway came to its own, the guard ends every process
//! that carries the gateway's mark or sits in its cgroups, takes these away, and ends.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, Command};

use crate::runtime::process::bounds::Terms;
use crate::runtime::process::cgroup::Cgroups;
use crate::runtime::process::descendants::kill_found;
use crate::runtime::process::helper::{HELPER_ARGUMENT, NOBODY};
use crate::runtime::process::with_ours;

/// The first argument that makes the gateway's program the guard.
pub const GUARD_ARGUMENT: &str = "__guard";

/// How long it tries to end what is there.
const AT_THE_END: Duration = Duration::from_secs(10);

/// What is between two looks.
const BETWEEN: Duration = Duration::from_millis(5);

/// What it may use: far more than it does.
const TERMS: Terms = Terms {
    open_files: Some(64),
    cpu_seconds: Some(60),
    data_bytes: Some(64 << 20),
    nice: None,
    goes_first: None,
    join: Vec::new(),
};

/// A guard that was started.
pub(super) struct Guard {
    child: Child,
    pid: Option<u32>,
    /// Its end is what the guard waits for.
    _pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts one for the gateway whose children carry `mark` and sit in these cgroups. Nothing of the gateway's that is
    /// open stays open in it.
    pub(super) fn start(
        program: &Path,
        mark: &str,
        directories: &[PathBuf],
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args([HELPER_ARGUMENT, &NOBODY.to_string()])
            .args(TERMS.arguments())
            .arg(program)
            .args([GUARD_ARGUMENT, mark])
            .args(directories)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (mut child, pid) = with_ours(|ours| {
            let child = command.spawn()?;
            let pid = child.id();
            ours.extend(pid);
            Ok::<_, std::io::Error>((child, pid))
        })?;
        let _pipe = child.stdin.take();
        Ok(Self { child, pid, _pipe })
    }

    /// Whether it is still there.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// It ends by itself, and is waited for then.
impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            with_ours(|ours| ours.remove(&pid));
        }
    }
}

/// Is the guard of the gateway at the other end of `pipe`; `arguments` are its mark and the directories of its cgroups.
/// Comes back when nothing of the gateway's children is left, or cannot be ended.
pub fn run(mut arguments: impl Iterator<Item = OsString>, mut pipe: impl Read) {
    let mark = arguments.next().and_then(|mark| mark.into_string().ok());
    // Without a mark everything would carry it.
    let Some(mark) = mark.filter(|mark| !mark.is_empty()) else {
        return;
    };
    let cgroups = Cgroups::known(arguments.map(PathBuf::from).collect());
    let _deaf = be_deaf();
    let mut nothing = [0; 64];
    loop {
        match pipe.read(&mut nothing) {
            Ok(0) => break,
            Err(err) if err.kind() != std::io::ErrorKind::Interrupted => break,
            Ok(_) | Err(_) => {}
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < AT_THE_END {
        let is_clear = cgroups.end();
        if kill_found(&mark, |_| false).is_empty() && is_clear {
            break;
        }
        std::thread::sleep(BETWEEN);
    }
}

/// Leaves the session of the gateway, so that what a terminal tells that is not told to the guard, and catches what is
/// told to whole services. Lasts as long as what is given.
#[cfg(unix)]
fn be_deaf() -> Option<(tokio::runtime::Runtime, Vec<tokio::signal::unix::Signal>)> {
    use tokio::signal::unix::{SignalKind, signal};

    rustix::process::setsid().ok();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let _entered = runtime.enter();
    let kinds = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::quit(),
    ];
    let caught = kinds.into_iter().filter_map(|kind| signal(kind).ok());
    let caught = caught.collect();
    drop(_entered);
    Some((runtime, caught))
}

#[cfg(not(unix))]
fn be_deaf() {}
