//! The part of the document about the life of plugins.

use serde_json::{Value, json};

use crate::front::openapi::fixed::{object, reference, route};
use crate::front::openapi::rules;

/// The routes about plugins.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    vec![
        ("/api/v1/plugin/list", json!({ "get": list() })),
        ("/api/v1/plugin/get", json!({ "get": get() })),
        (
            "/api/v1/plugin/report",
            json!({ "get": plain("report", "How the plugins do") }),
        ),
        (
            "/api/v1/plugin/ps",
            json!({ "get": plain("ps", "The instances that run") }),
        ),
        ("/api/v1/plugin/why", json!({ "get": why() })),
        ("/api/v1/plugin/logs", json!({ "get": logs() })),
        ("/api/v1/plugin/execute", json!({ "post": execute() })),
        (
            "/api/v1/plugin/register",
            act("register", "Takes a plugin in and starts it"),
        ),
        (
            "/api/v1/plugin/unregister",
            act("unregister", "Takes a plugin out"),
        ),
        (
            "/api/v1/plugin/build",
            act("build", "Builds a plugin from source"),
        ),
        (
            "/api/v1/plugin/start",
            act("start", "Starts a plugin that does not run"),
        ),
        ("/api/v1/plugin/stop", act("stop", "Stops a plugin")),
        (
            "/api/v1/plugin/reload",
            json!({ "post": with_body(plain("reload", "Reads configuration and plugins again"), &object(&json!({}), &[])) }),
        ),
    ]
}

/// What every answer about plugins is.
pub(super) fn answer() -> Value {
    let properties = json!({
        "code": { "type": "integer", "description": "0 when it went well, else the HTTP status." },
        "data": { "description": "What was asked for." },
        "message": { "type": "string", "description": "Why it did not go well." },
        "error": { "type": "object", "description": "The same for programs." },
    });
    object(&properties, &["code"])
}

fn plain(id: &str, summary: &str) -> Value {
    route(&format!("plugin_{id}"), summary, &reference("PluginAnswer"))
}

fn with_body(mut operation: Value, schema: &Value) -> Value {
    operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    operation
}

fn act(id: &str, summary: &str) -> Value {
    let properties = json!({
        "id": { "type": "string", "description": "The plugin." },
        "rebuild": { "type": "boolean", "description": "Whether it is built anew, where that is meant." },
    });
    let body = object(&properties, &["id"]);
    json!({ "post": with_body(plain(id, summary), &body) })
}

fn execute() -> Value {
    let properties = json!({
        "id": { "type": "string", "description": "The plugin." },
        "method": { "type": "string", "description": "Its own name of the tool." },
        "args": { "type": "object", "description": "The arguments." },
    });
    let body = object(&properties, &["id", "method"]);
    let mut execute = with_body(plain("execute", "Calls a tool of a plugin"), &body);
    execute["parameters"] = rules::dry_run();
    execute
}

fn list() -> Value {
    let mut list = plain("list", "All plugins, or a page of those in a state");
    let number = json!({ "type": "integer", "minimum": 1 });
    list["parameters"] = json!([
        { "name": "status", "in": "query", "schema": { "type": "string" } },
        { "name": "page_no", "in": "query", "schema": number },
        { "name": "page_size", "in": "query", "schema": number },
    ]);
    list
}

fn why() -> Value {
    let mut why = plain("why", "Why a tool is listed, or why not");
    why["parameters"] = json!([{
        "name": "tool",
        "in": "query",
        "required": true,
        "description": "The name as a client would call it.",
        "schema": { "type": "string" },
    }]);
    why
}

fn logs() -> Value {
    let mut logs = plain(
        "logs",
        "The last lines that a plugin wrote beside the protocol",
    );
    logs["parameters"] = json!([
        { "name": "id", "in": "query", "required": true, "schema": { "type": "string" } },
        { "name": "limit", "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 } },
    ]);
    logs
}

fn get() -> Value {
    let mut get = plain("get", "One plugin");
    get["parameters"] =
        json!([{ "name": "id", "in": "query", "required": true, "schema": { "type": "string" } }]);
    get
}
