//! Resources that clients watch, and what is kept of them.

use serde_json::{Value, json};

use crate::hostile::{Hostile, kill, result_of, text_of};
use crate::reload::{reload, write};
use crate::support::{Connection, LegacySession, StdioClient, TestGateway, modern, until};
use crate::tokens::{ANN, BOB, token};

/// A file that is not there.
const NOWHERE: &str = "/nowhere/refuses";

/// Opens a subscription to these resources; gives those that were granted.
async fn listen(gateway: &TestGateway, uris: &[String], meta: Value) -> (Connection, Value) {
    let params = json!({
        "notifications": { "resourceSubscriptions": uris },
        "_meta": meta,
    });
    let message = modern::message("sub", "subscriptions/listen", params);
    let mut stream = gateway.connect().await;
    assert!(
        stream
            .begin(&modern::request_of(&message))
            .await
            .is_stream()
    );
    let first = stream.event().await.expect("the acknowledgement");
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    let granted = first["params"]["notifications"]["resourceSubscriptions"].clone();
    (stream, granted)
}

fn numbered(count: usize) -> Vec<String> {
    (10..10 + count).map(|at| format!("x:{at}")).collect()
}

#[tokio::test]
async fn the_resources_of_one_subscription_share_a_process() {
    let plugin = Hostile::new("h", &["--watched", NOWHERE]).limit("max_concurrent_calls", 4);
    let plugin = plugin.limit("max_queue", 0);
    let gateway = plugin.build().await;
    let uris = numbered(18);
    let (stream, granted) = listen(&gateway, &uris, json!({})).await;
    assert_eq!(granted, json!(uris));
    let call = modern::call("h__count", json!({}));
    assert_eq!(text_of(&result_of(&gateway.send(&call).await)), "1");
    let ledger = plugin.ledger();
    // One for the subscription, and one for the call.
    assert_eq!((ledger.count("start"), ledger.count("subscribe")), (2, 18));
    drop(stream);
    ledger.reaches("eof", 1).await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_subscription_hears_of_the_process_behind_the_session_that_it_names() {
    let plugin = Hostile::new("h", &["--watched", NOWHERE]);
    let gateway = plugin.build().await;
    let open = modern::call("toolgate__open_session", json!({}));
    let opened = result_of(&gateway.send(&open).await);
    let id = opened["structuredContent"]["toolgate_session"].clone();
    let meta = json!({ "toolgate/session": id });
    let (mut stream, granted) = listen(&gateway, &numbered(1), meta.clone()).await;
    assert_eq!(granted, json!(["x:10"]));
    let read = json!({ "uri": "x:10", "_meta": meta });
    let read = modern::request("resources/read", read).header("mcp-name", "x:10");
    let read = gateway.send(&read).await;
    assert_eq!(result_of(&read)["contents"][0]["text"], "read");
    let told = stream.event().await.expect("the stream goes on");
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], "x:10");
    assert_eq!(plugin.ledger().count("start"), 1);

    let params = json!({
        "notifications": { "resourceSubscriptions": ["x:10"] },
        "_meta": { "toolgate/session": "0".repeat(32) },
    });
    let refused = modern::request("subscriptions/listen", params);
    assert_eq!(gateway.send(&refused).await.code(), -32602);

    // What was watched in the session ends with it, and is not begun again.
    let close = modern::call(
        "toolgate__close_session",
        opened["structuredContent"].clone(),
    );
    result_of(&gateway.send(&close).await);
    plugin.ledger().reaches("eof", 1).await;
    assert_eq!(plugin.ledger().count("subscribe"), 1);
    drop(stream);
    gateway.finish().await;
}

#[tokio::test]
async fn a_plugin_that_says_nothing_delays_a_subscription_for_a_while_only() {
    let plugin = Hostile::new("h", &["--watched", NOWHERE]);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let uris = ["x:never".to_owned()];
    let pause = async {
        ledger.reaches("subscribe", 1).await;
        tokio::time::pause();
    };
    let ((stream, granted), ()) = tokio::join!(listen(&gateway, &uris, json!({})), pause);
    tokio::time::resume();
    assert_eq!(granted, json!([]));
    // What is not granted is given up.
    ledger.reaches("cancelled", 1).await;
    drop(stream);
    gateway.finish().await;
}

#[tokio::test]
async fn a_subscription_on_a_pipe_can_be_cancelled_while_a_plugin_says_nothing() {
    let plugin = Hostile::new("h", &["--watched", NOWHERE]);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let mut client = StdioClient::start(&gateway);
    let filter = json!({ "notifications": { "resourceSubscriptions": ["x:never"] } });
    client
        .send(&modern::message("sub", "subscriptions/listen", filter))
        .await;
    ledger.reaches("subscribe", 1).await;
    client
        .tell("notifications/cancelled", json!({ "requestId": "sub" }))
        .await;
    ledger.reaches("cancelled", 1).await;
    assert!(client.finish().await.is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn the_next_process_is_asked_until_it_tells_of_the_resource() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let refuses = folder.path().join("refuses");
    let path = refuses.to_str().expect("temporary folders are UTF-8");
    let plugin = Hostile::new("h", &["--watched", path]);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let (mut stream, granted) = listen(&gateway, &numbered(1), json!({})).await;
    assert_eq!(granted, json!(["x:10"]));
    std::fs::write(&refuses, "").expect("the folder can be written");
    kill(ledger.pids()[0]);
    ledger.reaches("subscribe", 2).await;
    std::fs::remove_file(&refuses).expect("it is there");
    let told = stream.event().await.expect("the stream goes on");
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], "x:10");
    assert!(ledger.count("subscribe") > 2);
    drop(stream);
    gateway.finish().await;
}

/// F44: a watch goes over to the plugin that takes the place, and waits for one where there is none. Nothing of the one
/// before is kept for it.
#[tokio::test]
async fn a_watch_outlives_its_plugin() {
    let plugin = Hostile::new("h", &["--watched", NOWHERE]);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let (mut stream, granted) = listen(&gateway, &numbered(1), json!({})).await;
    assert_eq!(granted, json!(["x:10"]));
    let exchanged = plugin.text() + "max_queue = 7\n";
    for (at, config) in [exchanged, String::new(), plugin.text()].iter().enumerate() {
        let named = gateway.registry().named("h").pop();
        let old = named.map(|old| std::sync::Arc::downgrade(&old));
        write(&gateway, config);
        let done = reload(&gateway).await["data"].clone();
        let what = ["changed", "removed", "added"][at];
        assert_eq!(done[what], json!(["h"]), "{done}");
        if let Some(old) = old {
            until("the one before is gone", || old.strong_count() == 0).await;
        }
        if what != "removed" {
            let told = stream.event().await.expect("the stream goes on");
            assert_eq!(told["method"], "notifications/resources/updated", "{what}");
            assert_eq!(told["params"]["uri"], "x:10");
        }
    }
    assert_eq!(ledger.count("subscribe"), 3);
    drop(stream);
    // Nobody watches any more, and the last one is told.
    ledger.reaches("unsubscribe", 1).await;
    gateway.finish().await;
}

/// F44: what was kept of a plugin goes with it.
#[tokio::test]
async fn what_is_kept_goes_with_its_plugin() {
    let plugin = Hostile::new("h", &["--era", "modern", "--watched", NOWHERE]);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let read = async || {
        let request = modern::request("resources/read", json!({ "uri": "x:kept" }));
        result_of(&gateway.send(&request.header("mcp-name", "x:kept")).await)
    };
    read().await;
    read().await;
    assert_eq!(ledger.count("read"), 1);
    write(&gateway, &plugin.limit("max_queue", 7).text());
    let done = reload(&gateway).await;
    assert_eq!(done["data"]["changed"], json!(["h"]), "{done}");
    read().await;
    assert_eq!(ledger.count("read"), 2, "the new one was not asked");
    gateway.finish().await;
}

#[tokio::test]
async fn the_end_of_a_watch_is_on_record() {
    let plugin = Hostile::new("h", &["--watched", NOWHERE]);
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    let watched = json!({ "uri": "x:10" });
    for (at, method) in ["resources/subscribe", "resources/unsubscribe"]
        .iter()
        .enumerate()
    {
        let asked = session.request(at as u64 + 10, method, watched.clone());
        assert_eq!(result_of(&gateway.send(&asked).await), json!({}));
        assert_eq!(gateway.records.count("x:10", "answered"), at + 1);
    }
    gateway.finish().await;
}

/// MCP 2026-07-28, caching: what is private is kept for who asked alone.
#[tokio::test]
async fn a_resource_is_asked_for_again_when_its_time_is_over_or_by_another() {
    let plugin = Hostile::new("h", &["--era", "modern", "--watched", NOWHERE]);
    let config = [token("ann", ANN, ""), token("bob", BOB, ""), plugin.text()].concat();
    let gateway = TestGateway::builder().config(&config).build().await;
    let ledger = plugin.ledger();
    let read = async |who: &str, uri: &str| {
        let request = modern::request("resources/read", json!({ "uri": uri }));
        let request = request.header("mcp-name", uri).token(who);
        result_of(&gateway.send(&request).await)
    };
    let first = read(ANN, "x:kept").await;
    assert_eq!(
        (&first["ttlMs"], &first["contents"]),
        (&json!(600_000), &json!([]))
    );
    let again = read(ANN, "x:kept").await;
    assert!(again["ttlMs"].as_u64() <= first["ttlMs"].as_u64());
    assert_eq!(ledger.count("read"), 1);
    read(BOB, "x:kept").await;
    assert_eq!(ledger.count("read"), 2);
    // That another has changed is told, so nothing of this server is taken for granted.
    read(ANN, "x:10").await;
    read(ANN, "x:kept").await;
    assert_eq!(ledger.count("read"), 4);
    gateway.finish().await;
}
