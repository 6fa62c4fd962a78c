//! Approvals by the user of a client that can be asked, in both eras.

use serde_json::{Value, json};

use crate::hostile::{failure_of, result_of};
use crate::rounds::asker::{capable, keys, retry, send};
use crate::rules::{Script, any, get};
use crate::support::records::Kept;
use crate::support::{LegacySession, StdioClient, TestGateway, able};

const CONFIG: &str = r#"
[plugins.p]
[[plugins.p.tools]]
name = "do"
category = "remediation"
blast_radius = "one pod"
requires_approval = true
"#;

async fn gateway(script: &Script) -> TestGateway {
    TestGateway::builder()
        .config(CONFIG)
        .plugin("p", script.plugin(&any()))
        .build()
        .await
}

fn arguments() -> Value {
    json!({ "pod": "a", "password": "hunter2" })
}

/// What the question must say.
#[track_caller]
fn check_question(params: &Value) {
    let message = params["message"].as_str().expect("a message");
    for part in [
        "`p__do`",
        "plugin `p`",
        "changes things: one pod",
        r#""pod":"a""#,
        "***",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
    let schema = &params["requestedSchema"];
    assert_eq!(schema["properties"]["approve"]["type"], "boolean");
    assert_eq!(schema["required"], json!(["approve"]));
}

/// The answers of a user, and whether each is a yes.
fn answers() -> [(Value, bool); 4] {
    [
        (
            json!({ "action": "accept", "content": { "approve": true } }),
            true,
        ),
        (
            json!({ "action": "accept", "content": { "approve": false, "reason": "not now" } }),
            false,
        ),
        (json!({ "action": "decline" }), false),
        (json!({ "action": "cancel" }), false),
    ]
}

/// F45: a legacy client is asked on the stream of its call; its yes lets the call be made, everything else refuses it.
#[tokio::test]
async fn a_legacy_client_is_asked_before_the_call() {
    for version in ["2025-06-18", "2025-11-25"] {
        for (said, is_yes) in answers() {
            let script = Script::default();
            let gateway = gateway(&script).await;
            let session = LegacySession::open_able(&gateway, version).await;
            let mut connection = gateway.connect().await;
            let call = session.call(5, "p__do", arguments());
            assert!(connection.begin(&call).await.is_stream());
            let asked = connection.event().await.expect("a question");
            assert_eq!(asked["method"], "elicitation/create");
            check_question(&asked["params"]);
            assert_eq!(script.arguments().len(), 0, "nobody has agreed");
            gateway
                .send(&session.answer(&asked["id"], said.clone()))
                .await;
            let answer = connection.event().await.expect("the answer");
            assert_eq!(answer["id"], 5);
            check_end(&gateway, &script, &answer["result"], is_yes).await;
            session.delete(&gateway).await;
            gateway.finish().await;
        }
    }
}

/// F45: a modern client is asked by the answer of its call, and calls again with what its user said.
#[tokio::test]
async fn a_modern_client_is_asked_by_the_answer_of_its_call() {
    for (said, is_yes) in answers() {
        let script = Script::default();
        let gateway = gateway(&script).await;
        let params = json!({
            "name": "p__do",
            "arguments": arguments(),
            "_meta": { "io.modelcontextprotocol/clientCapabilities": capable() },
        });
        let first = send(&gateway, 1, &params).await;
        let [key] = &keys(&first)[..] else {
            panic!("one question: {first}");
        };
        let question = &first["result"]["inputRequests"][key];
        assert_eq!(question["method"], "elicitation/create");
        check_question(&question["params"]);
        assert_eq!(script.arguments().len(), 0, "nobody has agreed");
        let last = retry(&gateway, 2, (&params, &first), json!({ key: said })).await;
        check_end(&gateway, &script, &last["result"], is_yes).await;
        gateway.finish().await;
    }
}

/// What became of the call: both decisions are recorded.
async fn check_end(gateway: &TestGateway, script: &Script, result: &Value, is_yes: bool) {
    let calls = script.arguments().len();
    let approvals = gateway.send(&get("/api/approvals")).await.json();
    let approval = &approvals["approvals"][0];
    let status = match is_yes {
        true => {
            assert_ne!(result["isError"], true, "{result}");
            assert_eq!(calls, 1);
            "used"
        }
        false => {
            let (reason, words) = failure_of(result);
            assert_eq!(reason, "approval_declined");
            assert!(words.contains("declined by the user"), "{words}");
            assert_eq!(calls, 0);
            "declined"
        }
    };
    assert_eq!(
        (&approval["status"], &approval["tool"]),
        (&json!(status), &json!("p__do"))
    );
    assert_eq!(
        approval["arguments"],
        json!({ "pod": "a", "password": "***" })
    );
    assert_eq!(approval["decided_by"], "anonymous");
    let records = gateway.records.all();
    let record = Kept::only(&records, "p__do");
    assert_eq!(record.approval.as_deref(), approval["id"].as_str());
}

/// F45: on a pipe as well; a client that takes its call back is not asked any more.
#[tokio::test]
async fn a_piped_client_is_asked_and_may_take_its_call_back() {
    let script = Script::default();
    let gateway = gateway(&script).await;
    let mut client = StdioClient::initialized_with(&gateway, "2025-11-25", able()).await;
    let call = json!({ "name": "p__do", "arguments": arguments() });
    let asked = client.ask(1, "tools/call", call.clone()).await;
    check_question(&asked["params"]);
    let yes = json!({ "action": "accept", "content": { "approve": true } });
    client
        .send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": yes }))
        .await;
    assert_eq!(client.next().await["id"], 1);
    let asked = client.ask(2, "tools/call", call).await;
    let cancelled = json!({ "requestId": 2 });
    client
        .send(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled }),
        )
        .await;
    let taken_back = client.next().await;
    assert_eq!(taken_back["method"], "notifications/cancelled");
    assert_eq!(taken_back["params"]["requestId"], asked["id"]);
    assert_eq!(script.arguments().len(), 1);
    client.finish().await;
    gateway.finish().await;
}

/// A plugin's own question and the gateway's are two.
#[tokio::test]
async fn a_client_that_answers_with_an_error_leaves_it_to_an_operator() {
    let script = Script::default();
    let gateway = TestGateway::builder()
        .config(&format!("{CONFIG}\n[policy.approval]\nwait_ms = 0\n"))
        .plugin("p", script.plugin(&any()))
        .build()
        .await;
    let session = LegacySession::open_able(&gateway, "2025-11-25").await;
    let mut connection = gateway.connect().await;
    assert!(
        connection
            .begin(&session.call(5, "p__do", arguments()))
            .await
            .is_stream()
    );
    let asked = connection.event().await.expect("a question");
    let error = json!({ "code": -32603, "message": "no screen" });
    let text = json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string();
    gateway
        .send(&session.of(crate::support::Request::message(text)))
        .await;
    let answer = connection.event().await.expect("the answer");
    assert_eq!(failure_of(&answer["result"]).0, "approval_pending");
    session.delete(&gateway).await;
    gateway.finish().await;
}

/// A client that can be asked by a URL only cannot show the form.
#[tokio::test]
async fn a_client_without_forms_is_not_asked() {
    let gateway = TestGateway::builder()
        .config(&format!("{CONFIG}\n[policy.approval]\nwait_ms = 0\n"))
        .plugin("p", Script::default().plugin(&any()))
        .build()
        .await;
    let by_url = json!({ "elicitation": { "url": {} } });
    let session = LegacySession::open_with(&gateway, "2025-11-25", None, by_url).await;
    let answer = gateway.send(&session.call(1, "p__do", json!({}))).await;
    assert_eq!(failure_of(&result_of(&answer)).0, "approval_pending");
    session.delete(&gateway).await;
    gateway.finish().await;
}
