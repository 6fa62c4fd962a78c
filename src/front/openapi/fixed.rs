//! The part of the document that does not depend on tools.

use serde_json::{Value, json};

use crate::front::auth::METADATA_PATHS;
use crate::front::openapi::operation::refusals;
use crate::front::openapi::{control, events, ext, ledger, rules, work};
use crate::registry::health::judge::Status;
use crate::registry::life::State;

/// The routes that are always there. Their operations have names that no tool can have.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    let mut paths = vec![
        ("/api/tools", json!({ "get": list_tools() })),
        ("/api/tools/{name}", one_tool()),
    ];
    paths.extend(rules::paths());
    paths.extend(control::paths());
    paths.extend(work::paths());
    paths.extend(ledger::paths());
    paths.extend(events::paths());
    paths.extend(ext::paths());
    for (at, path) in METADATA_PATHS.into_iter().enumerate() {
        let id = format!("protected_resource_{at}");
        let summary = "Where tokens for this gateway come from (RFC 9728)";
        let mut route = route(&id, summary, &json!({ "type": "object" }));
        route["security"] = json!([{}]);
        paths.push((path, json!({ "get": route })));
    }
    paths.extend([
        (
            "/openapi.json",
            json!({ "get": route("openapi", "This document", &json!({ "type": "object" })) }),
        ),
        (
            "/health",
            json!({ "get": open("health", "How the gateway does, in numbers", "Health") }),
        ),
        (
            "/livez",
            json!({ "get": open("livez", "Whether the process answers", "Alive") }),
        ),
        ("/readyz", json!({ "get": readyz() })),
        ("/metrics", json!({ "get": metrics() })),
        (
            "/api/overview",
            json!({ "get": overview("overview", "How the gateway does at a glance") }),
        ),
        ("/api/overview/stream", json!({ "get": overview_stream() })),
    ]);
    paths
}

/// What the operations share.
pub(super) fn components(secured: bool) -> Value {
    let mut components = json!({
        "schemas": {
            "Alive": object(&json!({ "status": { "const": "alive" } }), &["status"]),
            "Approval": rules::approval(),
            "PluginAnswer": control::answer(),
            "Error": error(),
            "Event": events::event(),
            "Call": ledger::call(),
            "Incident": ledger::incident(),
            "Health": health(),
            "Readiness": readiness(),
            "Tool": tool(),
            "ToolResult": tool_result(),
        },
        "responses": {
            "Busy": refusal("A bound is reached.", true),
            "Unavailable": refusal("The plugin cannot be reached, or the gateway is stopping.", true),
            "Refused": refusal("The request is refused.", false),
            "Failed": refusal("There is no result.", false),
        },
    });
    for (name, schema) in work::schemas() {
        components["schemas"][name] = schema;
    }
    if secured {
        components["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    }
    components
}

fn list_tools() -> Value {
    let mut list = route(
        "list_tools",
        "The tools, in order",
        &json!({ "type": "array", "items": { "$ref": "#/components/schemas/Tool" } }),
    );
    list["parameters"] = json!([{
        "name": "all",
        "in": "query",
        "description": "Also the tools that are not listed, with the reason.",
        "schema": { "type": "boolean", "default": false },
    }]);
    list
}

fn one_tool() -> Value {
    let mut call = route("call_tool", "Calls a tool", &reference("ToolResult"));
    call["description"] = "Every tool also has an operation of its own, with the schemas of its arguments and result.".into();
    call["parameters"] = rules::dry_run();
    call["requestBody"] = json!({
        "required": true,
        "content": { "application/json": { "schema": { "type": "object" } } },
    });
    json!({
        "parameters": [{
            "name": "name",
            "in": "path",
            "required": true,
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" },
        }],
        "get": route("get_tool", "One tool", &reference("Tool")),
        "post": call,
    })
}

fn readyz() -> Value {
    let mut ready = open("readyz", "Whether calls are taken", "Readiness");
    ready["responses"]["503"] = json!({
        "description": "Not yet, or not any more.",
        "content": { "application/json": { "schema": reference("Readiness") } },
    });
    ready
}

fn metrics() -> Value {
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    let mut metrics = route(
        "metrics",
        "All numbers, as Prometheus reads them",
        &json!({}),
    );
    metrics["responses"]["200"]["content"] = text;
    metrics
}

fn overview(id: &str, summary: &str) -> Value {
    let mut overview = route(id, summary, &json!({ "type": "object" }));
    overview["parameters"] = json!([{
        "name": "seconds",
        "in": "query",
        "description": "How far the series go back.",
        "schema": { "type": "integer", "minimum": 60, "maximum": 300, "default": 300 },
    }]);
    overview
}

fn overview_stream() -> Value {
    let mut stream = overview("overview_stream", "The same as events, one a second");
    let events = json!({ "text/event-stream": { "schema": { "type": "string" } } });
    stream["responses"]["200"]["content"] = events;
    stream
}

/// An operation that answers JSON of this schema.
pub(super) fn route(id: &str, summary: &str, schema: &Value) -> Value {
    let mut responses = refusals();
    responses["200"] = json!({
        "description": summary,
        "content": { "application/json": { "schema": schema } },
    });
    json!({
        "operationId": format!("toolgate__{id}"),
        "tags": ["toolgate"],
        "summary": summary,
        "responses": responses,
    })
}

/// One that needs no credential, and tells more to whoever shows one.
fn open(id: &str, summary: &str, schema: &str) -> Value {
    let mut open = route(id, summary, &reference(schema));
    open["security"] = json!([{}]);
    open
}

pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

pub(super) fn object(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

fn refusal(description: &str, with_wait: bool) -> Value {
    let mut refusal = json!({
        "description": description,
        "content": { "application/json": { "schema": reference("Error") } },
    });
    if with_wait {
        refusal["headers"] = json!({
            "Retry-After": {
                "description": "Seconds after which trying again may work.",
                "schema": { "type": "integer" },
            },
        });
    }
    refusal
}

fn error() -> Value {
    let properties = json!({
        "reason": { "type": "string", "description": "A stable word for programs." },
        "message": { "type": "string", "description": "A sentence for people." },
        "byte": { "type": "integer", "description": "Where the body stops being JSON." },
        "code": { "type": "integer", "description": "The code of a plugin's JSON-RPC error." },
        "data": { "description": "What else the plugin said." },
        "retry_after_ms": { "type": "integer", "description": "When trying again may work." },
    });
    object(
        &json!({ "error": object(&properties, &["reason", "message"]) }),
        &["error"],
    )
}

fn tool() -> Value {
    let properties = json!({
        "name": { "type": "string" },
        "plugin": { "type": "string" },
        "listed": { "type": "boolean" },
        "reason": { "type": "string", "description": "Why it is not listed." },
        "title": { "type": "string" },
        "description": { "type": "string" },
        "enabled": { "type": "boolean", "description": "Whether it is not switched off." },
        "requires_approval": { "type": "boolean", "description": "Whether a person must agree to each call." },
        "category": { "enum": ["diagnostic", "remediation"] },
        "risk": { "enum": ["low", "medium", "high", "critical"] },
        "blast_radius": { "type": "string", "description": "What a call touches." },
        "annotations": { "type": "object" },
        "input_schema": { "type": "object", "description": "JSON schema of the arguments." },
        "output_schema": { "type": "object", "description": "JSON schema of the structured content." },
    });
    object(&properties, &["name", "plugin", "listed"])
}

fn tool_result() -> Value {
    let content = json!({ "type": "object", "properties": { "type": { "type": "string" } }, "required": ["type"] });
    let properties = json!({
        "content": { "type": "array", "items": content },
        "structuredContent": { "description": "The result for programs." },
        "isError": { "type": "boolean", "default": false },
        "_meta": { "type": "object" },
    });
    object(&properties, &[])
}

fn readiness() -> Value {
    let plugin = json!({
        "id": { "type": "string" },
        "state": { "enum": State::ALL },
        "health": { "enum": Status::ALL },
        "reason": { "type": "string" },
    });
    let properties = json!({
        "status": status(),
        "plugins": { "type": "array", "items": object(&plugin, &["id", "state", "health"]) },
        "keys": object(&json!({ "ready": { "type": "boolean" }, "reason": { "type": "string" } }), &["ready"]),
    });
    object(&properties, &["status"])
}

fn health() -> Value {
    let number = json!({ "type": "integer", "minimum": 0 });
    let plugins = json!({ "active": number, "idle": number, "starting": number, "failed": number });
    let health =
        json!({ "healthy": number, "degraded": number, "unhealthy": number, "unknown": number });
    let properties = json!({
        "status": status(),
        "version": { "type": "string" },
        "plugins": object(&plugins, &["active", "idle", "starting", "failed"]),
        "health": object(&health, &["healthy", "degraded", "unhealthy", "unknown"]),
        "tools": number,
        "sessions": number,
        "active_calls": number,
    });
    object(&properties, &["status"])
}

fn status() -> Value {
    json!({ "enum": ["starting", "ready", "stopping"] })
}
