//! What an MCP client is told of a failure of the gateway.

use serde_json::json;

use crate::dispatch::subject::Subject;
use crate::front::desk::Reply;
use crate::model::fault::{Fault, FaultKind};
use crate::wire::error::{
    INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND, RpcError,
};
use crate::wire::json::Json;
use crate::wire::revision::Era;

/// The answer that stands for a fault of a request about `subject`.
pub(super) fn told(fault: &Fault, subject: &Subject, era: Era) -> Reply {
    match (fault.kind, subject) {
        (FaultKind::NotFound, _) => Reply::Error(not_found(fault, subject, era)),
        (FaultKind::Cancelled, _) => Reply::Nothing,
        // The model can act on these, so they are tool results.
        (
            FaultKind::BadInput
            | FaultKind::Denied
            | FaultKind::Busy
            | FaultKind::Timeout
            | FaultKind::Unavailable
            | FaultKind::Broken,
            Subject::Tool(_),
        ) => {
            let result = as_result(fault, era).bytes().clone();
            match &fault.scope {
                Some(scope) => Reply::Denied(result, scope.clone()),
                None => Reply::Result(result),
            }
        }
        (FaultKind::BadInput, _) => Reply::Error(as_error(INVALID_PARAMS, fault)),
        (
            FaultKind::Denied
            | FaultKind::Busy
            | FaultKind::Timeout
            | FaultKind::Unavailable
            | FaultKind::Broken,
            _,
        ) => Reply::Error(as_error(INTERNAL_ERROR, fault)),
    }
}

fn not_found(fault: &Fault, subject: &Subject, era: Era) -> RpcError {
    let error = |code| RpcError::new(code, fault.to_string());
    match (subject, era) {
        // The legacy era has a code of its own for this (MCP 2025-11-25, resources).
        (Subject::Resource(uri), Era::Legacy) => {
            error(RESOURCE_NOT_FOUND).with_data(&json!({ "uri": uri }))
        }
        (Subject::Resource(uri), Era::Modern) => {
            error(INVALID_PARAMS).with_data(&json!({ "uri": uri }))
        }
        (Subject::Extension(_) | Subject::Tasks, _) => error(METHOD_NOT_FOUND),
        _ => error(INVALID_PARAMS),
    }
}

fn as_error(code: i64, fault: &Fault) -> RpcError {
    let mut data = json!({ "reason": fault.reason });
    if let Some(ms) = wait_ms(fault) {
        data["retryAfterMs"] = ms.into();
    }
    RpcError::new(code, fault.to_string()).with_data(&data)
}

fn wait_ms(fault: &Fault) -> Option<u64> {
    let wait = fault.retry_after?;
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

fn as_result(fault: &Fault, era: Era) -> Json {
    let wait = wait_ms(fault);
    let text = match wait {
        Some(ms) => format!("{fault}; try again in {ms} ms"),
        None => fault.to_string(),
    };
    let mut result = json!({
        "content": [{ "type": "text", "text": text }],
        "isError": true,
        "_meta": { "toolgate/reason": fault.reason },
    });
    if let Some(ms) = wait {
        result["_meta"]["toolgate/retry_after_ms"] = ms.into();
    }
    if era == Era::Modern {
        result["resultType"] = "complete".into();
    }
    Json::of(&result)
}
