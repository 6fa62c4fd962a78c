//! The MCP endpoint: which era a request belongs to, and what every request must look like.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method as Verb, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::front::http::body::{Body, json_response, problem, read};
use crate::front::http::{Active, HttpFront};
use crate::model::caller::Caller;
use crate::wire::error::{INVALID_REQUEST, RpcError};
use crate::wire::header::MCP_PROTOCOL_VERSION;
use crate::wire::json::Json;
use crate::wire::message::{Id, Message, Params, Reject, write_error};
use crate::wire::meta;
use crate::wire::revision::{Era, Revision};
use crate::wire::trace::{TRACEPARENT, TraceContext};

/// When a client should try again while the gateway stops or is full, in seconds.
const RETRY_AFTER_S: &str = "1";

impl HttpFront {
    /// Answers a request to the MCP endpoint.
    pub(super) async fn mcp(
        self: &Arc<Self>,
        request: Request<Incoming>,
        caller: Arc<Caller>,
    ) -> Response<Body> {
        match *request.method() {
            Verb::POST => self.post(request, caller).await,
            Verb::GET => self.legacy_get(request.headers(), &caller),
            Verb::DELETE => self.legacy_delete(request.headers(), &caller),
            _ => not_allowed(),
        }
    }

    async fn post(
        self: &Arc<Self>,
        request: Request<Incoming>,
        caller: Arc<Caller>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers;
        if !is_json(&headers) {
            let message = "send `Content-Type: application/json`";
            return problem(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                message,
            );
        }
        if !accepts_both(&headers) {
            let message = "send `Accept: application/json, text/event-stream`";
            return problem(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message);
        }
        let active = self.enter();
        let max = self.config.max_body_bytes;
        let text = match read(
            body,
            max,
            Duration::from_millis(self.config.body_timeout_ms),
        )
        .await
        {
            Ok(text) => text,
            Err(unreadable) => return unreadable.response(max),
        };
        let batch = Message::parse_batch(&text);
        match (batch, active) {
            (Some(Err(reject)), _) => rejected(&reject),
            (Some(Ok(batch)), Some(active)) => {
                self.legacy_batch(&headers, batch, &caller, active).await
            }
            (Some(Ok(_)), None) => stopping(),
            (None, active) => match Message::parse(text) {
                Ok(message) => self.message(headers, message, caller, active).await,
                Err(reject) => rejected(&reject),
            },
        }
    }

    async fn message(
        self: &Arc<Self>,
        headers: HeaderMap,
        mut message: Message,
        caller: Arc<Caller>,
        active: Option<Active>,
    ) -> Response<Body> {
        let active = match (active, &message) {
            (Some(active), _) => active,
            (None, Message::Request(_)) => return stopping(),
            // Calls that still run may wait for what it says.
            (None, Message::Notification(_) | Message::Response(_)) => self.enter_anyway(),
        };
        if self.desk.dispatcher.metrics().spans().is_some() {
            join_trace(&headers, &mut message);
        }
        let era = match &message {
            Message::Request(request) => era(&headers, &request.params),
            Message::Notification(notification) => era(&headers, &notification.params),
            Message::Response(_) => era(&headers, &Params::default()),
        };
        match (message, era) {
            (Message::Request(request), Era::Modern) => {
                self.modern(&headers, request, caller, active).await
            }
            // None of them means anything here: closing the stream is what cancels (MCP 2026-07-28, transports).
            (Message::Notification(_), Era::Modern) => accepted(),
            (Message::Response(_), Era::Modern) => {
                let error = RpcError::new(
                    INVALID_REQUEST,
                    "Invalid request: a client sends requests and notifications",
                );
                error_response(StatusCode::BAD_REQUEST, None, &error)
            }
            (message, Era::Legacy) => self.legacy(&headers, message, &caller, active).await,
        }
    }
}

/// A request belongs to the trace that its `_meta` names, else to the one of the header.
fn join_trace(headers: &HeaderMap, message: &mut Message) {
    let named = headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    if let Message::Request(request) = message
        && request.params.meta.get(TRACEPARENT).is_none()
        && let Some(context) = named.and_then(TraceContext::parse)
    {
        let place = context.to_string();
        request
            .params
            .meta
            .set(TRACEPARENT, Json::of(place.as_str()));
    }
}

/// The era of a message: its own `_meta` first, then the version header.
fn era(headers: &HeaderMap, params: &Params) -> Era {
    if params.meta.get(meta::PROTOCOL_VERSION).is_some() {
        return Era::Modern;
    }
    let version = headers
        .get(MCP_PROTOCOL_VERSION)
        .and_then(|value| value.to_str().ok());
    version
        .and_then(Revision::of)
        .map_or(Era::Legacy, Revision::era)
}

pub(in crate::front) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind == "application/json") {
        return true;
    }
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
    kind.split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the client takes both kinds of answers (MCP 2026-07-28, transports, section 3).
fn accepts_both(headers: &HeaderMap) -> bool {
    if headers
        .get(ACCEPT)
        .is_some_and(|value| value == "application/json, text/event-stream")
    {
        return true;
    }
    let (mut json, mut events) = (false, false);
    for value in headers.get_all(ACCEPT) {
        for kind in value.to_str().unwrap_or("").split(',') {
            match kind.split(';').next().unwrap_or("").trim() {
                "*/*" => (json, events) = (true, true),
                "application/json" | "application/*" => json = true,
                "text/event-stream" | "text/*" => events = true,
                _ => {}
            }
        }
    }
    json && events
}

/// The answer to what is no message.
pub(super) fn rejected(reject: &Reject) -> Response<Body> {
    error_response(StatusCode::BAD_REQUEST, reject.id.as_ref(), &reject.error)
}

/// A JSON-RPC error as a whole answer.
pub(super) fn error_response(
    status: StatusCode,
    id: Option<&Id>,
    error: &RpcError,
) -> Response<Body> {
    let mut out = Vec::with_capacity(256);
    write_error(&mut out, id, error);
    json_response(status, Body::of(Bytes::from(out)))
}

/// The answer to a notification (MCP 2026-07-28, transports, section 3).
pub(super) fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn stopping() -> Response<Body> {
    busy("the gateway is stopping")
}

/// A refusal that may be another answer later.
pub(in crate::front) fn busy(message: &str) -> Response<Body> {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(super) fn not_allowed() -> Response<Body> {
    let mut response = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "use POST",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_answers_must_be_acceptable() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            accepts_both(&headers)
        };
        assert!(check(&["application/json, text/event-stream"]));
        assert!(check(&["text/event-stream;q=0.5", "application/json"]));
        assert!(check(&["*/*"]));
        assert!(!check(&["application/json"]));
        assert!(!check(&[]));
    }
}
