//! Ids of requests in flight: unique in a session, and nothing between sessions.

use serde_json::json;

use crate::support::{Latch, LegacySession, StdioClient, TestGateway, modern};

/// F33.
#[tokio::test]
async fn an_id_that_is_in_flight_is_refused_and_the_first_call_goes_on() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    for id in [json!(1), json!("a")] {
        let mut first = gateway.connect().await;
        let begun = latch.counts().0;
        first
            .write(
                &session
                    .call(id.clone(), "held__wait", json!({}))
                    .bytes(gateway.address),
            )
            .await;
        latch.begun(begun + 1).await;
        let second = gateway
            .send(&session.call(id.clone(), "echo__echo", json!({})))
            .await;
        assert_eq!((second.status, second.code()), (400, -32600));
        assert_eq!(second.json()["id"], id);
        if id == json!(1) {
            // Text and number are different ids.
            let other = gateway
                .send(&session.call("1", "echo__echo", json!({})))
                .await;
            assert_eq!(other.json()["result"]["content"][0]["text"], "{}");
            let cancel = session.notification("notifications/cancelled", json!({ "requestId": 1 }));
            gateway.send(&cancel).await;
            assert_eq!(first.answer().await.status, 202);
        } else {
            latch.open();
            assert_eq!(
                first.answer().await.json()["result"]["content"][0]["text"],
                "let go"
            );
        }
        // What is over may be used again.
        let again = gateway
            .send(&session.call(id, "echo__echo", json!({ "text": "again" })))
            .await;
        assert_eq!(again.json()["result"]["content"][0]["text"], "again");
    }
    gateway.finish().await;
}

/// F33.
#[tokio::test]
async fn an_id_written_in_two_ways_is_one_id() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let mut first = gateway.connect().await;
    first
        .write(
            &session
                .call("a", "held__wait", json!({}))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(1).await;
    let mut escaped = session.call("a", "echo__echo", json!({}));
    let text = String::from_utf8(escaped.body.clone()).expect("JSON is UTF-8");
    escaped.body = text
        .replacen(r#""id":"a""#, r#""id":"\u0061""#, 1)
        .into_bytes();
    assert_eq!(gateway.send(&escaped).await.code(), -32600);
    latch.open();
    assert_eq!(first.answer().await.status, 200);
    gateway.finish().await;
}

/// F33: modern requests stand alone.
#[tokio::test]
async fn modern_requests_of_one_id_do_not_meet() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let call = modern::call("held__wait", json!({})).bytes(gateway.address);
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    first.write(&call).await;
    second.write(&call).await;
    latch.begun(2).await;
    let answer = gateway
        .send(&modern::call("echo__echo", json!({ "text": "third" })))
        .await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "third");
    drop(first);
    latch.given_up(1).await;
    latch.open();
    assert_eq!(
        second.answer().await.json()["result"]["content"][0]["text"],
        "let go"
    );
    gateway.finish().await;
}

/// F33, on a pipe.
#[tokio::test]
async fn a_pipe_refuses_an_id_in_flight_in_either_era() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    client
        .request(
            1,
            "tools/call",
            json!({ "name": "held__wait", "arguments": {} }),
        )
        .await;
    latch.begun(1).await;
    let call = json!({ "name": "echo__echo", "arguments": {} });
    assert_eq!(
        client.ask(1, "tools/call", call.clone()).await["error"]["code"],
        -32600
    );
    client
        .send(&modern::message(1, "tools/call", call.clone()))
        .await;
    assert_eq!(client.next().await["error"]["code"], -32600);
    assert_eq!(client.ask("1", "tools/call", call.clone()).await["id"], "1");
    latch.open();
    assert_eq!(
        client.next().await["result"]["content"][0]["text"],
        "let go"
    );
    assert_eq!(
        client.ask(1, "tools/call", call).await["result"]["content"][0]["text"],
        "{}"
    );
    client.finish().await;
    gateway.finish().await;
}
