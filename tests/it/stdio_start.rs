//! How child processes are started: with what, from where, and in which era they are spoken to.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::Duration;

use serde_json::{Value, json};

use crate::binary::Binary;
use crate::hostile::{Hostile, call, names, result_of, text, value};
use crate::support::{Request, TestGateway, modern};

/// What every child may have: the small base, its home, and the mark that the gateway finds it by.
const BASE: [&str; 7] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "TMPDIR",
    "TOOLGATE_INSTANCE",
    "TZ",
];

fn keys(object: &Value) -> BTreeSet<String> {
    object
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

/// S27: the gateway's secrets, and what changes how programs load code, stay with the gateway.
#[tokio::test]
async fn a_child_gets_a_clean_environment() {
    let plugin = Hostile::new("h", &[])
        .section("env_passthrough = [\"PYTHONSTARTUP\", \"NOT_SET\"]")
        .section("env = { DECLARED = \"yes\", LD_BIND_NOW = \"1\", FROM = \"${NODE_OPTIONS}\" }");
    let clean = Hostile::new("clean", &[]);
    let secrets = [
        ("GATEWAY_SECRET", "x"),
        ("LD_BIND_NOW", "0"),
        ("LD_LIBRARY_PATH", "/nowhere"),
        ("NODE_OPTIONS", "--no-deprecation"),
        ("PYTHONSTARTUP", "/nowhere.py"),
        ("LANG", "C.UTF-8"),
        ("HOME", "/nowhere"),
        ("USER", "test"),
    ];
    let config = format!("{}\n{}", plugin.text(), clean.text());
    let (mut binary, address) = Binary::serve(&config, &secrets).await;
    let seen =
        result_of(&call(address, "clean__env", json!({})).await)["structuredContent"].clone();
    let base: BTreeSet<String> = BASE.map(str::to_owned).into();
    assert!(keys(&seen).is_subset(&base), "{seen}");
    assert_eq!(seen["LANG"], "C.UTF-8");
    assert_ne!(seen["HOME"], "/nowhere");

    let seen = result_of(&call(address, "h__env", json!({})).await)["structuredContent"].clone();
    let declared: BTreeSet<String> = keys(&seen).difference(&base).cloned().collect();
    assert_eq!(
        Vec::from_iter(declared),
        ["DECLARED", "FROM", "LD_BIND_NOW", "PYTHONSTARTUP"]
    );
    assert_eq!(seen["LD_BIND_NOW"], "1");
    assert_eq!(seen["FROM"], "--no-deprecation");
    assert_eq!(seen["PYTHONSTARTUP"], "/nowhere.py");
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
}

/// S27: files that the gateway has open, or was started with, are not the child's.
#[tokio::test]
async fn a_child_gets_its_three_streams_and_no_other_file() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = std::fs::File::create(folder.path().join("secret")).expect("a file can be made");
    // A duplicate made this way is passed on by `exec`.
    let inherited = rustix::io::dup(file.as_fd()).expect("a file can be duplicated");
    let flags = rustix::io::fcntl_getfd(&inherited).expect("it is open");
    assert!(!flags.contains(rustix::io::FdFlags::CLOEXEC));
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let open = value(&gateway, "h__fds", json!({})).await;
    // Looking at them opens one more.
    let beyond: Vec<&Value> = open
        .as_object()
        .expect("files")
        .iter()
        .skip(3)
        .map(|(_, target)| target)
        .collect();
    assert!(
        beyond.iter().all(|target| target
            .as_str()
            .is_some_and(|target| target.ends_with("/fd"))),
        "{open}"
    );
    gateway.finish().await;
}

/// S25: arguments are passed as they are; no shell reads them, and no text of a caller becomes one.
#[tokio::test]
async fn no_shell_reads_the_command() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let made = folder.path().join("made");
    let attack = format!(
        "$(touch {0}); `touch {0}` | touch {0} && \"",
        made.display()
    );
    let plugin = Hostile::new("h", &["--", &attack, "*", "~", ""]);
    let gateway = plugin.build().await;
    let seen = value(&gateway, "h__argv", json!({ "argv": [attack] })).await;
    let seen = seen["argv"].as_array().expect("arguments").clone();
    let rest: Vec<&str> = seen.iter().skip(3).filter_map(Value::as_str).collect();
    assert_eq!(rest, [&attack, "*", "~", ""]);
    assert!(!made.exists());
    gateway.finish().await;
}

/// S25: nothing that comes over HTTP makes or changes a command.
#[tokio::test]
async fn a_command_never_comes_over_http() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let made = folder.path().join("made");
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let before = names(&gateway).await;
    let entry = json!({
        "id": "evil", "runtime": "mcp_stdio", "command": ["touch", made], "args": [made], "env": { "LD_PRELOAD": "x" },
        "mcp_stdio": { "command": ["touch", made] },
        "mcpServers": { "evil": { "command": "touch", "args": [made] } },
    });
    let paths = [
        "/api/plugins",
        "/api/plugins/evil",
        "/api/plugins/h",
        "/api/v1/plugin/register",
        "/api/config",
        "/ext/mcp_http/connect",
        "/ext/mcp_stdio/connect",
        "/api/tools/h__echo/command",
        "/mcp/connect",
    ];
    for (verb, path) in ["POST", "PUT", "PATCH"]
        .iter()
        .flat_map(|verb| paths.iter().map(move |path| (verb, path)))
    {
        let mut request = Request::new(verb, path).header("content-type", "application/json");
        request.body = entry.to_string().into_bytes();
        let status = gateway.send(&request).await.status;
        assert!((400..500).contains(&status), "{verb} {path}: {status}");
    }
    for method in ["plugins/register", "servers/add", "toolgate/start"] {
        let answer = gateway.send(&modern::request(method, entry.clone())).await;
        assert_eq!(answer.code(), -32601, "{method}");
    }
    // Next to the arguments of a call, and in its `_meta`.
    let params = json!({ "name": "h__echo", "arguments": entry, "mcp_stdio": entry["mcp_stdio"], "_meta": { "toolgate/command": entry["command"] } });
    result_of(&gateway.send(&modern::request("tools/call", params)).await);
    assert_eq!(names(&gateway).await, before);
    assert!(!made.exists());
    assert_eq!(plugin.ledger().count("start"), 1);
    gateway.finish().await;
}

/// How a plugin of these arguments and this `era` comes to life: its ledger until the list was read, and after a crash.
async fn handshakes(arguments: &[&str], era: &str) -> (Vec<String>, Vec<String>) {
    let plugin = Hostile::new("h", arguments)
        .key(&format!(
            "era = \"{era}\"\nisolation = \"shared\"\nrestart.max = 1"
        ))
        .limit("start_timeout_ms", 1500);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let words = |from: usize| -> Vec<String> {
        let lines = ledger.lines().into_iter().skip(from);
        let words = lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned());
        // Whether one that is ended still hears of it is chance.
        words
            .filter(|word| word != "cancelled" && word != "eof")
            .collect()
    };
    let first = words(0);
    let result = result_of(&call(gateway.address, "h__die", json!({})).await);
    assert_eq!(
        result["_meta"]["toolgate/reason"], "upstream_exited",
        "{result}"
    );
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    // The next one may have begun before the caller was told of the end of the first.
    let lines = ledger.lines();
    let died = lines.iter().position(|line| line.starts_with("call die"));
    let second = words(died.expect("it was called") + 1);
    gateway.finish().await;
    (first, second)
}

/// The probe for the era: any server comes to life, and is asked once.
#[tokio::test]
async fn the_era_is_found_out_once() {
    type Words = &'static [&'static str];
    let cases: [(Words, &str, Words, Words); 8] = [
        (
            &[],
            "auto",
            &["start", "discover", "initialize", "list"],
            &["start", "initialize", "list", "call"],
        ),
        (
            &["--era", "modern"],
            "auto",
            &["start", "discover", "list"],
            &["start", "discover", "list", "call"],
        ),
        (
            &["--era", "both"],
            "auto",
            &["start", "discover", "list"],
            &["start", "discover", "list", "call"],
        ),
        (
            &["--discover", "die"],
            "auto",
            &["start", "discover", "start", "initialize", "list"],
            &["start", "initialize", "list", "call"],
        ),
        (
            &["--discover", "silent"],
            "auto",
            &["start", "discover", "initialize", "list"],
            &["start", "initialize", "list", "call"],
        ),
        (
            &["--discover", "die"],
            "legacy",
            &["start", "initialize", "list"],
            &["start", "initialize", "list", "call"],
        ),
        (
            &["--era", "both"],
            "legacy",
            &["start", "initialize", "list"],
            &["start", "initialize", "list", "call"],
        ),
        (
            &["--era", "both"],
            "modern",
            &["start", "discover", "list"],
            &["start", "discover", "list", "call"],
        ),
    ];
    let runs = cases.map(|(arguments, era, first, second)| async move {
        let (first_seen, second_seen) = handshakes(arguments, era).await;
        assert_eq!(
            (first_seen, second_seen),
            (owned(first), owned(second)),
            "{arguments:?} {era}"
        );
    });
    futures::future::join_all(runs).await;
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A plugin that needs longer than the probe waits, but not longer than its start may take, is not given up.
#[tokio::test]
async fn a_budget_of_no_restarts_does_not_forbid_the_second_handshake() {
    let plugin = Hostile::new("h", &["--discover", "die"]).key("restart.max = 0");
    let gateway = plugin.build().await;
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    gateway.finish().await;
}

/// S30: `toolgate stdio` writes nothing but messages.
#[tokio::test]
async fn the_output_of_the_program_holds_messages_and_nothing_else() {
    let plugin = Hostile::new("h", &["--garbage"]);
    let mut binary = Binary::start(&["stdio", "--log", "debug"], &plugin.text(), &[]);
    let initialize = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } },
    });
    binary.write(&initialize.to_string()).await;
    binary
        .write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    for (id, tool) in ["h__echo", "h__stderr", "h__die", "h__echo", "none"]
        .iter()
        .enumerate()
    {
        let params = json!({ "name": tool, "arguments": {} });
        let request =
            json!({ "jsonrpc": "2.0", "id": id + 1, "method": "tools/call", "params": params });
        binary.write(&request.to_string()).await;
    }
    binary.write("no message").await;
    let mut answers = 0;
    while answers < 7 {
        let line = binary.line().await.expect("it goes on");
        let message: Value =
            serde_json::from_str(&line).unwrap_or_else(|err| panic!("{err}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        answers += usize::from(message.get("id").is_some());
    }
    binary.close();
    while let Some(line) = binary.line().await {
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    }
    assert_eq!(binary.ended().await, Some(0));
}

/// A plugin finds the same home again, and one of its own.
#[tokio::test]
async fn each_plugin_has_a_home_of_its_own() {
    let (one, two) = (Hostile::new("one", &[]), Hostile::new("two", &[]));
    let gateway: TestGateway = crate::hostile::gateway_of(&[&one, &two]).await;
    let home = async |tool| value(&gateway, tool, json!({})).await["HOME"].clone();
    let (first, second) = (home("one__env").await, home("two__env").await);
    assert_ne!(first, second);
    assert_eq!(home("one__env").await, first);
    let deadline = Duration::from_secs(1);
    assert!(
        tokio::time::timeout(
            deadline,
            tokio::fs::metadata(first.as_str().expect("a path"))
        )
        .await
        .is_ok()
    );
    gateway.finish().await;
}
