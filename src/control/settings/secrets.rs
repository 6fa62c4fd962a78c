//! What must not be shown of settings: what the schema marks, and what is called like a secret.

use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Words that make a name that of a secret, whatever else is in it.
const WORDS: [&str; 15] = [
    "bearer",
    "pwd",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "key",
    "apikey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "sha256",
];

/// Words that do so where the values are texts: `max_tokens` is a number.
const PLURALS: [&str; 4] = ["tokens", "secrets", "passwords", "keys"];

/// The settings of a plugin without its secrets.
pub fn masked(config: &Map<String, Value>, schema: Option<&Map<String, Value>>) -> Value {
    let mut shown = Value::Object(config.clone());
    let schema = schema.cloned().map(Value::Object);
    mask(&mut shown, schema.as_ref(), schema.as_ref());
    shown
}

/// Settings of the gateway without secrets: all that is known is their names.
pub fn masked_by_name(mut settings: Value) -> Value {
    mask(&mut settings, None, None);
    settings
}

fn mask(value: &mut Value, schema: Option<&Value>, root: Option<&Value>) {
    let schema = schema.map(|schema| resolved(schema, root));
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let below = schema.and_then(|schema| {
                    let named = schema.get("properties").and_then(|known| known.get(name));
                    let named = named.or_else(|| in_parts(schema, name, root));
                    named.or_else(|| schema.get("additionalProperties"))
                });
                let is_marked = below.is_some_and(|below| is_marked(resolved(below, root)));
                let is_there = !matches!(member, Value::Null | Value::Bool(_));
                if is_there && (is_marked || is_secret(name, member)) {
                    *member = Value::String(MASK.to_owned());
                } else {
                    mask(member, below, root);
                }
            }
        }
        Value::Array(items) => {
            let below = schema.and_then(|schema| schema.get("items"));
            let is_marked = below.is_some_and(|below| is_marked(resolved(below, root)));
            for item in items {
                match is_marked {
                    true => *item = Value::String(MASK.to_owned()),
                    false => mask(item, below, root),
                }
            }
        }
        Value::String(text) => {
            if let Some(hidden) = without_password(text) {
                *text = hidden;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What the parts that a schema is made of say of a member.
fn in_parts<'a>(schema: &'a Value, name: &str, root: Option<&'a Value>) -> Option<&'a Value> {
    let parts = ["allOf", "anyOf", "oneOf"].into_iter();
    let parts = parts
        .filter_map(|key| schema.get(key)?.as_array())
        .flatten();
    let mut parts = parts.map(|part| resolved(part, root));
    parts.find_map(|part| part.get("properties")?.get(name))
}

/// What a schema refers to within itself.
fn resolved<'a>(schema: &'a Value, root: Option<&'a Value>) -> &'a Value {
    let place = schema.get("$ref").and_then(Value::as_str);
    let place = place.and_then(|place| place.strip_prefix('#'));
    let found = place.and_then(|place| root?.pointer(place));
    found.unwrap_or(schema)
}

/// Whether the schema says that the value is a secret (JSON Schema 2020-12, validation, section 9.4; OpenAPI's format).
fn is_marked(schema: &Value) -> bool {
    schema.get("writeOnly") == Some(&Value::Bool(true))
        || schema.get("format").and_then(Value::as_str) == Some("password")
}

fn is_secret(name: &str, value: &Value) -> bool {
    let mut words = words(name);
    words.any(|word| WORDS.contains(&&*word) || (PLURALS.contains(&&*word) && is_of_texts(value)))
}

/// Whether it is a text, or texts.
fn is_of_texts(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(Value::is_string),
        Value::Object(members) => !members.is_empty() && members.values().all(Value::is_string),
        other => other.is_string(),
    }
}

/// The words of a name in small letters: `apiKey`, `API_KEY` and `api-key` have the same.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let begins = c.is_uppercase() && was_small;
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_numeric();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// A URL without the password in it; `None` where there is none.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@')?;
    Some(match user.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}@{host}{path}"),
        // Alone it may be a token.
        None => format!("{scheme}://{MASK}@{host}{path}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(config: Value, schema: Option<Value>, expect: Value) {
        let object = |value: Value| value.as_object().cloned();
        let config = object(config).expect("an object");
        let schema = schema.and_then(object);
        assert_eq!(masked(&config, schema.as_ref()), expect);
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        check(
            json!({
                "apiKey": "a", "GITHUB_TOKEN": "b", "max_tokens": 5, "keyboard": "c", "monkey": "d",
                "db": { "pass-word": "e", "password": "f", "tokens": ["g"] }, "token": null,
                "use_token": true, "url": "redis://u:p@h:1/0", "plain": "http://h/a:b@c",
                "git": "https://ghp_x@h/r", "db_pwd": "h", "api_keys": { "github": "i" }, "keys": { "a": 1 },
            }),
            None,
            json!({
                "apiKey": "***", "GITHUB_TOKEN": "***", "max_tokens": 5, "keyboard": "c", "monkey": "d",
                "db": { "pass-word": "***", "password": "***", "tokens": "***" }, "token": null,
                "use_token": true, "url": "redis://u:***@h:1/0", "plain": "http://h/a:b@c",
                "git": "https://***@h/r", "db_pwd": "***", "api_keys": "***", "keys": { "a": 1 },
            }),
        );
    }

    #[test]
    fn secrets_are_known_by_the_schema() {
        check(
            json!({ "pin": 1234, "who": "me", "list": ["a"], "deep": { "x": "y", "z": "z" } }),
            Some(json!({
                "properties": {
                    "pin": { "writeOnly": true },
                    "list": { "items": { "format": "password" } },
                    "deep": { "$ref": "#/$defs/deep" },
                },
                "$defs": { "deep": { "properties": { "x": { "format": "password" } } } },
            })),
            json!({ "pin": "***", "who": "me", "list": ["***"], "deep": { "x": "***", "z": "z" } }),
        );
    }
}
