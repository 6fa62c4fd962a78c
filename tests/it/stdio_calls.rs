//! Calls to child processes, many at once, and what is told while they run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::hostile::{Hostile, text, value};
use crate::support::{Answer, LegacySession, StdioClient, TestGateway, modern, within};

/// 200 calls of eight clients that use the same ids are answered in the opposite order, each to its caller.
#[tokio::test]
async fn many_callers_share_one_child_and_no_answers_cross() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("max_concurrent_calls", 200);
    let gateway = plugin.build().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(StdioClient::initialized(&gateway, "2025-11-25").await);
    }
    for _ in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            for id in 0..25 {
                let arguments = json!({ "of": 200, "client": number, "call": id });
                client
                    .request(
                        id,
                        "tools/call",
                        json!({ "name": "h__gather", "arguments": arguments }),
                    )
                    .await;
            }
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let mut seen = BTreeSet::new();
            for _ in 0..25 {
                let answer = client.next().await;
                let told = &answer["result"]["structuredContent"];
                assert_eq!(
                    (&told["client"], &told["call"]),
                    (&json!(number), &answer["id"]),
                    "{answer}"
                );
                seen.insert(answer["id"].to_string());
            }
            assert_eq!(seen.len(), 25);
        }
    }
    assert_eq!(plugin.ledger().count("start"), 1);
    for client in clients {
        assert_eq!(client.finish().await.len(), 0);
    }
    gateway.finish().await;
}

/// What the child was sent, for a call with these params.
async fn arrives(gateway: &TestGateway, arguments: Value, meta: Value) -> Value {
    let params = json!({ "name": "h__params", "arguments": arguments, "_meta": meta });
    let answer = gateway.send(&modern::request("tools/call", params)).await;
    crate::hostile::result_of(&answer)["structuredContent"].clone()
}

/// What belongs to the client's own hop stays there; all else arrives.
#[tokio::test]
async fn a_child_of_each_era_gets_what_belongs_to_its_own_hop() {
    let (legacy, modern) = (
        Hostile::new("h", &[]),
        Hostile::new("h", &["--era", "modern"]),
    );
    let meta = json!({ "com.example/k": { "z": 1, "a": 2 }, "traceparent": "00-0-0-01" });
    let gateway = legacy.build().await;
    let seen = arrives(&gateway, json!({ "a": 1 }), meta.clone()).await;
    assert_eq!(
        seen,
        json!({ "name": "params", "arguments": { "a": 1 }, "_meta": meta })
    );
    gateway.finish().await;
    let gateway = modern.build().await;
    let seen = arrives(&gateway, json!({ "a": 1 }), meta.clone()).await;
    assert_eq!(
        seen["_meta"]["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert_eq!(seen["_meta"]["com.example/k"], meta["com.example/k"]);
    assert_eq!(
        (&seen["name"], &seen["arguments"]),
        (&json!("params"), &json!({ "a": 1 }))
    );
    gateway.finish().await;
}

/// The notifications before the answer, and the answer's result.
fn told(answer: &Answer) -> (Vec<Value>, Value) {
    if !answer.is_stream() {
        return (Vec::new(), answer.json()["result"].clone());
    }
    let mut events = answer.events();
    let last = events.pop().expect("an answer");
    (events, last["result"].clone())
}

/// The client hears under its own token; the child has another; nobody hears a stranger's.
#[tokio::test]
async fn progress_is_told_under_the_token_of_the_client() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    for token in [json!("mine"), json!(4711), json!("424242")] {
        let params =
            json!({ "name": "h__progress", "arguments": {}, "_meta": { "progressToken": token } });
        let legacy = session.request(token.clone(), "tools/call", params.clone());
        for request in [legacy, modern::request("tools/call", params)] {
            let (events, result) = told(&gateway.send(&request).await);
            let expected = |n: u64| {
                json!({
                    "jsonrpc": "2.0", "method": "notifications/progress",
                    "params": { "progressToken": token, "progress": n, "total": 4.0, "x": { "b": 1, "a": 2 } },
                })
            };
            assert_eq!(events, [expected(1), expected(4)]);
            assert_ne!(
                result["structuredContent"]["token"],
                json!(token.to_string())
            );
        }
    }
    // Who does not ask for progress gets none, and so does the child.
    let answer = gateway.send(&modern::call("h__progress", json!({}))).await;
    assert!(!answer.is_stream());
    assert_eq!(
        answer.json()["result"]["structuredContent"]["token"],
        "null"
    );
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// Log messages go to the client whose call they belong to.
#[tokio::test]
async fn log_messages_go_to_the_right_client_only() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let (one, two) = (
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    );
    let calls = (0..20).flat_map(|n| [(&one, format!("one {n}")), (&two, format!("two {n}"))]);
    let calls = calls.map(|(session, word)| {
        let request = session.call(word.clone(), "h__log", json!({ "text": word }));
        let gateway = &gateway;
        async move {
            let (events, _) = told(&gateway.send(&request).await);
            let data: Vec<Value> = events
                .iter()
                .map(|event| event["params"]["data"].clone())
                .collect();
            (word, data)
        }
    });
    let heard = within("all are answered", futures::future::join_all(calls)).await;
    let mut messages = 0;
    for (word, data) in heard {
        let own = word.split(' ').next().expect("a word");
        assert!(
            data.iter()
                .all(|text| text.as_str().is_some_and(|text| text.starts_with(own))),
            "{word}: {data:?}"
        );
        messages += data.len();
    }
    // Calls of one session may run at once; then a message is told on the latest of them, and never lost.
    assert_eq!(messages, 40);
    for session in [one, two] {
        assert_eq!(session.delete(&gateway).await.status, 204);
    }
    gateway.finish().await;
}

/// In a process of many, what could be anyone's is told to nobody.
#[tokio::test]
async fn a_log_message_that_could_be_anyones_is_told_to_nobody() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    let (events, _) = told(
        &gateway
            .send(&session.call(1, "h__log", json!({ "text": "alone" })))
            .await,
    );
    assert_eq!(
        events[0]["params"],
        json!({ "level": "error", "logger": "hostile", "data": "alone", "x": 1.0 })
    );
    let other = crate::hostile::calling(&gateway, "h__gather", json!({ "of": 2 }));
    plugin.ledger().reaches("call gather", 1).await;
    let answer = gateway
        .send(&session.call(2, "h__log", json!({ "text": "two" })))
        .await;
    assert!(!answer.is_stream(), "{}", answer.text());
    value(&gateway, "h__gather", json!({ "of": 2 })).await;
    within("the other ends", other).await.expect("no panic");
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// Both sides may be large.
#[tokio::test]
async fn large_arguments_and_results_go_through() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let large = "ü\n\"".repeat(400_000);
    assert_eq!(
        value(&gateway, "h__echo", json!({ "text": large })).await["text"],
        large
    );
    assert_eq!(
        text(&gateway, "h__big", json!({ "bytes": 10 << 20 }))
            .await
            .len(),
        10 << 20
    );
    gateway.finish().await;
}
