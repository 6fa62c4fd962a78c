//! The answers of `/ext` that are nobody's content.

use http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::json;

use crate::front::admin::answer::problem;
use crate::front::http::body::{Body, json_response};
use crate::wire::json::Json;

/// The caller lacks a scope: what is missing, in one member, and the challenge of RFC 6750 section 3.1.
pub(super) fn missing_scope(scope: &str) -> Response<Body> {
    let detail = json!({ "detail": format!("missing scope {scope}") });
    let body = Body::of(Json::of(&detail).bytes().clone());
    let mut response = json_response(StatusCode::FORBIDDEN, body);
    let challenge =
        format!("Bearer realm=\"toolgate\", error=\"insufficient_scope\", scope=\"{scope}\"");
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// There is nothing at this path, with why where that is known.
pub(super) fn nothing(why: Option<&str>) -> Response<Body> {
    let message = why.map_or("Not Found".to_owned(), |why| format!("Not Found: {why}"));
    refused(StatusCode::NOT_FOUND, "not_found", &message)
}

/// The path is one of these methods.
pub(super) fn not_allowed(methods: &[&str]) -> Response<Body> {
    let allowed = methods.join(", ");
    let message = format!("the path can be asked {allowed}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = refused(status, "method_not_allowed", &message);
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Any other refusal: the form of `/api/v1`, and `detail` with the same sentence.
pub(super) fn refused(status: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let whole = json!({
        "detail": message,
        "code": status.as_u16(),
        "message": message,
        "error": { "reason": reason, "message": message },
    });
    let mut response = problem(status, reason, message, None);
    *response.body_mut() = Body::of(Json::of(&whole).bytes().clone());
    response
}
