//! What is recorded, as the routes show it.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::front::http::body::{Body, json_response};
use crate::ledger::ids::{shown, time_of};
use crate::ledger::record::{Body as Kept, CallRow, DenialRow, Incident, LifeRow, NoteRow, Page};
use crate::plugin::utc;
use crate::wire::json::Json;

/// One call with its texts.
#[derive(Serialize)]
pub(super) struct WholeCall {
    #[serde(flatten)]
    call: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json>,
}

/// An answer of JSON.
pub(in crate::front) fn json<T: Serialize>(value: &T) -> Response<Body> {
    json_response(StatusCode::OK, Body::of(Json::of(value).bytes().clone()))
}

/// The cursor of the next page, if there may be one.
pub(in crate::front) fn cursor(last: Option<u64>, n: usize, page: Page) -> Option<String> {
    last.filter(|_| n >= page.limit as usize).map(shown)
}

fn at(ms: u64) -> String {
    utc(Duration::from_millis(ms))
}

fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// A call without its texts.
pub(in crate::front) fn call(call: &CallRow) -> Map<String, Value> {
    let whole = json!({
        "id": shown(call.id),
        "time": at(call.began_ms),
        "principal": call.principal,
        "session": call.session,
        "incident": call.incident.map(shown),
        "method": call.method,
        "tool": call.tool,
        "plugin": call.plugin,
        "runtime": call.runtime,
        "era": call.era,
        "duration_ms": call.taken_us.map(milliseconds),
        "outcome": call.outcome,
        "reason": call.reason,
        "arguments_sha256": call.arguments_sha256,
        "dry_run": call.dry_run,
        "approval": call.approval,
        "replay_of": call.replay_of.map(shown),
    });
    match whole {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(super) fn whole_call(row: &CallRow, kept: Option<&Kept>) -> WholeCall {
    let text = |text: &Option<String>| {
        let text = Bytes::from(text.clone()?);
        Json::scan(text).ok()
    };
    WholeCall {
        call: call(row),
        arguments: kept.and_then(|kept| text(&kept.arguments)),
        result: kept.and_then(|kept| text(&kept.result)),
    }
}

pub(in crate::front) fn incident(incident: &Incident) -> Value {
    let status = match incident.closed_ms {
        Some(_) => "closed",
        None => "open",
    };
    json!({
        "id": shown(incident.id),
        "title": incident.title,
        "status": status,
        "created": utc(time_of(incident.id)),
        "closed": incident.closed_ms.map(at),
        "principal": incident.principal,
        "session": incident.session,
        "calls": incident.calls,
        "errors": incident.errors,
    })
}

/// A call as an event of its incident.
pub(in crate::front) fn call_event(call: &CallRow) -> Value {
    let mut event = json!({
        "id": shown(call.id),
        "time": at(call.began_ms),
        "type": "tool_call",
        "tool": call.tool,
        "plugin": call.plugin,
        "outcome": call.outcome,
        "duration_ms": call.taken_us.map(milliseconds),
        "principal": call.principal,
    });
    if call.method != "tools/call" {
        event["type"] = "request".into();
        event["method"] = call.method.as_str().into();
    }
    if let Some(reason) = &call.reason {
        event["error"] = reason.as_str().into();
    }
    event
}

/// A note as an event of its incident; what it says beside is laid in.
pub(in crate::front) fn note_event(note: &NoteRow) -> Value {
    let mut event: Value = serde_json::from_str(&note.data).unwrap_or_else(|_| json!({}));
    if !event.is_object() {
        event = json!({});
    }
    event["id"] = shown(note.id).into();
    event["time"] = utc(time_of(note.id)).into();
    event["type"] = note.kind.as_str().into();
    event["principal"] = note.principal.as_str().into();
    event
}

pub(in crate::front) fn life(life: &LifeRow) -> Value {
    json!({
        "time": utc(time_of(life.id)),
        "plugin": life.plugin,
        "event": life.event,
        "state": life.state,
        "error": life.error,
    })
}

pub(in crate::front) fn denial(denial: &DenialRow) -> Value {
    json!({
        "time": utc(time_of(denial.id)),
        "principal": denial.principal,
        "what": denial.what,
        "scope": denial.scope,
        "path": denial.path,
        "remote": denial.remote,
        "count": denial.count,
    })
}
