//! What cancels a call, and what does not.

use serde_json::json;

use crate::support::{Latch, LegacySession, TestGateway, modern, until};

async fn held(latch: &Latch) -> TestGateway {
    TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await
}

/// F32: closing the connection is how a modern client cancels.
#[tokio::test]
async fn a_modern_client_that_closes_has_cancelled() {
    let latch = Latch::new();
    let gateway = held(&latch).await;
    let mut connection = gateway.connect().await;
    connection
        .write(&modern::call("held__wait", json!({})).bytes(gateway.address))
        .await;
    latch.begun(1).await;
    drop(connection);
    latch.given_up(1).await;
    until("nothing is in flight", || gateway.front.active() == 0).await;
    gateway.finish().await;
}

/// F32: the same when the answer has become a stream.
#[tokio::test]
async fn a_modern_client_that_closes_its_stream_has_cancelled() {
    let gateway = TestGateway::plain().await;
    let params = json!({
        "name": "echo__count",
        "arguments": { "to": 1000, "delay_ms": 1 },
        "_meta": { "progressToken": 1 },
    });
    let mut connection = gateway.connect().await;
    connection
        .begin(&modern::request("tools/call", params))
        .await;
    assert!(connection.event().await.is_some());
    drop(connection);
    until("nothing is in flight", || gateway.front.active() == 0).await;
    gateway.finish().await;
}

/// F32: a call that waits for its turn is given up as well.
#[tokio::test]
async fn a_modern_client_that_closes_leaves_the_queue() {
    let latch = Latch::new();
    let config = "[plugins.held.limits]\nmax_concurrent_calls = 1\nmax_queue = 1";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let call = modern::call("held__wait", json!({})).bytes(gateway.address);
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    first.write(&call).await;
    latch.begun(1).await;
    second.write(&call).await;
    let held = gateway.plugin("held");
    let gate = &held.gate;
    until("the second waits", || gate.queued() == 1).await;
    drop(second);
    until("nobody waits", || gate.queued() == 0).await;
    latch.open();
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(latch.counts(), (1, 0, 1));
    gateway.finish().await;
}

/// F32: a legacy client that goes away may come back for the session, and has cancelled nothing.
#[tokio::test]
async fn a_legacy_client_that_disconnects_has_not_cancelled() {
    let latch = Latch::new();
    let gateway = held(&latch).await;
    let session = LegacySession::open(&gateway).await;
    let mut connection = gateway.connect().await;
    connection
        .write(
            &session
                .call(1, "held__wait", json!({}))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(1).await;
    drop(connection);
    // The gateway has seen it go when the next connection has been served.
    assert_eq!(
        gateway
            .send(&session.request(2, "ping", json!({})))
            .await
            .status,
        200
    );
    assert_eq!((latch.counts(), gateway.front.active()), ((1, 0, 0), 1));
    latch.open();
    latch.done(1).await;
    assert_eq!(latch.counts(), (1, 0, 1));
    gateway.finish().await;
}

#[tokio::test]
async fn a_legacy_call_that_is_cancelled_gets_no_answer() {
    let latch = Latch::new();
    let gateway = held(&latch).await;
    let session = LegacySession::open(&gateway).await;
    for id in [json!(7), json!("seven")] {
        let mut connection = gateway.connect().await;
        connection
            .write(
                &session
                    .call(id.clone(), "held__wait", json!({}))
                    .bytes(gateway.address),
            )
            .await;
        let so_far = latch.counts().1;
        latch.begun(so_far + 1).await;
        let params = json!({ "requestId": id, "reason": "no longer needed" });
        let told = gateway
            .send(&session.notification("notifications/cancelled", params))
            .await;
        assert_eq!((told.status, told.body.len()), (202, 0));
        latch.given_up(so_far + 1).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_legacy_stream_of_a_cancelled_call_ends_without_an_answer() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let params = json!({
        "name": "echo__count",
        "arguments": { "to": 1000, "delay_ms": 5 },
        "_meta": { "progressToken": 1 },
    });
    let mut connection = gateway.connect().await;
    connection
        .begin(&session.request(1, "tools/call", params))
        .await;
    assert!(connection.event().await.is_some());
    gateway
        .send(&session.notification("notifications/cancelled", json!({ "requestId": 1 })))
        .await;
    while let Some(event) = connection.event().await {
        assert_eq!(
            event["method"], "notifications/progress",
            "no answer is owed"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_cancellation_that_means_no_request_in_flight_is_ignored() {
    let latch = Latch::new();
    let gateway = held(&latch).await;
    let session = LegacySession::open(&gateway).await;
    let mut connection = gateway.connect().await;
    connection
        .write(
            &session
                .call(1, "held__wait", json!({}))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(1).await;
    for params in [
        json!({ "requestId": 2 }),
        json!({ "requestId": "1" }),
        json!({ "requestId": null }),
        json!({}),
    ] {
        let told = gateway
            .send(&session.notification("notifications/cancelled", params))
            .await;
        assert_eq!(told.status, 202);
    }
    latch.open();
    assert_eq!(
        connection.answer().await.json()["result"]["content"][0]["text"],
        "let go"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn the_end_of_a_session_cancels_its_calls() {
    let latch = Latch::new();
    let gateway = held(&latch).await;
    let session = LegacySession::open(&gateway).await;
    let mut connection = gateway.connect().await;
    connection
        .write(
            &session
                .call(1, "held__wait", json!({}))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(1).await;
    assert_eq!(session.delete(&gateway).await.status, 204);
    latch.given_up(1).await;
    assert_eq!(connection.answer().await.status, 202);
    gateway.finish().await;
}

/// A call that takes longer than its plugin allows.
#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let latch = Latch::new();
    let config = "[plugins.held.limits]\ncall_timeout_ms = 50";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let answer = gateway.send(&modern::call("held__wait", json!({}))).await;
    let result = &answer.json()["result"];
    assert_eq!(result["isError"], true);
    assert_eq!(result["_meta"]["toolgate/reason"], "timeout");
    assert!(
        result["content"][0]["text"]
            .to_string()
            .contains("timed out after 50 ms"),
        "{result}"
    );
    latch.given_up(1).await;
    gateway.finish().await;
}

/// Promised of every call: one record, whatever becomes of it.
#[tokio::test]
async fn every_call_leaves_one_record() {
    let latch = Latch::new();
    let config = "[plugins.held.limits]\nmax_concurrent_calls = 3\nmax_queue = 0";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let calls = [
        modern::call("held__wait", json!({})),
        session.call(1, "held__wait", json!({})),
        session.call(2, "held__wait", json!({})),
    ];
    let mut connections = Vec::new();
    for call in calls {
        let mut connection = gateway.connect().await;
        connection.write(&call.bytes(gateway.address)).await;
        connections.push(connection);
    }
    latch.begun(3).await;
    gateway.send(&modern::call("held__wait", json!({}))).await;
    gateway
        .send(&modern::call("echo__count", json!({ "to": -1 })))
        .await;
    gateway
        .send(&modern::call("held__nothing", json!({})))
        .await;
    gateway.send(&modern::call("echo__echo", json!({}))).await;
    gateway
        .send(&modern::request("tools/list", json!({})))
        .await;
    drop(connections.remove(0));
    let cancel = session.notification("notifications/cancelled", json!({ "requestId": 1 }));
    gateway.send(&cancel).await;
    latch.given_up(2).await;
    latch.open();
    latch.done(1).await;
    until("all are recorded", || gateway.records.all().len() == 7).await;
    let expected = [
        ("held__wait", "cancelled", 2),
        ("held__wait", "answered", 1),
        ("held__wait", "busy", 1),
        ("echo__count", "bad_input", 1),
        ("held__nothing", "not_found", 1),
        ("echo__echo", "answered", 1),
    ];
    for (tool, outcome, count) in expected {
        assert_eq!(
            gateway.records.count(tool, outcome),
            count,
            "{tool} {outcome}"
        );
    }
    gateway.finish().await;
}
