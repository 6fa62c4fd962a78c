//! A real Prometheus, and the tool that comes with it (Debian package `prometheus`).

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Connection, Request};

/// How long it may take until it has seen something: it starts, and scrapes five times a second.
const PATIENCE: Duration = Duration::from_secs(30);

const MISSING: &str = "is the Debian package `prometheus` installed?";

/// What `promtool check metrics` says of a text; nothing where all is well.
pub(crate) fn promtool(text: &str) -> String {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|err| panic!("`promtool` cannot be started: {err}; {MISSING}"));
    let mut input = tool.stdin.take().expect("it is piped");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    let done = tool.wait_with_output().expect("it ends");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        done.status.success() || !said.is_empty(),
        "it failed and said nothing"
    );
    said
}

/// A Prometheus that scrapes one gateway. Ended when it is dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `target`.
    pub(crate) fn scraping(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\nscrape_configs:\n- job_name: toolgate\n  static_configs: [{{ targets: [\"{target}\"] }}]\n"
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("the folder is ours");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|err| panic!("`prometheus` cannot be started: {err}; {MISSING}"));
        Self {
            child,
            address,
            _folder: folder,
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the sum over a query is `wanted` or more.
    pub(crate) async fn sees(&mut self, query: &str, wanted: f64) {
        let mut last = Value::Null;
        let looking = async {
            let mut looks = tokio::time::interval(Duration::from_millis(100));
            loop {
                looks.tick().await;
                last = self.ask(query).await.unwrap_or_default();
                let rows = last["data"]["result"].as_array().into_iter().flatten();
                let values = rows.filter_map(|row| row["value"][1].as_str()?.parse::<f64>().ok());
                if values.sum::<f64>() >= wanted {
                    return;
                }
            }
        };
        let seen = tokio::time::timeout(PATIENCE, looking).await;
        assert!(
            seen.is_ok(),
            "Prometheus does not see {wanted} of `{query}`: {last}"
        );
    }

    /// What a query says; nothing while it does not listen yet.
    async fn ask(&mut self, query: &str) -> Option<Value> {
        let ended = self.child.try_wait().expect("it is our child");
        assert!(ended.is_none(), "Prometheus has ended: {ended:?}");
        tokio::net::TcpStream::connect(self.address).await.ok()?;
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let request = Request::new("GET", &format!("/api/v1/query?query={encoded}"))
            .header("accept-encoding", "identity");
        let answer = Connection::open(self.address).await.send(&request).await;
        serde_json::from_slice(&answer.body).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
