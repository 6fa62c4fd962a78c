//! Approvals that an operator gives, for callers that cannot be asked.

use serde_json::{Value, json};

use crate::rest::{self, refused};
use crate::rules::{Script, any, get, post, put};
use crate::support::{Answer, Program, TestGateway, until};
use crate::tokens::{ANN, BOB, token};

const TOOL: &str = "[plugins.p]\n[[plugins.p.tools]]\nname = \"do\"\nrisk = \"high\"\n";

async fn gateway(script: &Script, config: &str) -> TestGateway {
    TestGateway::builder()
        .config(&format!("{TOOL}{config}"))
        .plugin("p", script.plugin(&any()))
        .build()
        .await
}

async fn approvals(gateway: &TestGateway, query: &str, token: Option<&str>) -> Vec<Value> {
    let mut request = get(&format!("/api/approvals{query}"));
    if let Some(token) = token {
        request = request.token(token);
    }
    let answer = gateway.send(&request).await.json();
    answer["approvals"].as_array().expect("a list").clone()
}

/// The id of the only one, if there is one.
fn id_of(approvals: &[Value]) -> String {
    let id = approvals.first().and_then(|one| one["id"].as_str());
    id.unwrap_or_default().to_owned()
}

/// The id in the refusal of a call that waits.
#[track_caller]
fn pending(answer: &Answer) -> String {
    assert_eq!(refused(answer, 403), "approval_pending");
    let text = answer.json()["error"]["message"].to_string();
    let (_, rest) = text
        .split_once("approvals approve ")
        .expect("how to give it");
    rest.split('`').next().expect("an id").to_owned()
}

/// F45: what cannot be asked of a client waits for an operator; the same call uses what was given, once.
#[tokio::test]
async fn an_operator_gives_an_approval_and_the_same_call_uses_it_once() {
    let script = Script::default();
    let gateway = gateway(&script, "[policy.approval]\nrisk = \"high\"\nwait_ms = 0\n").await;
    let call = rest::call("p__do", r#"{"a":1,"secret":"s"}"#);
    let id = pending(&gateway.send(&call).await);
    // It is the same approval as long as nobody has decided.
    assert_eq!(pending(&gateway.send(&call).await), id);
    let waiting = approvals(&gateway, "?status=pending", None).await;
    let [approval] = &waiting[..] else {
        panic!("one waits: {waiting:?}");
    };
    assert_eq!(approval["id"], id.as_str());
    for (key, expect) in [
        ("tool", json!("p__do")),
        ("plugin", json!("p")),
        ("principal", json!("anonymous")),
        ("arguments", json!({ "a": 1, "secret": "***" })),
        ("effect", json!("may change things (risk high)")),
        ("risk", json!("high")),
        ("status", json!("pending")),
        ("decided_by", Value::Null),
        ("incident", Value::Null),
    ] {
        assert_eq!(approval[key], expect, "{key}");
    }
    let given = post(
        &format!("/api/approvals/{id}/approve"),
        &json!({ "reason": "fine" }),
    );
    let given = gateway.send(&given).await;
    assert_eq!(given.status, 200, "{}", given.text());
    assert_eq!(
        (&given.json()["status"], &given.json()["reason"]),
        (&json!("approved"), &json!("fine"))
    );
    // Another call is another one.
    let other = gateway
        .send(&rest::call("p__do", r#"{"a":2,"secret":"s"}"#))
        .await;
    assert_ne!(pending(&other), id);
    assert_eq!(script.arguments().len(), 0);
    // The same, however it is written.
    let same = rest::call("p__do", r#"{ "secret":"s" , "a":1 }"#);
    assert_eq!(gateway.send(&same).await.status, 200);
    assert_eq!(script.arguments(), [r#"{ "secret":"s" , "a":1 }"#]);
    assert_ne!(pending(&gateway.send(&same).await), id, "it was used");
    assert_eq!(
        approvals(&gateway, "?status=used", None).await[0]["id"],
        id.as_str()
    );
    let late = post(&format!("/api/approvals/{id}/decline"), &json!({}));
    assert_eq!(gateway.send(&late).await.status, 409);
    let unknown = post("/api/approvals/none/approve", &json!({}));
    assert_eq!(gateway.send(&unknown).await.status, 404);
    gateway.finish().await;
}

/// F45: a call that waits goes on when it is approved, and ends when it is declined.
#[tokio::test]
async fn a_call_waits_a_moment_for_the_decision() {
    let script = Script::default();
    let config = "[policy.approval]\ntools = [\"p__*\"]\nwait_ms = 600000\n";
    let gateway = gateway(&script, config).await;
    for (verb, status) in [("approve", 200), ("decline", 403)] {
        let mut connection = gateway.connect().await;
        let call = rest::call("p__do", "{}").bytes(gateway.address);
        connection.write(&call).await;
        let mut id = String::new();
        while id.is_empty() {
            let waiting = approvals(&gateway, "?status=pending", None).await;
            id = id_of(&waiting);
        }
        let body = json!({ "reason": "not on Sundays" });
        let decided = gateway
            .send(&post(&format!("/api/approvals/{id}/{verb}"), &body))
            .await;
        assert_eq!(decided.status, 200, "{}", decided.text());
        let answer = connection.answer().await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 403 {
            assert_eq!(refused(&answer, 403), "approval_declined");
            assert!(
                answer.text().contains("not on Sundays"),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(script.arguments().len(), 1);
    // A tool that was switched off meanwhile is not called any more.
    let mut connection = gateway.connect().await;
    let call = rest::call("p__do", r#"{"late":true}"#);
    connection.write(&call.bytes(gateway.address)).await;
    let mut id = String::new();
    while id.is_empty() {
        let waiting = approvals(&gateway, "?status=pending", None).await;
        id = id_of(&waiting);
    }
    let off = put("/api/plugins/p__do/toggle", &json!({ "enabled": false }));
    assert_eq!(gateway.send(&off).await.status, 200);
    let given = post(&format!("/api/approvals/{id}/approve"), &json!({}));
    assert_eq!(gateway.send(&given).await.status, 200);
    assert_eq!(refused(&connection.answer().await, 404), "not_found");
    assert_eq!(script.arguments().len(), 1);
    let on = put("/api/plugins/p__do/toggle", &json!({ "enabled": true }));
    assert_eq!(gateway.send(&on).await.status, 200);
    // Who goes away while it waits leaves nothing behind.
    let mut gone = gateway.connect().await;
    gone.write(&rest::call("p__do", "{}").bytes(gateway.address))
        .await;
    until("the call waits", || gateway.front.active() == 1).await;
    drop(gone);
    until("the call is given up", || gateway.front.active() == 0).await;
    gateway.finish().await;
}

/// F45, S04: who decides needs the scope, and decides about calls of others.
#[tokio::test]
async fn who_may_decide() {
    let config = [
        token("ann", ANN, "scopes = [\"admin\"]"),
        token("bob", BOB, ""),
        "[policy.approval]\nplugins = [\"p\"]\nwait_ms = 0\n".to_owned(),
    ]
    .concat();
    let script = Script::default();
    let gateway = gateway(&script, &config).await;
    let of_bob = pending(&gateway.send(&rest::call("p__do", "{}").token(BOB)).await);
    let of_ann = pending(&gateway.send(&rest::call("p__do", "{}").token(ANN)).await);
    let approve = |id: &str, token: &str| {
        post(&format!("/api/approvals/{id}/approve"), &json!({})).token(token)
    };
    assert_eq!(gateway.send(&approve(&of_ann, BOB)).await.status, 403);
    let own = gateway.send(&approve(&of_ann, ANN)).await;
    assert_eq!(
        (own.status, &own.json()["error"]["reason"]),
        (403, &json!("own_approval"))
    );
    let form = approve(&of_bob, ANN).set("content-type", "text/plain");
    assert_eq!(gateway.send(&form).await.status, 415);
    // Each sees its own; who may see what others do sees all.
    assert_eq!(approvals(&gateway, "", Some(BOB)).await.len(), 1);
    assert_eq!(approvals(&gateway, "", Some(ANN)).await.len(), 2);
    let given = gateway.send(&approve(&of_bob, ANN)).await;
    assert_eq!(given.json()["decided_by"], "ann");
    // It is for bob's call, not for ann's.
    pending(&gateway.send(&rest::call("p__do", "{}").token(ANN)).await);
    assert_eq!(
        gateway
            .send(&rest::call("p__do", "{}").token(BOB))
            .await
            .status,
        200
    );
    assert_eq!(script.arguments().len(), 1);
    gateway.finish().await;
}

/// F45: the policy: by principal, by category; and who needs none.
#[tokio::test]
async fn the_policy_says_which_calls_need_an_approval() {
    let by = |rule: &str| {
        let tokens = [token("ann", ANN, ""), token("bob", BOB, "")].concat();
        format!("{tokens}[policy.approval]\nwait_ms = 0\n{rule}\n")
    };
    for (rule, ann, bob) in [
        ("principals = [\"b*\"]", 200, 403),
        ("all_remediation = true\nexcept = [\"ann\"]", 200, 403),
        ("risk = \"critical\"", 200, 200),
        ("risk = \"medium\"", 403, 403),
        ("", 200, 200),
    ] {
        let gateway = gateway(&Script::default(), &by(rule)).await;
        for (token, status) in [(ANN, ann), (BOB, bob)] {
            let answer = gateway.send(&rest::call("p__do", "{}").token(token)).await;
            assert_eq!(answer.status, status, "{rule}");
        }
        gateway.finish().await;
    }
}

/// F45: the command line lists and decides.
#[tokio::test]
async fn the_command_line_lists_and_decides() {
    let script = Script::default();
    let gateway = gateway(&script, "[policy.approval]\ntools = [\"*\"]\nwait_ms = 0\n").await;
    let url = format!("http://{}", gateway.address);
    let run = async |arguments: &[&str]| {
        let arguments = [&["approvals"], arguments, &["--gateway", &url]].concat();
        Program::run(&arguments, "").await
    };
    let id = pending(&gateway.send(&rest::call("p__do", r#"{"a":1}"#)).await);
    let (code, said) = run(&["list"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&id) && said.contains(r#"{"a":1}"#), "{said}");
    let (code, said) = run(&["approve", &id, "--reason", "fine"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("p__do: approved"), "{said}");
    let (code, said) = run(&["decline", &id]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("not pending any more"), "{said}");
    assert_eq!(
        gateway
            .send(&rest::call("p__do", r#"{"a":1}"#))
            .await
            .status,
        200
    );
    gateway.finish().await;
}
