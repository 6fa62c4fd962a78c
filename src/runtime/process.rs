//! Child processes: started with a clean environment in a group of their own, and ended with all their descendants.
//!
//! On Linux the command is started through a small helper, the gateway's own program, which asks the kernel to end the
//! child when the gateway dies and closes inherited files before it becomes the command.

mod descendants;

mod directory;

mod family;

mod helper;

mod limits;

mod search;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use crate::background::Supervisor;

pub(crate) use directory::private_directory;
pub(crate) use family::{crash, family, running};

pub use descendants::{become_subreaper, reap_orphans};
pub use helper::{HELPER_ARGUMENT, run as run_helper};
pub use limits::raise_file_limit;
pub(crate) use search::is_program;

/// How long a child may take to end after its input was closed.
pub(crate) const AFTER_EOF: Duration = Duration::from_secs(3);

/// How long it may take after SIGTERM.
pub(crate) const AFTER_TERM: Duration = Duration::from_secs(2);

/// The variable that marks the processes of one child, whatever group they move to.
pub(crate) const MARK: &str = "TOOLGATE_INSTANCE";

/// What every child is started with.
#[derive(Debug, Clone, Default)]
pub struct Launcher {
    /// The gateway's own program, which serves as the helper; without it commands are started directly.
    pub helper: Option<PathBuf>,
    /// The variables that every child gets: `PATH`, `LANG`.
    pub base: BTreeMap<String, String>,
    /// The gateway's own variables, for what a plugin declares to need of them.
    pub environment: BTreeMap<String, String>,
    /// Where each plugin gets a `HOME` of its own.
    pub homes: PathBuf,
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) command: &'a [String],
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) directory: Option<&'a Path>,
}

/// A running child and its pipes.
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
    pub(crate) process: Process,
}

/// A child whose pipes are in other hands.
#[derive(Clone)]
pub(crate) struct Process {
    pid: u32,
    mark: Arc<str>,
    exited: watch::Receiver<Option<Exit>>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exit(Option<ExitStatus>);

/// The children that somebody waits for. Everything else that becomes ours is an orphan.
static OURS: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

fn with_ours<T>(work: impl FnOnce(&mut HashSet<u32>) -> T) -> T {
    work(
        OURS.lock()
            .expect("no holder of this lock panics")
            .get_or_insert_default(),
    )
}

impl Launcher {
    /// Starts a child. Its end is watched by a task of `supervisor`.
    pub(crate) fn start(
        &self,
        program: &Program<'_>,
        supervisor: &Supervisor,
        name: &str,
    ) -> std::io::Result<Child> {
        let mark = crate::session::table::new_id();
        let mut command = match &self.helper {
            Some(helper) => {
                let mut command = Command::new(helper);
                command
                    .arg(HELPER_ARGUMENT)
                    .arg(std::process::id().to_string())
                    .args(program.command);
                command
            }
            None => {
                let mut command = Command::new(&program.command[0]);
                command.args(&program.command[1..]);
                command
            }
        };
        command
            .env_clear()
            .envs(&self.base)
            .envs(&program.variables)
            .env(MARK, &*mark);
        if let Some(directory) = program.directory {
            command.current_dir(directory);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let (mut child, pid) = with_ours(|ours| {
            let child = command.spawn()?;
            let pid = child
                .id()
                .ok_or_else(|| std::io::Error::other("the child ended at once"))?;
            ours.insert(pid);
            Ok::<_, std::io::Error>((child, pid))
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(std::io::Error::other("the child has no pipes"));
        };
        let (exit, exited) = watch::channel(None);
        supervisor.spawn(format!("{name} process {pid}"), move |_| async move {
            let status = child.wait().await.ok();
            with_ours(|ours| ours.remove(&pid));
            exit.send_replace(Some(Exit(status)));
        });
        Ok(Child {
            pid,
            stdin,
            stdout,
            stderr,
            process: Process { pid, mark, exited },
        })
    }
}

impl Process {
    /// How it ended, if it has.
    pub(crate) fn exit(&self) -> Option<Exit> {
        *self.exited.borrow()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Exit {
        let mut exited = self.exited.clone();
        match exited.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit(None)),
            Err(_) => Exit(None),
        }
    }

    /// Waits for its end, `bound` at the most.
    pub(crate) async fn wait(&self, bound: Duration) -> Option<Exit> {
        tokio::time::timeout(bound, self.ended()).await.ok()
    }

    /// Ends it and everything it started. Its input is closed already: waits, then SIGTERM to the group, waits, then
    /// SIGKILL to the group and to whoever left it. Takes 6 s at the most.
    pub(crate) async fn end(&self) {
        if self.wait(AFTER_EOF).await.is_none() {
            descendants::signal_group(self.pid, descendants::Signal::Term);
            if self.wait(AFTER_TERM).await.is_none() {
                descendants::signal_group(self.pid, descendants::Signal::Kill);
                self.wait(Duration::from_secs(1)).await;
            }
        }
        self.sweep().await;
    }

    /// Ends it and everything it started, at once.
    pub(crate) async fn kill(&self) {
        descendants::signal_group(self.pid, descendants::Signal::Kill);
        self.wait(Duration::from_secs(1)).await;
        self.sweep().await;
    }

    /// Ends what it left behind: its group, and whoever left the group but still carries the mark.
    pub(crate) async fn sweep(&self) {
        let (pid, mark) = (self.pid, Arc::clone(&self.mark));
        let swept = tokio::task::spawn_blocking(move || descendants::kill_marked(pid, &mark)).await;
        if let Ok(count @ 1..) = swept {
            tracing::debug!(
                process.pid = pid,
                count,
                "Ended processes that a plugin left behind"
            );
        }
    }
}

impl Exit {
    /// Whether it said that all went well.
    pub(crate) fn is_success(self) -> bool {
        self.0.is_some_and(|status| status.success())
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(status) => match status.code() {
                Some(code) => write!(f, "exit code {code}"),
                None => write!(f, "{status}"),
            },
            None => f.write_str("unknown exit code"),
        }
    }
}
