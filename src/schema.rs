//! JSON Schemas of tools: compiled once, never resolved over the network, within bounds.

pub mod defaults;

mod flat;

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::schema::flat::Flat;
use crate::wire::json::Json;

/// How deep a schema may be nested.
const MAX_DEPTH: usize = 64;

/// How many values a schema may hold.
const MAX_NODES: usize = 10_000;

/// The largest text that is made into a value tree to be checked, in bytes.
const MAX_CHECKED: usize = 4 << 20;

/// A compiled schema.
pub struct Schema(Kind);

enum Kind {
    /// Every object fits.
    AnyObject,
    Compiled {
        validator: Box<jsonschema::Validator>,
        /// Recognises most values that fit without making a value tree of them.
        flat: Option<Flat>,
    },
}

/// Where and why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{pointer}`: {message}")]
pub struct Violation {
    /// JSON pointer into the value (RFC 6901); `/` stands for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
    /// The member that is missing there, where that is what is wrong.
    pub missing: Option<String>,
}

impl Schema {
    /// Compiles a schema. References outside of it are refused, never fetched.
    pub fn compile(text: &Json) -> Result<Self, String> {
        let value: Value = text.parse().map_err(|err| err.to_string())?;
        let mut nodes = 0;
        measure(&value, 0, &mut nodes)?;
        if fits_any_object(&value) {
            return Ok(Self(Kind::AnyObject));
        }
        match jsonschema::options().with_retriever(Offline).build(&value) {
            Ok(validator) => Ok(Self(Kind::Compiled {
                validator: Box::new(validator),
                flat: Flat::of(&value),
            })),
            Err(err) => Err(err.to_string()),
        }
    }

    /// Checks a value; names the first place that does not fit.
    pub fn check(&self, text: &Json) -> Result<(), Violation> {
        let whole = |message: String| Violation {
            pointer: "/".into(),
            message,
            missing: None,
        };
        let validator = match &self.0 {
            Kind::AnyObject if text.is_object() => return Ok(()),
            Kind::AnyObject => return Err(whole("must be an object".into())),
            Kind::Compiled {
                flat: Some(flat), ..
            } if flat.surely_fits(text) => return Ok(()),
            Kind::Compiled { validator, .. } => validator,
        };
        if text.bytes().len() > MAX_CHECKED {
            return Err(whole(format!("is larger than {MAX_CHECKED} bytes")));
        }
        let value: Value = text.parse().map_err(|err| whole(err.to_string()))?;
        validator.validate(&value).map_err(|err| {
            let pointer = err.instance_path().to_string();
            let pointer = if pointer.is_empty() {
                "/".to_owned()
            } else {
                pointer
            };
            let missing = match err.kind() {
                ValidationErrorKind::Required { property } => property.as_str().map(str::to_owned),
                _ => None,
            };
            Violation {
                pointer,
                message: err.to_string(),
                missing,
            }
        })
    }
}

impl Schema {
    /// All places of a value that do not fit, in words that do not quote it: it may hold secrets.
    pub fn violations(&self, text: &Json) -> Vec<Violation> {
        let Kind::Compiled { validator, .. } = &self.0 else {
            return self.check(text).err().into_iter().collect();
        };
        let Ok(value) = text.parse::<Value>() else {
            return Vec::new();
        };
        let errors = validator.iter_errors(&value);
        let violation = |err: jsonschema::ValidationError<'_>| Violation {
            pointer: err.instance_path().to_string(),
            message: err.masked().to_string(),
            missing: None,
        };
        errors.map(violation).collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// Whether the schema says nothing but that the value is an object.
fn fits_any_object(schema: &Value) -> bool {
    let Some(schema) = schema.as_object() else {
        return false;
    };
    schema.get("type").is_some_and(|kind| kind == "object")
        && schema.iter().all(|(key, value)| match key.as_str() {
            "type" | "$schema" | "title" | "description" | "$comment" | "examples" | "default" => {
                true
            }
            "properties" => value.as_object().is_some_and(serde_json::Map::is_empty),
            "required" => value.as_array().is_some_and(Vec::is_empty),
            "additionalProperties" => value == &Value::Bool(true),
            _ => false,
        })
}

fn measure(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), String> {
    *nodes += 1;
    if depth > MAX_DEPTH {
        return Err(format!("the schema is nested deeper than {MAX_DEPTH}"));
    }
    if *nodes > MAX_NODES {
        return Err(format!("the schema holds more than {MAX_NODES} values"));
    }
    match value {
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| measure(item, depth + 1, nodes)),
        Value::Object(members) => members
            .values()
            .try_for_each(|item| measure(item, depth + 1, nodes)),
        _ => Ok(()),
    }
}

/// Finds nothing: schemas are whole or not accepted.
struct Offline;

impl jsonschema::Retrieve for Offline {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!(
            "the schema refers to `{uri}`, and references outside of a schema are not followed"
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &'static str, value: &'static str, expect: Result<(), &str>) {
        let schema = Schema::compile(&Json::literal(schema)).expect("a schema");
        match (schema.check(&Json::literal(value)), expect) {
            (Ok(()), Ok(())) => {}
            (Err(violation), Err(says)) => {
                assert!(violation.to_string().contains(says), "{violation}")
            }
            (got, want) => panic!("{value}: {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn the_place_that_does_not_fit_is_named() {
        let schema = r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}}},"required":["b"]}"#;
        check(schema, r#"{"a":[1,"x"],"b":1}"#, Err("at `/a/1`"));
        check(schema, r#"{"a":[]}"#, Err("\"b\" is a required property"));
        check(schema, r#"{"b":null}"#, Ok(()));
        check(r#"{"type":"object"}"#, "{}", Ok(()));
        check(
            r#"{"type":"object","additionalProperties":false}"#,
            r#"{"a":1}"#,
            Err("at `/`"),
        );
    }

    #[test]
    fn references_and_bombs_are_refused() {
        let refused = |text: String| {
            Schema::compile(&Json::scan(text.into()).expect("JSON")).expect_err("refused")
        };
        assert!(refused(r#"{"$ref":"http://127.0.0.1:1/x"}"#.into()).contains("not followed"));
        let deep = format!("{}true{}", r#"{"not":"#.repeat(65), "}".repeat(65));
        assert!(refused(deep).contains("deeper than 64"));
        assert!(
            refused(format!("{{\"enum\":[{}1]}}", "1,".repeat(10_001))).contains("more than 10000")
        );
    }

    #[test]
    fn references_inside_are_followed() {
        check(
            r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"integer"}}}"##,
            r#"{"a":"x"}"#,
            Err("at `/a`"),
        );
    }
}
