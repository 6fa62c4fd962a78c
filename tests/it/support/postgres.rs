//! A PostgreSQL of a test: on a free port, in a folder of its own, gone with the test.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::within;

/// What the owner of the database is called, and what its password is.
const USER: &str = "toolgate";

/// A server that runs.
pub(crate) struct Postgres {
    server: Child,
    port: u16,
    /// Ends a server that nobody drops, when this process ends and its input with it.
    _watcher: Option<Child>,
    _folder: Option<TempDir>,
}

/// The one that tests share which need no server of their own.
static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// Waits for the end of its input, ends the server, and removes its folder.
const WATCH: &str = r#"cat >/dev/null; kill -INT "$0"; n=0
while kill -0 "$0" 2>/dev/null && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done
kill -QUIT "$0" 2>/dev/null; rm -rf "$1""#;

/// Who may come in, and how. The role `locked` needs its password, all others none.
const RULES: &str = "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n";

/// The newest PostgreSQL of this system.
fn programs() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = folders
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .expect("PostgreSQL is installed: `tests/services/install`, or the package `postgresql`")
}

/// A command as somebody who may run PostgreSQL: root may not. It is that process and no other that runs then.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

/// A folder that a server may make its own in: it runs as another user, who must come this far.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir_in("/tmp").expect("a temporary folder can be made");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("it is ours");
    folder
}

/// Runs one of the programs to its end.
fn run(program: &str, arguments: &[&str], data: &Path) {
    let made = unprivileged(&programs().join(program))
        .args(arguments)
        .arg("-D")
        .arg(data)
        .current_dir("/")
        .output();
    // A gateway of another test may have collected its exit code.
    if let Ok(made) = made {
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    assert!(
        data.join("PG_VERSION").exists(),
        "{program} failed: as root it needs `setpriv` and the user `postgres`"
    );
}

impl Postgres {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let folder = open_folder();
        let started = Self::made(&folder, &[]).await;
        started.owning(folder)
    }

    /// One that other tests use at the same time: only what lies in databases of a test's own is its own. It loads
    /// pg_stat_statements, and its autovacuum sleeps.
    pub(crate) async fn shared() -> &'static Self {
        let start = || async {
            let folder = open_folder();
            let settings = [
                "shared_preload_libraries=pg_stat_statements",
                "autovacuum_naptime=1h",
                "max_prepared_transactions=2",
            ];
            let mut started = Self::made(&folder, &settings).await;
            let watcher = Command::new("/bin/sh")
                .args(["-c", WATCH, &started.server.id().to_string()])
                .arg(folder.keep())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            started._watcher = Some(watcher.expect("there is a shell"));
            started
        };
        SHARED.get_or_init(start).await
    }

    /// Starts a replica of this one, which reads from a slot of that name.
    pub(crate) async fn replica(&self, slot: &str) -> Self {
        let (folder, port) = (open_folder(), self.port.to_string());
        let data = folder.path().join("data");
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", USER];
        let how = ["-R", "-X", "stream", "-c", "fast", "-C", "-S", slot];
        run("pg_basebackup", &[&from[..], &how[..]].concat(), &data);
        let started = Self::launch(&data, &["hot_standby_feedback=off"]).await;
        started.owning(folder)
    }

    async fn made(folder: &TempDir, settings: &[&str]) -> Self {
        let data = folder.path().join("data");
        let how = ["-A", "trust", "-N", "-U", USER, "-E", "UTF8", "--no-locale"];
        run("initdb", &how, &data);
        std::fs::write(data.join("pg_hba.conf"), RULES).expect("it can be written");
        Self::launch(&data, settings).await
    }

    async fn launch(data: &Path, settings: &[&str]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let usual = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
        ];
        let mut command = unprivileged(&programs().join("postgres"));
        for setting in usual.iter().chain(settings) {
            command.args(["-c", setting]);
        }
        let server = command
            .arg("-D")
            .arg(data)
            .args(["-p", &port.to_string()])
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        let started = Self {
            server,
            port,
            _watcher: None,
            _folder: None,
        };
        within("PostgreSQL takes connections", async {
            while PgConnection::connect(&started.url()).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        started
    }

    fn owning(mut self, folder: TempDir) -> Self {
        self._folder = Some(folder);
        self
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.url_of(USER, "postgres")
    }

    /// Where a database of it is, for that role.
    pub(crate) fn url_of(&self, role: &str, database: &str) -> String {
        format!(
            "postgres://{role}:hunter2@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// A session with one of its databases, for its owner.
    pub(crate) async fn connect(&self, database: &str) -> PgConnection {
        let connected = PgConnection::connect(&self.url_of(USER, database)).await;
        connected.expect("it takes connections")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, whoever is connected; it ends its children.
        let pid = i32::try_from(self.server.id()).ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).ok();
        }
        self.server.wait().ok();
    }
}
