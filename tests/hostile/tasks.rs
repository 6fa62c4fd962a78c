//! Tasks as revision 2025-11-25 has them. A task of the tool `hang` works until it is cancelled, all others are done at
//! once; the result of one of `ask` is what the client's model said, in a task of the client.

use serde_json::{Value, json};

use crate::{Server, members};

/// What the server says of itself.
pub(crate) const CAPABILITY: &str =
    r#""tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}},"#;

/// What the ids of our requests to the client begin with; the id of its request for a result follows.
const SAMPLE: &str = "sample-";
const RESULT: &str = "result-";

pub(crate) struct Task {
    id: String,
    tool: String,
    status: &'static str,
}

impl Task {
    fn state(&self) -> Value {
        let time = "2026-01-01T00:00:00Z";
        json!({ "taskId": self.id, "status": self.status, "createdAt": time, "lastUpdatedAt": time, "ttl": null })
    }
}

fn text(params: &str, key: &str) -> String {
    let value = members(params).get(key).map(|value| value.get().to_owned());
    value
        .and_then(|value| serde_json::from_str(&value).ok())
        .unwrap_or_default()
}

/// Whether a call asks for a task.
pub(crate) fn is_wanted(server: &Server, params: &str) -> bool {
    server.options.tasks.is_some() && members(params).contains_key("task")
}

/// Begins a task for a call.
pub(crate) fn begin(server: &Server, id: &str, params: &str) {
    let mut tasks = server.tasks.lock().expect("no holder of this lock panics");
    let prefix = server.options.tasks.as_deref().unwrap_or_default();
    let tool = text(params, "name");
    let task = Task {
        id: format!("{prefix}-{}", tasks.len()),
        status: if tool == "hang" {
            "working"
        } else {
            "completed"
        },
        tool,
    };
    server.options.note(&format!("task {} {params}", task.id));
    let result = format!(r#"{{ "x":1.50, "task" : {}}}"#, task.state());
    server.voice.result(id, &result);
    let status = task.state().to_string();
    tasks.push(task);
    server.voice.notify("notifications/tasks/status", &status);
}

/// Answers a request about tasks.
pub(crate) fn asked(server: &Server, method: &str, id: &str, params: &str) {
    let mut tasks = server.tasks.lock().expect("no holder of this lock panics");
    server.options.note(method);
    if method == "tasks/list" {
        return server.voice.result(id, &page(&tasks, params));
    }
    let name = text(params, "taskId");
    let Some(task) = tasks.iter_mut().find(|task| task.id == name) else {
        return server.voice.error(id, -32602, "no such task");
    };
    match method {
        "tasks/get" => {}
        "tasks/cancel" => task.status = "cancelled",
        _ if task.tool == "ask" => {
            let params = json!({ "messages": [], "maxTokens": 9, "task": { "ttl": 60_000 } });
            return request(server, SAMPLE, id, "sampling/createMessage", &params);
        }
        _ => {
            let related = json!({ "taskId": name });
            let result = json!({
                "content": [{ "type": "text", "text": task.tool }],
                "_meta": { "io.modelcontextprotocol/related-task": related },
            });
            return server.voice.result(id, &result.to_string());
        }
    }
    server.voice.result(id, &task.state().to_string());
}

/// One task a page. The first one is nobody's that asks.
fn page(tasks: &[Task], params: &str) -> String {
    let at: usize = text(params, "cursor").parse().unwrap_or(0);
    let listed = match at.checked_sub(1).map(|at| &tasks[at]) {
        None => json!([{ "taskId": "of-nobody", "status": "working" }]),
        Some(task) => json!([task.state()]),
    };
    let mut page = json!({ "tasks": listed });
    if at < tasks.len() {
        page["nextCursor"] = (at + 1).to_string().into();
    }
    page.to_string()
}

fn request(server: &Server, prefix: &str, id: &str, method: &str, params: &Value) {
    let id = format!("{prefix}{id}");
    let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    server.voice.line(&request.to_string());
}

/// Takes an answer of the client to a request of ours; `false` when it is none.
pub(crate) fn answered(server: &Server, line: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(line).unwrap_or_default();
    let id = answer["id"].as_str().unwrap_or_default();
    if let Some(id) = id.strip_prefix(SAMPLE) {
        let task = &answer["result"]["task"]["taskId"];
        request(
            server,
            RESULT,
            id,
            "tasks/result",
            &json!({ "taskId": task }),
        );
        return true;
    }
    let Some(id) = id.strip_prefix(RESULT) else {
        return false;
    };
    let result = json!({ "content": [], "structuredContent": answer["result"] });
    server.voice.result(id, &result.to_string());
    true
}
