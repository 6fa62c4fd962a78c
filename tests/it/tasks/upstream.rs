//! Tasks of servers that do not know them: legacy and modern child processes.

use serde_json::json;

use crate::hostile::Hostile;
use crate::tasks::client::{ask, begin, done, get, reaches};

const AT_ONCE: &str = "\n[server.tasks]\nafter_ms = 0\n";

async fn built(hostile: &Hostile) -> crate::support::TestGateway {
    let config = hostile.text() + AT_ONCE;
    crate::support::TestGateway::builder()
        .config(&config)
        .build()
        .await
}

#[tokio::test]
async fn a_legacy_server_is_asked_and_answered_in_a_task() {
    let hostile = Hostile::new("h", &[]).key("tasks = true");
    let gateway = built(&hostile).await;
    let id = begin(&gateway, "h__ask").await;
    let task = reaches(&gateway, &id, "input_required").await;
    assert_eq!(task["inputRequests"]["q1"]["method"], "elicitation/create");
    let response = json!({ "action": "accept", "content": { "name": "x" } });
    let update = json!({ "taskId": id, "inputResponses": { "q1": response.clone() } });
    done(&gateway, "tasks/update", update).await;
    let task = reaches(&gateway, &id, "completed").await;
    assert_eq!(task["result"]["structuredContent"], response, "{task}");
    gateway.finish().await;
}

/// Its answer asks for an answer by a retry, but nobody waits to be answered.
#[tokio::test]
async fn the_rounds_of_a_modern_server_are_made_on_the_way() {
    let hostile = Hostile::new("h", &["--era", "modern"]).key("tasks = true");
    let gateway = built(&hostile).await;
    let id = begin(&gateway, "h__ask_back").await;
    let task = reaches(&gateway, &id, "input_required").await;
    assert_eq!(task["inputRequests"]["q1"]["params"]["message"], "Who?");
    let update = json!({ "taskId": id, "inputResponses": { "q1": { "v": 1 } } });
    done(&gateway, "tasks/update", update).await;
    let task = reaches(&gateway, &id, "completed").await;
    let came = json!({ "state": "my \"state\" é", "responses": { "who": { "v": 1 } } });
    assert_eq!(task["result"]["structuredContent"], came, "{task}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_server_is_told_that_its_task_is_cancelled_and_its_errors_are_the_task_s() {
    let hostile = Hostile::new("h", &[]).key("tasks = true");
    let (gateway, ledger) = (built(&hostile).await, hostile.ledger());
    let id = begin(&gateway, "h__hang").await;
    ledger.reaches("call hang", 1).await;
    done(&gateway, "tasks/cancel", json!({ "taskId": id })).await;
    ledger.reaches("cancelled", 1).await;
    assert_eq!(get(&gateway, &id).await["status"], "cancelled");
    let id = begin(&gateway, "h__refuse").await;
    let task = reaches(&gateway, &id, "failed").await;
    assert_eq!(
        task["error"],
        json!({ "code": -32602, "message": "not like this" })
    );
    assert_eq!(task["statusMessage"], "not like this");
    gateway.finish().await;
}

/// The experimental tasks of 2025-11-25 are not asked for by who cannot read them.
#[tokio::test]
async fn a_modern_call_asks_for_no_legacy_task() {
    let hostile = Hostile::new("h", &["--tasks", "t"]);
    let gateway = built(&hostile).await;
    let params = json!({ "name": "h__params", "arguments": {}, "task": { "ttl": 1 } });
    let answer = ask(&gateway, "tools/call", params).await;
    let came = &answer["result"]["structuredContent"];
    assert!(
        came["name"] == "params" && came.get("task").is_none(),
        "{answer}"
    );
    gateway.finish().await;
}
