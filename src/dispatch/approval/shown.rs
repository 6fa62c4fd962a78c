//! Arguments as they are shown to who must agree to them: without what is named like a secret, within a bound.

use serde_json::json;

use crate::wire::json::Json;
use crate::wire::members::Members;

/// The largest arguments that are shown, in bytes.
const MAX_SHOWN: usize = 64 << 10;

/// Parts of names that secrets have.
const SECRET: [&str; 13] = [
    "pwd",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "private_key",
    "authorization",
    "credential",
    "cookie",
];

/// The arguments as they are shown. Numbers stay the text they are.
pub(super) fn arguments(arguments: Option<&Json>) -> Json {
    match arguments {
        None => Json::literal("{}"),
        Some(arguments) if arguments.bytes().len() > MAX_SHOWN => {
            let bytes = arguments.bytes().len();
            Json::of(&json!({ "toolgate/left_out": format!("{bytes} bytes") }))
        }
        Some(arguments) => masked(arguments),
    }
}

fn masked(value: &Json) -> Json {
    if let Some(members) = Members::of(value) {
        let mut out = Vec::with_capacity(value.bytes().len());
        members.write_with(&mut out, |name, value, out| {
            let shown = match is_secret(name, value) {
                true => Json::literal("\"***\""),
                false => masked(value),
            };
            out.extend_from_slice(shown.bytes());
        });
        return Json::assembled(out);
    }
    match value.parse::<Vec<Json>>() {
        Ok(items) => {
            let items: Vec<Json> = items.iter().map(masked).collect();
            Json::of(&items)
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
    SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &'static str, expect: &str) {
        assert_eq!(arguments(Some(&Json::literal(given))).as_str(), expect);
    }

    #[test]
    fn secrets_are_masked_wherever_they_are_and_nothing_else_is() {
        check(
            r#"{"pod":"a","dbPassword":"x","max_tokens":12345678901234567890123,"in":[{"API_KEY":"y","n":1.50}],"token":{"a":1}}"#,
            r#"{"pod":"a","dbPassword":"***","max_tokens":12345678901234567890123,"in":[{"API_KEY":"***","n":1.50}],"token":"***"}"#,
        );
        assert_eq!(arguments(None).as_str(), "{}");
    }

    #[test]
    fn what_is_too_large_is_left_out() {
        let large = Json::of(&json!({ "text": "x".repeat(MAX_SHOWN) }));
        assert!(arguments(Some(&large)).as_str().contains("bytes"));
    }
}
