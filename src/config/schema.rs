//! The JSON schemas of the files people write, made from the types that read them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::config::file::ConfigFile;
use crate::manifest::{Grant, Manifest};
use crate::model::plugin_id::PATTERN;

/// The schemas there are; `NAME` is checked in as `schemas/NAME.schema.json`.
pub const SCHEMA_NAMES: [&str; 2] = ["plugin", "config"];

/// The schema of that name, as indented JSON with a line break at its end.
pub fn schema_json(name: &str) -> Option<String> {
    let schema = match name {
        "plugin" => generate::<Manifest>(),
        "config" => generate::<ConfigFile>(),
        _ => return None,
    };
    let mut text = serde_json::to_string_pretty(&schema).ok()?;
    text.push('\n');
    Some(text)
}

fn generate<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    // Editors add this key to JSON files by themselves.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(
            "$schema".into(),
            Map::from_iter([("type".to_owned(), "string".into())]).into(),
        );
    }
    schema
}

/// `[plugins]`: a manifest of which nothing must be there, with `enabled` and `grants`.
pub fn plugin_entries(generator: &mut SchemaGenerator) -> Schema {
    let grants = generator.subschema_for::<std::collections::BTreeSet<Grant>>();
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut entry = settings
        .into_generator()
        .into_root_schema_for::<Manifest>()
        .to_value();
    optional(&mut entry);
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("$schema");
        entry.remove("title");
        entry.insert(
            "description".into(),
            "Settings for one plugin, or a whole plugin.".into(),
        );
        if let Some(properties) = entry.get_mut("properties").and_then(Value::as_object_mut) {
            let enabled = json_schema!({ "description": "Whether it is used.", "type": "boolean", "default": true });
            properties.insert("enabled".into(), enabled.to_value());
            properties.insert("grants".into(), grants.to_value());
        }
    }
    json_schema!({
        "description": "Plugins by id: settings for one that is found, or a whole plugin with `runtime` and its section.",
        "type": "object",
        "propertyNames": { "pattern": format!("^{PATTERN}$") },
        "additionalProperties": entry,
    })
}

/// `[mcpServers]`, open as the programs are that write it.
pub fn assistant_servers(_: &mut SchemaGenerator) -> Schema {
    let text = json_schema!({ "type": "string" });
    let texts = json_schema!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } });
    json_schema!({
        "description": "Servers as assistants write them.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "type": { "enum": ["stdio", "http", "streamable-http", "streamableHttp"] },
                "command": text,
                "args": { "type": "array", "items": text },
                "env": texts,
                "cwd": text,
                "url": text,
                "headers": texts,
                "disabled": { "type": "boolean" },
            },
        },
    })
}

/// Takes every `required` out, and defaults: an override that is left out changes nothing.
fn optional(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.shift_remove("default");
            if map.get("required").is_some_and(Value::is_array) {
                map.shift_remove("required");
            }
            map.values_mut().for_each(optional);
        }
        Value::Array(items) => items.iter_mut().for_each(optional),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Set `UPDATE_SCHEMAS=1` to write the files anew.
    #[test]
    fn the_checked_in_schemas_are_those_of_the_types() {
        for name in SCHEMA_NAMES {
            let file =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
            let text = schema_json(name).expect("the name is known");
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&file, &text).expect("the sources can be written");
            }
            let found = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                found == text,
                "schemas/{name}.schema.json is old: run the test with UPDATE_SCHEMAS=1"
            );
        }
        assert_eq!(schema_json("other"), None);
    }

    fn validator(name: &str) -> jsonschema::Validator {
        let schema = serde_json::from_str(&schema_json(name).expect("known")).expect("valid JSON");
        jsonschema::validator_for(&schema).expect("a valid schema")
    }

    fn json(toml: &str) -> Value {
        toml::from_str(toml).expect("valid TOML")
    }

    #[test]
    fn a_manifest_that_is_read_is_also_valid_by_the_schema() {
        let validator = validator("plugin");
        for text in [crate::manifest::tests::GITHUB, crate::manifest::tests::FULL] {
            let errors: Vec<_> = validator
                .iter_errors(&json(text))
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors, [""; 0]);
        }
        assert!(!validator.is_valid(&json("id = 'A'\nversion = '1.0.0'\nruntime = 'in_process'")));
        assert!(!validator.is_valid(&json(
            "id = 'a'\nversion = '1.0.0'\nruntime = 'in_process'\nrutime = 1"
        )));
        assert!(!validator.is_valid(&json("id = 'a'\nversion = '1.0.0'\nruntime = 'wasm'")));
    }

    #[test]
    fn a_config_that_is_read_is_also_valid_by_the_schema() {
        let validator = validator("config");
        let text = crate::config::tests::FULL;
        let errors: Vec<_> = validator
            .iter_errors(&json(text))
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0]);
        assert!(!validator.is_valid(&json("[plugins.x]\nenabeld = true")));
        assert!(!validator.is_valid(&json("[server]\nlisten = 8080")));
    }
}
