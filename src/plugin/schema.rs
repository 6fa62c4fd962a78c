//! JSON schemas of arguments and results, from Rust types.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

/// Which way the values of a type go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Values are read: arguments.
    In,
    /// Values are written: results.
    Out,
}

/// The schema of `T`: draft 2020-12, nothing referred to that could stand in place, `type` always `object` (MCP
/// 2025-11-25, `Tool`). The error says what `T` is instead of an object.
pub(crate) fn object_schema<T: JsonSchema>(
    direction: Direction,
) -> Result<Map<String, Value>, String> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        // Draft 2020-12 is what MCP takes a schema for that does not say.
        settings.meta_schema = None;
    });
    let settings = settings.with_transform(RecursiveTransform(drop_rust_formats));
    let settings = match direction {
        Direction::In => settings.for_deserialize(),
        Direction::Out => settings
            .with_transform(RecursiveTransform(shorten))
            .for_serialize(),
    };
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let Value::Object(mut found) = schema.to_value() else {
        return Err("it is no schema of an object".to_owned());
    };
    // What the Rust type is called and what its author says of it is nothing for a model; the tool has words of its own.
    found.shift_remove("title");
    found.shift_remove("description");
    match found.get("type") {
        Some(Value::String(kind)) if kind == "object" => return Ok(found),
        Some(kind) => return Err(format!("its type is {kind}, and must be \"object\"")),
        None => {}
    }
    let mut whole = Map::new();
    whole.insert("type".to_owned(), "object".into());
    whole.extend(found);
    Ok(whole)
}

/// Takes out `uint32` and the like: JSON Schema has formats for strings only, and some model APIs refuse others.
fn drop_rust_formats(schema: &mut Schema) {
    let numeric = |format: &str| {
        let width = format.trim_start_matches("uint").trim_start_matches("int");
        width.is_empty() || width.parse::<u8>().is_ok() || matches!(format, "float" | "double")
    };
    if let Some(object) = schema.as_object_mut()
        && object
            .get("format")
            .and_then(Value::as_str)
            .is_some_and(numeric)
    {
        object.shift_remove("format");
    }
}

/// Takes out of what models are told of results what they know anyway: what is said of each item of a list, which the list
/// itself says, and that counts are not negative.
fn shorten(schema: &mut Schema) {
    let items = schema.get_mut("items").and_then(Value::as_object_mut);
    if let Some(items) = items.filter(|items| items.contains_key("properties")) {
        items.shift_remove("description");
    }
    if let Some(object) = schema.as_object_mut()
        && object.get("minimum").is_some_and(|least| *least == 0)
    {
        object.shift_remove("minimum");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Point {
        /// To the right.
        x: i32,
        label: Option<String>,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only its schema is read")]
    enum Shape {
        Dot { at: Point },
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Tree {
        children: Vec<Tree>,
    }

    fn text<T: JsonSchema>() -> String {
        match object_schema::<T>(Direction::In) {
            Ok(schema) => Value::Object(schema).to_string(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn structs_become_plain_object_schemas() {
        insta::assert_snapshot!(text::<Point>(), @r#"{"type":"object","properties":{"x":{"type":"integer","description":"To the right."},"label":{"type":["string","null"]}},"required":["x"]}"#);
        insta::assert_snapshot!(text::<Shape>(), @r#"{"type":"object","oneOf":[{"type":"object","properties":{"kind":{"type":"string","const":"Dot"},"at":{"type":"object","properties":{"x":{"type":"integer","description":"To the right."},"label":{"type":["string","null"]}},"required":["x"]}},"required":["kind","at"]}]}"#);
        insta::assert_snapshot!(text::<Tree>(), @r##"{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}},"required":["children"]}"##);
    }

    #[derive(serde::Serialize, JsonSchema)]
    struct Counts {
        /// All of them.
        counts: Vec<Count>,
    }

    /// One of them.
    #[derive(serde::Serialize, JsonSchema)]
    struct Count {
        number: u32,
    }

    #[test]
    fn results_are_told_in_short() {
        let schema = object_schema::<Counts>(Direction::Out).expect("it is an object");
        insta::assert_snapshot!(Value::Object(schema).to_string(), @r#"{"type":"object","properties":{"counts":{"type":"array","items":{"type":"object","properties":{"number":{"type":"integer"}},"required":["number"]},"description":"All of them."}},"required":["counts"]}"#);
    }

    #[test]
    fn what_is_no_object_is_named() {
        insta::assert_snapshot!(text::<Vec<Point>>(), @r#"its type is "array", and must be "object""#);
        insta::assert_snapshot!(text::<()>(), @r#"its type is "null", and must be "object""#);
    }
}
