//! A client that knows tasks.

use serde_json::{Value, json};

use crate::support::{TestGateway, modern, within};

/// The extension, as it stands among capabilities.
pub(super) fn extension() -> Value {
    json!({ "io.modelcontextprotocol/tasks": {} })
}

/// `_meta` of a client that knows tasks and can be asked everything.
pub(super) fn meta() -> Value {
    let capabilities =
        json!({ "elicitation": {}, "sampling": {}, "roots": {}, "extensions": extension() });
    json!({ "io.modelcontextprotocol/clientCapabilities": capabilities })
}

/// A message of such a client.
pub(super) fn message(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = meta();
    modern::message(id, method, params)
}

/// Sends a request on a connection of its own; the whole answer.
pub(super) async fn ask(gateway: &TestGateway, method: &str, params: Value) -> Value {
    let request = modern::request_of(&message(1, method, params));
    let answer = gateway.send(&request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Calls a tool.
pub(super) async fn call(gateway: &TestGateway, tool: &str) -> Value {
    ask(
        gateway,
        "tools/call",
        json!({ "name": tool, "arguments": {} }),
    )
    .await
}

/// The id of the task that an answer says it has become.
#[track_caller]
pub(super) fn task_of(answer: &Value) -> String {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "task", "{answer}");
    assert_eq!(result["status"], "working", "{answer}");
    result["taskId"].as_str().expect("an id").to_owned()
}

/// Calls a tool that becomes a task; its id.
pub(super) async fn begin(gateway: &TestGateway, tool: &str) -> String {
    task_of(&call(gateway, tool).await)
}

/// The task as it is now.
pub(super) async fn get(gateway: &TestGateway, id: &str) -> Value {
    let answer = ask(gateway, "tasks/get", json!({ "taskId": id })).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    answer["result"].clone()
}

/// The task once it is of that status.
pub(super) async fn reaches(gateway: &TestGateway, id: &str, status: &str) -> Value {
    let asking = async {
        loop {
            let task = get(gateway, id).await;
            if task["status"] == status {
                return task;
            }
            tokio::task::yield_now().await;
        }
    };
    within("the task gets there", asking).await
}

/// A request about a task that has no result.
pub(super) async fn done(gateway: &TestGateway, method: &str, params: Value) {
    let answer = ask(gateway, method, params).await;
    assert_eq!(
        answer["result"],
        json!({ "resultType": "complete" }),
        "{answer}"
    );
}

/// Asserts that a task is not known.
pub(super) async fn is_unknown(gateway: &TestGateway, id: &str) {
    let answer = ask(gateway, "tasks/get", json!({ "taskId": id })).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}
