//! Child processes: started with a clean environment in a group of their own, and ended with all their descendants.
//!
//! On Linux the command is started through a small helper, the gateway's own program, which asks the kernel to end the
//! child when the gateway dies, closes inherited files and binds itself before it becomes the command. While it runs its
//! processes are looked at; beside the gateway a guard waits for its end, to end what is left of them.

mod answer;

mod bounds;

mod capture;

mod cgroup;

mod confined;

mod descendants;

mod directory;

mod family;

mod guard;

mod helper;

mod keeper;

mod kin;

mod limits;

mod probe;

mod run;

mod search;

mod table;

mod watcher;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use crate::background::Supervisor;
use crate::plugin::Confinement;

pub(crate) use bounds::Bounds;
pub(crate) use directory::{homes_of_user, private_directory};
pub(crate) use family::{crash, family, running};

use bounds::Terms;
use keeper::Keeper;
use kin::Kin;

pub use descendants::{become_subreaper, reap_orphans};
pub use guard::{GUARD_ARGUMENT, run as run_guard};
pub use helper::{HELPER_ARGUMENT, run as run_helper};
pub use limits::{file_limit, raise_file_limit};
pub use probe::{PROBE_ARGUMENT, run as run_probe};
pub(crate) use run::Runner;
pub(crate) use search::{is_program, which};

/// How long a child may take to end after its input was closed.
pub(crate) const AFTER_EOF: Duration = Duration::from_secs(3);

/// How long it may take after SIGTERM.
pub(crate) const AFTER_TERM: Duration = Duration::from_secs(2);

/// How long it may take after SIGKILL.
const AFTER_KILL: Duration = Duration::from_millis(500);

/// How much sooner than the gateway a child is to go when the system is out of memory, of 1000.
const GOES_FIRST: u64 = 500;

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
    /// Whether children are put into cgroups, where the gateway may make some.
    pub cgroups: bool,
    /// What is there for all of them.
    pub(crate) keeper: Arc<Keeper>,
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) command: &'a [String],
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) directory: Option<&'a Path>,
    pub(crate) bounds: Bounds,
    /// What it can reach of the machine, where that is less than the gateway can.
    pub(crate) confinement: Option<&'a Confinement>,
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
    kin: Arc<Kin>,
    exited: watch::Receiver<Option<Exit>>,
}

/// What the processes of an instance use.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// The process that was started. It may have started others.
    pub pid: u32,
    /// Bytes that all of them hold. Where that is far from a bound, what they share counts for each.
    pub memory_bytes: u64,
    /// How many they are. 0 where nobody can tell, or has looked yet.
    pub processes: usize,
    /// When it was started.
    pub started: Instant,
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
    /// How children are started: `helper` is the gateway's own program, if it can serve as that.
    pub fn new(helper: Option<PathBuf>, homes: PathBuf) -> Self {
        Self {
            helper,
            homes,
            cgroups: true,
            ..Self::default()
        }
    }

    /// Starts a child. Its end and its bounds are watched by tasks of `supervisor`.
    pub(crate) fn start(
        &self,
        program: &Program<'_>,
        supervisor: &Supervisor,
        name: &str,
    ) -> std::io::Result<Child> {
        let child_name = self.keeper.name_child();
        let with_cgroup = self.cgroups && self.helper.is_some();
        let cgroup = self
            .keeper
            .cgroup(&child_name, &program.bounds, with_cgroup);
        if let Some(helper) = &self.helper {
            self.keeper.be_guarded(helper);
        }
        let mut command = self.command(program, cgroup.directories());
        command.env(MARK, &child_name);
        let spawned = with_ours(|ours| {
            let child = command.spawn()?;
            let pid = child
                .id()
                .ok_or_else(|| std::io::Error::other("the child ended at once"))?;
            ours.insert(pid);
            Ok::<_, std::io::Error>((child, pid))
        });
        let (mut child, pid) = spawned.inspect_err(|_| {
            cgroup.remove();
        })?;
        let mark = keeper::whole(&child_name);
        let kin = Kin::new((pid, mark), program.bounds, cgroup, &self.keeper);
        let kin = Arc::new(kin);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(std::io::Error::other("the child has no pipes"));
        };
        let (exit, exited) = watch::channel(None);
        let process = Process {
            kin: Arc::clone(&kin),
            exited,
        };
        supervisor.spawn(format!("{name} process {pid}"), move |_| async move {
            let end = Exit(child.wait().await.ok());
            with_ours(|ours| ours.remove(&pid));
            if let Some(verdict) = watcher::verdict_of_the_kernel(&kin, end) {
                // Whatever else there was to be said was said first.
                kin.verdict.set(verdict).ok();
            }
            exit.send_replace(Some(end));
        });
        let watched = process.clone();
        supervisor.spawn(format!("{name} watch of process {pid}"), move |stop| {
            watcher::watch(watched, stop)
        });
        Ok(Child {
            pid,
            stdin,
            stdout,
            stderr,
            process,
        })
    }

    fn command(&self, program: &Program<'_>, cgroups: &[PathBuf]) -> Command {
        let bounds = &program.bounds;
        let mut command = match &self.helper {
            Some(helper) => {
                let terms = Terms {
                    open_files: bounds.open_files,
                    cpu_seconds: bounds.cpu_seconds,
                    data_bytes: bounds.data_bytes,
                    nice: (bounds.nice > 0).then_some(bounds.nice.into()),
                    goes_first: Some(GOES_FIRST),
                    join: cgroups.to_vec(),
                    confine: program.confinement.cloned(),
                };
                let mut command = Command::new(helper);
                command
                    .arg(HELPER_ARGUMENT)
                    .arg(std::process::id().to_string())
                    .args(terms.arguments())
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
            .envs(&program.variables);
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
        command
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
            descendants::signal_group(self.kin.leader, descendants::Signal::Term);
            if self.wait(AFTER_TERM).await.is_none() {
                descendants::signal_group(self.kin.leader, descendants::Signal::Kill);
                self.wait(AFTER_KILL).await;
            }
        }
        self.sweep().await;
    }

    /// Ends it and everything it started, at once.
    pub(crate) async fn kill(&self) {
        descendants::signal_group(self.kin.leader, descendants::Signal::Kill);
        self.wait(AFTER_KILL).await;
        self.sweep().await;
    }

    /// Ends what it left behind: its group, its cgroup, and whoever left the group but still carries the mark.
    pub(crate) async fn sweep(&self) {
        let kin = Arc::clone(&self.kin);
        let swept = tokio::task::spawn_blocking(move || kin.sweep()).await;
        if let Ok(count @ 1..) = swept {
            tracing::debug!(
                process.pid = self.kin.leader,
                count,
                "Ended processes that a plugin left behind"
            );
        }
    }

    /// Why it was stopped, as what follows "it": because it exceeded a bound, or the system was out of memory. `None`
    /// while nothing of that kind is known.
    pub(crate) fn verdict(&self) -> Option<&str> {
        self.kin.verdict.get().map(String::as_str)
    }

    /// What its processes use, as of half a second ago at the most.
    pub(crate) fn usage(&self) -> Usage {
        let look = self.kin.last_look();
        Usage {
            pid: self.kin.leader,
            memory_bytes: look.memory_bytes,
            processes: look.processes,
            started: self.kin.started,
        }
    }
}

impl Exit {
    /// Whether it said that all went well.
    pub(crate) fn is_success(self) -> bool {
        self.0.is_some_and(|status| status.success())
    }

    /// The exit code, and the signal that ended it.
    fn code_and_signal(self) -> (Option<i32>, Option<i32>) {
        let code = self.0.and_then(|status| status.code());
        #[cfg(unix)]
        let signal = self
            .0
            .and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
        #[cfg(not(unix))]
        let signal = None;
        (code, signal)
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
