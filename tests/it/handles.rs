//! Handles: how clients without sessions get a server of the legacy era to remember their calls.

use serde_json::{Value, json};

use crate::hostile::{Hostile, calling, failure_of, names, result_of, text_of};
use crate::support::{TestGateway, modern, within};
use crate::tokens::{ANN, BOB, token};

async fn call(gateway: &TestGateway, tool: &str, arguments: Value) -> Value {
    result_of(&gateway.send(&modern::call(tool, arguments)).await)
}

/// Opens a session as a model does.
async fn open(gateway: &TestGateway) -> String {
    let result = call(gateway, "toolgate__open_session", json!({})).await;
    let id = result["structuredContent"]["toolgate_session"].as_str();
    id.expect("the id of the session").to_owned()
}

async fn count(gateway: &TestGateway, handle: &str) -> String {
    let arguments = json!({ "toolgate_session": handle });
    text_of(&call(gateway, "h__count", arguments).await)
}

#[tokio::test]
async fn calls_with_one_handle_meet_in_one_process() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let (one, two) = (open(&gateway).await, open(&gateway).await);
    assert_eq!(count(&gateway, &one).await, "1");
    assert_eq!(count(&gateway, &two).await, "1");
    assert_eq!(count(&gateway, &one).await, "2");
    let meta = json!({
        "name": "h__count",
        "arguments": {},
        "_meta": { "toolgate/session": one },
    });
    let by_meta = gateway.send(&modern::request("tools/call", meta)).await;
    assert_eq!(text_of(&result_of(&by_meta)), "3");
    // What names the session is ours, and does not reach the server.
    let seen = call(
        &gateway,
        "h__echo",
        json!({ "toolgate_session": two, "a": 1 }),
    )
    .await;
    assert!(!seen.to_string().contains(&two), "{seen}");
    let closed = json!({ "toolgate_session": one });
    call(&gateway, "toolgate__close_session", closed.clone()).await;
    let (reason, why) = failure_of(&call(&gateway, "h__count", closed).await);
    assert!(why.contains("toolgate__open_session"), "{why}");
    assert_eq!(reason, "unknown_session");
    gateway.finish().await;
}

/// S12.
#[tokio::test]
async fn a_handle_is_of_use_to_its_owner_only() {
    let plugin = Hostile::new("h", &[]);
    let config = [token("ann", ANN, ""), token("bob", BOB, ""), plugin.text()].concat();
    let gateway = TestGateway::builder().config(&config).build().await;
    let of = |who: &str, tool: &str, arguments: Value| modern::call(tool, arguments).token(who);
    let opened = result_of(
        &gateway
            .send(&of(ANN, "toolgate__open_session", json!({})))
            .await,
    );
    let handle = opened["structuredContent"].clone();
    assert_eq!(
        text_of(&result_of(
            &gateway.send(&of(ANN, "h__count", handle.clone())).await
        )),
        "1"
    );
    let stolen = gateway.send(&of(BOB, "h__count", handle)).await;
    let unknown = json!({ "toolgate_session": "0".repeat(32) });
    let unknown = gateway.send(&of(BOB, "h__count", unknown)).await;
    let told = |answer| failure_of(&result_of(answer));
    assert_eq!(told(&stolen), told(&unknown));
    gateway.finish().await;
}

#[tokio::test]
async fn handles_are_offered_where_they_are_of_use() {
    for (keys, era, offered, declared) in [
        ("", "legacy", true, false),
        ("handles = \"declare\"", "legacy", true, true),
        ("handles = \"off\"", "legacy", false, false),
        ("isolation = \"shared\"", "legacy", false, false),
        ("handles = \"declare\"", "modern", false, false),
    ] {
        let gateway = Hostile::new("h", &["--era", era]).key(keys).build().await;
        let names = names(&gateway).await;
        let has_tool = names.iter().any(|name| name == "toolgate__open_session");
        assert_eq!(has_tool, offered, "{keys} {era}");
        let list = gateway
            .send(&modern::request("tools/list", json!({})))
            .await;
        let mentions = list.text().matches("\"toolgate_session\":{").count();
        assert_eq!(mentions > 2, declared, "{keys} {era}");
        gateway.finish().await;
    }
}

#[tokio::test]
async fn calls_without_a_handle_go_on_as_ever() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let handle = open(&gateway).await;
    assert_eq!(count(&gateway, &handle).await, "1");
    let held = calling(
        &gateway,
        "h__gather",
        json!({ "of": 2, "toolgate_session": handle }),
    );
    plugin.ledger().reaches("call gather", 1).await;
    // The process of the session is not lent to others, busy or not.
    assert_eq!(text_of(&call(&gateway, "h__count", json!({})).await), "1");
    call(
        &gateway,
        "h__gather",
        json!({ "of": 2, "toolgate_session": handle }),
    )
    .await;
    within("it ends", held).await.expect("no panic");
    gateway.finish().await;
}
