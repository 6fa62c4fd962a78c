//! What an MCP client is told of a failure of the gateway.

use serde_json::json;

use crate::front::desk::Reply;
use crate::model::fault::{Fault, FaultKind};
use crate::wire::error::{INVALID_PARAMS, RpcError};
use crate::wire::json::Json;
use crate::wire::revision::Era;

/// The answer that stands for a fault.
pub(super) fn told(fault: &Fault, era: Era) -> Reply {
    match fault.kind {
        FaultKind::NotFound => Reply::Error(RpcError::new(INVALID_PARAMS, fault.to_string())),
        FaultKind::Cancelled => Reply::Nothing,
        // The model can act on these, so they are tool results.
        FaultKind::BadInput
        | FaultKind::Denied
        | FaultKind::Busy
        | FaultKind::Timeout
        | FaultKind::Unavailable
        | FaultKind::Broken => Reply::Result(as_result(fault, era).bytes().clone()),
    }
}

fn as_result(fault: &Fault, era: Era) -> Json {
    let wait = fault
        .retry_after
        .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
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
