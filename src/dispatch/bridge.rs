//! From the words of a plugin's era to those of its caller's.

use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::fault::{Fault, FaultKind};
use crate::wire::error::{INVALID_PARAMS, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Reply};
use crate::wire::revision::Era;

/// What a modern result has and a legacy one does not.
const MODERN_MEMBERS: [&[u8]; 3] = [b"resultType", b"ttlMs", b"cacheScope"];

/// The code for a missing resource that legacy servers use and modern ones must not (MCP 2026-07-28, resources).
const RESOURCE_NOT_FOUND: i64 = -32002;

/// The answer in words of `era`. Within one era nothing is touched.
pub(super) fn to_client(answer: Answer, era: Era) -> Result<Outcome, Fault> {
    match (answer.outcome, era) {
        (Outcome::Result(reply), Era::Modern) => Ok(Outcome::Result(modern(reply))),
        (Outcome::Result(reply), Era::Legacy) if answer.era == Era::Modern => {
            legacy(reply).map(Outcome::Result)
        }
        (Outcome::Error(error), Era::Modern) if answer.era == Era::Legacy => {
            Ok(Outcome::Error(modern_error(error)))
        }
        (error, _) => Ok(error),
    }
}

/// Every modern result says what kind it is (MCP 2026-07-28).
fn modern(reply: Reply) -> Reply {
    if reply.result_type.is_some() {
        return reply;
    }
    let text = reply.result.bytes();
    let rest = text[1..].trim_ascii_start();
    let mut out = Vec::with_capacity(text.len() + 26);
    out.extend_from_slice(br#"{"resultType":"complete""#);
    if rest != b"}" {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    Reply {
        result: Json::assembled(out),
        result_type: Some("complete".into()),
    }
}

fn legacy(reply: Reply) -> Result<Reply, Fault> {
    match kind_of(&reply) {
        Some(ResultKind::Complete) => {}
        Some(ResultKind::InputRequired) => {
            let message = "the plugin asks for input in the middle of the call, which this client did not offer";
            return Err(Fault::new(FaultKind::Unavailable, message).because("input_required"));
        }
        Some(ResultKind::Task) | None => {
            let message = "the plugin answered with a task, which this client does not know";
            return Err(Fault::new(FaultKind::Broken, message).because("protocol_error"));
        }
    }
    if reply.result_type.is_none() {
        return Ok(reply);
    }
    let Some(mut members) = Members::of(&reply.result) else {
        return Ok(reply);
    };
    members.retain(|key| !MODERN_MEMBERS.contains(&key));
    Ok(Reply {
        result: members.to_json(),
        result_type: None,
    })
}

fn modern_error(mut error: RpcError) -> RpcError {
    if error.code == RESOURCE_NOT_FOUND {
        error.code = INVALID_PARAMS;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: &'static str, kind: Option<&str>, eras: (Era, Era), expect: &str) {
        let reply = Reply {
            result: Json::literal(result),
            result_type: kind.map(Into::into),
        };
        let answer = Answer {
            outcome: Outcome::Result(reply),
            era: eras.0,
        };
        match to_client(answer, eras.1) {
            Ok(Outcome::Result(reply)) => assert_eq!(reply.result.as_str(), expect),
            other => panic!("{result}: {other:?}"),
        }
    }

    #[test]
    fn only_what_the_era_has_is_added_or_taken() {
        use Era::{Legacy, Modern};

        check(
            r#"{"content":[]}"#,
            None,
            (Legacy, Legacy),
            r#"{"content":[]}"#,
        );
        check(
            r#"{ "content":[]}"#,
            None,
            (Legacy, Modern),
            r#"{"resultType":"complete","content":[]}"#,
        );
        check("{}", None, (Legacy, Modern), r#"{"resultType":"complete"}"#);
        let whole = r#"{"b":1,"resultType":"complete","ttlMs":1,"a":{"resultType":2}}"#;
        check(whole, Some("complete"), (Modern, Modern), whole);
        check(
            whole,
            Some("complete"),
            (Modern, Legacy),
            r#"{"b":1,"a":{"resultType":2}}"#,
        );
        let own_word = r#"{"resultType":"table","ttlMs":1}"#;
        check(own_word, Some("table"), (Legacy, Legacy), own_word);
    }

    #[test]
    fn a_question_to_a_client_that_cannot_be_asked_is_a_fault() {
        let reply = Reply {
            result: Json::literal("{}"),
            result_type: Some("input_required".into()),
        };
        let answer = Answer {
            outcome: Outcome::Result(reply),
            era: Era::Modern,
        };
        let fault = to_client(answer, Era::Legacy).expect_err("a fault");
        assert_eq!(fault.reason, "input_required");
    }
}
