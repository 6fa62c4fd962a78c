//! What a script is told when there is no result: a status, and one form of body.

use std::time::Duration;

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::front::auth::insufficient;
use crate::front::http::body::{Body, json_response};
use crate::model::fault::{Fault, FaultKind};
use crate::wire::error::{INVALID_PARAMS, RpcError};
use crate::wire::json::{Json, JsonError};

/// The status for a caller that went away, as other gateways write it; nobody reads it.
const CLIENT_CLOSED: u16 = 499;

/// When trying again may work where the fault does not say it.
const A_MOMENT: Duration = Duration::from_secs(1);

/// An answer without a result.
pub(in crate::front) struct Refusal<'a> {
    status: StatusCode,
    error: Error<'a>,
    /// The scope that is missing, if that is all.
    scope: Option<Box<str>>,
}

/// Its body, under the key `error`.
#[derive(Default, Serialize)]
struct Error<'a> {
    /// A stable word for programs.
    reason: &'a str,
    /// A sentence for people.
    message: String,
    /// The byte of the body at which it stops being JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<usize>,
    /// The code of a plugin's JSON-RPC error.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    /// What else the plugin said.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Json>,
    /// When trying again may work.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'a> Refusal<'a> {
    /// For a failure of the gateway.
    pub(in crate::front) fn of_fault(fault: &Fault) -> Self {
        let wait = fault.retry_after.or_else(|| default_wait(fault.kind));
        let error = Error {
            reason: fault.reason,
            message: fault.to_string(),
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            ..Error::default()
        };
        Self {
            status: status(fault.kind),
            error,
            scope: fault.scope.clone(),
        }
    }

    /// For a JSON-RPC error of the plugin. The arguments are all that the caller's params are, so the code for invalid
    /// params speaks of them; for the others the gateway has no better word than a bad answer from behind it.
    pub(in crate::front) fn of_plugin(error: &'a RpcError) -> Self {
        let status = match error.code {
            INVALID_PARAMS => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_GATEWAY,
        };
        let error = Error {
            reason: "plugin_error",
            message: error.message.clone(),
            code: Some(error.code),
            data: error.data.as_ref(),
            ..Error::default()
        };
        Self {
            status,
            error,
            scope: None,
        }
    }

    /// For a body that is not sound JSON.
    pub(in crate::front) fn of_text(error: &JsonError) -> Self {
        let error = Error {
            reason: "invalid_json",
            message: format!("the body is not JSON: {error}"),
            byte: Some(error.offset),
            ..Error::default()
        };
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            scope: None,
        }
    }

    /// Its status.
    pub(in crate::front) fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer.
    pub(in crate::front) fn response(&self) -> Response<Body> {
        #[derive(Serialize)]
        struct Whole<'a> {
            error: &'a Error<'a>,
        }

        let whole = Json::of(&Whole { error: &self.error });
        let mut response = json_response(self.status, Body::of(whole.bytes().clone()));
        if let Some(ms) = self.error.retry_after_ms {
            let seconds = HeaderValue::from(ms.div_ceil(1000).max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        if let Some(scope) = &self.scope {
            insufficient(response.headers_mut(), scope);
        }
        response
    }
}

/// The status for each kind of fault.
fn status(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::NotFound => StatusCode::NOT_FOUND,
        FaultKind::BadInput => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Denied => StatusCode::FORBIDDEN,
        FaultKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Broken => StatusCode::BAD_GATEWAY,
        FaultKind::Cancelled => {
            StatusCode::from_u16(CLIENT_CLOSED).expect("a status has three digits")
        }
    }
}

/// A caller that is turned away for its number is always told when to come back.
fn default_wait(kind: FaultKind) -> Option<Duration> {
    match kind {
        FaultKind::Busy => Some(A_MOMENT),
        FaultKind::NotFound
        | FaultKind::BadInput
        | FaultKind::Denied
        | FaultKind::Timeout
        | FaultKind::Unavailable
        | FaultKind::Broken
        | FaultKind::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::BodyExt;

    use super::*;

    async fn check(refusal: &Refusal<'_>, status: u16, retry_after: Option<&str>, body: &str) {
        let response = refusal.response();
        assert_eq!(response.status(), status);
        let header = response.headers().get(RETRY_AFTER);
        assert_eq!(header.and_then(|value| value.to_str().ok()), retry_after);
        let whole = response.into_body().collect().await.expect("no stream");
        assert_eq!(whole.to_bytes(), Bytes::copy_from_slice(body.as_bytes()));
    }

    #[tokio::test]
    async fn every_kind_of_fault_has_a_status() {
        for (kind, status) in [
            (FaultKind::NotFound, 404),
            (FaultKind::BadInput, 422),
            (FaultKind::Denied, 403),
            (FaultKind::Timeout, 504),
            (FaultKind::Unavailable, 503),
            (FaultKind::Broken, 502),
            (FaultKind::Cancelled, 499),
        ] {
            let reason = kind.as_str();
            let body = format!(r#"{{"error":{{"reason":"{reason}","message":"why"}}}}"#);
            check(
                &Refusal::of_fault(&Fault::new(kind, "why")),
                status,
                None,
                &body,
            )
            .await;
        }
    }

    #[tokio::test]
    async fn a_wait_is_said_in_whole_seconds() {
        let busy = Fault::new(FaultKind::Busy, "full").because("overloaded");
        let body = r#"{"error":{"reason":"overloaded","message":"full","retry_after_ms":1000}}"#;
        check(&Refusal::of_fault(&busy), 429, Some("1"), body).await;
        let wait = Duration::from_millis(2001);
        let down = Fault::new(FaultKind::Unavailable, "down").retry_after(wait);
        let body = r#"{"error":{"reason":"unavailable","message":"down","retry_after_ms":2001}}"#;
        check(&Refusal::of_fault(&down), 503, Some("3"), body).await;
    }

    #[tokio::test]
    async fn an_error_of_the_plugin_keeps_its_words() {
        let error = RpcError {
            code: -32050,
            message: "no".into(),
            data: Some(Json::literal(r#"{"n":1234567890123456789012345}"#)),
        };
        let body = r#"{"error":{"reason":"plugin_error","message":"no","code":-32050,"data":{"n":1234567890123456789012345}}}"#;
        check(&Refusal::of_plugin(&error), 502, None, body).await;
        let error = RpcError::new(INVALID_PARAMS, "bad");
        let body = r#"{"error":{"reason":"plugin_error","message":"bad","code":-32602}}"#;
        check(&Refusal::of_plugin(&error), 422, None, body).await;
    }
}
