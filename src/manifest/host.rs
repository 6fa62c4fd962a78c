//! What a plugin asks of its host besides tools: routes, files, background work, events.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An HTTP route under `/ext/{id}` that calls a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The HTTP method.
    #[serde(default)]
    pub method: Method,
    /// The path below `/ext/{id}`, beginning with `/`.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// The plugin's own name of the tool. Its arguments are the query, over that the members of a JSON body, over that
    /// what stands in the path where the pattern has `{name}` or `{*name}`.
    pub tool: String,
    /// The scope a caller needs, instead of `ext:{id}:routes`.
    #[serde(default)]
    pub scope: Option<String>,
    /// What the text of the result is sent as, such as `text/html`. When left out the answer is JSON: the structured
    /// content, else the text as a string.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The status of an answer that is no error.
    #[serde(default = "ok")]
    #[schemars(range(min = 200, max = 299))]
    pub status: u16,
}

/// The HTTP methods a route may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Files served under `/ext/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticFiles {
    /// The directory, inside the plugin's folder.
    pub dir: PathBuf,
    /// The file that answers for the directory itself.
    #[serde(default = "index_html")]
    pub index: String,
    /// Whether browsers get them without a credential, which they cannot send with the address of a page. For files that
    /// tell nothing.
    #[serde(default)]
    pub public: bool,
}

/// A tool the gateway calls again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// The job's name, unique in the plugin.
    pub name: String,
    /// The plugin's own name of the tool.
    pub tool: String,
    /// Milliseconds from the end of one run to the start of the next.
    #[schemars(range(min = 100, max = 2_592_000_000_u64))]
    pub interval_ms: u64,
    /// What the tool is called with.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// The events of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// Events it hears.
    #[serde(default)]
    pub subscribe: Vec<Subscription>,
}

/// A tool that is called with each event of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// A topic, or a pattern such as `task.*`.
    pub topic: String,
    /// The plugin's own name of the tool.
    pub tool: String,
}

impl Method {
    /// As requests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

fn ok() -> u16 {
    200
}

fn index_html() -> String {
    "index.html".into()
}
