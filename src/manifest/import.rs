//! Manifests of other plugin systems, turned into our own.
//!
//! | format | file | told by |
//! |---|---|---|
//! | Ordinaut | `extension.json` | `id` or `module`, `grants`, `eager` |
//! | dagstack | `dagstack.toml` | its name |
//! | Jank | `plugin.json` | `binary`, `auto_start` or `type`, and no `runtime` |
//! | AgentOS | `manifest.json` | `plugin_type` or `entry_point` |
//! | ai-fixer | any JSON | only when asked for: what its code says about one tool |
//!
//! Each importer makes a native document whose values keep the places of the foreign file, so that the reader's
//! problems name them. Nothing is refused for a key that is not known: the whole original stays in `metadata.imported`
//! (texts that are secrets masked), and what cannot be carried over becomes a note. What is plainly wrong is a problem.
//!
//! Code that runs inside its own system (a Python module or class) cannot run here. Such a plugin is imported with
//! `runtime = "mcp_stdio"` and no command: it can be used as soon as somebody says which program speaks MCP for it.

mod agentos;
mod ai_fixer;
mod carry;
mod dagstack;
mod identity;
mod jank;
mod ordinaut;

use std::fmt;

use crate::manifest::document::{Entry, Node, Table, Value};
use crate::manifest::import::carry::Carry;
use crate::manifest::problem::{Problem, Problems};
use crate::model::plugin_id::PluginId;

/// The names of foreign manifests in a plugin's folder besides `plugin.json`, the first that exists counts.
pub const FILE_NAMES: [&str; 3] = ["dagstack.toml", "extension.json", "manifest.json"];

/// The order of the keys in a manifest that was imported.
const ORDER: [&str; 21] = [
    "id",
    "name",
    "version",
    "description",
    "kind",
    "runtime",
    "toolgate",
    "load",
    "priority",
    "depends_on",
    "resources",
    "requests",
    "prefix",
    "mcp_stdio",
    "mcp_http",
    "tools",
    "static",
    "build",
    "limits",
    "config_schema",
    "metadata",
];

/// A plugin system whose manifests are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForeignFormat {
    Ordinaut,
    Dagstack,
    Jank,
    AgentOs,
    AiFixer,
}

/// A native document made from a foreign one.
#[derive(Clone, Debug)]
pub struct Imported {
    pub format: ForeignFormat,
    /// The manifest, to be read like any other.
    pub document: Node,
    /// What was not carried over or changed on the way, with what to do about it.
    pub notes: Vec<Problem>,
    /// Why it has no runtime yet, when it has none.
    pub unrunnable: Option<Unrunnable>,
}

/// A plugin that cannot run here as it is.
#[derive(Clone, Debug)]
pub struct Unrunnable {
    /// What is missing, and how to supply it.
    pub problem: Problem,
    /// A command that is near to what the plugin has: a place to begin, nothing that works by itself.
    pub suggestion: Vec<String>,
}

/// A foreign manifest that is plainly wrong.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The plugin's id, when that much is known.
    pub id: Option<PluginId>,
    pub problems: Problems,
}

impl ForeignFormat {
    pub const ALL: [Self; 5] = [
        Self::Ordinaut,
        Self::Dagstack,
        Self::Jank,
        Self::AgentOs,
        Self::AiFixer,
    ];

    /// The word for it in `metadata.imported.format` and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ordinaut => "ordinaut",
            Self::Dagstack => "dagstack",
            Self::Jank => "jank",
            Self::AgentOs => "agentos",
            Self::AiFixer => "ai_fixer",
        }
    }

    /// Which system's manifest a file of that name and content is; `None` for native ones and for what belongs to
    /// other programs.
    pub fn recognise(file_name: &str, document: &Node) -> Option<Self> {
        match file_name {
            "dagstack.toml" => Some(Self::Dagstack),
            "extension.json" => ordinaut::is_one(document).then_some(Self::Ordinaut),
            "plugin.json" => jank::is_one(document).then_some(Self::Jank),
            "manifest.json" => agentos::is_one(document).then_some(Self::AgentOs),
            _ => None,
        }
    }

    /// The same from the content alone, for files that have been renamed.
    pub fn guess(document: &Node) -> Option<Self> {
        let has = |key: &str| document.get(key).is_some();
        if has("plugin_type") && agentos::is_one(document) {
            Some(Self::AgentOs)
        } else if has("kind_api_version") || has("dagstack_version") || has("core_version") {
            Some(Self::Dagstack)
        } else if jank::is_one(document) {
            Some(Self::Jank)
        } else if !has("runtime") && (has("module") || has("grants") || has("eager")) {
            Some(Self::Ordinaut)
        } else {
            None
        }
    }
}

impl fmt::Display for ForeignFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ordinaut => "Ordinaut",
            Self::Dagstack => "dagstack",
            Self::Jank => "Jank",
            Self::AgentOs => "AgentOS",
            Self::AiFixer => "ai-fixer",
        })
    }
}

/// Turns a foreign manifest into a native one. `beside` says whether the plugin's folder holds a file of that path.
pub fn import(
    format: ForeignFormat,
    document: &Node,
    beside: &dyn Fn(&str) -> bool,
) -> Result<Imported, Refused> {
    let mut carry = Carry::new(format, document);
    match format {
        ForeignFormat::Ordinaut => ordinaut::import(&mut carry),
        ForeignFormat::Dagstack => dagstack::import(&mut carry),
        ForeignFormat::Jank => jank::import(&mut carry, beside),
        ForeignFormat::AgentOs => agentos::import(&mut carry),
        ForeignFormat::AiFixer => ai_fixer::import(&mut carry),
    }
    carry.finish()
}

impl Imported {
    /// The document with the suggested command in it, where there is none: a manifest that can be read and must be
    /// looked at before it is used.
    pub fn with_suggestion(mut self) -> Node {
        if let Some(unrunnable) = &self.unrunnable {
            let place = self.document.place.clone();
            let word = |word: &String| Node::new(place.clone(), Value::String(word.clone()));
            let command = unrunnable.suggestion.iter().map(word).collect();
            let mut section = match self.document.take("mcp_stdio") {
                Some(Entry { node, .. }) => node,
                None => Node::new(place.clone(), Value::Table(Table::new())),
            };
            section.put("command", Value::Array(command));
            self.document.put("mcp_stdio", section.value);
            in_usual_order(&mut self.document);
        }
        self.document
    }

    /// Puts what the importer knows into the place of the reader's complaint that `document` has no command. It is this
    /// import's document, with whatever the operator laid over it.
    pub fn explain(&self, document: &Node, problems: Problems) -> Problems {
        let lacks_command = match document.get("mcp_stdio").map(|section| &section.value) {
            None => true,
            Some(Value::Table(section)) => !section.contains_key("command"),
            Some(_) => false,
        };
        let Some(unrunnable) = self.unrunnable.as_ref().filter(|_| lacks_command) else {
            return problems;
        };
        let is_it = |problem: &Problem| {
            matches!(problem.path.as_str(), "/mcp_stdio" | "/mcp_stdio/command")
        };
        let explained = problems.0.into_iter().map(|problem| match is_it(&problem) {
            true => unrunnable.problem.clone(),
            false => problem,
        });
        Problems(explained.collect())
    }
}

/// Sorts the keys of a manifest as people write them.
fn in_usual_order(document: &mut Node) {
    let rank = |key: &str| ORDER.iter().position(|known| *known == key);
    if let Some(table) = document.as_table_mut() {
        table.sort_by(|a, _, b, _| rank(a).cmp(&rank(b)));
    }
}

#[cfg(test)]
mod tests;
