//! The part of the document about what is recorded.

use serde_json::{Value, json};

use crate::front::openapi::fixed::{object, reference, route};

/// The routes about it.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    let incident = reference("Incident");
    let open = object(&json!({ "title": { "type": "string" } }), &[]);
    let note = object(&json!({ "text": { "type": "string" } }), &["text"]);
    let empty = object(&json!({}), &[]);
    vec![
        (
            "/api/calls",
            json!({ "get": calls("calls", "Calls, newest first") }),
        ),
        (
            "/api/calls/stream",
            json!({ "get": calls("calls_stream", "Calls as they are recorded, as events") }),
        ),
        (
            "/api/calls/{id}",
            one(json!({ "get": route("call", "One call", &reference("Call")) })),
        ),
        (
            "/api/calls/{id}/replay",
            one(
                json!({ "post": with_body(route("replay", "Sends the arguments of a call again", &reference("ToolResult")), &empty) }),
            ),
        ),
        (
            "/api/incidents",
            json!({
                "get": list("incidents", "Incidents, newest first", &["status"], &incident),
                "post": with_body(created(route("open_incident", "Opens an incident", &incident)), &open),
            }),
        ),
        (
            "/api/incidents/{id}",
            one(json!({ "get": route("incident", "One incident with its events", &incident) })),
        ),
        (
            "/api/incidents/{id}/close",
            one(
                json!({ "post": with_body(route("close_incident", "Closes an incident", &incident), &empty) }),
            ),
        ),
        (
            "/api/incidents/{id}/notes",
            one(
                json!({ "post": with_body(created(route("note", "Writes something down in an incident", &anything())), &note) }),
            ),
        ),
        (
            "/api/ledger",
            json!({ "get": route("ledger", "How the ledger does", &anything()) }),
        ),
        (
            "/api/life",
            json!({ "get": list("life", "What happened to plugins", &["plugin", "since"], &anything()) }),
        ),
        (
            "/api/denials",
            json!({ "get": list("denials", "What was refused", &["principal", "since"], &anything()) }),
        ),
    ]
}

/// One call.
pub(super) fn call() -> Value {
    let (text, maybe) = (
        json!({ "type": "string" }),
        json!({ "type": ["string", "null"] }),
    );
    let properties = json!({
        "id": text, "time": text, "principal": text, "session": maybe, "incident": maybe, "method": text,
        "tool": text, "plugin": maybe, "runtime": maybe, "era": { "enum": ["legacy", "modern"] },
        "duration_ms": { "type": ["number", "null"], "description": "Nothing while it is carried." },
        "outcome": {
            "type": "string",
            "description": "`answered`, `tool_error`, `refused_by_plugin`, the kind of a fault, `open` while it is carried, `unknown` where the gateway died meanwhile.",
        },
        "reason": maybe,
        "arguments_sha256": { "type": ["string", "null"], "description": "Of the text of the arguments." },
        "dry_run": { "type": "boolean" }, "approval": maybe, "replay_of": maybe,
        "arguments": { "description": "Where they are kept." },
        "result": { "description": "Where it is kept." },
    });
    object(
        &properties,
        &["id", "time", "principal", "method", "tool", "outcome"],
    )
}

/// One incident.
pub(super) fn incident() -> Value {
    let (text, maybe) = (
        json!({ "type": "string" }),
        json!({ "type": ["string", "null"] }),
    );
    let properties = json!({
        "id": text, "title": text, "status": { "enum": ["open", "closed"] }, "created": text, "closed": maybe,
        "principal": text, "session": maybe, "calls": { "type": "integer" }, "errors": { "type": "integer" },
        "events": { "type": "array", "items": { "type": "object" }, "description": "The last ones, oldest first." },
    });
    object(&properties, &["id", "title", "status", "created"])
}

fn anything() -> Value {
    json!({ "type": "object" })
}

fn calls(id: &str, summary: &str) -> Value {
    let words = [
        "tool",
        "plugin",
        "principal",
        "outcome",
        "incident",
        "since",
        "until",
    ];
    list(id, summary, &words, &reference("Call"))
}

fn list(id: &str, summary: &str, words: &[&str], item: &Value) -> Value {
    let items = json!({ "type": "array", "items": item });
    let noun = match id {
        "calls_stream" => "calls",
        "life" => "events",
        id => id,
    };
    let mut list = route(
        id,
        summary,
        &object(
            &json!({ noun: items, "next": { "type": ["string", "null"] } }),
            &[noun],
        ),
    );
    let word = |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    let mut parameters: Vec<Value> = words.iter().map(word).collect();
    parameters.push(json!({ "name": "limit", "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": 1000 } }));
    parameters.push(json!({ "name": "before", "in": "query", "description": "The `next` of the page before.", "schema": { "type": "string" } }));
    list["parameters"] = parameters.into();
    list
}

fn one(mut path: Value) -> Value {
    path["parameters"] =
        json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }]);
    path
}

fn created(mut operation: Value) -> Value {
    let answer = operation["responses"]["200"].take();
    if let Some(responses) = operation["responses"].as_object_mut() {
        responses.remove("200");
        responses.insert("201".to_owned(), answer);
    }
    operation
}

fn with_body(mut operation: Value, schema: &Value) -> Value {
    operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    operation
}
