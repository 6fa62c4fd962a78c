//! Schemas of plain objects whose members have plain types: what most tools ask for.
//!
//! Only ever says that a value surely fits. Whatever is in doubt is left to the validator, which also words the errors.

use serde_json::{Map, Value};

use crate::wire::json::Json;
use crate::wire::members::Members;

/// The most properties that are looked through one by one.
const MAX_PROPERTIES: usize = 24;

/// Words that say nothing about which values fit.
const ANNOTATIONS: [&str; 8] = [
    "title",
    "description",
    "default",
    "examples",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// What a value of one JSON type begins with.
type FirstBytes = fn(u8) -> bool;

/// A schema of that kind.
pub(super) struct Flat {
    properties: Vec<(Box<str>, Vec<FirstBytes>)>,
    required: Vec<Box<str>>,
    open: bool,
}

impl Flat {
    /// The schema in `value`, if it is of that kind.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let schema = value.as_object()?;
        let mut flat = Self {
            properties: Vec::new(),
            required: Vec::new(),
            open: true,
        };
        let mut is_object = false;
        for (key, value) in schema {
            match key.as_str() {
                "type" => is_object = value == "object",
                "properties" => flat.properties = properties(value.as_object()?)?,
                "required" => flat.required = texts(value)?,
                "additionalProperties" => flat.open = value.as_bool()?,
                "$schema" => {}
                other if ANNOTATIONS.contains(&other) => {}
                _ => return None,
            }
        }
        (is_object && flat.properties.len() <= MAX_PROPERTIES).then_some(flat)
    }

    /// Whether `text` surely fits.
    pub(super) fn surely_fits(&self, text: &Json) -> bool {
        let Some(members) = Members::of(text) else {
            return false;
        };
        let fits = members.iter().all(|(name, value)| {
            let property = self
                .properties
                .iter()
                .find(|(known, _)| known.as_bytes() == name);
            match property {
                Some((_, types)) => types.is_empty() || types.iter().any(|is| is(value.bytes()[0])),
                // A name with escapes is written in another way here than in the schema.
                None => self.open && !name.contains(&b'\\'),
            }
        });
        fits && self.required.iter().all(|name| members.get(name).is_some())
    }
}

/// The properties and the types of each; none is any.
fn properties(schemas: &Map<String, Value>) -> Option<Vec<(Box<str>, Vec<FirstBytes>)>> {
    let property = |(name, schema): (&String, &Value)| {
        let schema = schema.as_object()?;
        let known = |key: &String| key == "type" || ANNOTATIONS.contains(&key.as_str());
        if !schema.keys().all(known)
            || name.contains(['"', '\\'])
            || name.chars().any(char::is_control)
        {
            return None;
        }
        let types = match schema.get("type") {
            None => Vec::new(),
            Some(Value::String(name)) => vec![first_bytes(name)?],
            Some(list) => texts(list)?
                .iter()
                .map(|name| first_bytes(name))
                .collect::<Option<_>>()?,
        };
        Some((name.as_str().into(), types))
    };
    schemas.iter().map(property).collect()
}

/// What values of a type begin with. `integer` is not among them: whether a number is whole is not seen there.
fn first_bytes(name: &str) -> Option<FirstBytes> {
    Some(match name {
        "string" => |byte| byte == b'"',
        "object" => |byte| byte == b'{',
        "array" => |byte| byte == b'[',
        "boolean" => |byte| matches!(byte, b't' | b'f'),
        "null" => |byte| byte == b'n',
        "number" => |byte| byte == b'-' || byte.is_ascii_digit(),
        _ => return None,
    })
}

fn texts(value: &Value) -> Option<Vec<Box<str>>> {
    value
        .as_array()?
        .iter()
        .map(|text| text.as_str().map(Into::into))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(schema: &str) -> Option<Flat> {
        Flat::of(&serde_json::from_str(schema).expect("JSON"))
    }

    #[test]
    fn only_plain_schemas_are_flat() {
        assert!(flat(r#"{"type":"object","properties":{"a":{"type":["string","null"],"description":"x"}},"required":["a"]}"#).is_some());
        for schema in [
            r#"{"properties":{}}"#,
            r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#,
            r#"{"type":"object","properties":{"a":{"minLength":1}}}"#,
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r##"{"type":"object","$ref":"#/x"}"##,
            "true",
        ] {
            assert!(flat(schema).is_none(), "{schema}");
        }
    }

    fn value() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "1",
            "-2.5",
            "\"x\"",
            "true",
            "false",
            "null",
            "[]",
            "[1]",
            "{}",
            "{\"a\":1}",
        ])
    }

    fn kind() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "string", "number", "boolean", "null", "array", "object",
        ])
    }

    proptest! {
        #[test]
        fn what_surely_fits_fits(
            types in prop::collection::vec(kind(), 0..3),
            members in prop::collection::btree_map("[abc]", value(), 0..4),
            required in prop::collection::btree_set("[abc]", 0..2),
            open: bool,
        ) {
            let schema = serde_json::json!({
                "type": "object",
                "properties": { "a": if types.is_empty() { serde_json::json!({}) } else { serde_json::json!({ "type": types.iter().collect::<std::collections::BTreeSet<_>>() }) }, "b": {} },
                "required": required,
                "additionalProperties": open,
            });
            let text = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
            let text = format!("{{{text}}}");
            let fits = Flat::of(&schema).expect("flat").surely_fits(&Json::scan(text.clone().into()).expect("JSON"));
            let value: Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(fits, jsonschema::is_valid(&schema, &value), "{} {}", schema, text);
        }
    }
}
