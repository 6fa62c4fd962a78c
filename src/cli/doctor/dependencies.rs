//! What plugins need of each other. Ids that nobody has are problems of the configuration.

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::{Finding, about};
use crate::config::resolve::ResolvedPlugin;
use crate::model::plugin_id::PluginId;
use crate::registry::kinds::lacks;
use crate::registry::order::{Node, order};

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let enabled: Vec<&ResolvedPlugin> = ground.enabled().collect();
    let nodes = enabled.iter().map(|plugin| Node {
        id: plugin.manifest.id.clone(),
        priority: plugin.manifest.priority,
        depends_on: plugin.manifest.needs().cloned().collect(),
    });
    let order = order(&nodes.collect::<Vec<_>>());
    let cycles = order.cycles.iter().map(|cycle| {
        let names: Vec<&str> = cycle.iter().map(PluginId::as_str).collect();
        let names = names.join("`, `");
        Finding::problem(
            "dependencies",
            format!("`{names}` need each other, so none can start"),
        )
        .mend("take one `depends_on` out")
    });
    // Resources are told of by themselves.
    let missing = enabled.iter().flat_map(|plugin| {
        let depends_on = plugin.manifest.depends_on.iter();
        let known = depends_on.filter_map(|needed| why(ground, needed));
        known.map(|(needed, why, mend)| {
            Finding::problem(about(plugin), format!("needs `{needed}`, which {why}")).mend(mend)
        })
    });
    let manifests: Vec<_> = enabled.iter().map(|plugin| &plugin.manifest).collect();
    let unsupplied = enabled.iter().filter_map(|plugin| {
        let mend = "name a provider in `resources`, or enable the one that is named";
        Some(Finding::problem(about(plugin), lacks(&plugin.manifest, &manifests)?).mend(mend))
    });
    cycles.chain(missing).chain(unsupplied).collect()
}

/// Why a plugin that exists is not there, and what to do about it.
fn why<'a>(
    ground: &Ground<'_>,
    needed: &'a PluginId,
) -> Option<(&'a PluginId, &'static str, String)> {
    let resolution = &ground.resolution;
    let named = |plugin: &&ResolvedPlugin| plugin.manifest.id == *needed;
    if resolution.plugins.iter().any(|plugin| named(&plugin)) {
        if ground.enabled().any(|plugin| named(&plugin)) {
            return None;
        }
        let mend = format!("set `plugins.{needed}.enabled = true`");
        return Some((needed, "is disabled", mend));
    }
    let mut left_out = resolution.left_out.iter();
    left_out
        .any(|one| one.id.as_ref() == Some(needed))
        .then(|| {
            (
                needed,
                "is left out",
                format!("mend what is wrong with `{needed}`"),
            )
        })
}
