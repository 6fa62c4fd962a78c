//! How one instance is asked: by the protocol's own means, or by a tool of the plugin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::Deaf;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::{CallContext, Instance, Request};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;

/// The reason of a check whose tool says that the plugin is not well.
pub const HEALTH_TOOL: &str = "health_tool_failed";

/// Numbers for calls that come from here: apart from those of clients.
static CALLS: AtomicU64 = AtomicU64::new(1 << 63);

/// Calls the tool of that name, the plugin's own, without arguments. It is well where the tool says nothing else: an error
/// is bad, and so is a question.
pub(crate) async fn by_tool(
    plugin: &PluginId,
    tool: &str,
    instance: &dyn Instance,
    deadline: Duration,
) -> Result<(), Fault> {
    let request = Request {
        method: Method::ToolsCall,
        params: Params::of(&json!({ "name": tool, "arguments": {} })),
    };
    let context = context(deadline);
    let asked = tokio::time::timeout(deadline, instance.request(request, &context)).await;
    let answer = asked.unwrap_or_else(|_| {
        let (ms, tool) = (deadline.as_millis(), tool.escape_debug());
        let message = format!("plugin `{plugin}`: its tool `{tool}` did not answer within {ms} ms");
        Err(Fault::new(FaultKind::Timeout, message))
    })?;
    let Some(why) = complaint(&answer) else {
        return Ok(());
    };
    let message = format!("plugin `{plugin}`: its tool `{tool}` says: {why}");
    Err(Fault::new(FaultKind::Unavailable, message).because(HEALTH_TOOL))
}

/// The call of nobody, who hears nothing.
fn context(deadline: Duration) -> CallContext {
    CallContext {
        id: CALLS.fetch_add(1, Ordering::Relaxed),
        caller: Arc::new(Caller {
            principal: "toolgate".into(),
            ..Caller::anonymous()
        }),
        profile: Arc::new(ClientProfile::bare()),
        session: None,
        log_level: None,
        timeout: Some(deadline),
        cancel: CancellationToken::new(),
        farewell: None,
        client: Arc::new(Deaf),
    }
}

/// What is wrong according to the answer.
fn complaint(answer: &Answer) -> Option<String> {
    let reply = match &answer.outcome {
        Outcome::Error(error) => return Some(format!("{} ({})", error.message, error.code)),
        Outcome::Result(reply) => reply,
    };
    if kind_of(reply) != Some(ResultKind::Complete) {
        return Some("it asks for something".to_owned());
    }
    let result = Members::of(&reply.result)?;
    if !result.get("isError").is_some_and(Json::is_true) {
        return None;
    }
    let parts: Vec<serde_json::Value> = result
        .get("content")
        .and_then(|content| content.parse().ok())
        .unwrap_or_default();
    let texts = parts.iter().filter_map(|part| part["text"].as_str());
    let text: String = texts.collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(MAX_WORDS).collect();
    Some(match text.is_empty() {
        true => "it failed".to_owned(),
        false => text,
    })
}

/// The most characters that are kept of what a tool says.
const MAX_WORDS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::error::RpcError;
    use crate::wire::revision::Era;

    #[test]
    fn a_tool_that_fails_says_what_is_wrong() {
        let table = [
            (r#"{"content":[]}"#, None),
            (r#"{"content":[],"isError":false}"#, None),
            (r#"{"content":[],"isError":true}"#, Some("it failed")),
            (
                r#"{"isError":true,"content":[{"type":"text","text":"no"},{"type":"text","text":"disk"}]}"#,
                Some("no disk"),
            ),
        ];
        for (result, expect) in table {
            let answer = Answer::result(Json::literal(result), Era::Modern);
            assert_eq!(complaint(&answer).as_deref(), expect, "{result}");
        }
        let answer = Answer::error(RpcError::new(-32602, "unknown tool"), Era::Modern);
        assert_eq!(complaint(&answer).as_deref(), Some("unknown tool (-32602)"));
    }
}
