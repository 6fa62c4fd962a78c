//! The part of the document about work in the background, tasks of users, and settings.

use serde_json::{Value, json};

use crate::front::openapi::fixed::{object, reference, route};

/// The routes about them.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    vec![
        ("/api/background", json!({ "get": list_background() })),
        (
            "/api/background/{plugin}/{name}/{order}",
            order_background(),
        ),
        (
            "/api/tasks",
            json!({ "get": list_tasks(), "post": create_task() }),
        ),
        ("/api/tasks/stream", json!({ "get": stream_tasks() })),
        ("/api/tasks/{id}", one_task()),
        ("/api/tasks/{id}/{order}", order_task()),
        (
            "/api/config",
            json!({ "get": route("config", "All settings, secrets masked", &json!({ "type": "object" })) }),
        ),
        ("/api/config/{id}", one_config()),
    ]
}

/// The schemas that they refer to.
pub(super) fn schemas() -> [(&'static str, Value); 5] {
    [
        ("Background", background()),
        ("Run", run()),
        ("Settings", settings()),
        ("Task", task()),
        ("TaskSchedule", schedule()),
    ]
}

fn parameter(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn with_body(mut operation: Value, schema: &Value) -> Value {
    operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    operation
}

fn list_background() -> Value {
    let list = json!({ "type": "array", "items": reference("Background") });
    let list = object(&json!({ "background": list }), &["background"]);
    route("background", "What plugins do in the background", &list)
}

fn order_background() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "parameters": [
            parameter("plugin", &text),
            parameter("name", &text),
            parameter("order", &json!({ "enum": ["start", "stop", "run"] })),
        ],
        "post": with_body(
            route("order_background", "Starts, stops or runs background work", &reference("Background")),
            &object(&json!({}), &[]),
        ),
    })
}

fn background() -> Value {
    let (count, time) = (count(), time());
    let properties = json!({
        "name": { "type": "string" },
        "plugin": { "type": "string" },
        "kind": { "enum": ["worker", "periodic"] },
        "state": { "enum": ["running", "waiting", "backoff", "stopped"] },
        "runs": count,
        "failures": count,
        "last_error": { "type": ["string", "null"] },
        "last_run": time,
        "next_run": time,
        "interval_ms": count,
    });
    object(
        &properties,
        &["name", "plugin", "kind", "state", "runs", "failures"],
    )
}

fn list_tasks() -> Value {
    let list = json!({ "type": "array", "items": reference("Task") });
    let page = json!({ "tasks": list, "next": { "type": ["string", "null"] } });
    let mut list = route(
        "list_tasks",
        "Tasks, the newest first",
        &object(&page, &["tasks", "next"]),
    );
    let text = json!({ "type": "string" });
    list["parameters"] = json!([
        { "name": "status", "in": "query", "schema": statuses() },
        { "name": "limit", "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 } },
        { "name": "before", "in": "query", "description": "The `next` of the page before.", "schema": text },
    ]);
    list
}

fn create_task() -> Value {
    let properties = json!({
        "name": { "type": "string" },
        "tool": { "type": "string" },
        "arguments": { "type": "object" },
        "schedule": reference("TaskSchedule"),
        "timeout_ms": { "type": "integer", "minimum": 1 },
        "retries": { "type": "integer", "minimum": 0, "maximum": 20 },
    });
    let mut create = with_body(
        route("create_task", "Makes a task", &reference("Task")),
        &object(&properties, &["tool"]),
    );
    if let Some(responses) = create["responses"].as_object_mut()
        && let Some(ok) = responses.shift_remove("200")
    {
        responses.insert("201".to_owned(), ok);
    }
    create
}

fn stream_tasks() -> Value {
    let mut stream = route("stream_tasks", "Each change of a task", &reference("Task"));
    stream["responses"]["200"]["content"] =
        json!({ "text/event-stream": { "schema": { "type": "string" } } });
    stream
}

fn one_task() -> Value {
    let removed = object(
        &json!({ "id": { "type": "string" }, "removed": { "const": true } }),
        &["id"],
    );
    json!({
        "parameters": [parameter("id", &json!({ "type": "string" }))],
        "get": route("get_task", "One task with its last runs", &reference("Task")),
        "delete": route("remove_task", "Takes a task out", &removed),
    })
}

fn order_task() -> Value {
    let orders = json!({ "enum": ["cancel", "retry", "run"] });
    json!({
        "parameters": [parameter("id", &json!({ "type": "string" })), parameter("order", &orders)],
        "post": with_body(
            route("order_task", "Calls a task off, has it go on, or run now", &reference("Task")),
            &object(&json!({}), &[]),
        ),
    })
}

fn one_config() -> Value {
    let changes = json!({
        "type": "object",
        "description": "Settings by key. `null` takes a change back, `***` leaves a value as it is.",
    });
    json!({
        "parameters": [parameter("id", &json!({ "type": "string" }))],
        "get": route("get_config", "The settings of a plugin, secrets masked", &reference("Settings")),
        "put": with_body(
            route("set_config", "Changes settings of a plugin", &reference("Settings")),
            &changes,
        ),
    })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn time() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

fn statuses() -> Value {
    json!({ "enum": ["scheduled", "running", "waiting", "done", "failed", "cancelled"] })
}

fn task() -> Value {
    let (count, text) = (count(), json!({ "type": "string" }));
    let properties = json!({
        "id": text,
        "name": text,
        "tool": text,
        "arguments": { "type": "object" },
        "schedule": reference("TaskSchedule"),
        "status": statuses(),
        "created": { "type": "string", "format": "date-time" },
        "created_by": text,
        "next_run": time(),
        "runs": count,
        "failures": count,
        "retries": count,
        "timeout_ms": count,
        "last_run": { "oneOf": [reference("Run"), { "type": "null" }] },
        "history": { "type": "array", "items": reference("Run"), "description": "The last 50, the latest last." },
    });
    object(
        &properties,
        &[
            "id",
            "name",
            "tool",
            "schedule",
            "status",
            "created",
            "created_by",
            "runs",
            "failures",
        ],
    )
}

fn schedule() -> Value {
    let kind = |name: &str, rest: &Value, required: &[&str]| {
        let mut properties = rest.clone();
        properties["kind"] = json!({ "const": name });
        object(&properties, required)
    };
    let time = json!({ "time": { "type": "string", "format": "date-time" } });
    let interval = json!({ "interval_ms": { "type": "integer", "minimum": 1000 } });
    json!({ "oneOf": [
        kind("now", &json!({}), &["kind"]),
        kind("at", &time, &["kind", "time"]),
        kind("every", &interval, &["kind", "interval_ms"]),
    ] })
}

fn run() -> Value {
    let properties = json!({
        "number": { "type": "integer", "minimum": 1 },
        "started": { "type": "string", "format": "date-time" },
        "finished": { "type": "string", "format": "date-time" },
        "outcome": { "enum": ["ok", "error", "cancelled"] },
        "duration_ms": { "type": "number" },
        "result": { "description": "The tool's result; cut where it is larger than 64 KiB." },
        "error": { "type": "string" },
        "call": count(),
    });
    object(
        &properties,
        &["number", "started", "finished", "outcome", "duration_ms"],
    )
}

fn settings() -> Value {
    let layer = json!({ "enum": ["manifest", "file", "env", "store"] });
    let properties = json!({
        "config": { "type": "object" },
        "layers": { "type": "object", "additionalProperties": layer },
        "schema": { "type": ["object", "null"] },
        "needs_restart": { "type": "boolean" },
    });
    object(
        &properties,
        &["config", "layers", "schema", "needs_restart"],
    )
}
