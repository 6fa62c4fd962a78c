//! A plugin's tools: which are listed, under which names, and what is said about them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::manifest::dry_run::DryRun;
use crate::manifest::glob::Pattern;
use crate::model::category::Category;
use crate::model::risk::Risk;

/// Which tools are listed and how they are called. Names here are the plugin's own, without prefix.
///
/// Order of the steps: `allow`, then `deny`, then `rename`, then the prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expose {
    /// Only tools that fit one of these are listed; left out, all are.
    #[serde(default)]
    pub allow: Option<Vec<Pattern>>,
    /// Tools that fit one of these are not listed, even when allowed.
    #[serde(default)]
    pub deny: Vec<Pattern>,
    /// New names: `their_name = "new_name"`.
    #[serde(default)]
    pub rename: IndexMap<String, String>,
}

impl Expose {
    /// The name `tool` gets before the prefix; `None` when it is not listed.
    pub fn listed_name<'a>(&'a self, tool: &'a str) -> Option<&'a str> {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(tool));
        if self.deny_hits(tool) || !self.allow.as_deref().is_none_or(fits) {
            return None;
        }
        Some(self.rename.get(tool).map_or(tool, String::as_str))
    }

    /// Whether a `deny` pattern hides `tool`.
    pub fn deny_hits(&self, tool: &str) -> bool {
        self.deny.iter().any(|pattern| pattern.matches(tool))
    }
}

/// A tool the plugin declares, or corrections to one its server lists: what is given here replaces what the server
/// says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolEntry {
    /// The plugin's own name for it.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,64}$"))]
    pub name: String,
    /// The name people read.
    #[serde(default)]
    pub title: Option<String>,
    /// What the model is told.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it only looks or also changes things.
    #[serde(default)]
    pub category: Option<Category>,
    /// How much harm a call can do.
    #[serde(default)]
    pub risk: Option<Risk>,
    /// What a call touches, in words for who must agree to it: `all pods of the namespace`.
    #[serde(default)]
    pub blast_radius: Option<String>,
    /// How it is told to try only and change nothing: the name of the argument that says so, or `true` where it reads
    /// `_meta["toolgate/dry_run"]`. One without this is not called for a dry run; the gateway says what would be done.
    #[serde(default)]
    pub dry_run: Option<DryRun>,
    /// Milliseconds one call may take, instead of the plugin's `call_timeout_ms`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub timeout_ms: Option<u64>,
    /// Whether slow calls of it go on as tasks, instead of what the plugin's `tasks` says.
    #[serde(default)]
    pub tasks: Option<bool>,
    /// Whether a person must agree to each call.
    #[serde(default)]
    pub requires_approval: bool,
    /// Whether a call may be sent twice without harm.
    #[serde(default)]
    pub idempotent: Option<bool>,
    /// JSON schema of the arguments.
    #[serde(default)]
    pub input_schema: Option<Map<String, Value>>,
    /// JSON schema of the structured result.
    #[serde(default)]
    pub output_schema: Option<Map<String, Value>>,
    /// MCP annotations, laid over those the server gives.
    #[serde(default)]
    pub annotations: Option<Map<String, Value>>,
    /// Calls that show what it does. `toolgate plugins test` makes them and compares.
    #[serde(default)]
    pub examples: Vec<ToolExample>,
}

/// A call of a tool and what must come of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolExample {
    /// The arguments.
    pub arguments: Map<String, Value>,
    /// What must come back: a text is all the text of the result; anything else must be in the result (`content`,
    /// `structuredContent`): of an object each member that is named, of an array all items in order. Left out, any result
    /// will do.
    pub result: Option<Value>,
    /// Whether the call must fail.
    pub is_error: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_beats_allow_and_names_come_last() {
        let text = r#"{"allow": ["get_*"], "deny": ["*_secret"], "rename": {"get_a": "first"}}"#;
        let expose: Expose = serde_json::from_str(text).expect("valid");
        for (tool, expect) in [
            ("get_a", Some("first")),
            ("get_b", Some("get_b")),
            ("get_secret", None),
            ("set_a", None),
        ] {
            assert_eq!(expose.listed_name(tool), expect);
        }
        assert_eq!(Expose::default().listed_name("any"), Some("any"));
        let nothing: Expose = serde_json::from_str(r#"{"allow": []}"#).expect("valid");
        assert_eq!(nothing.listed_name("any"), None);
    }
}
