//! Hot change: what is read again, what it does to plugins at work, and what a mistake does not do.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, call, calling, is_alive, result_of, text_of};
use crate::support::{Connection, LegacySession, Program, Request, TestGateway, until, within};

const ECHO: &str = "\n[plugins.echo]\nenabled = true\n";

/// Writes another configuration, of these plugins and `echo`.
pub(crate) fn write(gateway: &TestGateway, config: &str) {
    let file = gateway.folder().join("toolgate.toml");
    std::fs::write(file, format!("{config}{ECHO}")).expect("the folder is ours");
}

/// Has the configuration read again; what the gateway says to that.
pub(crate) async fn reload(gateway: &TestGateway) -> Value {
    let request = Request::new("POST", "/api/v1/plugin/reload").body_of(&json!({}));
    gateway.send(&request).await.json()
}

async fn pid(gateway: &TestGateway, plugin: &str) -> String {
    let answer = call(gateway.address, &format!("{plugin}__pid"), json!({})).await;
    text_of(&result_of(&answer))
}

/// F44, J26: each change for itself, and nothing else is touched.
#[tokio::test]
async fn what_changed_is_exchanged_and_the_rest_goes_on() {
    let [same, other, gone, new] = ["same", "other", "gone", "new"].map(|id| Hostile::new(id, &[]));
    let texts = [&same, &other, &gone].map(Hostile::text).concat();
    let gateway = TestGateway::builder().config(&texts).build().await;
    let before = (pid(&gateway, "same").await, pid(&gateway, "other").await);
    pid(&gateway, "gone").await;
    let other = other.limit("max_queue", 7);
    write(&gateway, &[&same, &other, &new].map(Hostile::text).concat());
    let done = reload(&gateway).await["data"].clone();
    assert_eq!(done["added"], json!(["new"]), "{done}");
    assert_eq!(done["changed"], json!(["other"]));
    assert_eq!(done["removed"], json!(["gone"]));
    assert_eq!(done["unchanged"], 2);
    assert_eq!(done["failed"], json!([]));
    assert_eq!(pid(&gateway, "same").await, before.0);
    assert_ne!(pid(&gateway, "other").await, before.1);
    pid(&gateway, "new").await;
    all_gone(&gone.ledger().pids()).await;
    let again = reload(&gateway).await["data"].clone();
    assert_eq!(again["unchanged"], 4, "{again}");
    gateway.finish().await;
}

/// F44: 20 reloads while calls go on: none fails, and what is the same keeps its process.
#[tokio::test]
async fn no_call_fails_while_plugins_are_exchanged() {
    let same = Hostile::new("same", &[]);
    let gateway = {
        let text = [same.text(), Hostile::new("other", &[]).text()].concat();
        TestGateway::builder().config(&text).build().await
    };
    let before = pid(&gateway, "same").await;
    let calls = async |plugin: &'static str| {
        for _ in 0..60 {
            pid(&gateway, plugin).await;
        }
    };
    let reloads = async {
        for round in 0..20 {
            let other = Hostile::new("other", &[]).limit("max_queue", 100 + round);
            write(&gateway, &[same.text(), other.text()].concat());
            let done = reload(&gateway).await["data"].clone();
            assert_eq!(done["changed"], json!(["other"]), "{done}");
        }
    };
    tokio::join!(calls("same"), calls("other"), reloads);
    assert_eq!(pid(&gateway, "same").await, before);
    gateway.finish().await;
}

/// F44: a call that runs on what is exchanged comes to its end there.
#[tokio::test]
async fn a_call_that_runs_comes_to_its_end_where_it_runs() {
    let held = Hostile::new("h", &[]);
    let _ledger = held.ledger();
    let gateway = TestGateway::builder().config(&held.text()).build().await;
    let mut connection = gateway.connect().await;
    let file = gateway.folder().join("go on");
    let waiting = crate::support::modern::call("h__pause", json!({ "until": file }));
    connection.write(&waiting.bytes(gateway.address)).await;
    let old = gateway.plugin("h");
    until("it runs", || old.gate.in_flight() == 1).await;
    write(&gateway, &held.limit("max_queue", 7).text());
    let ends = async {
        until("the new one is there", || {
            !std::sync::Arc::ptr_eq(&gateway.plugin("h"), &old)
        })
        .await;
        std::fs::write(&file, "").expect("the folder is ours");
        within("the call ends", connection.answer()).await
    };
    let (done, answer) = tokio::join!(reload(&gateway), ends);
    assert_eq!(done["data"]["changed"], json!(["h"]), "{done}");
    assert_eq!(text_of(&result_of(&answer)), "resumed");
    gateway.finish().await;
}

/// F44: a call that waits in the queue of what is exchanged goes to what takes its place.
#[tokio::test]
async fn a_call_that_waits_goes_to_what_takes_the_place() {
    let held = Hostile::new("h", &[]).limit("max_concurrent_calls", 1);
    let ledger = held.ledger();
    let gateway = TestGateway::builder().config(&held.text()).build().await;
    let file = gateway.folder().join("go on");
    let running = calling(&gateway, "h__pause", json!({ "until": file }));
    let old = gateway.plugin("h");
    until("one runs", || old.gate.in_flight() == 1).await;
    let waiting = calling(&gateway, "h__pid", json!({}));
    until("one waits", || old.gate.queued() == 1).await;
    write(&gateway, &held.limit("max_queue", 7).text());
    let ends = async {
        until("the new one is there", || old.has_left()).await;
        std::fs::write(&file, "").expect("the folder is ours");
        let running = within("the one that runs ends", running).await;
        assert_eq!(text_of(&running.expect("no panic")), "resumed");
        within("the other ends", waiting).await.expect("no panic")
    };
    let (done, answer) = tokio::join!(reload(&gateway), ends);
    assert_eq!(done["data"]["changed"], json!(["h"]), "{done}");
    let pids = ledger.pids();
    assert_eq!(text_of(&answer), pids[1].to_string(), "{pids:?} {answer}");
    gateway.finish().await;
}

/// F45: a mistake changes nothing and says where it is.
#[tokio::test]
async fn a_mistake_changes_nothing_and_is_named() {
    let plugin = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    let before = pid(&gateway, "h").await;
    for (config, words) in [
        ("[plugins.h\n", "toolgate.toml:1:"),
        ("polcy = 1\n", "`policy`"),
        ("[plugins.h]\nruntime = \"mcp_stdoi\"\n", "mcp_stdio"),
    ] {
        write(&gateway, config);
        let refused = reload(&gateway).await;
        assert_eq!(refused["code"], 422, "{refused}");
        let message = refused["message"].as_str().expect("a sentence");
        assert!(message.contains(words), "{message}");
        assert_eq!(pid(&gateway, "h").await, before);
    }
    let report = gateway
        .send(&Request::new("GET", "/api/v1/plugin/report"))
        .await
        .json();
    assert_eq!(report["data"]["reloads"]["failed"], 3);
    assert!(report["data"]["reloads"]["last_error"].is_string());
    gateway.finish().await;
}

/// F44, F45: what does not start in its new form goes on in its old one.
#[tokio::test]
async fn what_does_not_start_in_its_new_form_goes_on_in_the_old() {
    let plugin = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    let before = pid(&gateway, "h").await;
    let broken = plugin
        .text()
        .replace("command = [", "command = [\"false\", ");
    write(&gateway, &broken);
    let done = reload(&gateway).await["data"].clone();
    assert_eq!(done["failed"][0]["id"], "h", "{done}");
    assert_eq!(pid(&gateway, "h").await, before);
    gateway.finish().await;
}

/// A folder with a plugin in it.
fn put(dir: &Path, plugin: &Hostile) {
    let text = plugin.manifest();
    std::fs::create_dir_all(dir).expect("the folder is ours");
    std::fs::write(dir.join("plugin.toml"), text).expect("the folder is ours");
}

/// F28, F37, F38, J26: a folder that is dropped in appears, in an open session too; one that goes is gone. Without any
/// configuration.
#[tokio::test]
async fn folders_come_and_go_while_the_gateway_runs() {
    let plugin = Hostile::new("dropped", &[]);
    let (binary, address) = Binary::serve("", &[]).await;
    let mut client = Connection::open(address).await;
    let opened = client.send(&LegacySession::initialize("2025-11-25")).await;
    let session = opened.header("mcp-session-id").to_owned();
    let of = |request: Request| {
        request
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
    };
    let mut stream = Connection::open(address).await;
    let get = of(Request::new("GET", "/mcp").header("accept", "text/event-stream"));
    assert_eq!(stream.begin(&get).await.status, 200);
    let hears = async |stream: &mut Connection| loop {
        let event = within("a change is told", stream.event()).await;
        let event = event.expect("the stream goes on");
        if event["method"] == "notifications/tools/list_changed" {
            return;
        }
    };
    let folder = binary.folder().join("custom_plugins/some-name");
    put(&folder, &plugin);
    hears(&mut stream).await;
    let pid = text_of(&result_of(&call(address, "dropped__pid", json!({})).await));
    assert!(is_alive(pid.parse().expect("a number")));
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    hears(&mut stream).await;
    all_gone(&plugin.ledger().pids()).await;
    // F46: many changes, half of them mistakes; the last one counts.
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    for round in 0..100 {
        let text = plugin.manifest();
        let half = &text[..text.len() / 2];
        let text = if round % 2 == 0 { half } else { &text };
        std::fs::write(folder.join("plugin.toml"), text).expect("the folder is ours");
    }
    hears(&mut stream).await;
    let pids = plugin.ledger().pids();
    let alive = || pids.iter().filter(|pid| is_alive(**pid)).count();
    until("one of it runs", || alive() == 1).await;
    drop(stream);
}

/// F28, F45: a folder that goes, or breaks, takes nothing with it, though the operator has an entry on its plugin.
#[tokio::test]
async fn a_folder_with_an_entry_can_go() {
    let plugins = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = plugins.path().join("any");
    let plugin = Hostile::new("h", &[]);
    put(&folder, &plugin);
    let config = format!("plugin_dirs = [{:?}]\n[plugins.h]\n", plugins.path());
    let entry = format!("{config}limits = {{ max_queue = 7 }}\n");
    let gateway = TestGateway::builder().config(&entry).build().await;
    let before = pid(&gateway, "h").await;
    std::fs::write(folder.join("plugin.toml"), "id = \"h\"\nversion = ").expect("it is ours");
    let done = reload(&gateway).await["data"].clone();
    let failed = done["failed"][0]["error"]
        .as_str()
        .expect("one that failed");
    assert!(failed.contains("plugin.toml:2:"), "{done}");
    assert_eq!(done["notes"], json!([]));
    assert_eq!(pid(&gateway, "h").await, before);
    std::fs::remove_dir_all(&folder).expect("it is ours");
    let done = reload(&gateway).await["data"].clone();
    assert_eq!(done["removed"], json!(["h"]), "{done}");
    let note = done["notes"][0].as_str().expect("a note");
    assert!(note.contains("there is no plugin `h`"), "{done}");
    all_gone(&plugin.ledger().pids()).await;
    gateway.finish().await;
}

/// SIGHUP reads the configuration again, and the command line can.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_and_a_command_read_the_configuration_again() {
    let plugin = Hostile::new("h", &[]);
    let quiet = "[server]\nwatch = false\n";
    let (binary, address) = Binary::serve(quiet, &[]).await;
    let file = binary.folder().join("toolgate.toml");
    std::fs::write(&file, format!("{quiet}{}", plugin.text())).expect("the folder is ours");
    binary.hang_up();
    plugin.ledger().reaches("start", 1).await;
    std::fs::write(&file, quiet).expect("the folder is ours");
    let at = format!("http://{address}");
    let (code, said) = Program::run(&["reload", "--gateway", &at], "").await;
    assert_eq!(
        (code, said.lines().next()),
        (0, Some("removed h")),
        "{said}"
    );
    all_gone(&plugin.ledger().pids()).await;
}

/// A gateway on stdio reads the configuration again on SIGHUP, and goes on serving.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_has_a_gateway_on_stdio_read_the_configuration_again() {
    let plugin = Hostile::new("h", &[]);
    let quiet = "[server]\nwatch = false\n";
    let mut binary = Binary::start(&["stdio", "--log", "off"], quiet, &[]);
    let ping = async |binary: &mut Binary| {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        binary.write(&ping.to_string()).await;
        binary.line().await.expect("an answer")
    };
    // By then it listens to signals.
    ping(&mut binary).await;
    let config = format!("{quiet}{}", plugin.text());
    std::fs::write(binary.folder().join("toolgate.toml"), config).expect("the folder is ours");
    binary.hang_up();
    plugin.ledger().reaches("start", 1).await;
    ping(&mut binary).await;
    binary.close();
    assert_eq!(binary.ended().await, Some(0));
    all_gone(&plugin.ledger().pids()).await;
}
