//! Commands that the model of the client writes, in both eras.

use serde_json::{Value, json};

use crate::llm::{Cluster, TOOL, check_refused};
use crate::rounds::asker::{capable, keys, retry, send};
use crate::support::{Connection, LegacySession, able, modern};

/// What a model answers.
fn says(text: &str) -> Value {
    json!({ "role": "assistant", "model": "some-model", "content": { "type": "text", "text": text } })
}

/// The params of a call by a client that can be asked.
fn params(goal: &str) -> Value {
    json!({
        "name": TOOL,
        "arguments": { "goal": goal },
        "_meta": { "io.modelcontextprotocol/clientCapabilities": capable() },
    })
}

/// The question of an answer that asks for something, and its key.
#[track_caller]
fn question(answer: &Value) -> (String, Value) {
    let keys = keys(answer);
    let [key] = &keys[..] else {
        panic!("one question: {answer}");
    };
    let question = answer["result"]["inputRequests"][key].clone();
    (key.clone(), question)
}

#[track_caller]
fn text(result: &Value) -> &str {
    let text = result["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {result}"))
}

async fn asked(stream: &mut Connection) -> Value {
    let asked = stream.event().await.expect("a question");
    assert_eq!(asked["method"], "sampling/createMessage", "{asked}");
    asked
}

#[tokio::test]
async fn the_model_of_a_legacy_client_writes_the_command() {
    let cluster = Cluster::open("context = 'prod'\nnamespaces = ['shop', 'blog']", "").await;
    for version in ["2025-06-18", "2025-11-25"] {
        let session = LegacySession::open_able(&cluster.gateway, version).await;
        let mut stream = cluster.gateway.connect().await;
        let call = session.call(5, TOOL, json!({ "goal": "which pods are there?" }));
        assert!(stream.begin(&call).await.is_stream());
        let question = asked(&mut stream).await;
        let params = &question["params"];
        let said = params["messages"][0]["content"]["text"]
            .as_str()
            .expect("a text");
        let expect =
            "Goal: which pods are there?\nNamespace, unless the goal names another: shop\n";
        assert!(said.starts_with(expect), "{said}");
        let system = params["systemPrompt"].as_str().expect("a text");
        for part in ["kubectl get TYPE", "kubectl delete TYPE", r#"{"command": "#] {
            assert!(system.contains(part), "{system}");
        }
        assert_eq!(params["maxTokens"], 400);
        let answer = says("```json\n{\"command\": \"kubectl get pods -n blog\"}\n```");
        cluster
            .gateway
            .send(&session.answer(&question["id"], answer))
            .await;
        let answer = stream.event().await.expect("the answer");
        let result = &answer["result"]["structuredContent"];
        assert_eq!(result["author"], "client_model", "{answer}");
        assert_eq!(
            (&result["model"], &result["state"]),
            (&json!("some-model"), &json!("ran"))
        );
        assert!(text(&answer["result"]).contains("written by the client's model, some-model"));
        session.delete(&cluster.gateway).await;
    }
    let expect = "[--context=prod][--namespace=blog][get][pods]";
    assert_eq!(cluster.calls(), [expect; 2]);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn an_answer_that_is_refused_is_asked_for_once_more_with_the_reason() {
    let cluster = Cluster::open("", "").await;
    let params = params("which pods are there?");
    let first = send(&cluster.gateway, 1, &params).await;
    let (key, _) = question(&first);
    let piped = says("kubectl get pods | grep web");
    let second = retry(
        &cluster.gateway,
        2,
        (&params, &first),
        json!({ key: piped }),
    )
    .await;
    let (key, asked) = question(&second);
    let messages = asked["params"]["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[1]["role"], "assistant");
    let why = messages[2]["content"]["text"].as_str().expect("a text");
    assert!(why.contains("`|` at character 18"), "{why}");
    let last = json!({ key: says("kubectl get pods") });
    let done = retry(&cluster.gateway, 3, (&params, &second), last).await;
    assert_eq!(
        done["result"]["structuredContent"]["state"], "ran",
        "{done}"
    );
    let expect = "[--context=test][--namespace=default][get][pods]";
    assert_eq!(cluster.calls(), [expect]);

    // A second one that is refused ends it.
    let first = send(&cluster.gateway, 4, &params).await;
    let (key, _) = question(&first);
    let wrong = json!({ key: says("rm -rf /") });
    let second = retry(&cluster.gateway, 5, (&params, &first), wrong).await;
    let (key, _) = question(&second);
    let wrong = json!({ key: says("Run\u{7} this:\nkubectl exec web-0 -- sh") });
    let done = retry(&cluster.gateway, 6, (&params, &second), wrong).await;
    assert_eq!(done["result"]["isError"], true, "{done}");
    let words = text(&done["result"]);
    for part in [
        "was asked 2 times",
        "`kubectl exec` is refused",
        "Its last answer: \"Run  this: kubectl exec web-0 -- sh\"",
        "Give the `command` yourself",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(cluster.calls().len(), 1);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn what_the_model_wants_to_change_is_proposed_and_run_only_when_a_person_agrees() {
    let cluster = Cluster::open("context = 'prod'\nnamespace = 'shop'", "").await;
    let wanted = params("web-0 hangs, restart it");
    let first = send(&cluster.gateway, 1, &wanted).await;
    let (key, asked) = question(&first);
    assert_eq!(asked["method"], "sampling/createMessage");
    let delete = json!({ key: says(r#"{"command":"kubectl delete pod web-0"}"#) });
    let proposed = retry(&cluster.gateway, 2, (&wanted, &first), delete).await;
    let result = &proposed["result"]["structuredContent"];
    assert_eq!(result["state"], "proposed", "{proposed}");
    assert_eq!(
        result["command"],
        "kubectl --context=prod --namespace=shop delete pod web-0 --wait=false"
    );
    assert!(text(&proposed["result"]).starts_with("Proposed, not run"));
    assert_eq!(cluster.calls(), [""; 0]);

    let mut again = wanted.clone();
    again["arguments"] = json!({ "command": result["proposal"] });
    let first = send(&cluster.gateway, 3, &again).await;
    let (key, asked) = question(&first);
    assert_eq!(
        asked["method"], "elicitation/create",
        "a person is asked: {first}"
    );
    let message = asked["params"]["message"].to_string();
    assert!(
        message.contains("runs `kubectl --context=prod --namespace=shop delete pod web-0"),
        "{message}"
    );
    assert_eq!(cluster.calls(), [""; 0]);
    let yes = json!({ key: { "action": "accept", "content": { "approve": true } } });
    let done = retry(&cluster.gateway, 4, (&again, &first), yes).await;
    assert_eq!(
        done["result"]["structuredContent"]["state"], "ran",
        "{done}"
    );
    let expect = "[--context=prod][--namespace=shop][delete][pod][web-0][--wait=false]";
    assert_eq!(cluster.calls(), [expect]);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn a_client_that_cannot_sample_is_told_what_to_do() {
    let cluster = Cluster::open("", "").await;
    let mend = "Call again with `command`, or use a client that offers sampling";
    check_refused(&cluster.act(json!({ "goal": "x" })).await, mend);
    let session = LegacySession::open(&cluster.gateway).await;
    let answer = cluster
        .gateway
        .send(&session.call(5, TOOL, json!({ "goal": "x" })))
        .await;
    let result = crate::hostile::result_of(&answer);
    assert_eq!(result["isError"], true);
    assert!(text(&result).contains(mend), "{result}");
    session.delete(&cluster.gateway).await;
    let modern = cluster
        .gateway
        .send(&modern::call(TOOL, json!({ "goal": "x" })))
        .await;
    let result = crate::hostile::result_of(&modern);
    assert!(text(&result).contains(mend), "{result}");

    // One that can and does not want to.
    let capabilities = able();
    let session =
        LegacySession::open_with(&cluster.gateway, "2025-11-25", None, capabilities).await;
    let mut stream = cluster.gateway.connect().await;
    let call = session.call(6, TOOL, json!({ "goal": "x" }));
    assert!(stream.begin(&call).await.is_stream());
    let question = asked(&mut stream).await;
    let error = json!({ "code": -1, "message": "User rejected\nit" });
    let error = json!({ "jsonrpc": "2.0", "id": question["id"], "error": error }).to_string();
    let error = session.of(crate::support::Request::message(error));
    cluster.gateway.send(&error).await;
    let answer = stream.event().await.expect("the answer");
    let words = text(&answer["result"]);
    assert!(
        words.contains("did not have a command written: \"User rejected it\""),
        "{words}"
    );
    session.delete(&cluster.gateway).await;
    assert_eq!(cluster.calls(), [""; 0]);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn a_dry_run_asks_the_model_and_runs_nothing() {
    let cluster = Cluster::open("", "").await;
    let mut wanted = params("which pods are there?");
    wanted["_meta"]["toolgate/dry_run"] = json!(true);
    let first = send(&cluster.gateway, 1, &wanted).await;
    let (key, _) = question(&first);
    let answer = json!({ key: says("kubectl get pods") });
    let done = retry(&cluster.gateway, 2, (&wanted, &first), answer).await;
    let result = &done["result"]["structuredContent"];
    assert_eq!(
        (&result["state"], &result["author"]),
        (&json!("would_run"), &json!("client_model")),
        "{done}"
    );
    assert_eq!(cluster.calls(), [""; 0]);
    cluster.gateway.finish().await;
}
