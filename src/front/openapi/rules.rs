//! The part of the document about switches and approvals.

use serde_json::{Value, json};

use crate::front::openapi::fixed::{object, reference, route};

/// The routes about switches and approvals.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    vec![
        ("/api/plugins", json!({ "get": elements() })),
        ("/api/plugins/{name}/toggle", toggle()),
        ("/api/approvals", json!({ "get": approvals() })),
        (
            "/api/approvals/{id}/approve",
            decide("approve", "Lets a call be made that waits for it"),
        ),
        (
            "/api/approvals/{id}/decline",
            decide("decline", "Refuses a call that waits for approval"),
        ),
    ]
}

/// The parameters that make a call a dry run.
pub(super) fn dry_run() -> Value {
    json!([
        {
            "name": "dry_run",
            "in": "query",
            "description": "Whether nothing is to be changed: the result says what would be done.",
            "schema": { "type": "boolean", "default": false },
        },
        {
            "name": "Toolgate-Dry-Run",
            "in": "header",
            "description": "The same.",
            "schema": { "enum": ["0", "1"] },
        },
    ])
}

/// A call that waits for a person, or has.
pub(super) fn approval() -> Value {
    let text = || json!({ "type": "string" });
    let maybe = || json!({ "type": ["string", "null"] });
    let properties = json!({
        "id": text(),
        "tool": text(),
        "plugin": text(),
        "principal": { "type": "string", "description": "Who calls." },
        "session": maybe(),
        "arguments": { "type": "object", "description": "What is named like a secret is masked." },
        "effect": { "type": "string", "description": "What a call does." },
        "risk": { "enum": ["low", "medium", "high", "critical", null] },
        "status": { "enum": ["pending", "approved", "declined", "expired", "used"] },
        "created": { "type": "string", "format": "date-time" },
        "expires": { "type": "string", "format": "date-time" },
        "decided_by": maybe(),
        "decided_at": maybe(),
        "reason": maybe(),
        "incident": maybe(),
    });
    object(
        &properties,
        &["id", "tool", "plugin", "principal", "arguments", "status"],
    )
}

fn elements() -> Value {
    let properties = json!({
        "name": { "type": "string" },
        "description": { "type": "string" },
        "category": { "enum": ["diagnostic", "remediation"] },
        "parameters": { "type": "object", "description": "The schema of the arguments." },
        "plugin": { "type": "string" },
        "enabled": { "type": "boolean" },
        "requires_approval": { "type": "boolean" },
    });
    let element = object(&properties, &["name", "category", "parameters", "enabled"]);
    route(
        "list_elements",
        "Each tool, also those that are switched off",
        &json!({ "type": "array", "items": element }),
    )
}

fn toggle() -> Value {
    let said = json!({ "enabled": { "type": "boolean", "description": "Left out: the other way than it is." } });
    let told = json!({ "name": { "type": "string" }, "enabled": { "type": "boolean" } });
    let told = object(&told, &["name", "enabled"]);
    let mut put = route("toggle_tool", "Switches a tool on or off", &told);
    put["requestBody"] = body(&object(&said, &[]));
    json!({ "parameters": [in_path("name")], "put": put })
}

fn approvals() -> Value {
    let properties = json!({
        "approvals": { "type": "array", "items": reference("Approval") },
        "next": { "type": "null" },
    });
    let schema = object(&properties, &["approvals"]);
    let mut list = route(
        "list_approvals",
        "The calls that wait for a person, the newest first",
        &schema,
    );
    list["parameters"] = json!([{
        "name": "status",
        "in": "query",
        "schema": { "enum": ["pending", "approved", "declined", "expired", "used"] },
    }]);
    list
}

fn decide(verb: &str, summary: &str) -> Value {
    let mut post = route(&format!("{verb}_call"), summary, &reference("Approval"));
    let reason = json!({ "reason": { "type": "string", "maxLength": 1000 } });
    post["requestBody"] = body(&object(&reason, &[]));
    json!({ "parameters": [in_path("id")], "post": post })
}

fn body(schema: &Value) -> Value {
    json!({ "content": { "application/json": { "schema": schema } } })
}

fn in_path(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}
