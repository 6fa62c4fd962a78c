//! Child processes that do not answer, do not read, or do not begin.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::hostile::{Hostile, all_gone, calling, failure, failure_of, gateway_of, text};
use crate::support::{Connection, LegacySession, StdioClient, modern, until, within};

/// F03: the deadline holds, the plugin is told under its own id, a late answer goes nowhere.
#[tokio::test]
async fn a_call_that_hangs_ends_at_its_deadline_and_the_plugin_is_told() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("call_timeout_ms", 300);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let begun = Instant::now();
    let (reason, words) = failure(&gateway, "h__late", json!({})).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(reason, "timeout");
    assert!(
        words.starts_with("Operation timed out after 300 ms"),
        "{words}"
    );
    ledger.reaches("cancelled", 1).await;
    assert_eq!(ledger.all("cancelled"), ledger.all("call late"));
    // The late answer has been written by now: it came before this one.
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert_eq!(ledger.count("start"), 1);
    gateway.finish().await;
}

/// F03: a plugin that is only slow at one thing is not ended for it.
#[tokio::test]
async fn a_plugin_that_still_answers_the_probe_is_kept() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("call_timeout_ms", 100);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    for _ in 0..4 {
        assert_eq!(failure(&gateway, "h__hang", json!({})).await.0, "timeout");
    }
    ledger.reaches("ping", 1).await;
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert_eq!(ledger.count("start"), 1);
    gateway.finish().await;
}

/// F03: one that is silent to three calls and a probe is started again.
#[tokio::test]
async fn a_plugin_that_does_not_answer_the_probe_is_started_again() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("call_timeout_ms", 100);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    for _ in 0..3 {
        assert_eq!(failure(&gateway, "h__freeze", json!({})).await.0, "timeout");
    }
    let restarted = async {
        while ledger.count("start") < 2 {
            let answer = crate::hostile::call(gateway.address, "h__pid", json!({})).await;
            drop(crate::hostile::result_of(&answer));
        }
    };
    tokio::time::timeout(Duration::from_secs(8), restarted)
        .await
        .expect("it is started again");
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    gateway.finish().await;
    all_gone(&ledger.pids()).await;
}

/// F14: one that does not read any more is started again; others notice nothing.
#[tokio::test]
async fn a_plugin_that_stops_reading_is_started_again_and_delays_nobody() {
    let blocked = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("call_timeout_ms", 200)
        .limit("max_message_bytes", 1 << 20);
    let other = Hostile::new("other", &[]);
    let (gateway, ledger) = (gateway_of(&[&blocked, &other]).await, blocked.ledger());
    assert_eq!(failure(&gateway, "h__freeze", json!({})).await.0, "timeout");
    let large = json!({ "text": "x".repeat(1 << 20) });
    for reason in ["timeout", "upstream_blocked"] {
        let begun = Instant::now();
        let (told, words) = failure(&gateway, "h__echo", large.clone()).await;
        assert_eq!(told, reason, "{words}");
        assert_eq!(
            text(&gateway, "other__pid", json!({})).await.parse(),
            Ok(other.ledger().pids()[0])
        );
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
    }
    within("it is started again", async {
        while crate::hostile::call(gateway.address, "h__count", json!({}))
            .await
            .text()
            .contains("isError")
        {}
    })
    .await;
    assert_eq!(ledger.count("start"), 2);
    assert_eq!(
        ledger.count("call echo"),
        0,
        "nothing that was given up is carried out"
    );
    gateway.finish().await;
    all_gone(&ledger.pids()).await;
}

/// F04.
#[tokio::test]
async fn a_plugin_that_never_answers_at_its_start_is_given_up_in_time() {
    let plugin = Hostile::new("h", &["--start", "hang"]).limit("start_timeout_ms", 300);
    let begun = Instant::now();
    let gateway = plugin.build().await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let (reason, words) = failure(&gateway, "h__echo", json!({})).await;
    assert_eq!(reason, "start_timeout", "{words}");
    assert!(words.contains("did not start within 300 ms"), "{words}");
    all_gone(&plugin.ledger().pids()).await;
    gateway.finish().await;
}

/// F14: what a client that goes away leaves half written does not hang the child.
#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_of_a_large_write_leaves_the_child_well() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let resume = gateway.folder().join("resume");
    let paused = calling(&gateway, "h__pause", json!({ "until": resume }));
    ledger.reaches("call pause", 1).await;
    let in_flight = || gateway.plugin("h").gate.in_flight();
    for _ in 0..3 {
        let mut client = gateway.connect().await;
        client
            .write(
                &modern::call("h__echo", json!({ "text": "x".repeat(3 << 20) }))
                    .bytes(gateway.address),
            )
            .await;
        until("the call reaches the plugin", || in_flight() == 2).await;
        drop(client);
        until("the call is given up", || in_flight() == 1).await;
    }
    let after = calling(&gateway, "h__echo", json!({ "text": "after" }));
    until("the call reaches the plugin", || in_flight() == 2).await;
    std::fs::write(&resume, "").expect("the folder is there");
    let answer = within("the child goes on", after).await.expect("no panic");
    assert_eq!(answer["structuredContent"]["text"], "after");
    within("the child goes on", paused).await.expect("no panic");
    assert_eq!(ledger.count("start"), 1);
    ledger.reaches("cancelled", 3).await;
    gateway.finish().await;
}

/// Each kind of cancellation reaches the child, under the id that the child knows.
#[tokio::test]
async fn cancelling_reaches_the_child_with_the_right_id() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let cancelled = async |count| {
        ledger.reaches("cancelled", count).await;
        assert_eq!(
            ledger.all("cancelled").last(),
            ledger.all("call late").last()
        );
        assert_eq!(ledger.count("cancelled"), count);
    };

    // A modern client that goes away has cancelled.
    let mut client = Connection::open(gateway.address).await;
    client
        .write(&modern::call("h__late", json!({})).bytes(gateway.address))
        .await;
    ledger.reaches("call late", 1).await;
    drop(client);
    cancelled(1).await;

    // A legacy client says so, over HTTP or stdio.
    let session = LegacySession::open(&gateway).await;
    let mut client = Connection::open(gateway.address).await;
    client
        .write(
            &session
                .call("mine", "h__late", json!({}))
                .bytes(gateway.address),
        )
        .await;
    ledger.reaches("call late", 2).await;
    let told = session.notification("notifications/cancelled", json!({ "requestId": "mine" }));
    assert_eq!(gateway.send(&told).await.status, 202);
    cancelled(2).await;

    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    client
        .request(
            77,
            "tools/call",
            json!({ "name": "h__late", "arguments": {} }),
        )
        .await;
    ledger.reaches("call late", 3).await;
    client
        .tell("notifications/cancelled", json!({ "requestId": 77 }))
        .await;
    cancelled(3).await;
    client
        .request(
            78,
            "tools/call",
            json!({ "name": "h__late", "arguments": {} }),
        )
        .await;
    ledger.reaches("call late", 4).await;
    assert_eq!(client.finish().await.len(), 0);
    cancelled(4).await;
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// A call that waits for its turn is given up in time too.
#[tokio::test]
async fn calls_above_the_bounds_are_refused_and_those_that_wait_have_a_deadline() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("max_concurrent_calls", 1)
        .limit("max_queue", 1)
        .limit("call_timeout_ms", 1000);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let first = calling(&gateway, "h__hang", json!({}));
    ledger.reaches("call hang", 1).await;
    let second = calling(&gateway, "h__hang", json!({}));
    until("the second waits", || {
        gateway.plugin("h").gate.queued() == 1
    })
    .await;
    let (reason, words) = failure(&gateway, "h__echo", json!({})).await;
    assert_eq!(reason, "overloaded", "{words}");
    for call in [first, second] {
        let result = within("the calls end", call).await.expect("no panic");
        assert_eq!(failure_of(&result).0, "timeout");
    }
    gateway.finish().await;
}
