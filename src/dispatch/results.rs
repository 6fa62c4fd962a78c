//! Results that say in their own words that the tool has failed: `success: false`.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde_json::json;

use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::fault::Fault;
use crate::registry::catalog::Entry;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Outcome;

/// The longest text that is looked into for an object, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Made once: making them costs more than the search in most results.
static SUCCESS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("success"));
static FALSE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("false"));

/// Faults of a call that never left the gateway.
const NOT_SENT: [&str; 2] = ["connect_refused", "connect_unreachable"];

/// Reads what a call came to: makes a failure of a result that says it is one. Whether another attempt may go better.
pub(super) fn judge(entry: &Entry, ended: &mut Result<Answer, Fault>) -> bool {
    match ended {
        Err(fault) => NOT_SENT.contains(&fault.reason),
        Ok(answer) => entry.conduct.success_flag && is_failure(answer),
    }
}

/// Whether the answer says `success: false` and `retry: true`. One that says the former is a failure from here on.
fn is_failure(answer: &mut Answer) -> bool {
    let Outcome::Result(reply) = &mut answer.outcome else {
        return false;
    };
    let text = reply.result.bytes();
    if SUCCESS.find(text).is_none() || FALSE.find(text).is_none() {
        return false;
    }
    if kind_of(reply) != Some(ResultKind::Complete) {
        return false;
    }
    let Some(mut result) = Members::of(&reply.result) else {
        return false;
    };
    let Some(said) = object_of(&result).filter(|said| says(said, "success", "false")) else {
        return false;
    };
    if !result.get("isError").is_some_and(Json::is_true) {
        result.set("isError", Json::literal("true"));
        if has_no_content(&result) {
            let why = said.string("error").or_else(|| said.string("message"));
            let why = why.unwrap_or(Cow::Borrowed("the tool has failed and does not say why"));
            let content = json!([{ "type": "text", "text": why }]);
            result.set("content", Json::of(&content));
        }
        reply.result = result.to_json();
    }
    says(&said, "retry", "true")
}

/// The object that the tool has given: structured, or as its only text.
fn object_of(result: &Members) -> Option<Members> {
    if let Some(structured) = result.get("structuredContent") {
        return Members::of(structured);
    }
    let content: Vec<Json> = result.get("content")?.parse().ok()?;
    let [only] = &content[..] else {
        return None;
    };
    let text = Members::of(only)?.string("text")?.into_owned();
    if text.len() > MAX_TEXT || !text.trim_start().starts_with('{') {
        return None;
    }
    Members::of(&Json::scan(Bytes::from(text)).ok()?)
}

fn says(object: &Members, key: &str, word: &str) -> bool {
    object.get(key).is_some_and(|value| value.as_str() == word)
}

fn has_no_content(result: &Members) -> bool {
    let items = result.get("content").map(Json::parse::<Vec<Json>>);
    !matches!(items, Some(Ok(items)) if !items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::revision::Era;

    fn check(result: &'static str, expect: &str, retry: bool) {
        let mut answer = Answer::result(Json::literal(result), Era::Legacy);
        assert_eq!(is_failure(&mut answer), retry, "{result}");
        let Outcome::Result(reply) = answer.outcome else {
            panic!("a result stays one");
        };
        assert_eq!(reply.result.as_str(), expect);
    }

    #[test]
    fn a_result_that_says_it_failed_is_a_failure_and_keeps_its_object() {
        check(
            r#"{"content":[],"structuredContent":{"success":false,"error":"no","n" : 1.50}}"#,
            r#"{"content":[{"type":"text","text":"no"}],"structuredContent":{"success":false,"error":"no","n" : 1.50},"isError":true}"#,
            false,
        );
        check(
            r#"{"content":[{"type":"text","text":"x"}],"isError":false,"structuredContent":{"retry":true,"success": false}}"#,
            r#"{"content":[{"type":"text","text":"x"}],"isError":true,"structuredContent":{"retry":true,"success": false}}"#,
            true,
        );
        let text =
            r#"{"content":[{"type":"text","text":"{\"success\": false, \"message\":\"m\"}"}]}"#;
        let failed = format!("{},\"isError\":true}}", &text[..text.len() - 1]);
        check(text, &failed, false);
        check(
            r#"{"structuredContent":{"success":false}}"#,
            r#"{"structuredContent":{"success":false},"isError":true,"content":[{"type":"text","text":"the tool has failed and does not say why"}]}"#,
            false,
        );
    }

    #[test]
    fn all_other_results_stay_the_text_they_are() {
        for result in [
            r#"{"content":[],"structuredContent":{"success" : true},"isError":false}"#,
            r#"{"content":[],"structuredContent":{"in":{"success":false}}}"#,
            r#"{"content":[],"structuredContent":{"success":"false"}}"#,
            r#"{"content":[{"type":"text","text":"success is false"}]}"#,
            r#"{"content":[{"type":"text","text":"{\"success\":false}"},{"type":"text","text":"more"}]}"#,
            r#"{"content":[ ],"isError":false}"#,
        ] {
            check(result, result, false);
        }
        check(
            r#"{"content":[ 1 ],"isError" : true,"structuredContent":{"success":false,"retry":true}}"#,
            r#"{"content":[ 1 ],"isError" : true,"structuredContent":{"success":false,"retry":true}}"#,
            true,
        );
    }
}
