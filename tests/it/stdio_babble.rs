//! Child processes that say what they should not, or too much.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::hostile::{Hostile, calling, failure, failure_of, gateway_of, text, value};
use crate::support::{LegacySession, Request, StdioClient, TestGateway, within};

/// F06, S30.
#[tokio::test]
async fn lines_that_are_no_messages_are_passed_over() {
    for era in ["legacy", "modern"] {
        let plugin = Hostile::new("h", &["--garbage", "--era", era]);
        let gateway = plugin.build().await;
        for n in 0..20 {
            assert_eq!(value(&gateway, "h__echo", json!({ "n": n })).await["n"], n);
        }
        assert_eq!(plugin.ledger().count("start"), 1);
        gateway.finish().await;
    }
}

/// F06: what a plugin prints reaches no client.
#[tokio::test]
async fn garbage_of_a_plugin_does_not_reach_a_client() {
    let plugin = Hostile::new("h", &["--garbage"]);
    let gateway = plugin.build().await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let answer = client
        .ask(
            1,
            "tools/call",
            json!({ "name": "h__echo", "arguments": { "a": 1 } }),
        )
        .await;
    assert_eq!(answer["result"]["structuredContent"], json!({ "a": 1 }));
    assert_eq!(client.finish().await, Vec::<serde_json::Value>::new());
    gateway.finish().await;
}

/// F09: a malformed answer fails the call at once, and only that one.
#[tokio::test]
async fn a_malformed_answer_fails_its_call() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let bystander = calling(&gateway, "h__gather", json!({ "of": 2 }));
    ledger.reaches("call gather", 1).await;
    let lies = [
        "not_utf8",
        "no_jsonrpc",
        "deep",
        "no_object",
        "result_and_error",
        "cut_json",
    ];
    for lie in lies {
        let begun = Instant::now();
        let (reason, words) = failure(&gateway, &format!("h__{lie}"), json!({})).await;
        assert_eq!(reason, "protocol_error", "{lie}: {words}");
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{lie} took {:?}",
            begun.elapsed()
        );
    }
    let other = value(&gateway, "h__gather", json!({ "of": 2, "n": 1 })).await;
    assert_eq!(other["n"], 1);
    let bystander = within("nobody else was failed", bystander)
        .await
        .expect("no panic");
    assert_eq!(bystander["structuredContent"]["of"], 2);
    assert_eq!(ledger.count("start"), 1);
    gateway.finish().await;
}

/// F09: `resultType` means something to modern servers only; to others it is a field like any other.
#[tokio::test]
async fn a_kind_of_result_that_the_protocol_does_not_have_is_malformed_in_its_era() {
    for (era, is_malformed) in [("modern", true), ("legacy", false)] {
        let plugin = Hostile::new("h", &["--era", era]);
        let gateway = plugin.build().await;
        let answer = gateway
            .send(&legacy_call(&gateway, "h__strange_type").await)
            .await;
        let result = &answer.json()["result"];
        assert_eq!(result["isError"] == true, is_malformed, "{era}: {result}");
        assert_eq!(
            result["resultType"] == "banana",
            !is_malformed,
            "{era}: {result}"
        );
        gateway.finish().await;
    }
}

async fn legacy_call(gateway: &TestGateway, tool: &str) -> Request {
    LegacySession::open(gateway).await.call(1, tool, json!({}))
}

/// F09: an answer under an id that was never given out is nobody's.
#[tokio::test]
async fn an_answer_under_a_wrong_id_is_dropped() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("call_timeout_ms", 300);
    let gateway = plugin.build().await;
    assert_eq!(
        failure(&gateway, "h__wrong_id", json!({})).await.0,
        "timeout"
    );
    assert_eq!(value(&gateway, "h__echo", json!({ "a": 1 })).await["a"], 1);
    gateway.finish().await;
}

/// F09: servers of one revision may put several messages in one line (MCP 2025-03-26).
#[tokio::test]
async fn an_answer_in_a_batch_is_an_answer() {
    let gateway = Hostile::new("h", &[]);
    let gateway = gateway.build().await;
    assert_eq!(text(&gateway, "h__batch", json!({})).await, "in a batch");
    gateway.finish().await;
}

/// F10.
#[tokio::test]
async fn of_two_answers_the_first_counts() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let gateway = plugin.build().await;
    for _ in 0..20 {
        assert_eq!(text(&gateway, "h__twice", json!({})).await, "first");
        assert_ne!(text(&gateway, "h__count", json!({})).await, "second");
    }
    gateway.finish().await;
}

/// An error of the plugin is the plugin's, and arrives as it is.
#[tokio::test]
async fn an_error_of_the_plugin_arrives_as_it_is() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let answer = crate::hostile::call(gateway.address, "h__refuse", json!({})).await;
    assert_eq!(
        answer.json()["error"],
        json!({ "code": -32602, "message": "not like this" })
    );
    gateway.finish().await;
}

/// F08.
#[tokio::test]
async fn a_line_of_100_mb_fails_who_waits_and_the_pipe_goes_on() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let bystander = calling(&gateway, "h__hang", json!({}));
    ledger.reaches("call hang", 1).await;
    let begun = Instant::now();
    let (reason, words) = failure(&gateway, "h__huge_line", json!({ "bytes": 100 << 20 })).await;
    assert_eq!(reason, "line_too_large", "{words}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    // Nobody can say whose answer it was.
    let bystander = within("the others are told", bystander)
        .await
        .expect("no panic");
    assert_eq!(failure_of(&bystander).0, "line_too_large");
    assert_eq!(value(&gateway, "h__echo", json!({ "a": 1 })).await["a"], 1);
    assert_eq!(ledger.count("start"), 1);
    gateway.finish().await;
}

/// F07: a call in a flood ends by its deadline, the plugin can be stopped, others are as quick as ever.
#[tokio::test]
async fn a_flood_of_notifications_drowns_nobody() {
    let flooding = Hostile::new("h", &[]).limit("call_timeout_ms", 700);
    let other = Hostile::new("other", &[]);
    let gateway = gateway_of(&[&flooding, &other]).await;
    let session = LegacySession::open(&gateway).await;
    let mut client = gateway.connect().await;
    client
        .write(
            &session
                .call(1, "h__flood_forever", json!({}))
                .bytes(gateway.address),
        )
        .await;
    flooding.ledger().reaches("call flood", 1).await;
    let mut slowest = Duration::ZERO;
    for n in 0..50 {
        let begun = Instant::now();
        assert_eq!(
            value(&gateway, "other__echo", json!({ "n": n })).await["n"],
            n
        );
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    assert_eq!(session.delete(&gateway).await.status, 204);
    drop(client);
    gateway.finish().await;
}

/// F07: what a client does not read is dropped, and its answer arrives all the same.
#[tokio::test]
async fn a_flood_that_ends_is_followed_by_the_answer() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    let answer = gateway
        .send(&session.call(1, "h__flood", json!({ "count": 20_000 })))
        .await;
    let last = answer.events().pop().expect("an answer");
    assert_eq!(last["result"]["content"][0]["text"], "flooded");
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// F15: 256 MB; the last words stay within their bound.
#[tokio::test]
async fn a_flood_on_stderr_is_drained() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("stderr_buffer_bytes", 4096);
    let gateway = plugin.build().await;
    let flood = calling(&gateway, "h__stderr", json!({ "mebibytes": 256 }));
    plugin.ledger().reaches("call stderr", 1).await;
    within("the flood is read", flood).await.expect("no panic");
    let (_, words) = failure(&gateway, "h__exit", json!({ "code": 9 })).await;
    assert!(
        words.contains("exit code 9") && words.contains("out of cheese"),
        "{words}"
    );
    assert!(words.len() < 8192, "{} bytes", words.len());
    gateway.finish().await;
}
