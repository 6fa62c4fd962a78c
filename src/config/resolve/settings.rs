//! The settings of one plugin, layer upon layer: what the environment and changes at run time say is laid over what the
//! manifest and the operator's file say.

use std::path::Path;

use serde_json::Value as JsonValue;

use crate::config::env::Env;
use crate::config::plugin_entry::PluginEntry;
use crate::control::settings::{Layer, Layers, Overlay};
use crate::manifest::Manifest;
use crate::manifest::document::{Entry, Format, Node, Table, Value};
use crate::manifest::problem::{Place, Problem};
use crate::model::plugin_id::PluginId;
use crate::schema::Schema;
use crate::wire::json::Json;

/// What the names of variables with settings begin with.
const PREFIX: &str = "TOOLGATE_CONFIG__";

/// What stands in the place of a file where a setting was changed at run time.
const STORE: &str = "the settings changed at run time";

/// The keys of `config` in a document.
fn keys(document: &Node) -> impl Iterator<Item = String> + '_ {
    let table = document.get("config").and_then(Node::as_table);
    table.into_iter().flat_map(Table::keys).cloned()
}

/// Where the settings in a document come from, before and after the operator's entry was laid over it.
pub(super) fn layers(document: &Node, entry: Option<&PluginEntry>) -> Layers {
    let mut layers: Layers = keys(document).map(|key| (key, Layer::Manifest)).collect();
    if let Some(entry) = entry {
        layers.extend(keys(&entry.overrides).map(|key| (key, Layer::File)));
    }
    layers
}

/// Lays what the environment and changes at run time say over the settings of a plugin. Variables are not filled in any
/// more: who may change settings does not see the environment by that.
pub(super) fn lay_over(
    document: &mut Node,
    id: &PluginId,
    (env, overlay): (&Env, &Overlay),
    layers: &mut Layers,
) {
    let prefix = format!("{PREFIX}{}__", spelled(id.as_str()));
    let known = known_keys(document);
    let mut values = Vec::new();
    for name in env.names() {
        let key = name.strip_prefix(&prefix).filter(|key| !key.is_empty());
        let (Some(key), Some(text)) = (key, env.get(name)) else {
            continue;
        };
        let same = known.iter().find(|known| spelled(known) == key);
        let key = same.cloned().unwrap_or_else(|| key.to_lowercase());
        values.push((key, from_variable(name, text), Layer::Env));
    }
    for (key, value) in overlay.get(id).into_iter().flatten() {
        let node = parsed(&value.to_string(), Path::new(STORE));
        values.extend(node.map(|node| (key.clone(), node, Layer::Store)));
    }
    if values.is_empty() {
        return;
    }
    if document.get("config").is_none() {
        document.put("config", Value::Table(Table::new()));
    }
    let config = document
        .as_table_mut()
        .and_then(|table| table.get_mut("config"));
    let Some(config) = config.and_then(|entry| entry.node.as_table_mut()) else {
        // It is no table, which is said when it is read.
        return;
    };
    for (key, node, layer) in values {
        let place = node.place.clone();
        config.insert(key.clone(), Entry { key: place, node });
        layers.insert(key, layer);
    }
}

/// What is wrong with the settings of a plugin that has a schema for them. Values are not quoted: they may be secrets.
pub(super) fn check(manifest: &Manifest, document: &Node) -> Vec<Problem> {
    let Some(schema) = &manifest.config_schema else {
        return Vec::new();
    };
    let at =
        |path: Vec<String>, message: String| Problem::at(document.place_of(&path), &path, message);
    let schema = match Schema::compile(&Json::of(schema)) {
        Ok(schema) => schema,
        Err(why) => {
            return vec![at(
                vec!["config_schema".to_owned()],
                format!("is no schema: {why}"),
            )];
        }
    };
    let violations = schema.violations(&Json::of(&manifest.config));
    // Which of them it may be is worth saying where there must be some and are none.
    let keys = manifest.config_schema.as_ref();
    let keys = keys.filter(|schema| schema.contains_key("minProperties"));
    let keys = keys.and_then(|schema| schema.get("properties")?.as_object());
    let keys: Vec<String> = keys
        .into_iter()
        .flat_map(|keys| keys.keys())
        .map(|key| format!("`{key}`"))
        .collect();
    let problem = |violation: crate::schema::Violation| {
        let is_bare = violation.pointer.is_empty() && manifest.config.is_empty();
        let steps = violation
            .pointer
            .split('/')
            .skip(1)
            .filter(|step| !step.is_empty());
        let steps = steps.map(|step| step.replace("~1", "/").replace("~0", "~"));
        let path = std::iter::once("config".to_owned()).chain(steps).collect();
        let problem = at(path, violation.message);
        match is_bare && !keys.is_empty() {
            true => problem.mend(format!("write some of {} into it", keys.join(", "))),
            false => problem,
        }
    };
    violations.into_iter().map(problem).collect()
}

/// The problem in the operator's entry, where it would else be one of the manifest of a plugin that is compiled in, which
/// nobody can edit.
pub(super) fn in_entry(problem: Problem, entry: &PluginEntry) -> Problem {
    let file = problem.file.as_deref();
    if !file.is_some_and(|file| file.starts_with("builtin")) {
        return problem;
    }
    let (place, id) = (&entry.place, &entry.id);
    let mend = || format!("set it in `[plugins.{id}.config]`");
    Problem {
        file: place.file.as_deref().map(Path::to_path_buf),
        line: place.line,
        column: place.column,
        mend: Some(problem.mend.clone().unwrap_or_else(mend)),
        ..problem
    }
}

/// Notes about variables with settings of plugins that are nowhere.
pub(super) fn unmatched<'a>(
    env: &Env,
    known: impl Iterator<Item = &'a PluginId> + Clone,
) -> Vec<Problem> {
    let names = env
        .names()
        .filter_map(|name| Some((name, name.strip_prefix(PREFIX)?)));
    let nobodys = names.filter(|(_, rest)| {
        let mut ids = known.clone();
        !ids.any(|id| rest.starts_with(&format!("{}__", spelled(id.as_str()))))
    });
    let note = |(name, _): (&str, &str)| {
        let place = Place {
            file: Some(Path::new(name).into()),
            ..Place::default()
        };
        let message = "it is for a plugin that is not there";
        Problem::at(&place, &[], message).mend(format!(
            "write it as `{PREFIX}PLUGIN__KEY`, in capitals, with `_` for `-` and `.`"
        ))
    };
    nobodys.map(note).collect()
}

/// The keys that settings of the plugin may have, as far as is known.
fn known_keys(document: &Node) -> Vec<String> {
    let schema = document
        .get("config_schema")
        .and_then(|schema| schema.get("properties"));
    let declared = schema
        .and_then(Node::as_table)
        .into_iter()
        .flat_map(Table::keys);
    declared.cloned().chain(keys(document)).collect()
}

/// A name as it stands in that of a variable.
fn spelled(name: &str) -> String {
    name.to_uppercase().replace(['-', '.'], "_")
}

/// JSON where the text is some, else the text.
fn from_variable(name: &str, text: &str) -> Node {
    let file = Path::new(name);
    let is_json = serde_json::from_str::<JsonValue>(text).is_ok();
    let node = is_json.then(|| parsed(text, file)).flatten();
    let mut node = node.unwrap_or_else(|| {
        let place = Place {
            file: Some(file.into()),
            ..Place::default()
        };
        Node::new(place, Value::String(text.to_owned()))
    });
    crate::config::from_env::hide(&mut node);
    node
}

fn parsed(json: &str, file: &Path) -> Option<Node> {
    let whole = format!("{{\"value\":{json}}}");
    let mut whole = Node::parse(Format::Json, &whole, Some(file)).ok()?;
    whole.take("value").map(|entry| entry.node)
}
