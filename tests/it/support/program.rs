//! The program itself, as a process.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::support::{Answer, Connection, Request, until, within};

/// Runs the program and says with what code it ended. A shell waits for it: gateways in the test process collect every
/// child that ended, also ours.
const FOREGROUND: &str = r#""$0" "$@"; code=$?; echo "ended with $code" >&2; exit $code"#;

/// The same for a program that signals are sent to.
const BACKGROUND: &str =
    r#""$0" "$@" </dev/null & echo "runs as $!"; wait $!; echo "ended with $?""#;

/// `toolgate serve` in a process of its own.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    pid: Pid,
    /// Where the shell says what becomes of it.
    shell: Lines<BufReader<ChildStdout>>,
    log: Lines<BufReader<ChildStderr>>,
    over: bool,
    _child: Child,
    _folder: TempDir,
}

/// `toolgate stdio` in a process of its own.
pub(crate) struct Piped {
    pub(crate) input: Option<ChildStdin>,
    output: ChildStdout,
    log: ChildStderr,
    _child: Child,
    _folder: TempDir,
}

fn start(script: &str, arguments: &[&str], config: &str, input: Stdio) -> (Child, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    if !config.is_empty() {
        std::fs::write(folder.path().join("toolgate.toml"), config)
            .expect("the configuration can be written");
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let child = Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_toolgate")])
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("there is a shell");
    (child, folder)
}

fn code(line: &str) -> Option<i32> {
    line.strip_prefix("ended with ")?.parse().ok()
}

impl Program {
    /// Runs a command to its end: its exit code, and what it said on both streams.
    pub(crate) async fn run(arguments: &[&str], config: &str) -> (i32, String) {
        let (child, _folder) = start(FOREGROUND, arguments, config, Stdio::null());
        let output = within("the program ends", child.wait_with_output())
            .await
            .expect("the shell runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        let code = said
            .lines()
            .rev()
            .find_map(code)
            .expect("the shell says the code");
        (code, said)
    }

    /// Starts `toolgate serve` on a free port.
    pub(crate) async fn serve(config: &str) -> Self {
        Self::serve_with(&[], config).await
    }

    /// The same, with more arguments.
    pub(crate) async fn serve_with(more: &[&str], config: &str) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], more].concat();
        let (mut child, folder) = start(BACKGROUND, &arguments, config, Stdio::null());
        let mut shell = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let said = next(&mut shell)
            .await
            .expect("the shell says where it runs");
        let pid = said
            .strip_prefix("runs as ")
            .and_then(|pid| pid.parse().ok())
            .and_then(Pid::from_raw);
        let address = loop {
            let line = next(&mut log).await.expect("the program starts");
            if let Some((_, address)) = line.split_once("listening on http://") {
                break address.parse().expect("an address");
            }
        };
        let program = Self {
            address,
            pid: pid.expect("a process id"),
            shell,
            log,
            over: false,
            _child: child,
            _folder: folder,
        };
        let ready = Request::new("GET", "/readyz");
        within("its plugins start", async {
            while program.send(&ready).await.status != 200 {}
        })
        .await;
        until("it listens to signals", || program.catches(Signal::INT)).await;
        program
    }

    /// Whether it has asked the system for this signal, which would end it at once otherwise.
    fn catches(&self, signal: Signal) -> bool {
        let pid = self.pid.as_raw_nonzero();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        let status = status.expect("the program runs on Linux");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let bit = signal.as_raw() - 1;
        caught.expect("a mask of signals") >> bit & 1 == 1
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await
    }

    pub(crate) async fn send(&self, request: &Request) -> Answer {
        self.connect().await.send(request).await
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the program runs");
    }

    /// Waits for the end: the exit code, and the lines of the log.
    pub(crate) async fn ended(mut self) -> (i32, Vec<String>) {
        let mut lines = Vec::new();
        while let Some(line) = next(&mut self.log).await {
            lines.push(line);
        }
        let said = next(&mut self.shell)
            .await
            .expect("the shell says the code");
        self.over = true;
        (code(&said).expect("the shell says the code"), lines)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.over {
            // It may have ended by itself.
            kill_process(self.pid, Signal::KILL).ok();
        }
    }
}

impl Piped {
    pub(crate) fn start(config: &str) -> Self {
        let (mut child, folder) = start(FOREGROUND, &["stdio"], config, Stdio::piped());
        Self {
            input: child.stdin.take(),
            output: child.stdout.take().expect("it is piped"),
            log: child.stderr.take().expect("it is piped"),
            _child: child,
            _folder: folder,
        }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        let input = self.input.as_mut().expect("the input is open");
        within("the program reads", input.write_all(text.as_bytes()))
            .await
            .expect("the program reads");
    }

    /// Reads one line of its output.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let byte = within("the program writes", self.output.read_u8()).await;
            line.push(byte.expect("the program writes"));
        }
        String::from_utf8(line).expect("the output is UTF-8")
    }

    /// Ends its input and waits for its end: the exit code, and what was left of its output.
    pub(crate) async fn finish(mut self) -> (i32, String) {
        self.input = None;
        let (mut rest, mut log) = (String::new(), String::new());
        within("the program ends", self.output.read_to_string(&mut rest))
            .await
            .expect("the output is UTF-8");
        within("the program ends", self.log.read_to_string(&mut log))
            .await
            .expect("the log is UTF-8");
        let code = log.lines().rev().find_map(code);
        (code.unwrap_or_else(|| panic!("no exit code: {log}")), rest)
    }
}

async fn next<R: tokio::io::AsyncBufRead + Unpin>(lines: &mut Lines<R>) -> Option<String> {
    within("the program says something", lines.next_line())
        .await
        .expect("lines are UTF-8")
}
