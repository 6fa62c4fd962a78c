//! How many calls wait for their clients, how long, and what becomes of them at the stop.

use serde_json::{Value, json};

use crate::rounds::asker::{again, gateway, params, refused, retry, send, text};
use crate::support::{Latch, until, within};

#[tokio::test]
async fn a_client_that_does_not_come_back_has_cancelled() {
    let gateway = gateway("[server.rounds]\nwait_ms = 50", &Latch::new()).await;
    let plain = params("once");
    let asked = send(&gateway, 1, &plain).await;
    until("the call is given up", || {
        gateway.records.count("asker__once", "cancelled") == 1
    })
    .await;
    assert!(gateway.app.desk.rounds.is_empty());
    let late = send(&gateway, 2, &again(&plain, &asked, json!({ "q1": {} }))).await;
    assert!(refused(&late).contains("expired"), "{late}");
    gateway.finish().await;
}

/// A call may wait for its client for longer than it may work.
#[tokio::test]
async fn waiting_for_the_client_is_not_the_call_s_time() {
    let config = "[plugins.asker]\n[plugins.asker.limits]\ncall_timeout_ms = 60";
    let latch = Latch::new();
    let gateway = gateway(config, &latch).await;
    let params = params("once");
    let asked = send(&gateway, 1, &params).await;
    // A call that only works is over its time now.
    let waits = send(
        &gateway,
        2,
        &json!({ "name": "asker__hold", "arguments": {} }),
    )
    .await;
    assert!(text(&waits).contains("timed out"), "{waits}");
    let answer = retry(&gateway, 3, (&params, &asked), json!({ "q1": {} })).await;
    assert_eq!(text(&answer), "{}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_thousand_calls_park_at_once() {
    let config = "[plugins.asker]\n[plugins.asker.limits]\nmax_concurrent_calls = 1000";
    let gateway = gateway(config, &Latch::new()).await;
    let plain = params("once");
    let numbered = |number: u32| {
        let mut params = plain.clone();
        params["arguments"] = json!({ "n": number });
        params
    };
    let mut asked: Vec<Value> = Vec::new();
    for number in 0..1000 {
        asked.push(send(&gateway, number, &numbered(number)).await);
    }
    assert_eq!(gateway.app.desk.rounds.len(), 1000);
    let answers = asked.iter().zip(0..).map(|(asked, number)| {
        let (gateway, params) = (&gateway, numbered(number));
        async move {
            let responses = json!({ "q1": { "n": number } });
            let answer = retry(gateway, number, (&params, asked), responses).await;
            assert_eq!(text(&answer), json!({ "n": number }).to_string());
        }
    });
    futures::future::join_all(answers).await;
    assert!(gateway.app.desk.rounds.is_empty());
    gateway.finish().await;
}

/// F42: a parked call holds the stop up in nothing, and is recorded.
#[tokio::test]
async fn a_parked_call_ends_with_the_gateway() {
    let gateway = gateway("", &Latch::new()).await;
    send(&gateway, 1, &params("once")).await;
    assert_eq!(gateway.app.desk.rounds.len(), 1);
    let left = within("the front drains", gateway.front.drain()).await;
    assert_eq!(left, 0);
    until("it is recorded", || {
        gateway.records.count("asker__once", "cancelled") == 1
    })
    .await;
    gateway.finish().await;
}
