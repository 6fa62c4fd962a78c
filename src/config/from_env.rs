//! What variables of our own say about plugins: where more of them lie, what they are granted, when they start.
//!
//! | variable | says |
//! |---|---|
//! | `TOOLGATE_PLUGIN_PATHS`, `ORDINAUT_EXT_PATHS` | plugin directories, searched after those of the config |
//! | `TOOLGATE_GRANTS`, `ORDINAUT_EXT_ENTRY_GRANTS` | JSON: `{"id": ["TOOLS", "ROUTES"]}` |
//! | `TOOLGATE_REQUIRE_SCOPES`, `ORDINAUT_REQUIRE_SCOPES` | `true` or `false`: whether tools need scopes |
//! | `TOOLGATE_LOAD`, `ORDINAUT_EXT_ENTRY_EAGER` | JSON: `{"id": "eager"}`, or `true` for eager and `false` for lazy |
//!
//! They beat what the config says about a plugin. Where both variables of a row speak of one plugin the first one
//! counts; directories of both are searched. What is wrong in them stops the start.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::config::env::Env;
use crate::config::plugin_entry::under;
use crate::manifest::decode::decode;
use crate::manifest::document::{Format, Node, Value};
use crate::manifest::problem::{Place, Problem};
use crate::manifest::{Grant, Load};
use crate::model::plugin_id::PluginId;

const PATHS: [&str; 2] = ["TOOLGATE_PLUGIN_PATHS", "ORDINAUT_EXT_PATHS"];
const GRANTS: [&str; 2] = ["TOOLGATE_GRANTS", "ORDINAUT_EXT_ENTRY_GRANTS"];
const REQUIRE_SCOPES: [&str; 2] = ["TOOLGATE_REQUIRE_SCOPES", "ORDINAUT_REQUIRE_SCOPES"];
const LOAD: [&str; 2] = ["TOOLGATE_LOAD", "ORDINAUT_EXT_ENTRY_EAGER"];

/// What the variables say.
#[derive(Clone, Debug, Default)]
pub struct FromEnv {
    /// Absolute.
    pub plugin_dirs: Vec<PathBuf>,
    pub grants: IndexMap<PluginId, BTreeSet<Grant>>,
    /// The word for `load` in a manifest.
    pub load: IndexMap<PluginId, Node>,
    /// The word for `auth.require_scopes`.
    pub require_scopes: Option<bool>,
    /// Where each plugin is spoken of.
    places: IndexMap<PluginId, Place>,
}

impl FromEnv {
    /// Reads the variables; every problem names its variable as its file.
    pub fn read(env: &Env) -> (Self, Vec<Problem>) {
        let mut read = Self::default();
        let mut problems = Vec::new();
        for text in PATHS.into_iter().filter_map(|name| env.get(name)) {
            let dirs = std::env::split_paths(text);
            let dirs = dirs.filter(|dir| !dir.as_os_str().is_empty());
            read.plugin_dirs.extend(dirs.map(|dir| env.absolute(&dir)));
        }
        for name in GRANTS {
            for (id, node) in read.objects(env, name, &mut problems) {
                let decoded = decode::<BTreeSet<Grant>>(&node);
                let path = [id.to_string()];
                problems.extend(decoded.problems.into_iter().map(|one| under(&path, one)));
                if let Some(grants) = decoded.value {
                    read.grants.entry(id).or_insert(grants);
                }
            }
        }
        for name in LOAD {
            for (id, mut node) in read.objects(env, name, &mut problems) {
                if let Value::Bool(eager) = node.value {
                    let word = if eager { "eager" } else { "lazy" };
                    node.value = Value::String(word.into());
                }
                let path = [id.to_string()];
                let decoded = decode::<Load>(&node);
                problems.extend(decoded.problems.into_iter().map(|one| under(&path, one)));
                read.load.entry(id).or_insert(node);
            }
        }
        for name in REQUIRE_SCOPES {
            let Some(text) = env.get(name).filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => drop(read.require_scopes.get_or_insert(true)),
                "false" | "0" | "no" | "off" => drop(read.require_scopes.get_or_insert(false)),
                _ => problems.push(Problem {
                    file: Some(name.into()),
                    ..Problem::new("expected `true` or `false`")
                }),
            }
        }
        (read, problems)
    }

    /// Every plugin they speak of, with the place.
    pub fn ids(&self) -> impl Iterator<Item = (&PluginId, &Place)> {
        self.places.iter()
    }

    /// The members of the JSON object in the variable `name`, by id. An empty variable is as good as none.
    fn objects(
        &mut self,
        env: &Env,
        name: &'static str,
        problems: &mut Vec<Problem>,
    ) -> Vec<(PluginId, Node)> {
        let Some(text) = env.get(name).filter(|text| !text.trim().is_empty()) else {
            return Vec::new();
        };
        let mend = "write a JSON object with plugin ids as its keys, or unset the variable";
        let document = match Node::parse(Format::Json, text, Some(Path::new(name))) {
            Ok(document) => document,
            Err(wrong) => {
                problems.extend(wrong.0.into_iter().map(|problem| problem.mend(mend)));
                return Vec::new();
            }
        };
        let mut members = Vec::new();
        for (key, entry) in document.as_table().into_iter().flatten() {
            match key.parse::<PluginId>() {
                Ok(id) => {
                    let place = entry.key.clone();
                    self.places.entry(id.clone()).or_insert(place);
                    let mut node = entry.node.clone();
                    hide(&mut node);
                    members.push((id, node));
                }
                Err(error) => {
                    let path = std::slice::from_ref(key);
                    problems.push(Problem::at(&entry.key, path, error.to_string()));
                }
            }
        }
        members
    }
}

/// Has messages not quote what stands in a variable.
pub(super) fn hide(node: &mut Node) {
    node.from_env = true;
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Table(table) => table.values_mut().for_each(|entry| hide(&mut entry.node)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Hole(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)]) -> (FromEnv, String) {
        let env = Env::new(vars.iter().copied()).with_cwd("/here");
        let (read, problems) = FromEnv::read(&env);
        (
            read,
            crate::manifest::problem::Problems(problems).to_string(),
        )
    }

    #[test]
    fn both_spellings_are_read_and_ours_comes_first() {
        let (read, problems) = check(&[
            ("TOOLGATE_PLUGIN_PATHS", "/a::b"),
            ("ORDINAUT_EXT_PATHS", "/c"),
            ("TOOLGATE_GRANTS", r#"{"x": ["ROUTES"], "y": []}"#),
            (
                "ORDINAUT_EXT_ENTRY_GRANTS",
                r#"{"x": ["STATIC"], "z": ["TOOLS"]}"#,
            ),
            ("TOOLGATE_LOAD", r#"{"x": "manual", "y": false}"#),
            ("ORDINAUT_EXT_ENTRY_EAGER", r#"{"z": true, "x": true}"#),
        ]);
        assert_eq!(problems, "");
        assert_eq!(read.plugin_dirs, ["/a", "/here/b", "/c"].map(PathBuf::from));
        let grants = |id: &str| read.grants[id].iter().copied().collect::<Vec<_>>();
        assert_eq!(grants("x"), [Grant::Routes]);
        assert_eq!((grants("y"), grants("z")), (vec![], vec![Grant::Tools]));
        let load = |id: &str| read.load[id].as_str().expect("a word").to_owned();
        assert_eq!(
            [load("x"), load("y"), load("z")],
            ["manual", "lazy", "eager"]
        );
        assert_eq!(read.ids().count(), 3);
        assert_eq!(check(&[("TOOLGATE_LOAD", " ")]).1, "");
        for (ours, theirs, expect) in [
            ("", "", None),
            ("", "true", Some(true)),
            ("0", "true", Some(false)),
            ("On", "", Some(true)),
        ] {
            let (read, problems) = check(&[
                ("TOOLGATE_REQUIRE_SCOPES", ours),
                ("ORDINAUT_REQUIRE_SCOPES", theirs),
            ]);
            assert_eq!((read.require_scopes, problems.as_str()), (expect, ""));
        }
        let (_, problems) = check(&[("ORDINAUT_REQUIRE_SCOPES", "maybe")]);
        assert!(problems.contains("ORDINAUT_REQUIRE_SCOPES"), "{problems}");
    }

    #[test]
    fn what_is_wrong_names_the_variable_and_the_place() {
        let (_, problems) = check(&[
            ("TOOLGATE_GRANTS", "{\"x\": [\"ROUTE\"],\n \"A B\": []}"),
            ("ORDINAUT_EXT_ENTRY_GRANTS", "[1]"),
            ("TOOLGATE_LOAD", "{\"x\": \"eagre\"}"),
            ("ORDINAUT_EXT_ENTRY_EAGER", "{\"x\": "),
        ]);
        insta::assert_snapshot!(problems);
    }
}
