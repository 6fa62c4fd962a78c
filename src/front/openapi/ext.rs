//! What plugins answer themselves, in the document: that they do, not what.

use serde_json::{Value, json};

use crate::front::openapi::fixed::{object, route};

/// The paths below `/ext`.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    let id =
        json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } });
    let path =
        json!({ "name": "path", "in": "path", "required": true, "schema": { "type": "string" } });
    let own = |name: &str, parameters: &Value| {
        let mut item = json!({ "parameters": parameters });
        for method in ["get", "post", "put", "patch", "delete"] {
            let summary = "What the plugin answers: a route or a file of it";
            let mut answer = route(&format!("ext_{name}_{method}"), summary, &json!({}));
            answer["responses"]["200"]["content"] = json!({ "*/*": {} });
            item[method] = answer;
        }
        item
    };
    let mut health = json!({ "get": route("ext_health", "How a plugin is", &health()) });
    health["parameters"] = json!([id]);
    vec![
        (
            "/ext/status",
            json!({ "get": route("ext_status", "Every plugin, with what it may and may not do", &status()) }),
        ),
        ("/ext/{id}/health", health),
        ("/ext/{id}", own("bare", &json!([id]))),
        ("/ext/{id}/", own("root", &json!([id]))),
        ("/ext/{id}/{*path}", own("any", &json!([id, path]))),
    ]
}

fn status() -> Value {
    let number = json!({ "type": "integer", "minimum": 0 });
    let properties = json!({
        "extensions": { "type": "object", "additionalProperties": { "type": "object" } },
        "discovery_sources": { "type": "array", "items": { "type": "object" } },
        "total_extensions": number,
        "loaded_extensions": number,
        "failed_extensions": number,
    });
    object(&properties, &["extensions", "discovery_sources"])
}

fn health() -> Value {
    let properties = json!({
        "status": { "type": "string" },
        "details": { "type": "object" },
        "uptime_seconds": { "type": "number" },
        "error_count": { "type": "integer", "minimum": 0 },
    });
    object(
        &properties,
        &["status", "details", "uptime_seconds", "error_count"],
    )
}
