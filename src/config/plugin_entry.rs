//! One entry of `[plugins]`: what the operator says about a plugin.

use std::collections::BTreeSet;

use crate::manifest::Grant;
use crate::manifest::decode::decode;
use crate::manifest::document::Node;
use crate::manifest::problem::{Place, Problem};
use crate::model::plugin_id::PluginId;

/// The operator's word on a plugin, which beats its manifest.
#[derive(Clone, Debug)]
pub struct PluginEntry {
    pub id: PluginId,
    pub enabled: bool,
    /// What it is granted; `None` when the operator does not say.
    pub grants: Option<BTreeSet<Grant>>,
    /// Keys of the manifest, variables filled in; laid over the manifest or, with a runtime, a manifest themselves.
    pub overrides: Node,
    /// Where the entry stands.
    pub place: Place,
    /// Path of the entry in its file.
    pub path: Vec<String>,
}

impl PluginEntry {
    /// Reads the entry under `path` of its file, and notes what is wrong with `enabled` and `grants`. The other keys
    /// are read when the manifest is known.
    pub fn read(
        id: PluginId,
        path: &[String],
        place: Place,
        mut node: Node,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let enabled = take::<bool>(&mut node, "enabled", path, problems);
        let grants = take::<BTreeSet<Grant>>(&mut node, "grants", path, problems);
        Self {
            id,
            enabled: enabled.unwrap_or(true),
            grants,
            overrides: node,
            place,
            path: path.to_vec(),
        }
    }

    /// Whether the entry is a plugin of its own, without a folder.
    pub fn defines_plugin(&self) -> bool {
        self.overrides.get("runtime").is_some()
    }
}

fn take<T: serde::de::DeserializeOwned>(
    node: &mut Node,
    key: &str,
    path: &[String],
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let entry = node.take(key)?;
    let decoded = decode::<T>(&entry.node);
    let above: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
    problems.extend(
        decoded
            .problems
            .into_iter()
            .map(|problem| under(&above, problem)),
    );
    decoded.value
}

/// Puts `path` in front of the problem's own.
pub fn under(path: &[String], mut problem: Problem) -> Problem {
    problem
        .path
        .insert_str(0, &crate::manifest::problem::pointer(path));
    problem
}
