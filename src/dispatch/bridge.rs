//! From the words of a plugin's era to those of its caller's.

use crate::dispatch::subject::Subject;
use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::fault::{Fault, FaultKind};
use crate::wire::error::{INVALID_PARAMS, RESOURCE_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Reply};
use crate::wire::revision::Era;

/// What a modern result has and a legacy one does not.
const MODERN_MEMBERS: [&[u8]; 3] = [b"resultType", b"ttlMs", b"cacheScope"];

/// What a modern client is told of the contents of a resource whose server knows no cache hints: to ask again.
const UNKEPT: [(&str, &[u8]); 2] = [
    ("ttlMs", br#","ttlMs":0"#),
    ("cacheScope", br#","cacheScope":"private""#),
];

/// The answer about `subject` in words of `era`. Within one era nothing is touched.
pub(super) fn to_client(answer: Answer, subject: &Subject, era: Era) -> Result<Outcome, Fault> {
    let is_resource = matches!(subject, Subject::Resource(_));
    match (answer.outcome, era) {
        (Outcome::Result(reply), Era::Modern) => Ok(Outcome::Result(modern(reply, is_resource))),
        (Outcome::Result(reply), Era::Legacy) if answer.era == Era::Modern => {
            legacy(reply).map(Outcome::Result)
        }
        (Outcome::Error(error), Era::Modern) if answer.era == Era::Legacy => {
            Ok(Outcome::Error(modern_error(error)))
        }
        (Outcome::Error(error), Era::Legacy) if answer.era == Era::Modern && is_resource => {
            Ok(Outcome::Error(legacy_resource_error(error)))
        }
        (error, _) => Ok(error),
    }
}

/// The contents of a resource that the client knows by another URI than the plugin does: each part that is the resource
/// itself is named as the client names it.
pub(super) fn read_under(answer: Answer, own: &Json, listed: &str) -> Answer {
    let Outcome::Result(reply) = &answer.outcome else {
        return answer;
    };
    let Some(mut members) = Members::of(&reply.result) else {
        return answer;
    };
    let contents = members.get("contents").map(Json::parse::<Vec<Json>>);
    let Some(Ok(contents)) = contents else {
        return answer;
    };
    let renamed = contents.into_iter().map(|part| match Members::of(&part) {
        Some(mut known) if known.string("uri") == own.string() => {
            known.set("uri", Json::of(listed));
            known.to_json()
        }
        _ => part,
    });
    members.set("contents", Json::of(&renamed.collect::<Vec<_>>()));
    Answer {
        outcome: Outcome::Result(Reply {
            result: members.to_json(),
            result_type: reply.result_type.clone(),
        }),
        era: answer.era,
    }
}

/// Every modern result says what kind it is, and that of a resource how long it may be kept (MCP 2026-07-28).
fn modern(reply: Reply, is_resource: bool) -> Reply {
    if reply.result_type.is_some() {
        return reply;
    }
    let text = reply.result.bytes();
    let rest = text[1..].trim_ascii_start();
    let mut out = Vec::with_capacity(text.len() + 64);
    out.extend_from_slice(br#"{"resultType":"complete""#);
    for (name, hint) in UNKEPT {
        if is_resource && !has(&reply.result, name) {
            out.extend_from_slice(hint);
        }
    }
    if rest != b"}" {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    Reply {
        result: Json::assembled(out),
        result_type: Some("complete".into()),
    }
}

/// Whether the object has such a member itself. It is only read where its text names it anywhere.
fn has(object: &Json, name: &str) -> bool {
    memchr::memmem::find(object.bytes(), name.as_bytes()).is_some()
        && Members::of(object).is_some_and(|members| members.get(name).is_some())
}

fn legacy(reply: Reply) -> Result<Reply, Fault> {
    match kind_of(&reply) {
        Some(ResultKind::Complete) => {}
        Some(ResultKind::InputRequired) => {
            let message = "the plugin asks for input in the middle of the call, and this client cannot be asked";
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

/// A legacy client knows a resource that is not there by a code of its own (MCP 2025-11-25, resources).
fn legacy_resource_error(mut error: RpcError) -> RpcError {
    let names_it = error.data.as_ref().and_then(Members::of);
    if error.code == INVALID_PARAMS && names_it.is_some_and(|data| data.get("uri").is_some()) {
        error.code = RESOURCE_NOT_FOUND;
    }
    error
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
        match to_client(answer, &Subject::Tool("t".into()), eras.1) {
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
    fn only_hints_of_the_result_itself_stand_in_for_those_of_a_resource() {
        for (result, expect) in [
            (
                r#"{"contents":[]}"#,
                r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[]}"#,
            ),
            (
                r#"{"_meta":{"ttlMs":5,"cacheScope":"public"}}"#,
                r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"ttlMs":5,"cacheScope":"public"}}"#,
            ),
            (
                r#"{"ttlMs":5,"contents":[]}"#,
                r#"{"resultType":"complete","cacheScope":"private","ttlMs":5,"contents":[]}"#,
            ),
        ] {
            let reply = Reply {
                result: Json::literal(result),
                result_type: None,
            };
            assert_eq!(modern(reply, true).result.as_str(), expect);
        }
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
        let subject = Subject::Tool("t".into());
        let fault = to_client(answer, &subject, Era::Legacy).expect_err("a fault");
        assert_eq!(fault.reason, "input_required");
    }
}
