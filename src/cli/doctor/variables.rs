//! Variables that plugins are handed and that are not set. Those in `${…}` are problems of the configuration.

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::{Finding, about};
use crate::config::resolve::ResolvedPlugin;

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let env = &ground.context.env;
    let of_plugin = |plugin: &ResolvedPlugin| {
        let section = plugin.manifest.mcp_stdio.as_ref();
        let handed = section.map_or(&[][..], |section| &section.env_passthrough);
        let missing: Vec<&str> = handed
            .iter()
            .map(String::as_str)
            .filter(|name| env.get(name).is_none())
            .collect();
        let names = missing.join("`, `");
        (!missing.is_empty()).then(|| {
            Finding::warn(about(plugin), format!("is to be handed `{names}`, which is not set here"))
                .mend("set it where the gateway is started, or take it out of `mcp_stdio.env_passthrough`")
        })
    };
    ground.enabled().filter_map(of_plugin).collect()
}
