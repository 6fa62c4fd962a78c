//! `toolgate check`: every problem at once.

use std::process::ExitCode;

use crate::cli::{Context, failure, output, tokio_runtime, trial};
use crate::config::load::prepare;
use crate::manifest::problem::Problems;
use crate::model::plugin_id::PluginId;
use crate::registry::order::{Node, order};

pub(super) fn run(context: &Context<'_>) -> ExitCode {
    let log = match context.start_log("off") {
        Ok(log) => log,
        Err(code) => return code,
    };
    let (loaded, resolution) = match prepare(
        context.config.as_deref(),
        &context.env,
        &context.manifests(),
    ) {
        Ok(prepared) => prepared,
        Err(problems) => return failure(&problems.to_string()),
    };
    for note in loaded.notes.0.iter().chain(&resolution.notes.0) {
        output::complain(&format!("note: {note}"));
    }
    let left_out = resolution
        .left_out
        .iter()
        .filter(|left_out| left_out.enabled);
    let problems: Vec<_> = left_out
        .flat_map(|left_out| left_out.problems.0.clone())
        .collect();
    if !problems.is_empty() {
        return failure(&Problems(problems).to_string());
    }
    let enabled = resolution.plugins.iter().filter(|plugin| plugin.enabled);
    let nodes = enabled.map(|plugin| Node {
        id: plugin.manifest.id.clone(),
        priority: plugin.manifest.priority,
        depends_on: plugin.manifest.needs().cloned().collect(),
    });
    if let Some(cycle) = order(&nodes.collect::<Vec<_>>()).cycles.first() {
        let names = cycle
            .iter()
            .map(PluginId::as_str)
            .collect::<Vec<_>>()
            .join("`, `");
        return failure(&format!(
            "plugins that need each other cannot start: `{names}`; take one `depends_on` out"
        ));
    }
    let enabled = resolution
        .plugins
        .iter()
        .filter(|plugin| plugin.enabled)
        .count();
    let runtime = match tokio_runtime(loaded.config.server.worker_threads) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let refused = runtime.block_on(trial::problems(context, &loaded, resolution, &log));
    if !refused.is_empty() {
        return failure(&Problems(refused).to_string());
    }
    let file = loaded.file.map_or_else(
        || "the built-in examples".to_owned(),
        |file| file.display().to_string(),
    );
    output::say(&format!("{file}: no problems, {enabled} plugins enabled"));
    ExitCode::SUCCESS
}
