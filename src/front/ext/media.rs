//! From the result of a tool to the answer of the route that stands for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::dispatch::CallError;
use crate::front::admin::answer::{problem, refused as fault};
use crate::front::ext::answer::refused;
use crate::front::http::body::{Body, json_response};
use crate::front::rest::refusal::Refusal;
use crate::manifest::host::Route;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Reply;

/// One part of a result's content.
#[derive(Deserialize)]
struct Part {
    text: Option<String>,
    /// Base64, of an image or a sound.
    data: Option<String>,
}

/// What the call came to, in the type that the route declares: JSON where it declares none. A tool that says that it
/// failed is 500, with its words.
pub(super) fn answer(called: Result<Reply, CallError>, route: &Route) -> Response<Body> {
    let reply = match called {
        Ok(reply) => reply,
        Err(CallError::Fault(failed)) => return fault(&failed),
        Err(CallError::Plugin(error)) => {
            let status = Refusal::of_plugin(&error).status();
            return problem(status, "plugin_error", &error.message, None);
        }
    };
    let result = Members::of(&reply.result).unwrap_or_default();
    let content = result.get("content");
    let parts: Vec<Part> = content
        .and_then(|content| content.parse().ok())
        .unwrap_or_default();
    let text = || -> String {
        parts
            .iter()
            .filter_map(|part| part.text.as_deref())
            .collect()
    };
    if result.get("isError").is_some_and(Json::is_true) {
        let words = text();
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return refused(status, "tool_failed", &words);
    }
    let status = StatusCode::from_u16(route.status).unwrap_or(StatusCode::OK);
    if let Some(kind) = &route.content_type {
        let data = parts.iter().find_map(|part| part.data.as_ref());
        let body: Bytes = match data.and_then(|data| STANDARD.decode(data).ok()) {
            Some(bytes) => bytes.into(),
            None => text().into(),
        };
        return typed(status, kind, body);
    }
    if let Some(structured) = result.get("structuredContent") {
        return json_response(status, Body::of(structured.bytes().clone()));
    }
    let text = Bytes::from(text());
    match Json::scan(text.clone()) {
        Ok(json) => json_response(status, Body::of(json.bytes().clone())),
        Err(_) => typed(status, "text/plain; charset=utf-8", text),
    }
}

fn typed(status: StatusCode, kind: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::of(body));
    *response.status_mut() = status;
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::manifest::host::Method;

    async fn check(result: &'static str, declared: Option<&str>, expect: (u16, &str, &str)) {
        let route = Route {
            method: Method::Get,
            path: "/p".to_owned(),
            tool: "t".to_owned(),
            scope: None,
            content_type: declared.map(str::to_owned),
            status: 201,
        };
        let reply = Reply {
            result: Json::literal(result),
            result_type: None,
        };
        let response = answer(Ok(reply), &route);
        let status = response.status().as_u16();
        let kind = response.headers()[CONTENT_TYPE]
            .to_str()
            .expect("ASCII")
            .to_owned();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("no stream")
            .to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert_eq!((status, kind.as_str(), body.as_str()), expect, "{result}");
    }

    #[tokio::test]
    async fn a_result_is_sent_as_what_it_is() {
        let (json, plain) = ("application/json", "text/plain; charset=utf-8");
        check(
            r#"{"content":[{"type":"text","text":"x"}],"structuredContent":{"a": 1}}"#,
            None,
            (201, json, r#"{"a": 1}"#),
        )
        .await;
        check(
            r#"{"content":[{"type":"text","text":"{\"a\":2}"}]}"#,
            None,
            (201, json, "{\"a\":2}"),
        )
        .await;
        check(
            r#"{"content":[{"type":"text","text":"hello"}]}"#,
            None,
            (201, plain, "hello"),
        )
        .await;
        check(
            r#"{"content":[{"type":"text","text":"<p>"}],"structuredContent":{}}"#,
            Some("text/html"),
            (201, "text/html", "<p>"),
        )
        .await;
        check(
            r#"{"content":[{"type":"image","data":"aGk=","mimeType":"image/png"}]}"#,
            Some("image/png"),
            (201, "image/png", "hi"),
        )
        .await;
        check(
            r#"{"content":[{"type":"text","text":"no disk"}],"isError":true}"#,
            Some("text/html"),
            (
                500,
                json,
                r#"{"detail":"no disk","code":500,"message":"no disk","error":{"reason":"tool_failed","message":"no disk"}}"#,
            ),
        )
        .await;
    }
}
