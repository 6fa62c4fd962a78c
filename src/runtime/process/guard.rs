//! The guard: a small process beside the gateway that outlives it, to end what its children have started.
//!
//! The kernel ends a child itself when the gateway dies, but not what that child has started. The guard reads a pipe from
//! the gateway. At its end, however the gateway came to its own, the guard ends every process that carries the gateway's
//! mark or sits in its cgroups, takes these away, and ends. On the pipe it is told of processes that have neither.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, Command};

use crate::runtime::process::bounds::Terms;
use crate::runtime::process::cgroup::Cgroups;
use crate::runtime::process::descendants::kill_found;
use crate::runtime::process::helper::{HELPER_ARGUMENT, NOBODY};
use crate::runtime::process::table::{Name, Row};
use crate::runtime::process::with_ours;

/// The first argument that makes the gateway's program the guard.
pub const GUARD_ARGUMENT: &str = "__guard";

/// How long it tries to end what is there.
const AT_THE_END: Duration = Duration::from_secs(10);

/// How many processes it remembers that it was told of.
pub(super) const MAX_STRAYS: usize = 1024;

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
    confine: None,
};

/// A guard that was started.
pub(super) struct Guard {
    child: Child,
    pid: Option<u32>,
    /// Its end is what the guard waits for.
    pipe: Option<ChildStdin>,
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
        let pipe = child.stdin.take();
        Ok(Self { child, pid, pipe })
    }

    /// Tells it of a process that nothing but this shows to be one of the gateway's. Does not wait: what the guard has no
    /// room for is not told.
    #[cfg(unix)]
    pub(super) fn tell(&self, (pid, started): Name) {
        use std::os::fd::AsFd;

        if let Some(pipe) = &self.pipe {
            let line = format!("{pid} {started}\n");
            rustix::io::write(pipe.as_fd(), line.as_bytes()).ok();
        }
    }

    #[cfg(not(unix))]
    pub(super) fn tell(&self, _: Name) {}

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
pub fn run(mut arguments: impl Iterator<Item = OsString>, pipe: impl Read) {
    let mark = arguments.next().and_then(|mark| mark.into_string().ok());
    // Without a mark everything would carry it.
    let Some(mark) = mark.filter(|mark| !mark.is_empty()) else {
        return;
    };
    let cgroups = Cgroups::known(arguments.map(PathBuf::from).collect());
    let _deaf = be_deaf();
    guard(&mark, &cgroups, pipe);
}

fn guard(mark: &str, cgroups: &Cgroups, pipe: impl Read) {
    let strays = listen(pipe);
    let begun = Instant::now();
    while begun.elapsed() < AT_THE_END {
        let is_clear = cgroups.end();
        if kill_found(mark, |pid| is_named(&strays, pid)).is_empty() && is_clear {
            break;
        }
        std::thread::sleep(BETWEEN);
    }
}

/// Reads the pipe to its end: which processes it was told of, the latest where they are many.
fn listen(pipe: impl Read) -> HashMap<u32, u64> {
    let mut told = VecDeque::new();
    // What comes is short, or not from the gateway.
    let lines = BufReader::new(pipe).lines();
    for line in lines.map_while(Result::ok) {
        let name = line.split_once(' ');
        let name = name.and_then(|(pid, started)| Some((pid.parse().ok()?, started.parse().ok()?)));
        told.extend(name);
        if told.len() > MAX_STRAYS {
            told.pop_front();
        }
    }
    told.into_iter().collect()
}

/// Whether it is one of `strays`, and runs.
fn is_named(strays: &HashMap<u32, u64>, pid: u32) -> bool {
    let row = strays.get(&pid).zip(Row::of(pid));
    row.is_some_and(|(started, row)| row.started == *started && row.runs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn it_ends_what_it_was_told_of_and_what_carries_the_mark() {
        use std::process::{Child, Command};

        let mark = format!(
            "{}={}.",
            crate::runtime::process::MARK,
            crate::session::table::new_id()
        );
        let sleeper = |mark: &str| -> Child {
            let mut command = Command::new("sleep");
            command.arg("60").env_clear();
            command.envs(mark.split_once('='));
            command.spawn().expect("it starts")
        };
        let mut children = [sleeper(""), sleeper(&format!("{mark}1")), sleeper("")];
        let started = |child: &Child| Row::of(child.id()).expect("it runs").started;
        let told = [(&children[0], 0), (&children[2], 1)];
        let told = told.map(|(child, late)| format!("{} {}\n", child.id(), started(child) + late));
        guard(&mark, &Cgroups::default(), told.concat().as_bytes());
        let [stray, marked, other] = &mut children;
        for gone in [stray, marked] {
            let status = gone.wait().expect("it is ours");
            assert_eq!(status.code(), None, "it was killed");
        }
        let row = Row::of(other.id()).expect("another one of that pid is left alone");
        assert!(row.runs);
        other.kill().expect("it runs");
        other.wait().expect("it is ours");
    }

    #[test]
    fn it_remembers_the_latest_that_it_was_told_of() {
        let lines: String = (1..=MAX_STRAYS + 1).map(|n| format!("{n} 7\n")).collect();
        let strays = listen(format!("x\n{lines}5 8\n\n").as_bytes());
        assert_eq!(strays.get(&1), None);
        assert_eq!(strays.get(&3), Some(&7));
        assert_eq!(strays.get(&5), Some(&8));
    }
}
