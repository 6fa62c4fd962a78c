//! Names of objects, as callers write them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// The longest name, in bytes (Kubernetes, object names: DNS subdomain names).
const MAX: usize = 253;

/// The name of an object. It becomes part of a path, and cannot lead elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Name(String);

/// A text that no object can be called.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a name: at most 253 lower-case letters, digits, `-` and `.`, a letter or digit at both ends"
)]
pub(super) struct BadName(String);

impl Name {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        let is_word = |letter: &u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        let fits = bytes.len() <= MAX
            && ends.iter().all(|end| end.is_some_and(is_word))
            && bytes
                .iter()
                .all(|letter| is_word(letter) || matches!(letter, b'-' | b'.'));
        match fits {
            true => Ok(Self(text)),
            false => Err(BadName(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX,
            "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (text, good) in [
            ("web-6d4b75cb6d-x2x4z", true),
            ("ip-10-0-0-1.eu.compute.internal", true),
            ("", false),
            ("../secrets", false),
            ("a/b", false),
            ("a?b", false),
            ("a%2fb", false),
            ("Web", false),
            ("-a", false),
            ("a.", false),
        ] {
            assert_eq!(Name::try_from(text.to_owned()).is_ok(), good, "{text}");
        }
        assert!(Name::try_from("a".repeat(MAX + 1)).is_err());
    }
}
