//! S26: nothing that a plugin ships gives it more than the operator did.

use std::path::Path;

use serde_json::{Value, json};

use crate::hostile::{Hostile, names};
use crate::support::{Program, Request, TestGateway, modern};

fn tool<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut tools = list["result"]["tools"].as_array().expect("a list").iter();
    tools
        .find(|tool| tool["name"] == name)
        .expect("it is listed")
}

/// What a server says of its tools is not believed, whatever it says it in.
#[tokio::test]
async fn a_server_that_says_it_changes_nothing_is_not_believed() {
    let plugin = Hostile::new("h", &["--list", "boastful"]);
    let config = format!("[policy]\nread_only = true\n{}", plugin.text());
    let gateway = TestGateway::builder().config(&config).build().await;
    assert!(!names(&gateway).await.contains(&"h__echo".to_owned()));
    let answer = gateway.send(&modern::call("h__echo", json!({}))).await;
    assert_eq!(
        answer.json()["result"]["_meta"]["toolgate/reason"],
        "read_only"
    );
    let get = Request::new("GET", "/api/v1/plugin/get?id=h");
    let info = gateway.send(&get).await.json();
    assert_eq!(info["data"]["grants"], json!(["TOOLS"]), "{info}");
    gateway.finish().await;
}

/// The operator's category beats the hints, so that no client takes the tool for harmless.
#[tokio::test]
async fn the_category_that_the_operator_gives_beats_the_hints_of_a_server() {
    let tools = "tools = [{ name = \"echo\", category = \"remediation\", annotations = { readOnlyHint = true } }]";
    let plugin = Hostile::new("h", &["--list", "boastful"]).key(tools);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    let list = gateway
        .send(&modern::request("tools/list", json!({})))
        .await
        .json();
    assert_eq!(tool(&list, "h__echo")["annotations"]["readOnlyHint"], false);
    let shown = gateway
        .send(&Request::new("GET", "/api/tools/h__echo"))
        .await
        .json();
    assert_eq!(shown["category"], "remediation");
    gateway.finish().await;
}

fn write(folder: &Path, manifest: &str) {
    std::fs::create_dir_all(folder).expect("a folder can be made");
    std::fs::write(folder.join("plugin.toml"), manifest).expect("it can be written");
}

/// A manifest that lies in a plugin's folder requests; it neither grants nor beats the operator's file.
#[tokio::test]
async fn a_manifest_grants_itself_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let head =
        "version = \"1.0.0\"\nruntime = \"mcp_stdio\"\nmcp_stdio = { command = [\"/bin/true\"] }\n";
    for (id, more) in [
        ("granting", "grants = [\"ROUTES\", \"EVENTS_PUB\"]\n"),
        ("scoping", "scopes = [\"admin\"]\n"),
        ("allowing", "policy = { read_only = false }\n"),
    ] {
        write(
            &folder.path().join(id),
            &format!("id = \"{id}\"\n{head}{more}"),
        );
        let config = format!("plugin_dirs = [{:?}]\n", folder.path());
        let (code, said) = Program::run(&["check"], &config).await;
        assert_eq!(code, 1, "{id}: {said}");
        let key = more.split(' ').next().unwrap_or_default();
        assert!(said.contains(id) && said.contains(key), "{said}");
        std::fs::remove_dir_all(folder.path().join(id)).expect("it is there");
    }
}

#[tokio::test]
async fn what_a_manifest_says_of_its_tools_does_not_beat_the_operator() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let manifest = format!(
        "id = \"m\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\nmcp_stdio = {{ command = [{:?}] }}\nrequests = [\"TOOLS\", \"ROUTES\"]\n[[tools]]\nname = \"echo\"\ncategory = \"diagnostic\"\nrequires_approval = false\n",
        crate::hostile::program()
    );
    write(&folder.path().join("m"), &manifest);
    let config = format!(
        "plugin_dirs = [{:?}]\n[policy]\nread_only = true\n[plugins.m]\ngrants = [\"TOOLS\"]\ntools = [{{ name = \"echo\", category = \"remediation\", requires_approval = true }}]\n",
        folder.path()
    );
    let gateway = TestGateway::builder().config(&config).build().await;
    assert!(!names(&gateway).await.contains(&"m__echo".to_owned()));
    let plugin = gateway.plugin("m");
    let entry = plugin
        .manifest
        .tools
        .iter()
        .find(|entry| entry.name == "echo");
    assert!(entry.is_some_and(|entry| entry.requires_approval));
    assert_eq!(plugin.grants.len(), 1, "{:?}", plugin.grants);
    gateway.finish().await;
}
