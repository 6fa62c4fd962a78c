//! What a filter's tool answers, read into what it means.

use crate::plugin::first_text;
use crate::registry::kinds::Verdict;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// Reads the result of a filter's tool: its structured content, or else its text, which is JSON then. `key` is what the
/// filter may change. A member that is not known is a mistake: a filter that is misunderstood must not seem to agree.
pub(super) fn read(result: &Members, key: &'static str) -> Result<Verdict<Json>, String> {
    let said = said(result)?;
    for (name, value) in said.iter() {
        let known = [b"unchanged".as_slice(), b"stop", b"refuse", key.as_bytes()].contains(&name);
        if !known && !value.is_null() {
            let name = String::from_utf8_lossy(name);
            return Err(format!(
                "its answer has the member `{name}`, which means nothing"
            ));
        }
    }
    let member = |name: &str| said.get(name).filter(|value| !value.is_null());
    if let Some(why) = member("refuse") {
        let why = why.string().ok_or("its `refuse` is not a sentence")?;
        return Ok(Verdict::Refuse(why.into_owned()));
    }
    if member("stop").is_some_and(Json::is_true) {
        return Ok(Verdict::Stop);
    }
    match member(key) {
        None => Ok(Verdict::Unchanged),
        Some(value) if value.is_object() => Ok(Verdict::Changed(value.clone())),
        Some(_) => Err(format!("its `{key}` is not an object")),
    }
}

fn said(result: &Members) -> Result<Members, String> {
    if let Some(structured) = result.get("structuredContent") {
        return Members::of(structured).ok_or_else(|| "its answer is not an object".to_owned());
    }
    let text = first_text(result).ok_or("it gives neither structured content nor text")?;
    let json = Json::scan(text.into()).map_err(|err| format!("its text is not JSON: {err}"))?;
    Members::of(&json).ok_or_else(|| "its answer is not an object".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: &'static str, expect: Result<Verdict<&'static str>, &str>) {
        let members = Members::of(&Json::literal(result)).expect("an object");
        match (read(&members, "arguments"), expect) {
            (Ok(Verdict::Changed(got)), Ok(Verdict::Changed(want))) => {
                assert_eq!(got.as_str(), want);
            }
            (Ok(Verdict::Refuse(got)), Ok(Verdict::Refuse(want))) => assert_eq!(got, want),
            (Ok(Verdict::Stop), Ok(Verdict::Stop)) => {}
            (Ok(Verdict::Unchanged), Ok(Verdict::Unchanged)) => {}
            (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
            (got, want) => panic!("{result}: {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn an_answer_means_what_it_says_and_nothing_is_guessed() {
        check(r#"{"structuredContent":{}}"#, Ok(Verdict::Unchanged));
        check(
            r#"{"structuredContent":{"unchanged":true}}"#,
            Ok(Verdict::Unchanged),
        );
        check(
            r#"{"structuredContent":{"arguments":{"a" : 1}}}"#,
            Ok(Verdict::Changed(r#"{"a" : 1}"#)),
        );
        check(
            r#"{"content":[{"type":"text","text":"{\"arguments\":{\"b\":2}}"}]}"#,
            Ok(Verdict::Changed(r#"{"b":2}"#)),
        );
        check(
            r#"{"structuredContent":{"refuse":"no","stop":true}}"#,
            Ok(Verdict::Refuse("no".into())),
        );
        check(
            r#"{"structuredContent":{"refuse":null,"stop":true,"arguments":{}}}"#,
            Ok(Verdict::Stop),
        );
        check(r#"{"structuredContent":{"arguments":[]}}"#, Err("object"));
        check(r#"{"structuredContent":{"argments":{}}}"#, Err("argments"));
        check(r#"{"structuredContent":{"result":{}}}"#, Err("result"));
        check(r#"{"structuredContent":{"refuse":1}}"#, Err("sentence"));
        check(r#"{"content":[{"type":"text","text":"ok"}]}"#, Err("JSON"));
        check(r#"{"content":[]}"#, Err("neither"));
    }
}
