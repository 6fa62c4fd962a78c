//! A PostgreSQL of a test: on a free port, in a folder of its own, gone with the test.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::within;

/// What the owner of the database is called, and what its password is.
const USER: &str = "toolgate";

/// A server that runs.
pub(crate) struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

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

impl Postgres {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let bin = programs();
        // The server runs as another user, who must come this far, and makes its own folder in it.
        let folder = tempfile::tempdir_in("/tmp").expect("a temporary folder can be made");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("it is ours");
        let data = folder.path().join("data");
        let made = unprivileged(&bin.join("initdb"))
            .args([
                "-A",
                "trust",
                "-N",
                "-U",
                USER,
                "-E",
                "UTF8",
                "--no-locale",
                "-D",
            ])
            .arg(&data)
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
        let is_made = || data.join("PG_VERSION").exists();
        assert!(
            is_made(),
            "initdb failed: as root it needs `setpriv` and the user `postgres`"
        );
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let server = unprivileged(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        let started = Self {
            server,
            port,
            _folder: folder,
        };
        within("PostgreSQL takes connections", async {
            while PgConnection::connect(&started.url()).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        started
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}:hunter2@127.0.0.1:{}/postgres", self.port)
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
