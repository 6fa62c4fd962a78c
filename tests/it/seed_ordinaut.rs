//! The page on Ordinaut's extensions: its manifest, its examples and its commands, as the page shows them. What is another
//! here: an extension's code is a program that speaks MCP, and the operator grants.

use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{TestGateway, modern, within};

/// `extension.json` of the page.
const EXTENSION: &str = r#"{
  "id": "extensia_mea",
  "name": "Extensia Mea Personalizată",
  "version": "1.0.0",
  "description": "Descrierea funcționalității extensiei",
  "module": "extension.py",
  "enabled": true,
  "eager": false,
  "grants": ["ROUTES", "TOOLS"]
}"#;

/// What its `extension.py` does, as an MCP server.
const PROGRAM: &str = r#"
import json, sys

SAYS = {
    "salut": {"mesaj": "Salut de la extensia mea!"},
    "protejat": {"protejat": True},
    "ping": {"pong": True},
    "instrumentul_meu": {"procesat": True},
}
TOOLS = [{"name": name, "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}} for name in SAYS]

for line in sys.stdin:
    request = json.loads(line)
    method, params = request.get("method"), request.get("params") or {}
    if "id" not in request:
        continue
    reply = {"jsonrpc": "2.0", "id": request["id"]}
    if method == "initialize":
        reply["result"] = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "x", "version": "1"}}
    elif method == "tools/list":
        reply["result"] = {"tools": TOOLS}
    elif method == "tools/call":
        said = SAYS[params["name"]]
        reply["result"] = {"content": [{"type": "text", "text": json.dumps(said)}], "structuredContent": said}
    elif method == "ping":
        reply["result"] = {}
    else:
        reply["error"] = {"code": -32601, "message": "no"}
    print(json.dumps(reply), flush=True)
"#;

/// What the operator says of it.
const OPERATOR: &str = r#"
[plugins.extensia_mea]
grants = ["ROUTES", "TOOLS"]
mcp_stdio = { command = ["python3", "extension.py"] }
isolation = "shared"
[[plugins.extensia_mea.routes]]
path = "/salut"
tool = "salut"
[[plugins.extensia_mea.routes]]
path = "/protejat"
tool = "protejat"
[[plugins.extensia_mea.routes]]
path = "/ping"
tool = "ping"
"#;

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("it can be made");
    std::fs::write(path, text).expect("it can be written");
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    write(&folder, "extensia_mea/extension.json", EXTENSION);
    write(&folder, "extensia_mea/extension.py", PROGRAM);
    write(&folder, "extensia_mea/static/index.html", "<h1>Salut</h1>");
    write(&folder, "extensia_mea/static/style.css", "h1 {}");
    folder
}

/// A gateway that finds extensions by the variable of the page.
async fn gateway(folder: &TempDir, more: &str) -> TestGateway {
    let dirs = folder.path().display().to_string();
    TestGateway::builder()
        .config(&format!("plugin_dirs = []\n{OPERATOR}{more}"))
        .variable("ORDINAUT_EXT_PATHS", &dirs)
        .build()
        .await
}

/// Runs `curl` with these arguments against the gateway, in the place of `http://localhost:8080`.
async fn curl(gateway: &TestGateway, arguments: &[&str], path: &str) -> (u16, String) {
    let url = format!("http://{}{path}", gateway.address);
    let run = Command::new("curl")
        .args(["-s", "-w", "\n%{http_code}"])
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .output();
    let output = within("curl ends", run).await.expect("`curl` is installed");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

/// O22: the page's command for a protected path, and the same without the scope.
#[tokio::test]
async fn scopes_are_asked_for_as_the_page_shows() {
    let folder = folder();
    let gateway = gateway(&folder, "").await;
    let path = "/ext/extensia_mea/protejat";
    let (status, body) = curl(&gateway, &["-H", "X-Scopes: ext:extensia_mea:routes"], path).await;
    assert_eq!((status, body.as_str()), (200, r#"{"protejat": true}"#));
    let (status, body) = curl(&gateway, &["-H", "X-Scopes: ext:other:routes"], path).await;
    let missing = r#"{"detail":"missing scope ext:extensia_mea:routes"}"#;
    assert_eq!((status, body.as_str()), (403, missing));
    gateway.finish().await;
}

/// O34, O9, O3: the page's commands for looking at extensions, one of which is loaded at its first use.
#[tokio::test]
async fn extensions_are_looked_at_as_the_page_shows() {
    let folder = folder();
    let gateway = gateway(&folder, "").await;
    let status = async || {
        let (status, body) = curl(&gateway, &[], "/ext/status").await;
        assert_eq!(status, 200);
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON")
    };
    let before = status().await;
    let mine = &before["extensions"]["extensia_mea"];
    assert_eq!(mine["state"], "loaded", "{before}");
    assert_eq!(mine["info"]["name"], "Extensia Mea Personalizată");
    assert_eq!(mine["grants"], json!(["ROUTES", "TOOLS"]));
    let sources = before["discovery_sources"].as_array().expect("a list");
    let from_variable = sources
        .iter()
        .find(|source| source["kind"] == "environment");
    assert_eq!(
        from_variable.expect("the variable")["plugins"],
        1,
        "{before}"
    );

    let (code, body) = curl(&gateway, &[], "/ext/extensia_mea/salut").await;
    assert_eq!(code, 200, "{body}");
    let said: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(said, json!({ "mesaj": "Salut de la extensia mea!" }));
    assert_eq!(
        status().await["extensions"]["extensia_mea"]["state"],
        "active"
    );
    let (code, body) = curl(&gateway, &[], "/ext/extensia_mea/ping").await;
    assert_eq!((code, body.as_str()), (200, r#"{"pong": true}"#));
    let (code, body) = curl(&gateway, &[], "/ext/extensia_mea/health").await;
    assert_eq!(code, 200, "{body}");
    let list = gateway
        .send(&modern::request("tools/list", json!({})))
        .await;
    assert!(
        list.text().contains("extensia_mea__instrumentul_meu"),
        "{}",
        list.text()
    );
    gateway.finish().await;
}

/// O33: the page's example of a tool.
#[tokio::test]
async fn the_example_tool_gives_the_digest() {
    let gateway = TestGateway::builder()
        .config("[plugins.hash]\n")
        .build()
        .await;
    let call = modern::call("hash.sha256", json!({ "data": "abc" }));
    let answer = gateway.send(&call).await.json();
    assert_eq!(
        answer["result"]["structuredContent"]["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    gateway.finish().await;
}

/// O35–O37: not loaded, refused, blocked: three causes, three messages.
#[tokio::test]
async fn what_is_wrong_with_extensions_is_told_apart() {
    let folder = folder();
    write(
        &folder,
        "blocked/plugin.toml",
        "id = \"blocked\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\ndepends_on = [\"ghost\"]\n[mcp_stdio]\ncommand = [\"python3\", \"x.py\"]\n",
    );
    write(
        &folder,
        "failing/plugin.toml",
        "id = \"failing\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\nrestart = { max = 0 }\n[mcp_stdio]\ncommand = [\"python3\", \"-c\", \"import sys; sys.exit('no disk left')\"]\n",
    );
    write(
        &folder,
        "denied/plugin.toml",
        "id = \"denied\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\nrequests = [\"TOOLS\", \"ROUTES\"]\n[in_process]\nentry = \"builtin:ping\"\n",
    );
    let gateway = gateway(&folder, "").await;
    let (_, body) = curl(&gateway, &[], "/ext/status").await;
    let status: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let of = |id: &str| status["extensions"][id].clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let blocked = text(&of("blocked")["error"]);
    let failing = text(&of("failing")["error"]);
    let denied = text(&of("denied")["denied"]["ROUTES"]);
    assert!(blocked.contains("needs `ghost`"), "{status}");
    assert!(failing.contains("no disk left"), "{status}");
    assert!(
        denied.contains("a plugin from a folder gets TOOLS only"),
        "{status}"
    );
    assert_eq!(status["failed_extensions"], 2, "{status}");
    let (code, body) = curl(&gateway, &[], "/ext/denied/ping").await;
    assert!(code == 404 && body.contains("ROUTES"), "{body}");
    let (code, body) = curl(&gateway, &[], "/ext/blocked/health").await;
    assert!(code == 503 && body.contains("ghost"), "{body}");

    // One that cannot be read at all is found by the next reload, and named.
    write(
        &folder,
        "broken/extension.json",
        "{ \"id\": \"broken\", \"module\": ",
    );
    let (code, _) = curl(
        &gateway,
        &[
            "-X",
            "POST",
            "-H",
            "Content-Type: application/json",
            "-d",
            "{}",
        ],
        "/api/v1/plugin/reload",
    )
    .await;
    assert_eq!(code, 200);
    let (_, body) = curl(&gateway, &[], "/ext/status").await;
    assert!(
        body.contains("broken") && body.contains("extension.json"),
        "{body}"
    );
    gateway.finish().await;
}
