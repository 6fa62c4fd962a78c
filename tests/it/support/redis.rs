//! A Redis server of a test's own: in a folder of its own, on a socket that nobody else knows, gone with the test.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long the server may take to start, or anything with it in between. The machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server. It runs, or is away for a while.
pub(crate) struct RedisServer {
    folder: TempDir,
    /// Whether it keeps what it holds on disk, so that it is there again after its death.
    durable: bool,
    child: Option<Child>,
}

impl RedisServer {
    /// One that does not run yet.
    pub(crate) fn away() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            durable: false,
            child: None,
        }
    }

    /// One that runs and holds everything in memory.
    pub(crate) async fn start() -> Self {
        let mut server = Self::away();
        server.begin().await;
        server
    }

    /// One that runs and writes all it is told to disk before it answers.
    pub(crate) async fn durable() -> Self {
        let mut server = Self::away();
        server.durable = true;
        server.begin().await;
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Where it is, for a configuration.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Starts it, for the first time or again.
    pub(crate) async fn begin(&mut self) {
        std::fs::remove_file(self.socket()).ok();
        let appends = if self.durable { "yes" } else { "no" };
        let started = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendfsync", "always"])
            .args(["--appendonly", appends])
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = started.unwrap_or_else(|err| {
            panic!("these tests need `redis-server` (Debian package `redis-server`): {err}")
        });
        self.child = Some(child);
        eventually("Redis starts", || {
            UnixStream::connect(self.socket()).is_ok() && self.try_ask(&["PING"]).is_ok()
        })
        .await;
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Stops its clock, as it were: it keeps connections and says nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it is there");
    }

    /// Asks it something; what it answers, as text.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let answer = self.try_ask(words);
        answer.unwrap_or_else(|err| panic!("{words:?}: {err}"))
    }

    fn try_ask(&self, words: &[&str]) -> Result<String, redis::RedisError> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let answer: redis::Value = command.query(&mut connection)?;
        Ok(match answer {
            redis::Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        })
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `holds` does, with the patience that another program needs.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !holds() {
            looks.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

/// Waits for `work` with the same patience.
pub(crate) async fn patiently<W: Future>(what: &str, work: W) -> W::Output {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("{what}: nothing within {PATIENCE:?}"))
}
