//! How a plugin runs: the three runtimes and what each needs to know.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::manifest::secret::Secret;
use crate::manifest::url::HttpUrl;

/// A way to run a plugin.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// Rust code compiled into the gateway.
    InProcess,
    /// A child process that speaks MCP on its standard streams.
    McpStdio,
    /// A remote server that speaks MCP over streamable HTTP.
    McpHttp,
}

impl RuntimeKind {
    /// The word in manifests, which is also the name of the runtime's section.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::McpStdio => "mcp_stdio",
            Self::McpHttp => "mcp_http",
        }
    }
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The runtimes of a plugin, the preferred one first. Written as one word or as a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Runtimes(pub Vec<RuntimeKind>);

impl<'de> Deserialize<'de> for Runtimes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Runtimes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a runtime or a list of runtimes")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Runtimes, E> {
        let one = RuntimeKind::deserialize(serde::de::value::StrDeserializer::new(word))?;
        Ok(Runtimes(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Runtimes, A::Error> {
        let mut list = Vec::new();
        while let Some(one) = items.next_element()? {
            list.push(one);
        }
        Ok(Runtimes(list))
    }
}

impl JsonSchema for Runtimes {
    fn schema_name() -> Cow<'static, str> {
        "Runtimes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<RuntimeKind>();
        json_schema!({
            "description": "One runtime, or several of which the first available one is used.",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }],
        })
    }
}

/// Code in the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InProcess {
    /// Which code: `builtin:NAME`.
    pub entry: String,
}

/// A child process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpStdio {
    /// The program and its arguments, one per item; no shell reads them. A program with a relative path is looked
    /// for in the plugin's folder. Every user of the machine can see arguments: secrets belong in `env`.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// Its environment, next to a small clean one.
    #[serde(default)]
    pub env: IndexMap<String, Secret>,
    /// Names of variables handed down from the gateway's own environment, where they are set.
    #[serde(default)]
    pub env_passthrough: Vec<String>,
    /// Its working directory; the plugin's folder when left out.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
}

/// A remote server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpHttp {
    /// The address of its MCP endpoint.
    pub url: HttpUrl,
    /// Headers sent with every request.
    #[serde(default)]
    pub headers: IndexMap<String, Secret>,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default)]
    pub bearer_token: Option<Secret>,
    /// Lets headers and token travel to another machine over plain `http://`, readable on the way.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// Milliseconds to connect, TLS included.
    #[serde(default = "connect_timeout_ms")]
    #[schemars(range(min = 1, max = 600_000))]
    pub connect_timeout_ms: u64,
}

fn connect_timeout_ms() -> u64 {
    3_000
}
