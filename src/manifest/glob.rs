//! A pattern for names: `*` any characters, `?` one, `[a-c]` a range, `{a,b}` a choice.

use std::borrow::Cow;
use std::fmt;

use globset::GlobMatcher;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// A compiled pattern. `*` also matches dots and slashes, upper and lower case differ.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(GlobMatcher);

/// A text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a pattern: {0}")]
pub struct BadPattern(String);

impl Pattern {
    /// Compiles `text`; at most 256 bytes.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        match text.len() {
            0 => return Err(BadPattern("it is empty".into())),
            257.. => return Err(BadPattern("it is longer than 256 bytes".into())),
            _ => {}
        }
        let glob =
            globset::Glob::new(text).map_err(|error| BadPattern(error.kind().to_string()))?;
        Ok(Self(glob.compile_matcher()))
    }

    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }

    /// Whether the whole of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        Self::new(&text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A pattern for names: `*` any characters, `?` one, `[a-c]` a range, `{a,b}` a choice.",
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_every_character() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).expect("valid").matches(name);
        assert!(fits("prom.*", "prom.query") && fits("*", "a/b.c") && fits("{a,b}_?", "b_1"));
        assert!(!fits("prom.*", "xprom.query") && !fits("Get*", "get_x"));
    }

    #[test]
    fn a_bad_pattern_is_refused() {
        for bad in ["", "[a", "{a,b"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }
}
