//! The question to the user of a client that can be asked (MCP 2025-11-25 and 2026-07-28, elicitation by a form).

use serde_json::json;

use crate::dispatch::approval::record::Approval;
use crate::dispatch::approval::shown;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;

/// How much of the arguments stands in the question, in bytes.
const MAX_ARGUMENTS: usize = 4_000;

/// The key of the question's `_meta` that names the approval.
pub const APPROVAL_META: &str = "toolgate/approval";

/// What the user said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) approve: bool,
    pub(super) reason: Option<String>,
}

/// The params of the question; `None` where the arguments are too long for one, also with their long texts cut. Without a `mode`, which stands for a form in every revision.
pub(super) fn params(approval: &Approval) -> Option<Params> {
    let (tool, plugin) = (&approval.tool, &approval.plugin);
    let arguments = shown::within(&approval.arguments, MAX_ARGUMENTS)?;
    let (arguments, effect) = (arguments.as_str(), &approval.effect);
    let message = format!(
        "Allow the call of `{tool}` (plugin `{plugin}`)? It {effect}.\nArguments: {arguments}"
    );
    Some(Params::of(&json!({
        "message": message,
        "requestedSchema": {
            "type": "object",
            "properties": {
                "approve": {
                    "type": "boolean",
                    "title": "Allow this call",
                    "description": "Whether the tool is called with these arguments, this once.",
                    "default": false,
                },
                "reason": {
                    "type": "string",
                    "title": "Reason",
                    "description": "Why, if you want to say it.",
                },
            },
            "required": ["approve"],
        },
        "_meta": { APPROVAL_META: approval.id },
    })))
}

/// Reads the answer. Only who has accepted the form and said yes in it has approved.
pub(super) fn read(answer: &Json) -> Said {
    let answer = Members::of(answer).unwrap_or_default();
    let content = answer.get("content").and_then(Members::of);
    let content = content.unwrap_or_default();
    let accepted = answer.string("action").as_deref() == Some("accept");
    let reason = content.string("reason").map(|reason| reason.into_owned());
    Said {
        approve: accepted && content.get("approve").is_some_and(Json::is_true),
        reason: reason.filter(|reason| !reason.trim().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(arguments: Json) -> Option<Params> {
        params(&Approval {
            arguments,
            ..crate::dispatch::approval::tests::asked("a")
        })
    }

    #[test]
    fn a_question_has_all_members_or_is_not_asked() {
        let long = Json::of(&json!({ "input": "x".repeat(10_000), "args": ["-rf", "keep"] }));
        let asked = asking(long).expect("its texts are cut");
        let message = asked.members.string("message").expect("a text");
        assert!(
            message.contains(r#""args":["-rf","keep"]"#) && message.contains("of 10000 letters"),
            "{message}"
        );
        assert!(asking(Json::of(&json!({ "args": vec!["x"; 2_000] }))).is_none());
    }

    #[test]
    fn only_a_yes_in_an_accepted_form_is_an_approval() {
        for (answer, approve, reason) in [
            (
                r#"{"action":"accept","content":{"approve":true,"reason":"ok"}}"#,
                true,
                Some("ok"),
            ),
            (
                r#"{"action":"accept","content":{"approve":false}}"#,
                false,
                None,
            ),
            (
                r#"{"action":"accept","content":{"approve":"true"}}"#,
                false,
                None,
            ),
            (r#"{"action":"accept"}"#, false, None),
            (
                r#"{"action":"decline","content":{"approve":true}}"#,
                false,
                None,
            ),
            (r#"{"action":"cancel"}"#, false, None),
            (r#"{"content":{"approve":true}}"#, false, None),
            ("[]", false, None),
        ] {
            let said = read(&Json::literal(answer));
            assert_eq!(
                (said.approve, said.reason.as_deref()),
                (approve, reason),
                "{answer}"
            );
        }
    }
}
