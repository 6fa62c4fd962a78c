//! What a plugin says about itself: `plugin.toml` or `plugin.json`, read, checked, and described by a JSON schema.
//!
//! Every table is closed: a key that is not known is an error that names the nearest valid one. `${VAR}` is text
//! here; the config fills variables in before a manifest is used.

pub mod check;
pub mod core_version;
pub mod decode;
pub mod document;
pub mod dry_run;
pub mod expose;
pub mod glob;
pub mod host;
pub mod import;
pub mod json_text;
pub mod kinds;
pub mod limits;
pub mod problem;
pub mod read_node;
pub mod route_table;
pub mod runtime;
pub mod secret;
pub mod toml_print;
pub mod toml_text;
pub mod upkeep;
pub mod url;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::manifest::check::check;
use crate::manifest::core_version::CoreVersion;
use crate::manifest::decode::{Decoded, Report, decode};
use crate::manifest::document::{Format, Node};
use crate::manifest::expose::{Expose, ToolEntry};
use crate::manifest::host::{Background, Events, Route, StaticFiles};
use crate::manifest::kinds::{Filter, Notifier, Resources};
use crate::manifest::limits::{Limits, Restart};
use crate::manifest::problem::Problems;
use crate::manifest::runtime::{InProcess, McpHttp, McpStdio, RuntimeKind, Runtimes};
use crate::manifest::upkeep::{Breaker, Build, HealthCheck, Results, Retry};
use crate::model::plugin_id::PluginId;

/// The names a manifest has in a plugin's folder, the first that exists counts.
pub const FILE_NAMES: [&str; 2] = ["plugin.toml", "plugin.json"];

/// The manifest of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's id, unique per kind.
    pub id: PluginId,
    /// The name people read; the id when left out.
    #[serde(default)]
    pub name: String,
    /// The plugin's own version (SemVer).
    pub version: String,
    /// One or two sentences for people.
    #[serde(default)]
    pub description: String,
    /// What the plugin is for; decides how it is dispatched.
    #[serde(default)]
    pub kind: Kind,
    /// How it runs: one runtime, or several of which the first available one is used.
    pub runtime: Runtimes,
    /// The versions of toolgate it works with: a SemVer range, or a PEP 440 specifier.
    #[serde(default)]
    pub toolgate: Option<CoreVersion>,
    /// When it is started.
    #[serde(default)]
    pub load: Load,
    /// Whether it is used only where the operator's file names it. For compiled-in plugins, which are all used where
    /// there is no such file.
    #[serde(default)]
    pub opt_in: bool,
    /// Among plugins that do not depend on each other the higher priority starts first.
    #[serde(default)]
    pub priority: i64,
    /// Plugins that must be running before this one starts.
    #[serde(default)]
    pub depends_on: Vec<PluginId>,
    /// The grants it asks for; the operator decides.
    #[serde(default = "tools_only")]
    pub requests: BTreeSet<Grant>,
    /// How its instances belong to client sessions; the runtime's own default when left out.
    #[serde(default)]
    pub isolation: Option<Isolation>,
    /// Whether clients without sessions may hold on to one of its instances, so that their calls find what earlier ones
    /// left there. For servers of the legacy era with `isolation = "session"`.
    #[serde(default)]
    pub handles: Handles,
    /// What stands in front of the names of its tools and prompts: `{id}__` when left out, nothing when empty.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{0,63}$"))]
    pub prefix: Option<String>,
    /// The generation of the protocol the server speaks.
    #[serde(default)]
    pub era: Era,
    /// The `in_process` runtime.
    #[serde(default)]
    pub in_process: Option<InProcess>,
    /// The `mcp_stdio` runtime.
    #[serde(default)]
    pub mcp_stdio: Option<McpStdio>,
    /// The `mcp_http` runtime.
    #[serde(default)]
    pub mcp_http: Option<McpHttp>,
    /// Tools it declares, and corrections to tools its server lists.
    #[serde(default)]
    pub tools: Vec<ToolEntry>,
    /// Which of its tools are listed, and under which names.
    #[serde(default)]
    pub expose: Expose,
    /// Whether slow calls of its tools go on as tasks for clients that know these (the extension
    /// `io.modelcontextprotocol/tasks`), though the plugin does not. Such a call may take `max_call_ms`. A plugin that
    /// makes tasks itself goes on doing so.
    #[serde(default)]
    pub tasks: bool,
    /// Its HTTP routes under `/ext/{id}` (grant `ROUTES`).
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Files it serves under `/ext/{id}` (grant `STATIC`).
    #[serde(default, rename = "static")]
    pub static_files: Option<StaticFiles>,
    /// Tools called again and again (grant `BACKGROUND_TASKS`).
    #[serde(default)]
    pub background: Vec<Background>,
    /// Events it wants to hear of (grant `EVENTS_SUB`).
    #[serde(default)]
    pub events: Events,
    /// How it is asked, where it is a filter.
    #[serde(default)]
    pub filter: Filter,
    /// What it is told, where it is a notifier.
    #[serde(default)]
    pub notifier: Notifier,
    /// What is handed to it.
    #[serde(default)]
    pub resources: Resources,
    /// How its health is asked for.
    #[serde(default)]
    pub health: HealthCheck,
    /// When a remote server that cannot be reached is no longer asked. For the `mcp_http` runtime.
    #[serde(default)]
    pub breaker: Breaker,
    /// How often its calls are made anew.
    #[serde(default)]
    pub retry: Retry,
    /// How its results are read.
    #[serde(default)]
    pub results: Results,
    /// How it is built from source.
    #[serde(default)]
    pub build: Option<Build>,
    /// How often it may be started again after a crash.
    #[serde(default)]
    pub restart: Restart,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Its own settings, handed to it as they are.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// A JSON schema for `config`. Members with `"format": "password"` or `"writeOnly": true` are never shown.
    #[serde(default)]
    pub config_schema: Option<Map<String, Value>>,
    /// How settings that are changed while it runs reach it: `init` for plugins in process and `restart` for others when
    /// left out.
    #[serde(default)]
    pub config_change: Option<ConfigChange>,
    /// Whatever else is worth keeping: owner, licence, links. The gateway keeps it and makes no use of it; variables are
    /// not filled in. Of a manifest that was imported the original stands here, as `imported`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// What a plugin is for.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Offers tools.
    #[default]
    Tool,
    /// Offers something to other plugins.
    Provider,
    /// Every call's arguments and results pass through it.
    Filter,
    /// Takes over a kind of work.
    Handler,
    /// Is told of events; its failure is nobody else's.
    Notifier,
}

/// How settings that are changed reach a plugin that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigChange {
    /// `on_init` is called again; what is no code in process is started anew.
    Init,
    /// It is started anew: the new instance is tried before it takes the place of the old one.
    Restart,
    /// They count from its next start.
    None,
}

/// When a plugin is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// With the gateway.
    #[default]
    Eager,
    /// At its first use.
    Lazy,
    /// By the operator.
    Manual,
}

/// A permission on the host. A manifest requests, the operator grants.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Grant {
    /// Answer HTTP requests under `/ext/{id}`.
    Routes,
    /// Offer tools.
    Tools,
    /// Publish events.
    EventsPub,
    /// Hear events.
    EventsSub,
    /// Run in the background.
    BackgroundTasks,
    /// Serve files.
    Static,
}

/// Who shares an instance of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// One instance per client session.
    Session,
    /// One instance for everyone.
    Shared,
    /// One instance per call.
    Call,
}

/// How clients without sessions get at one instance for several calls: by a handle that the tool
/// `toolgate__open_session` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handles {
    /// Not at all.
    Off,
    /// A handle is taken, in `_meta["toolgate/session"]` or as the argument `toolgate_session`.
    #[default]
    Accept,
    /// The same, and the argument stands in the schemas of its tools, where models look.
    Declare,
}

/// The generation of the protocol a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Era {
    /// Find out by asking.
    #[default]
    Auto,
    /// With `initialize`, up to revision 2025-11-25.
    Legacy,
    /// Stateless, from revision 2026-07-28 on.
    Modern,
}

/// Reads a manifest in TOML. `Err` holds every problem found.
pub fn parse_toml(text: &str) -> Result<Manifest, Problems> {
    read(&Node::parse(Format::Toml, text, None)?)
}

/// Reads a manifest in JSON. `Err` holds every problem found.
pub fn parse_json(text: &str) -> Result<Manifest, Problems> {
    read(&Node::parse(Format::Json, text, None)?)
}

/// Reads a manifest from a document and checks that its parts agree. `Err` holds every problem found.
pub fn read(document: &Node) -> Result<Manifest, Problems> {
    let Decoded {
        value,
        mut problems,
        blamed,
    } = decode::<Manifest>(document);
    let Some(mut manifest) = value else {
        return Err(Problems(problems));
    };
    let mut report = Report::new(document, blamed);
    check(&manifest, &mut report);
    problems.extend(report.into_problems());
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    if manifest.name.is_empty() {
        manifest.name = manifest.id.to_string();
    }
    Ok(manifest)
}

impl Manifest {
    /// What stands in front of this plugin's tool names.
    pub fn effective_prefix(&self) -> String {
        self.prefix
            .clone()
            .unwrap_or_else(|| format!("{}__", self.id))
    }

    /// Whether slow calls of the plugin's own tool of that name go on as tasks.
    pub fn makes_task_of(&self, tool: &str) -> bool {
        let entry = self.tools.iter().find(|entry| entry.name == tool);
        entry.and_then(|entry| entry.tasks).unwrap_or(self.tasks)
    }

    /// Whether slow calls of any of its tools do.
    pub fn makes_tasks(&self) -> bool {
        self.tasks || self.tools.iter().any(|entry| entry.tasks == Some(true))
    }

    /// The runtimes it can use, the preferred one first; never empty.
    pub fn runtimes(&self) -> &[RuntimeKind] {
        &self.runtime.0
    }
}

impl Grant {
    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Routes => "ROUTES",
            Self::Tools => "TOOLS",
            Self::EventsPub => "EVENTS_PUB",
            Self::EventsSub => "EVENTS_SUB",
            Self::BackgroundTasks => "BACKGROUND_TASKS",
            Self::Static => "STATIC",
        }
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

fn tools_only() -> BTreeSet<Grant> {
    BTreeSet::from([Grant::Tools])
}

#[cfg(test)]
pub(crate) mod tests;
