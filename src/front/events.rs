//! `/api/events…`: events are published, looked at, and followed over plain HTTP.

mod follow;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query};
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::events::bus::{Away, Bus};
use crate::front::admin::answer::{bad_request, problem, refused};
use crate::front::events::follow::follow;
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response, read};
use crate::front::http::mcp::{busy, is_json};
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::model::caller::{ADMIN, Caller, READ};
use crate::model::event::Event;
use crate::model::plugin_id::PluginId;
use crate::model::topic::{Pattern, Topic};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// How many events are listed where the request does not say, and at the most.
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// The last event that a client has seen of a stream (WHATWG HTML, server-sent events).
const LAST_EVENT_ID: &str = "last-event-id";

type Asked = Result<Query<EventsQuery>, QueryRejection>;

/// Which events are asked for; all of them when nothing is said.
#[derive(Deserialize)]
pub(super) struct EventsQuery {
    topic: Option<String>,
    limit: Option<usize>,
}

impl EventsQuery {
    fn read(asked: Asked) -> Result<(Pattern, usize), Box<Response<Body>>> {
        let Ok(Query(Self { topic, limit })) = asked else {
            let message = "`topic` is a pattern such as `task.*`, `limit` a number";
            return Err(Box::new(bad_request(message)));
        };
        let pattern = match topic.as_deref() {
            None | Some("") => Pattern::all(),
            Some(topic) => topic
                .parse()
                .map_err(|bad| Box::new(bad_request(&format!("{bad}"))))?,
        };
        let limit = limit.unwrap_or(LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let message = format!("`limit` is 1 to {MAX_LIMIT}");
            return Err(Box::new(bad_request(&message)));
        }
        Ok((pattern, limit))
    }
}

/// `POST /api/events/{topic}`: publishes an event; the body is its payload.
pub(super) async fn publish(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    topic: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    if let Err(denied) = need(&caller, ADMIN) {
        return *denied;
    }
    let topic = match topic.map(|Path(topic)| topic.parse::<Topic>()) {
        Ok(Ok(topic)) => topic,
        Ok(Err(bad)) => return bad_request(&bad.to_string()),
        Err(_) => return bad_request("the topic in the path is not UTF-8"),
    };
    if !is_json(&headers) {
        let message = "send the payload with `Content-Type: application/json`";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return problem(status, "unsupported_media_type", message, None);
    }
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    let max = front.config.max_body_bytes;
    let within = Duration::from_millis(front.config.body_timeout_ms);
    let text = match read(body, max, within).await {
        Ok(text) => text,
        Err(unreadable) => return unreadable.response(max),
    };
    let payload = match Json::scan(text) {
        Ok(payload) => payload,
        Err(error) => return bad_request(&format!("the body is not JSON: {error}")),
    };
    let source = format!("caller:{}", caller.principal);
    let events = front.desk.dispatcher.events();
    match events.publish(topic.clone(), source, payload) {
        Ok(id) => answer(StatusCode::ACCEPTED, &json!({ "id": id, "topic": topic })),
        Err(fault) => refused(&fault),
    }
}

/// `GET /api/events?topic=&limit=`: the events that are kept, newest first.
pub(super) async fn recent(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    asked: Asked,
) -> Response<Body> {
    let (pattern, limit) = match need(&caller, READ).and_then(|()| EventsQuery::read(asked)) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    match bus(&front).recent(&pattern, limit).await {
        Ok(mut recent) => {
            recent.retain(|event| sees(&caller, event));
            answer(StatusCode::OK, &json!({ "events": recent }))
        }
        Err(away) => unreachable_bus(&away),
    }
}

/// `GET /api/events/stream?topic=`: events as they are published. With `Last-Event-ID` those that are kept and came after
/// that one go first.
pub(super) async fn stream(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    asked: Asked,
) -> Response<Body> {
    let (pattern, _) = match need(&caller, READ).and_then(|()| EventsQuery::read(asked)) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let bus = bus(&front);
    // Before the kept ones are looked at, so that nothing falls between.
    let tail = bus.tail(pattern.clone());
    let last = headers.get(LAST_EVENT_ID);
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    let mut missed = Vec::new();
    if let Some(last) = last
        && let Ok(recent) = bus.recent(&pattern, MAX_LIMIT).await
    {
        missed = recent
            .into_iter()
            .take_while(|event| event.id != last)
            .collect();
        missed.reverse();
    }
    follow(&front, caller, tail, missed)
}

/// `GET /api/events/status`: how the bus does.
pub(super) async fn status(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    if let Err(denied) = need(&caller, READ) {
        return *denied;
    }
    let mut status = bus(&front).status();
    let seen = |plugin: &Option<PluginId>| plugin.as_ref().is_none_or(|id| caller.sees(id));
    status.subscriptions.retain(|group| seen(&group.plugin));
    answer(StatusCode::OK, &status)
}

/// `GET /api/events/dead?limit=`: the dead letters, newest first.
pub(super) async fn dead(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    asked: Asked,
) -> Response<Body> {
    let (_, limit) = match need(&caller, READ).and_then(|()| EventsQuery::read(asked)) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    match bus(&front).dead(limit).await {
        Ok(mut dead) => {
            dead.retain(|dead| sees(&caller, &dead.event));
            answer(StatusCode::OK, &json!({ "events": dead }))
        }
        Err(away) => unreachable_bus(&away),
    }
}

fn bus(front: &HttpFront) -> &Arc<dyn Bus> {
    front.desk.dispatcher.events().bus()
}

/// Whether the event is none of a plugin that the caller may not see, nor about one.
fn sees(caller: &Caller, event: &Event) -> bool {
    if caller.plugins.is_none() {
        return true;
    }
    let about = match event.source.strip_prefix("plugin:") {
        Some(id) => Some(id.to_owned()),
        None if &*event.source == "toolgate" => Members::of(&event.payload)
            .and_then(|payload| payload.string("plugin").map(|id| id.into_owned())),
        None => None,
    };
    about.is_none_or(|id| id.parse().is_ok_and(|id| caller.sees(&id)))
}

fn answer<T: serde::Serialize>(status: StatusCode, whole: &T) -> Response<Body> {
    json_response(status, Body::of(Json::of(whole).bytes().clone()))
}

fn unreachable_bus(away: &Away) -> Response<Body> {
    let wait = Some(Duration::from_secs(1));
    let status = StatusCode::SERVICE_UNAVAILABLE;
    problem(status, "events_unavailable", &away.to_string(), wait)
}
