//! The part of the document about events.

use serde_json::{Value, json};

use crate::front::openapi::fixed::{object, reference, route};

/// The routes about events.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    let kept = list("events", "The events that are kept, newest first", true);
    let dead = list(
        "dead_events",
        "Events that nobody could be brought to take",
        false,
    );
    let status = object(
        &json!({ "backend": { "enum": ["memory", "redis"] } }),
        &["backend"],
    );
    let status = route("events_status", "How the event bus does", &status);
    vec![
        ("/api/events", json!({ "get": kept })),
        ("/api/events/stream", json!({ "get": stream() })),
        ("/api/events/status", json!({ "get": status })),
        ("/api/events/dead", json!({ "get": dead })),
        ("/api/events/{topic}", publish()),
    ]
}

/// One event.
pub(super) fn event() -> Value {
    let properties = json!({
        "id": { "type": "string", "format": "uuid", "description": "Later ones sort behind earlier ones." },
        "topic": { "type": "string" },
        "time": { "type": "string", "format": "date-time" },
        "source": { "type": "string", "description": "`plugin:{id}`, `caller:{principal}`, or `toolgate`." },
        "payload": {},
    });
    object(&properties, &["id", "topic", "time", "source", "payload"])
}

fn topic() -> Value {
    let description = "A pattern: `*` stands for one or more characters. All when left out.";
    json!({ "name": "topic", "in": "query", "description": description, "schema": { "type": "string" } })
}

fn list(id: &str, summary: &str, with_topic: bool) -> Value {
    let events = json!({ "events": { "type": "array", "items": reference("Event") } });
    let mut list = route(id, summary, &object(&events, &["events"]));
    let limit = json!({
        "name": "limit",
        "in": "query",
        "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 },
    });
    list["parameters"] = match with_topic {
        true => json!([topic(), limit]),
        false => json!([limit]),
    };
    list
}

fn stream() -> Value {
    let mut stream = route("events_stream", "Events as they are published", &json!({}));
    stream["parameters"] = json!([topic()]);
    stream["responses"]["200"] = json!({
        "description": "Server-sent events `event`, each with an event as its data; `missed` says how many were left out.",
        "content": { "text/event-stream": { "schema": { "type": "string" } } },
    });
    stream
}

fn publish() -> Value {
    let published = json!({ "id": { "type": "string" }, "topic": { "type": "string" } });
    let schema = object(&published, &["id", "topic"]);
    let mut publish = route("publish_event", "Publishes an event", &schema);
    if let Some(responses) = publish["responses"].as_object_mut()
        && let Some(accepted) = responses.remove("200")
    {
        responses.insert("202".to_owned(), accepted);
    }
    publish["requestBody"] = json!({
        "required": true,
        "description": "The payload.",
        "content": { "application/json": { "schema": {} } },
    });
    let pattern = r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$";
    json!({
        "parameters": [{
            "name": "topic",
            "in": "path",
            "required": true,
            "schema": { "type": "string", "pattern": pattern, "maxLength": 128 },
        }],
        "post": publish,
    })
}
