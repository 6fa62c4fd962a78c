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
    let missing = order.missing.iter().flat_map(|(id, missing)| {
        let known = missing.iter().filter_map(|needed| why(ground, needed));
        known.map(move |(needed, why, mend)| {
            let subject = format!("plugin {id}");
            Finding::problem(subject, format!("needs `{needed}`, which {why}")).mend(mend)
        })
    });
    let manifests: Vec<_> = enabled.iter().map(|plugin| &plugin.manifest).collect();
    let unsupplied = enabled.iter().filter_map(|plugin| {
        let needed = plugin.manifest.needs();
        let is_missing = order.missing.contains_key(&plugin.manifest.id);
        // A plugin that is missing was named above.
        let lacks =
            lacks(&plugin.manifest, &manifests).filter(|_| !is_missing || needed.count() == 0);
        let mend = "name a provider in `resources`, or enable it";
        Some(Finding::problem(about(plugin), lacks?).mend(mend))
    });
    cycles.chain(missing).chain(unsupplied).collect()
}

/// Why a plugin that exists is not there, and what to do about it.
fn why<'a>(
    ground: &Ground<'_>,
    needed: &'a PluginId,
) -> Option<(&'a PluginId, &'static str, String)> {
    let resolution = &ground.resolution;
    let mut plugins = resolution.plugins.iter();
    if plugins.any(|plugin| plugin.manifest.id == *needed) {
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
