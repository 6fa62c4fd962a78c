//! JSON schemas of arguments and results, from Rust types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
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
    let settings = match direction {
        Direction::In => settings.for_deserialize(),
        Direction::Out => settings.for_serialize(),
    };
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let Value::Object(mut found) = schema.to_value() else {
        return Err("it is no schema of an object".to_owned());
    };
    // The name of the Rust type says nothing to a model.
    found.remove("title");
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
        insta::assert_snapshot!(text::<Point>(), @"");
        insta::assert_snapshot!(text::<Shape>(), @"");
        insta::assert_snapshot!(text::<Tree>(), @"");
    }

    #[test]
    fn what_is_no_object_is_named() {
        insta::assert_snapshot!(text::<Vec<Point>>(), @"");
        insta::assert_snapshot!(text::<()>(), @"");
    }
}
