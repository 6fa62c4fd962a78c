//! The experimental tasks of revision 2025-11-25, between legacy clients and legacy servers.

use serde_json::{Value, json};

use crate::hostile::{Hostile, gateway_of};
use crate::support::{LegacySession, StdioClient, TestGateway};

fn task_call(tool: &str) -> Value {
    json!({ "name": tool, "arguments": {}, "task": { "ttl": 60_000 } })
}

async fn ask(gateway: &TestGateway, session: &LegacySession, method: &str, params: Value) -> Value {
    let answer = gateway.send(&session.request(1, method, params)).await;
    match answer.is_stream() {
        true => answer.events().pop().expect("an answer"),
        false => answer.json(),
    }
}

async fn begin(gateway: &TestGateway, session: &LegacySession, tool: &str) -> String {
    let answer = ask(gateway, session, "tools/call", task_call(tool)).await;
    let task = &answer["result"]["task"];
    assert_eq!(answer["result"]["x"], 1.5, "{answer}");
    task["taskId"].as_str().expect("an id").to_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    let tasks = list["result"]["tasks"].as_array().expect("a list");
    let ids = tasks.iter().map(|task| task["taskId"].as_str());
    ids.map(|id| id.expect("an id")).collect()
}

#[tokio::test]
async fn tasks_of_legacy_servers_pass_through() {
    let (one, two) = (
        Hostile::new("one", &["--tasks", "a"]),
        Hostile::new("two", &["--tasks", "b"]),
    );
    let gateway = gateway_of(&[&one, &two]).await;
    let session = LegacySession::open(&gateway).await;
    assert_eq!(
        ids(&ask(&gateway, &session, "tasks/list", json!({})).await),
        [""; 0]
    );
    let hang = begin(&gateway, &session, "one__hang").await;
    let echo = begin(&gateway, &session, "two__echo").await;
    assert_eq!((&*hang, &*echo), ("a-0", "b-0"));
    let sent = one.ledger().all("task a-0 ");
    assert!(sent[0].contains(r#""task":{"ttl":60000}"#), "{sent:?}");
    let about = |id: &str| json!({ "taskId": id });
    let task = ask(&gateway, &session, "tasks/get", about(&hang)).await;
    assert_eq!(task["result"]["status"], "working", "{task}");
    let task = ask(&gateway, &session, "tasks/cancel", about(&hang)).await;
    assert_eq!(task["result"]["status"], "cancelled", "{task}");
    let result = ask(&gateway, &session, "tasks/result", about(&echo)).await;
    assert_eq!(result["result"]["content"][0]["text"], "echo");
    let related = &result["result"]["_meta"]["io.modelcontextprotocol/related-task"];
    assert_eq!(related["taskId"], "b-0");
    let list = ask(&gateway, &session, "tasks/list", json!({})).await;
    assert_eq!(
        ids(&list),
        ["a-0", "b-0"],
        "merged, and without what is nobody's here"
    );
    let wrong = ask(&gateway, &session, "tasks/list", json!({ "cursor": "1" })).await;
    assert_eq!(wrong["error"]["code"], -32602);
    let unknown = ask(&gateway, &session, "tasks/get", about("of-nobody")).await;
    assert_eq!(unknown["error"]["code"], -32602);
    gateway.finish().await;
}

#[tokio::test]
async fn the_capability_is_announced_to_legacy_clients() {
    let gateway = Hostile::new("one", &["--tasks", "a"]).build().await;
    let request = LegacySession::initialize("2025-11-25");
    let answer = gateway.send(&request).await.json();
    let capability = json!({ "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } });
    assert_eq!(answer["result"]["capabilities"]["tasks"], capability);
    gateway.finish().await;
}

/// The answer of the call, and by the same pipe what its plugin tells of the task.
#[tokio::test]
async fn changes_of_tasks_reach_the_session() {
    let hostile = Hostile::new("one", &["--tasks", "a"]);
    let gateway = hostile.build().await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    client
        .request(1, "tools/call", task_call("one__hang"))
        .await;
    let mut told = Vec::new();
    while told.len() < 2 {
        let message = client.next().await;
        if message["method"] != "notifications/tools/list_changed" {
            told.push(message);
        }
    }
    told.sort_by_key(|message| message.get("id").is_none());
    assert_eq!(told[0]["result"]["task"]["taskId"], "a-0");
    assert_eq!(told[1]["method"], "notifications/tasks/status");
    assert_eq!(told[1]["params"]["taskId"], "a-0");
    client
        .tell(
            "notifications/tasks/status",
            json!({ "taskId": "c", "n": 1 }),
        )
        .await;
    hostile.ledger().reaches("told", 1).await;
    client.finish().await;
    gateway.finish().await;
}

/// A server asks the client's model, the client makes a task of that, and the server fetches its result.
#[tokio::test]
async fn the_client_may_make_tasks_of_what_it_is_asked() {
    let hostile = Hostile::new("one", &["--tasks", "a"]);
    let gateway = hostile.build().await;
    let sampling = json!({ "sampling": { "createMessage": {} } });
    let capabilities = json!({ "sampling": {}, "tasks": { "requests": sampling } });
    let mut client = StdioClient::initialized_with(&gateway, "2025-11-25", capabilities).await;
    client.request(1, "tools/call", task_call("one__ask")).await;
    let mut next = async |wanted: &str, answer: Value| loop {
        let message = client.next().await;
        if message["method"] == wanted || message["id"] == wanted {
            if let Some(mut answer) = answer.as_object().cloned() {
                answer.insert("jsonrpc".into(), "2.0".into());
                answer.entry("id").or_insert(message["id"].clone());
                client.send(&Value::from(answer)).await;
            }
            return message;
        }
    };
    let fetch = json!({ "id": 2, "method": "tasks/result", "params": { "taskId": "a-0" } });
    next("notifications/tasks/status", fetch).await;
    let task = json!({ "result": { "task": { "taskId": "mine" } } });
    let sample = next("sampling/createMessage", task).await;
    assert_eq!(sample["params"]["task"], json!({ "ttl": 60_000 }));
    let result = next("tasks/result", json!({ "result": { "model": "m" } })).await;
    assert_eq!(result["params"], json!({ "taskId": "mine" }));
    let answer = loop {
        let message = client.next().await;
        if message["id"] == 2 {
            break message;
        }
    };
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({ "model": "m" }),
        "{answer}"
    );
    client.finish().await;
    gateway.finish().await;
}
