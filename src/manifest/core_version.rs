//! The versions of toolgate a plugin works with.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize, Serializer};

/// A range of versions, in the words of SemVer (`^0.2`, `>=0.1, <1`) or of PEP 440 (`~=0.4`, `!=0.4.1`).
///
/// What both can read means what PEP 440 says. An empty text is every version.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CoreVersion {
    text: String,
    range: Range,
}

#[derive(Clone, PartialEq, Eq)]
enum Range {
    Pep440(VersionSpecifiers),
    SemVer(VersionReq),
}

/// A text that is a range in neither notation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version range, such as `>=0.1, <1` or `^0.2`")]
pub struct BadCoreVersion(String);

impl CoreVersion {
    /// Whether `version` is in the range.
    pub fn fits(&self, version: &Version) -> bool {
        match &self.range {
            Range::SemVer(range) => range.matches(version),
            Range::Pep440(range) => match pep440_rs::Version::from_str(&version.to_string()) {
                Ok(version) => range.contains(&version),
                // PEP 440 has no words for every SemVer pre-release: compare the release it leads to.
                Err(_) => {
                    let release = [version.major, version.minor, version.patch];
                    range.contains(&pep440_rs::Version::new(release))
                }
            },
        }
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for CoreVersion {
    type Err = BadCoreVersion;

    fn from_str(text: &str) -> Result<Self, BadCoreVersion> {
        let bad = || BadCoreVersion(text.to_owned());
        if let Ok(range) = VersionSpecifiers::from_str(text) {
            return Ok(Self {
                text: text.to_owned(),
                range: Range::Pep440(range),
            });
        }
        // The crate also takes a lone `x` for every version.
        if !text.contains(|c: char| c.is_ascii_digit() || c == '*') {
            return Err(bad());
        }
        let range = VersionReq::parse(text).map_err(|_| bad())?;
        Ok(Self {
            text: text.to_owned(),
            range: Range::SemVer(range),
        })
    }
}

impl TryFrom<String> for CoreVersion {
    type Error = BadCoreVersion;

    fn try_from(text: String) -> Result<Self, BadCoreVersion> {
        text.parse()
    }
}

impl fmt::Display for CoreVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CoreVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for CoreVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl JsonSchema for CoreVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CoreVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Case {
        spec: String,
        core: String,
        result: String,
    }

    /// Ranges that the recorded system refuses and SemVer reads.
    const SEMVER_ONLY: [&str; 4] = ["^0.2", "~0.4", "*", "0.4.1"];

    #[test]
    fn pep_440_ranges_fit_as_recorded() {
        let text = include_str!("../../tests/vectors/core_version_pep440.json");
        let cases: Vec<Case> = serde_json::from_str(text).expect("the table is valid");
        assert!(cases.len() > 100);
        for case in cases {
            let version = case.core.parse().expect("the table has valid versions");
            let found = match case.spec.parse::<CoreVersion>() {
                Ok(range) if range.fits(&version) => "ok",
                Ok(_) => "VersionIncompatible",
                Err(_) => "ManifestInvalid",
            };
            if SEMVER_ONLY.contains(&case.spec.as_str()) {
                assert_ne!(found, "ManifestInvalid", "{}", case.spec);
            } else {
                assert_eq!(found, case.result, "{} {}", case.spec, case.core);
            }
        }
    }

    #[test]
    fn semver_ranges_fit() {
        let fits = |spec: &str, version: &str| {
            let range: CoreVersion = spec.parse().expect("a range");
            range.fits(&version.parse().expect("a version"))
        };
        assert!(fits("^0.2", "0.2.9") && !fits("^0.2", "0.3.0"));
        assert!(fits("0.4.1", "0.4.7") && fits("*", "9.0.0") && fits("", "1.0.0"));
        assert!(fits(">=0.1, <1", "0.9.9") && !fits(">=0.1, <1", "1.0.0"));
    }
}
