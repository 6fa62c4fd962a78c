//! How a tool is told to change nothing.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a tool is told to try only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// It cannot be told: it is not called.
    Never,
    /// It reads `_meta["toolgate/dry_run"]`.
    Meta,
    /// It has an argument of this name that is `true` then.
    Argument(String),
}

impl Serialize for DryRun {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Never => serializer.serialize_bool(false),
            Self::Meta => serializer.serialize_bool(true),
            Self::Argument(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for DryRun {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagOrName)
    }
}

struct FlagOrName;

impl Visitor<'_> for FlagOrName {
    type Value = DryRun;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument, or true")
    }

    fn visit_bool<E: serde::de::Error>(self, reads_meta: bool) -> Result<DryRun, E> {
        Ok(match reads_meta {
            true => DryRun::Meta,
            false => DryRun::Never,
        })
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<DryRun, E> {
        match name {
            "" => Err(E::custom("the name of an argument is not empty")),
            name => Ok(DryRun::Argument(name.to_owned())),
        }
    }
}

impl JsonSchema for DryRun {
    fn schema_name() -> Cow<'static, str> {
        "DryRun".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of the argument that says so, or whether `_meta[\"toolgate/dry_run\"]` is read.",
            "anyOf": [{ "type": "boolean" }, { "type": "string", "minLength": 1 }],
        })
    }
}
