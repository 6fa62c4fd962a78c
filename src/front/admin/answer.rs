//! The one form of answers about plugins.

use std::time::Duration;

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::control::error::{ControlError, ErrorKind};
use crate::dispatch::CallError;
use crate::front::auth::insufficient;
use crate::front::http::body::{Body, json_response};
use crate::front::rest::refusal::Refusal;
use crate::model::fault::Fault;
use crate::wire::json::Json;

#[derive(Serialize)]
struct Well<'a, T> {
    code: u16,
    data: &'a T,
}

/// It went well.
pub(in crate::front) fn data<T: Serialize>(data: &T) -> Response<Body> {
    let whole = Json::of(&Well { code: 0, data });
    json_response(StatusCode::OK, Body::of(whole.bytes().clone()))
}

/// What a call came to: the tool's result to the byte.
pub(in crate::front) fn result(called: Result<Json, CallError>) -> Response<Body> {
    match called {
        Ok(result) => data(&result),
        Err(CallError::Fault(fault)) => refused(&fault),
        Err(CallError::Plugin(error)) => {
            let refusal = Refusal::of_plugin(&error);
            problem(refusal.status(), "plugin_error", &error.message, None)
        }
    }
}

/// The gateway failed.
pub(in crate::front) fn refused(fault: &Fault) -> Response<Body> {
    let refusal = Refusal::of_fault(fault);
    let message = fault.to_string();
    let mut response = problem(refusal.status(), fault.reason, &message, fault.retry_after);
    if let Some(scope) = &fault.scope {
        insufficient(response.headers_mut(), scope);
    }
    response
}

/// The wish was not done.
pub(in crate::front) fn failed(error: &ControlError) -> Response<Body> {
    let status = match error.kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Failed => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, error.reason, &error.message, error.retry_after)
}

/// The caller lacks a scope (RFC 6750 section 3.1).
pub(in crate::front) fn denied(scope: &str) -> Response<Body> {
    let message = format!(
        "missing scope `{scope}`: give it to the token in the configuration (`auth.tokens.scopes`)"
    );
    let mut response = problem(StatusCode::FORBIDDEN, "insufficient_scope", &message, None);
    insufficient(response.headers_mut(), scope);
    response
}

/// The request says something wrong.
pub(in crate::front) fn bad_request(message: &str) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, "bad_request", message, None)
}

pub(in crate::front) fn problem(
    status: StatusCode,
    reason: &str,
    message: &str,
    retry_after: Option<Duration>,
) -> Response<Body> {
    let mut error = json!({ "reason": reason, "message": message });
    let wait = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    if let Some(ms) = wait {
        error["retry_after_ms"] = ms.into();
    }
    let whole = json!({ "code": status.as_u16(), "message": message, "error": error });
    let mut response = json_response(status, Body::of(Json::of(&whole).bytes().clone()));
    if let Some(ms) = wait {
        let seconds = HeaderValue::from(ms.div_ceil(1000).max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
