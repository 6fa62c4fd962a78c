//! Rounds over standard input and output.

use serde_json::{Value, json};

use crate::rounds::asker::{again, gateway, keys, params, refused, text};
use crate::support::{Latch, StdioClient, modern, until};

async fn send(client: &mut StdioClient, id: u32, params: &Value) {
    let message = modern::message(id, "tools/call", params.clone());
    client.send(&message).await;
}

async fn ask(client: &mut StdioClient, id: u32, params: &Value) -> Value {
    send(client, id, params).await;
    let answer = client.next().await;
    assert_eq!(answer["id"], id, "{answer}");
    answer
}

#[tokio::test]
async fn a_call_asks_its_client_over_a_pipe_too() {
    let gateway = gateway("", &Latch::new()).await;
    let mut client = StdioClient::start(&gateway);
    let plain = params("thrice");
    let first = ask(&mut client, 1, &plain).await;
    assert_eq!(keys(&first), ["q1"]);
    // The id of the round is free again, and the call cannot be reached by it.
    client
        .tell("notifications/cancelled", json!({ "requestId": 1 }))
        .await;
    let second = ask(&mut client, 1, &again(&plain, &first, json!({ "q1": {} }))).await;
    assert_eq!(keys(&second), ["q2"]);
    let stale = ask(&mut client, 2, &again(&plain, &first, json!({ "q1": {} }))).await;
    assert!(refused(&stale).contains("used already"), "{stale}");
    let third = ask(&mut client, 3, &again(&plain, &second, json!({ "q2": {} }))).await;
    let last = ask(&mut client, 4, &again(&plain, &third, json!({ "q3": {} }))).await;
    assert_eq!(text(&last), "{} {} {}");
    assert_eq!(client.finish().await.len(), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_told_between_rounds_stands_before_the_next_answer() {
    let latch = Latch::new();
    let gateway = gateway("", &latch).await;
    let mut client = StdioClient::start(&gateway);
    let mut plain = params("told");
    plain["_meta"]["progressToken"] = json!("one");
    send(&mut client, 1, &plain).await;
    let before = client.next().await;
    assert_eq!(before["params"]["progressToken"], "one");
    let asked = client.next().await;
    latch.open();
    latch.done(2).await;
    let mut next = again(&plain, &asked, json!({ "q1": {} }));
    next["_meta"]["progressToken"] = json!("two");
    send(&mut client, 2, &next).await;
    for progress in [2, 3] {
        let told = client.next().await;
        assert_eq!(told["params"]["progressToken"], "two", "{told}");
        assert_eq!(told["params"]["progress"], progress);
    }
    assert_eq!(text(&client.next().await), "{}");
    assert_eq!(client.finish().await.len(), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn a_later_round_can_be_cancelled_by_its_id() {
    let latch = Latch::new();
    let gateway = gateway("", &latch).await;
    let mut client = StdioClient::start(&gateway);
    let plain = params("wait");
    let asked = ask(&mut client, 1, &plain).await;
    send(&mut client, 2, &again(&plain, &asked, json!({ "q1": {} }))).await;
    latch.begun(1).await;
    client
        .tell("notifications/cancelled", json!({ "requestId": 2 }))
        .await;
    latch.given_up(1).await;
    until("it is recorded", || {
        gateway.records.count("asker__wait", "cancelled") == 1
    })
    .await;
    assert_eq!(client.finish().await.len(), 0);
    gateway.finish().await;
}

/// The end of the input ends everything, and so does the stop.
#[tokio::test]
async fn parked_calls_end_with_their_pipe() {
    let gateway = gateway("", &Latch::new()).await;
    let mut client = StdioClient::start(&gateway);
    ask(&mut client, 1, &params("once")).await;
    assert_eq!(client.finish().await.len(), 0);
    until("it is recorded", || {
        gateway.records.count("asker__once", "cancelled") == 1
    })
    .await;
    let mut client = StdioClient::start(&gateway);
    ask(&mut client, 1, &params("once")).await;
    client.stop();
    client.ended().await;
    until("it is recorded", || {
        gateway.records.count("asker__once", "cancelled") == 2
    })
    .await;
    gateway.finish().await;
}
