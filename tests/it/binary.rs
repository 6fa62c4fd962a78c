//! The gateway's own program, run as people run it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::support::within;

/// A running program. It is killed with its value.
pub(crate) struct Binary {
    child: Child,
    pub(crate) pid: u32,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
    folder: TempDir,
}

impl Binary {
    /// Starts `toolgate` with `arguments`, this configuration, and these variables besides `PATH`.
    pub(crate) fn start(arguments: &[&str], config: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("toolgate.toml");
        std::fs::write(&file, config).expect("the configuration can be written");
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let mut child = Command::new(env!("CARGO_BIN_EXE_toolgate"))
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("TMPDIR", folder.path())
            .envs(variables)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let errors = BufReader::new(child.stderr.take().expect("it has an error output")).lines();
        Self {
            pid: child.id().expect("it runs"),
            input: child.stdin.take(),
            output,
            errors,
            child,
            folder,
        }
    }

    /// Starts `toolgate serve` on a free port; says which.
    pub(crate) async fn serve(config: &str, variables: &[(&str, &str)]) -> (Self, SocketAddr) {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "off"];
        let mut binary = Self::start(&arguments, config, variables);
        let line = within("it says where it listens", binary.errors.next_line()).await;
        let line = line.expect("UTF-8").expect("a line");
        let address = line.rsplit_once("http://").expect("an address").1;
        (binary, address.parse().expect("an address"))
    }

    /// Writes a line to its input.
    pub(crate) async fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        let written = within("it reads", input.write_all(format!("{line}\n").as_bytes())).await;
        written.expect("it reads");
    }

    /// The next line of its output; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        within("it writes", self.output.next_line())
            .await
            .expect("UTF-8")
    }

    /// Ends its input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    /// The folder it runs in, where its configuration lies.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends it SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it runs");
    }

    /// Waits for its end; gives its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        within("it ends", self.ended_at_last()).await
    }

    /// The same, however long it takes.
    pub(crate) async fn ended_at_last(&mut self) -> Option<i32> {
        self.child.wait().await.expect("it is ours").code()
    }

    /// The most memory it ever held, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux tells");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }

    /// How many of its children have ended and were not waited for.
    pub(crate) fn zombies(&self) -> usize {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats =
            processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let parent = self.pid.to_string();
        stats
            .filter(|stat| {
                let mut fields = stat
                    .rsplit_once(") ")
                    .map_or("", |(_, rest)| rest)
                    .split(' ');
                fields.next() == Some("Z") && fields.next() == Some(&parent)
            })
            .count()
    }
}
