//! Arguments as they are shown to who must agree to them: without what is named like a secret, within a bound. Every member is
//! there; who agrees to what was left out has agreed to nothing.

use crate::model::text::SECRET_WORDS;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The largest arguments that are shown, in bytes.
const MAX_SHOWN: usize = 64 << 10;

/// The longest text that is never cut, and how much of its beginning and its end is left of a longer one, in letters.
const MAX_TEXT: usize = 500;
const END_OF_TEXT: usize = 200;

/// More parts of names that secrets have.
const SECRET: [&str; 7] = [
    "api_key",
    "apikey",
    "api-key",
    "private_key",
    "authorization",
    "credential",
    "cookie",
];

/// The arguments as they are shown: with long texts cut, where they are long. `None` where that is not enough. Numbers stay the
/// text they are.
pub(super) fn arguments(arguments: Option<&Json>) -> Option<Json> {
    let Some(arguments) = arguments else {
        return Some(Json::literal("{}"));
    };
    within(&changed(arguments, &masked), MAX_SHOWN)
}

/// The same within another bound, in bytes.
pub(super) fn within(arguments: &Json, bound: usize) -> Option<Json> {
    let is_short = |shown: &Json| shown.bytes().len() <= bound;
    if is_short(arguments) {
        return Some(arguments.clone());
    }
    Some(changed(arguments, &|_, value| cut(value))).filter(is_short)
}

/// A secret by its name is not shown.
fn masked(name: &[u8], value: &Json) -> Option<Json> {
    is_secret(name, value).then(|| Json::literal("\"***\""))
}

/// A long text by its two ends.
fn cut(value: &Json) -> Option<Json> {
    if value.bytes().first() != Some(&b'"') || value.bytes().len() <= MAX_TEXT {
        return None;
    }
    let text = value.parse::<String>().ok()?;
    let letters = text.chars().count();
    if letters <= MAX_TEXT {
        return None;
    }
    let at = |letter| text.char_indices().nth(letter).map_or(0, |(at, _)| at);
    let (head, tail) = (&text[..at(END_OF_TEXT)], &text[at(letters - END_OF_TEXT)..]);
    let left_out = letters - 2 * END_OF_TEXT;
    Some(Json::of(&format!(
        "{head} [… {left_out} of {letters} letters are not shown …] {tail}"
    )))
}

/// A value with those parts replaced that `change` has something else for, by their name, which is empty for items.
fn changed(value: &Json, change: &dyn Fn(&[u8], &Json) -> Option<Json>) -> Json {
    if let Some(members) = Members::of(value) {
        let mut out = Vec::with_capacity(value.bytes().len());
        members.write_with(&mut out, |name, value, out| {
            let shown = change(name, value).unwrap_or_else(|| changed(value, change));
            out.extend_from_slice(shown.bytes());
        });
        return Json::assembled(out);
    }
    match value.parse::<Vec<Json>>() {
        Ok(items) => {
            let items = items.iter();
            let items =
                items.map(|item| change(b"", item).unwrap_or_else(|| changed(item, change)));
            Json::of(&items.collect::<Vec<_>>())
        }
        Err(_) => value.clone(),
    }
}

/// Numbers and flags are none: `max_tokens` is not a secret.
fn is_secret(name: &[u8], value: &Json) -> bool {
    let begins = value.bytes().first();
    if !matches!(begins, Some(b'"' | b'{' | b'[')) {
        return false;
    }
    let name = String::from_utf8_lossy(name).to_lowercase();
    let mut parts = SECRET_WORDS.iter().chain(&SECRET);
    parts.any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(given: &'static str, expect: &str) {
        let shown = arguments(Some(&Json::literal(given))).expect("it is short");
        assert_eq!(shown.as_str(), expect);
    }

    #[test]
    fn secrets_are_masked_wherever_they_are_and_nothing_else_is() {
        check(
            r#"{"pod":"a","dbPassword":"x","max_tokens":12345678901234567890123,"in":[{"API_KEY":"y","n":1.50}],"token":{"a":1}}"#,
            r#"{"pod":"a","dbPassword":"***","max_tokens":12345678901234567890123,"in":[{"API_KEY":"***","n":1.50}],"token":"***"}"#,
        );
        assert_eq!(arguments(None).expect("it is short").as_str(), "{}");
    }

    #[test]
    fn long_texts_are_cut_and_nothing_else_is_left_out() {
        let long = format!("BEGINS{}ENDS", "é".repeat(MAX_SHOWN));
        let large = Json::of(&json!({ "pad": long, "args": ["-rf", "keep", long], "n": 1.50 }));
        let shown = arguments(Some(&large)).expect("its texts are cut");
        let shown = shown.as_str();
        for part in [
            "BEGINSé",
            "éENDS",
            "of 65546 letters",
            "\"-rf\",\"keep\"",
            "\"n\":1.5",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.len() < 4_000, "{shown}");
        let many = Json::of(&json!({ "args": vec!["x"; MAX_SHOWN] }));
        assert!(arguments(Some(&many)).is_none());
    }
}
