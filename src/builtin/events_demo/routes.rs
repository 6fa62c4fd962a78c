//! `/ext/events_demo/…`: events are published and followed over plain HTTP.

use std::sync::Arc;

use futures::{StreamExt, stream};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use serde_json::json;

use crate::model::caller::{Caller, READ};
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::routes::{
    Bytes, IntoResponse, JsonBody, Path, RouteContext, RouteResponse, Router, Routes, State,
    StreamEvent, get, post,
};
use crate::plugin::{Event, Events};
use crate::wire::json::Json;

/// The routes.
pub(super) fn routes(events: Events) -> Routes {
    let router = Router::new()
        .route("/publish/{topic}", post(publish))
        .route("/stream/{topic}", get(follow))
        .with_state(events);
    Routes::new(router)
}

/// Whether `caller` is shown the event. Those of the gateway say what others do.
pub(super) fn sees(caller: &Caller, event: &Event) -> bool {
    caller.may(READ) || !event.topic.as_str().starts_with("toolgate.")
}

/// `POST publish/{topic}`: publishes an event; the body is its payload, `null` where there is none.
async fn publish(
    State(events): State<Events>,
    context: RouteContext,
    Path(topic): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> RouteResponse {
    if context.caller().read_only {
        return refused(StatusCode::FORBIDDEN, "the credential is `read_only`");
    }
    // Pages of other sites can send forms without asking anyone.
    if !body.is_empty() && !is_json(&headers) {
        let message = "send the payload with `Content-Type: application/json`";
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    let payload = match body.is_empty() {
        true => Json::literal("null"),
        false => match Json::scan(body) {
            Ok(payload) => payload,
            Err(error) => {
                let message = format!("the body is not JSON: {error}");
                return refused(StatusCode::BAD_REQUEST, &message);
            }
        },
    };
    match events.publish(&topic, &payload) {
        Ok(id) => JsonBody(json!({ "id": id, "topic": topic })).into_response(),
        Err(fault) => failed(&fault),
    }
}

/// `GET stream/{topic}`: the events that the pattern chooses, as they are published.
async fn follow(
    State(events): State<Events>,
    context: RouteContext,
    Path(topic): Path<String>,
) -> RouteResponse {
    match events.tail(&topic) {
        Ok(tail) => {
            // Something at once, so that whoever opens it knows that it is open.
            let open = StreamEvent::default().comment("");
            let caller = Arc::clone(context.caller());
            let events = tail
                .filter(move |event| std::future::ready(sees(&caller, event)))
                .map(|event| written(&event));
            context.stream(stream::iter([open]).chain(events))
        }
        Err(fault) => failed(&fault),
    }
}

fn written(event: &Arc<Event>) -> StreamEvent {
    let data = Json::of(&**event);
    let id = event.id.to_string();
    StreamEvent::default()
        .event("event")
        .id(id)
        .data(one_line(data.as_str()))
}

/// Payloads keep their line breaks between tokens, of which there is none in a string.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn failed(fault: &Fault) -> RouteResponse {
    let status = match fault.kind {
        FaultKind::BadInput => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Denied => StatusCode::FORBIDDEN,
        FaultKind::NotFound
        | FaultKind::Busy
        | FaultKind::Timeout
        | FaultKind::Unavailable
        | FaultKind::Broken
        | FaultKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
    };
    refused(status, &fault.message)
}

fn refused(status: StatusCode, message: &str) -> RouteResponse {
    (status, JsonBody(json!({ "error": message }))).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
