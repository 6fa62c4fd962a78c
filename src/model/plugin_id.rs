//! The id of a plugin.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// The most characters an id may have.
pub const MAX_LEN: usize = 64;

/// The rule as a regular expression, for schemas and messages.
pub const PATTERN: &str = "[a-z0-9][a-z0-9_.-]{0,63}";

/// The id of a plugin: `[a-z0-9][a-z0-9_.-]{0,63}`.
///
/// Cheap to clone. It names the plugin in the config, in tool names, in routes and in logs, so its characters need
/// no escaping in any of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PluginId(Arc<str>);

/// A text that is not a plugin id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a plugin id: one to 64 characters `a-z 0-9 _ . -`, the first a letter or a digit"
)]
pub struct BadPluginId(String);

impl PluginId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginId {
    type Err = BadPluginId;

    fn from_str(text: &str) -> Result<Self, BadPluginId> {
        if follows_rule(text) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(BadPluginId(text.to_owned()))
        }
    }
}

impl TryFrom<&str> for PluginId {
    type Error = BadPluginId;

    fn try_from(text: &str) -> Result<Self, BadPluginId> {
        text.parse()
    }
}

impl TryFrom<String> for PluginId {
    type Error = BadPluginId;

    fn try_from(text: String) -> Result<Self, BadPluginId> {
        text.parse()
    }
}

impl AsRef<str> for PluginId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Lets maps keyed by id be asked with a `&str`.
impl Borrow<str> for PluginId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for PluginId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl JsonSchema for PluginId {
    fn schema_name() -> Cow<'static, str> {
        "PluginId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The id of a plugin.",
            "type": "string",
            "pattern": format!("^{PATTERN}$"),
        })
    }
}

fn follows_rule(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inside = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    (1..=MAX_LEN).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_the_rule() {
        let longest = "a".repeat(64);
        for good in ["a", "0", "github", "com.example.tool-1_b", longest.as_str()] {
            assert!(good.parse::<PluginId>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            "A",
            "-a",
            ".a",
            "_a",
            "a b",
            "ä",
            "a/b",
            too_long.as_str(),
        ] {
            assert!(bad.parse::<PluginId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_names_the_rule() {
        let error = "My Tool".parse::<PluginId>().expect_err("has a space");
        insta::assert_snapshot!(error, @"`My Tool` is not a plugin id: one to 64 characters `a-z 0-9 _ . -`, the first a letter or a digit");
    }
}
