//! What a plugin asks for, what it gets, and what is said of the rest.

use serde_json::json;

use crate::ext::{get, order, status};
use crate::support::{Site, TestGateway, modern};

const BOTH: &str = "requests = [\"ROUTES\", \"TOOLS\"]\n";

fn config(grants: &str) -> String {
    format!("[plugins.hello]\n{BOTH}grants = {grants}\n")
}

/// O2: its route answers, its tool is not listed, and what was denied is named with why.
#[tokio::test]
async fn a_plugin_with_routes_alone_lists_no_tool() {
    let gateway = TestGateway::builder()
        .config(&config("[\"ROUTES\"]"))
        .plugin("hello", Site::new())
        .build()
        .await;
    let answer = get(&gateway, "/ext/hello/greet").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json(),
        json!({ "hello": "anonymous", "plugin": "hello" })
    );
    let list = gateway
        .send(&modern::request("tools/list", json!({})))
        .await;
    assert!(!list.text().contains("hello__it"), "{}", list.text());
    let called = gateway.send(&modern::call("hello__it", json!({}))).await;
    assert!(
        called.text().contains("not granted TOOLS"),
        "{}",
        called.text()
    );
    let why = get(&gateway, "/api/v1/plugin/why?tool=hello__it")
        .await
        .json();
    assert_eq!(why["data"]["reason"], "not_granted", "{why}");

    let said = status(&gateway, "hello").await;
    assert_eq!(said["state"], "active", "{said}");
    assert_eq!(said["requested"], json!(["ROUTES", "TOOLS"]));
    assert_eq!(said["grants"], json!(["ROUTES"]));
    let denied = said["denied"].as_object().expect("an object");
    assert_eq!(denied.keys().collect::<Vec<_>>(), ["TOOLS"]);
    let why = denied["TOOLS"].as_str().expect("a sentence");
    assert!(why.contains("plugins.hello.grants"), "{why}");
    let listed = get(&gateway, "/api/v1/plugin/get?id=hello").await.json();
    assert_eq!(listed["data"]["denied"]["TOOLS"], why, "{listed}");
    gateway.finish().await;
}

/// O2: without the grant its routes are not there, and it is said why.
#[tokio::test]
async fn a_plugin_with_tools_alone_answers_no_request() {
    let gateway = TestGateway::builder()
        .config(&config("[\"TOOLS\"]"))
        .plugin("hello", Site::new())
        .build()
        .await;
    let answer = get(&gateway, "/ext/hello/greet").await;
    assert_eq!(answer.status, 404);
    let detail = answer.json()["detail"]
        .as_str()
        .expect("a sentence")
        .to_owned();
    assert!(
        detail.contains("ROUTES") && detail.contains("plugins.hello.grants"),
        "{detail}"
    );
    let called = gateway.send(&modern::call("hello__it", json!({}))).await;
    assert_eq!(called.json()["result"]["content"][0]["text"], "here");
    gateway.finish().await;
}

/// O3: a plugin's routes are there and gone with it, without a restart.
#[tokio::test]
async fn routes_come_and_go_with_their_plugin() {
    let gateway = TestGateway::builder()
        .config(&config("[\"ROUTES\", \"TOOLS\"]"))
        .plugin("hello", Site::new())
        .build()
        .await;
    let there = async || get(&gateway, "/ext/hello/greet").await.status;
    assert_eq!(there().await, 200);
    order(&gateway, "stop", "hello").await;
    assert_eq!(there().await, 404);
    let health = get(&gateway, "/ext/hello/health").await;
    assert_eq!(health.status, 503, "{}", health.text());
    order(&gateway, "start", "hello").await;
    assert_eq!(there().await, 200);
    order(&gateway, "unregister", "hello").await;
    assert_eq!(there().await, 404);
    assert_eq!(get(&gateway, "/ext/hello/health").await.status, 404);
    order(&gateway, "register", "hello").await;
    assert_eq!(there().await, 200);
    gateway.finish().await;
}

/// O34, O35: how one plugin is, and all of them, with where they come from.
#[tokio::test]
async fn status_and_health_say_how_plugins_are() {
    let more = "[plugins.waits]\ndepends_on = [\"ghost\"]\nrequests = [\"ROUTES\"]\n";
    let gateway = TestGateway::builder()
        .config(&format!("{}{more}", config("[\"ROUTES\"]")))
        .plugin("hello", Site::new())
        .plugin("waits", Site::new())
        .build()
        .await;
    assert_eq!(get(&gateway, "/ext/hello/greet").await.status, 200);
    let health = get(&gateway, "/ext/hello/health").await;
    assert_eq!(health.status, 200);
    let health = health.json();
    for member in ["status", "details", "uptime_seconds", "error_count"] {
        assert!(!health[member].is_null(), "{health}");
    }
    let waits = get(&gateway, "/ext/waits/greet").await;
    assert_eq!(waits.status, 503);
    assert!(waits.text().contains("needs `ghost`"), "{}", waits.text());
    assert_eq!(get(&gateway, "/ext/waits/health").await.status, 503);
    assert_eq!(get(&gateway, "/ext/nobody/greet").await.status, 404);
    assert_eq!(get(&gateway, "/ext/nobody/health").await.status, 404);

    let whole = get(&gateway, "/ext/status").await.json();
    let total = whole["extensions"].as_object().expect("an object").len();
    assert_eq!(whole["total_extensions"], total);
    assert_eq!(whole["loaded_extensions"], total - 1, "{whole}");
    assert_eq!(whole["failed_extensions"], 1);
    assert_eq!(whole["discovery_sources"][0]["kind"], "builtin");
    let hello = &whole["extensions"]["hello"];
    assert_eq!(hello["metrics"]["calls"], 1, "{hello}");
    assert!(
        hello["loaded_ms"].as_f64().is_some_and(|ms| ms >= 0.0),
        "{hello}"
    );
    assert_eq!(hello["routes"][0]["method"], "ANY");
    gateway.finish().await;
}
