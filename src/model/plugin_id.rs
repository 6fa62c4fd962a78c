//! The name of a plugin.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The id of a plugin: `[a-z0-9][a-z0-9_.-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginId(Arc<str>);

/// A name that is no plugin id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a plugin id: use 1 to 64 of a-z, 0-9, `_`, `.`, `-`, beginning with a letter or digit"
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
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= 64
            && text.bytes().next().is_some_and(letter)
            && text
                .bytes()
                .all(|byte| letter(byte) || matches!(byte, b'_' | b'.' | b'-'));
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(BadPluginId(text.into()))
        }
    }
}

impl TryFrom<String> for PluginId {
    type Error = BadPluginId;

    fn try_from(text: String) -> Result<Self, BadPluginId> {
        text.parse()
    }
}

impl From<PluginId> for String {
    fn from(id: PluginId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl std::fmt::Display for PluginId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for PluginId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PluginId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,63}$" })
    }
}
