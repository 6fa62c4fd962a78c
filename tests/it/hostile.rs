//! The hostile server as a plugin: its entries in a configuration, its ledger, and what callers are told of it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Connection, TestGateway, modern, until};

/// An entry of `[plugins]` that starts the hostile server.
pub(crate) struct Hostile {
    id: String,
    arguments: Vec<String>,
    keys: String,
    section: String,
    limits: String,
    ledger: Ledger,
}

/// What the processes of one plugin noted, in order.
#[derive(Clone)]
pub(crate) struct Ledger {
    path: PathBuf,
    _folder: std::sync::Arc<TempDir>,
}

/// The server's program.
pub(crate) fn program() -> PathBuf {
    let gateway = Path::new(env!("CARGO_BIN_EXE_toolgate"));
    let program = gateway.with_file_name("examples").join("hostile");
    let built = program
        .metadata()
        .and_then(|program| program.modified())
        .ok();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let sources = std::fs::read_dir(sources).into_iter().flatten().flatten();
    let newest = sources
        .filter_map(|file| file.metadata().ok()?.modified().ok())
        .max();
    assert!(
        built.is_some() && built >= newest,
        "the hostile server is not built as it is written; `cargo test` does that, or `cargo build --example hostile`"
    );
    program
}

impl Hostile {
    /// A plugin `id` that starts with the gateway.
    pub(crate) fn new(id: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let ledger = Ledger {
            path: folder.path().join("ledger"),
            _folder: folder.into(),
        };
        let mut entry = Self {
            id: id.to_owned(),
            arguments: Vec::new(),
            keys: String::new(),
            section: String::new(),
            limits: String::new(),
            ledger: ledger.clone(),
        };
        let path = ledger.path.to_str().expect("temporary folders are UTF-8");
        for argument in ["--ledger", path].iter().chain(arguments) {
            entry.arguments.push((*argument).to_owned());
        }
        entry
    }

    /// Adds lines to the entry, such as `isolation = "call"`.
    pub(crate) fn key(mut self, line: &str) -> Self {
        writeln!(self.keys, "{line}").expect("a text grows");
        self
    }

    /// Adds a line to its `[mcp_stdio]` section.
    pub(crate) fn section(mut self, line: &str) -> Self {
        writeln!(self.section, "{line}").expect("a text grows");
        self
    }

    /// Sets one of its limits.
    pub(crate) fn limit(mut self, name: &str, value: u64) -> Self {
        writeln!(self.limits, "{name} = {value}").expect("a text grows");
        self
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// The text of the entry.
    pub(crate) fn text(&self) -> String {
        let mut command = vec![program().to_string_lossy().into_owned()];
        command.extend(self.arguments.iter().cloned());
        let Self {
            id,
            keys,
            section,
            limits,
            ..
        } = self;
        format!(
            "[plugins.{id}]\nruntime = \"mcp_stdio\"\n{keys}[plugins.{id}.mcp_stdio]\ncommand = {}\n{section}[plugins.{id}.limits]\n{limits}",
            Value::from(command)
        )
    }

    /// The same as the manifest of a folder. Without keys of its own.
    pub(crate) fn manifest(&self) -> String {
        let mut command = vec![program().to_string_lossy().into_owned()];
        command.extend(self.arguments.iter().cloned());
        let (id, command) = (&self.id, Value::from(command));
        format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\nmcp_stdio.command = {command}\n"
        )
    }

    /// A gateway with this plugin alone.
    pub(crate) async fn build(&self) -> TestGateway {
        TestGateway::builder().config(&self.text()).build().await
    }
}

/// A gateway with these plugins.
pub(crate) async fn gateway_of(plugins: &[&Hostile]) -> TestGateway {
    let texts: Vec<String> = plugins.iter().map(|plugin| plugin.text()).collect();
    TestGateway::builder()
        .config(&texts.join("\n"))
        .build()
        .await
}

impl Ledger {
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What follows `word` in the lines that begin with it.
    pub(crate) fn all(&self, word: &str) -> Vec<String> {
        let lines = self.lines();
        let rest = lines.iter().filter_map(|line| line.strip_prefix(word));
        rest.map(|rest| rest.trim_start().to_owned()).collect()
    }

    pub(crate) fn count(&self, word: &str) -> usize {
        self.all(word).len()
    }

    /// Waits until so many lines begin with `word`.
    pub(crate) async fn reaches(&self, word: &str, count: usize) {
        until(&format!("{count} times `{word}` in the ledger"), || {
            self.count(word) >= count
        })
        .await;
    }

    /// The processes that the plugin started, itself included.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = self.all("start ");
        pids.extend(self.all("child "));
        pids.iter().map(|pid| pid.parse().expect("a pid")).collect()
    }
}

/// Whether a process runs; one that has ended and was not waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    !state.is_empty() && !state.starts_with('Z') && !state.starts_with('X')
}

/// Waits until none of these processes runs.
pub(crate) async fn all_gone(pids: &[u32]) {
    until("its processes are gone", || {
        !pids.iter().any(|pid| is_alive(*pid))
    })
    .await;
}

/// Ends a process the hard way.
pub(crate) fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL)
        .expect("the process is there");
}

/// Calls a tool as a modern client, on a connection of its own.
pub(crate) async fn call(address: SocketAddr, tool: &str, arguments: Value) -> Answer {
    Connection::open(address)
        .await
        .send(&modern::call(tool, arguments))
        .await
}

/// Calls a tool that must answer; gives its result.
#[track_caller]
pub(crate) fn result_of(answer: &Answer) -> Value {
    let message = match answer.is_stream() {
        true => answer
            .events()
            .pop()
            .expect("a stream ends with the answer"),
        false => answer.json(),
    };
    let result = message["result"].clone();
    assert!(result.is_object(), "no result: {message}");
    result
}

/// The text of the tool's answer.
pub(crate) async fn text(gateway: &TestGateway, tool: &str, arguments: Value) -> String {
    let result = result_of(&call(gateway.address, tool, arguments).await);
    assert_ne!(result["isError"], true, "{result}");
    text_of(&result)
}

/// What the tool gives as its structured answer.
pub(crate) async fn value(gateway: &TestGateway, tool: &str, arguments: Value) -> Value {
    let result = result_of(&call(gateway.address, tool, arguments).await);
    assert_ne!(result["isError"], true, "{result}");
    result["structuredContent"].clone()
}

pub(crate) fn text_of(result: &Value) -> String {
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Calls a tool that must fail; gives the reason and what the caller is told.
pub(crate) async fn failure(
    gateway: &TestGateway,
    tool: &str,
    arguments: Value,
) -> (String, String) {
    let result = result_of(&call(gateway.address, tool, arguments).await);
    failure_of(&result)
}

/// The reason and the words of a result that is a failure of the gateway.
#[track_caller]
pub(crate) fn failure_of(result: &Value) -> (String, String) {
    assert_eq!(result["isError"], true, "no failure: {result}");
    let reason = result["_meta"]["toolgate/reason"]
        .as_str()
        .expect("a reason");
    (reason.to_owned(), text_of(result))
}

/// The names of the tools that are listed.
pub(crate) async fn names(gateway: &TestGateway) -> Vec<String> {
    let answer = gateway
        .send(&modern::request("tools/list", json!({})))
        .await;
    let tools = answer.json()["result"]["tools"].clone();
    let tools = tools.as_array().expect("a list");
    tools
        .iter()
        .filter_map(|tool| Some(tool["name"].as_str()?.to_owned()))
        .collect()
}

/// Starts a call as a task of its own, so that others can be made meanwhile.
pub(crate) fn calling(
    gateway: &TestGateway,
    tool: &str,
    arguments: Value,
) -> tokio::task::JoinHandle<Value> {
    let (address, tool) = (gateway.address, tool.to_owned());
    tokio::spawn(async move { result_of(&call(address, &tool, arguments).await) })
}
