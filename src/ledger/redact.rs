//! What is left out of arguments and results before they are kept.

use serde_json::Value;

use crate::wire::json::Json;

/// What stands in the place of what is left out.
const MASK: &str = "***";

/// Places that are left out, as JSON pointers (RFC 6901) in which `*` stands for any member or item.
#[derive(Debug, Clone, Default)]
pub(super) struct Redaction(Vec<Vec<String>>);

impl Redaction {
    /// The places of these pointers. Each begins with `/`; one that does not names nothing.
    pub(super) fn new(pointers: &[String]) -> Self {
        let parts = |pointer: &String| {
            let parts = pointer.strip_prefix('/')?.split('/');
            Some(
                parts
                    .map(|part| part.replace("~1", "/").replace("~0", "~"))
                    .collect(),
            )
        };
        Self(pointers.iter().filter_map(parts).collect())
    }

    /// The text to be kept, and whether something was left out. What has nothing to hide stays the text it was.
    pub(super) fn of(&self, json: &Json) -> (String, bool) {
        let whole = || json.as_str().to_owned();
        if self.0.is_empty() {
            return (whole(), false);
        }
        let Ok(mut value) = json.parse::<Value>() else {
            return (MASK.to_owned(), true);
        };
        let mut found = false;
        for place in &self.0 {
            mask(&mut value, place, &mut found);
        }
        match found {
            true => (value.to_string(), true),
            false => (whole(), false),
        }
    }
}

impl Redaction {
    /// The text to be kept of a tool's result: the places count from its structured content, and from what its texts are as
    /// JSON.
    pub(super) fn of_result(&self, json: &Json) -> String {
        if self.0.is_empty() {
            return json.as_str().to_owned();
        }
        let Ok(mut value) = json.parse::<Value>() else {
            return MASK.to_owned();
        };
        let mut found = false;
        self.hide(&mut value, &mut found);
        if let Some(structured) = value.get_mut("structuredContent") {
            self.hide(structured, &mut found);
        }
        let parts = value.get_mut("content").and_then(Value::as_array_mut);
        for part in parts.into_iter().flatten() {
            if let Some(Value::String(text)) = part.get_mut("text") {
                self.hide_in_text(text, &mut found);
            }
        }
        match found {
            true => value.to_string(),
            false => json.as_str().to_owned(),
        }
    }

    fn hide(&self, value: &mut Value, found: &mut bool) {
        self.0.iter().for_each(|place| mask(value, place, found));
    }

    fn hide_in_text(&self, text: &mut String, found: &mut bool) {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else {
            return;
        };
        let mut hidden = false;
        self.hide(&mut value, &mut hidden);
        if hidden {
            *text = value.to_string();
            *found = true;
        }
    }
}

fn mask(value: &mut Value, place: &[String], found: &mut bool) {
    let Some((part, rest)) = place.split_first() else {
        *value = MASK.into();
        *found = true;
        return;
    };
    match value {
        Value::Object(members) if part == "*" => {
            members
                .values_mut()
                .for_each(|member| mask(member, rest, found));
        }
        Value::Array(items) if part == "*" => {
            items.iter_mut().for_each(|item| mask(item, rest, found));
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(part) {
                mask(member, rest, found);
            }
        }
        Value::Array(items) => {
            let item = part.parse().ok().and_then(|at: usize| items.get_mut(at));
            if let Some(item) = item {
                mask(item, rest, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_looked_into() {
        let redaction = Redaction::new(&["/password".to_owned()]);
        let text = r#"{"content":[{"type":"text","text":"{\"password\":\"x\",\"a\":1}"},{"type":"text","text":"password x"}],"structuredContent":{"password":"x"}}"#;
        let expect = r#"{"content":[{"type":"text","text":"{\"password\":\"***\",\"a\":1}"},{"type":"text","text":"password x"}],"structuredContent":{"password":"***"}}"#;
        assert_eq!(redaction.of_result(&Json::literal(text)), expect);
        let plain = r#"{ "content" : [] }"#;
        assert_eq!(redaction.of_result(&Json::literal(plain)), plain);
    }

    #[test]
    fn what_a_pointer_names_is_left_out() {
        let check = |pointers: &[&str], text: &'static str, expect: &str, redacted: bool| {
            let pointers: Vec<String> = pointers.iter().map(|p| (*p).to_owned()).collect();
            let kept = Redaction::new(&pointers).of(&Json::literal(text));
            assert_eq!(kept, (expect.to_owned(), redacted), "{pointers:?}");
        };
        let text =
            r#"{"password": 1.0, "a":[{"token":"x"},{"token":"y","n":12345678901234567890123}]}"#;
        check(&[], text, text, false);
        check(
            &["/secret", "/a/7", "password", "/a/0/token/x"],
            text,
            text,
            false,
        );
        check(
            &["/password"],
            r#"{"b":1,"password":{"x":1}}"#,
            r#"{"b":1,"password":"***"}"#,
            true,
        );
        check(
            &["/a/*/token"],
            r#"{"a":[{"token":"x"},{"token":"y"}]}"#,
            r#"{"a":[{"token":"***"},{"token":"***"}]}"#,
            true,
        );
        check(
            &["/*"],
            r#"{"a":1,"b":[2]}"#,
            r#"{"a":"***","b":"***"}"#,
            true,
        );
        check(
            &["/a~1b/1"],
            r#"{"a/b":[1,2]}"#,
            r#"{"a/b":[1,"***"]}"#,
            true,
        );
    }
}
