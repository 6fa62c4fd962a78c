//! Calls that are to change nothing.

use serde_json::json;

use crate::hostile::{failure_of, result_of};
use crate::rest::{self, refused};
use crate::rules::{Script, any, post};
use crate::support::records::Kept;
use crate::support::{TestGateway, modern};

const CONFIG: &str = r#"
[plugins.p]
[[plugins.p.tools]]
name = "do"
category = "remediation"
risk = "high"
blast_radius = "one pod"
requires_approval = true
[policy.approval]
wait_ms = 0
"#;

async fn gateway(script: &Script, config: &str) -> TestGateway {
    let schema = json!({
        "type": "object",
        "properties": { "pod": { "type": "string" }, "n": { "default": 1 } },
        "required": ["pod"],
    });
    TestGateway::builder()
        .config(config)
        .plugin("p", script.plugin(&schema))
        .build()
        .await
}

/// F45: a tool that cannot be told is not called; it is said what would be done, over MCP and plain HTTP alike.
#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_calls_nothing() {
    let script = Script::default();
    let gateway = gateway(&script, CONFIG).await;
    let expect = json!({
        "dry_run": true,
        "tool": "p__do",
        "plugin": "p",
        "category": "remediation",
        "risk": "high",
        "arguments": { "pod": "a", "n": 1 },
        "effect": "changes things (risk high): one pod",
        "requires_approval": true,
        "would_call": true,
    });
    let params = |pod: serde_json::Value| json!({ "name": "p__do", "arguments": { "pod": pod }, "_meta": { "toolgate/dry_run": true } });
    let answer = gateway
        .send(&modern::request("tools/call", params(json!("a"))))
        .await;
    let result = result_of(&answer);
    assert_eq!(result["structuredContent"], expect);
    assert_eq!(result["resultType"], "complete");
    let mut by_query = rest::call("p__do?dry_run=true", r#"{"pod":"a"}"#);
    assert_eq!(
        gateway.send(&by_query).await.json()["structuredContent"],
        expect
    );
    by_query = rest::call("p__do", r#"{"pod":"a"}"#).header("toolgate-dry-run", "1");
    assert_eq!(
        gateway.send(&by_query).await.json()["structuredContent"],
        expect
    );
    let execute = json!({ "id": "p", "method": "do", "args": { "pod": "a" } });
    let answer = gateway
        .send(&post("/api/v1/plugin/execute?dry_run=true", &execute))
        .await;
    assert_eq!(answer.json()["data"]["structuredContent"], expect);
    // What would be refused is refused.
    let answer = gateway
        .send(&modern::request("tools/call", params(json!(7))))
        .await;
    assert_eq!(failure_of(&result_of(&answer)).0, "bad_input");
    // A wish that cannot be read is not taken for none.
    let unread = rest::call("p__do", r#"{"pod":"a"}"#).header("toolgate-dry-run", "yes");
    assert_eq!(refused(&gateway.send(&unread).await, 400), "bad_request");
    let unread = rest::call("p__do?dry_run=1", r#"{"pod":"a"}"#);
    assert_eq!(refused(&gateway.send(&unread).await, 400), "bad_request");
    assert_eq!(script.arguments(), Vec::<String>::new());
    assert!(gateway.records.all().iter().all(|kept| kept.dry_run));
    gateway.finish().await;
}

/// F45: a tool that can be told is called, and told.
#[tokio::test]
async fn a_tool_that_can_be_told_makes_the_dry_run_itself() {
    let told = |how: &str| format!("[plugins.p]\n[[plugins.p.tools]]\nname = \"do\"\n{how}\n");
    let by_argument = Script::default();
    let one = gateway(&by_argument, &told("dry_run = \"only_try\"")).await;
    let request = rest::call(
        "p__do?dry_run=true",
        r#"{"pod":"a","only_try":false,"n" : 2}"#,
    );
    assert_eq!(one.send(&request).await.status, 200);
    let request = rest::call("p__do?dry_run=true", r#"{"pod":"a"}"#);
    assert_eq!(one.send(&request).await.status, 200);
    assert_eq!(
        one.send(&rest::call("p__do", r#"{"pod":"b"}"#))
            .await
            .status,
        200
    );
    assert_eq!(
        by_argument.arguments(),
        [
            r#"{"pod":"a","only_try":true,"n":2}"#,
            r#"{"pod":"a","n":1,"only_try":true}"#,
            r#"{"pod":"b","n":1}"#,
        ]
    );
    let dry: Vec<bool> = one.records.all().iter().map(|kept| kept.dry_run).collect();
    assert_eq!(dry, [true, true, false]);
    one.finish().await;
    let by_meta = Script::default();
    let other = gateway(&by_meta, &told("dry_run = true")).await;
    let request = rest::call("p__do", r#"{"pod":"a"}"#).header("toolgate-dry-run", "true");
    assert_eq!(other.send(&request).await.status, 200);
    assert_eq!(by_meta.metas(), [r#"{"toolgate/dry_run":true}"#]);
    assert!(Kept::only(&other.records.all(), "p__do").dry_run);
    other.finish().await;
}

/// A call without the wish is a call.
#[tokio::test]
async fn a_wish_that_is_not_true_is_none() {
    let script = Script::default();
    let gateway = TestGateway::builder()
        .plugin("p", script.plugin(&any()))
        .build()
        .await;
    for dry_run in [json!(false), json!(null), json!("true"), json!(1)] {
        let params = json!({ "name": "p__do", "_meta": { "toolgate/dry_run": dry_run } });
        gateway.send(&modern::request("tools/call", params)).await;
    }
    assert_eq!(
        script.arguments().len(),
        2,
        "one that is unclear is refused"
    );
    gateway.finish().await;
}
