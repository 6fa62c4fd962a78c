//! Plugins that come along and wait to be set up are tried with the settings they are given: only their own code knows
//! whether these lead anywhere. They do nothing at their start but look.

use crate::cli::Context;
use crate::config::load::Loaded;
use crate::config::resolve::Resolution;
use crate::manifest::problem::Problem;
use crate::telemetry::Log;

/// Why plugins do not start with their settings. What was started is stopped again.
pub(super) async fn problems(
    context: &Context<'_>,
    loaded: &Loaded,
    resolution: Resolution,
    log: &Log,
) -> Vec<Problem> {
    let app = context.app_of(loaded, resolution, log);
    let plugins = app.desk.registry().plugins();
    let to_try = plugins
        .iter()
        .filter(|plugin| plugin.manifest.opt_in && plugin.closed().is_none());
    let tried = to_try.map(|plugin| async move {
        let fault = plugin.warm().await.err()?;
        Some((plugin.id(), fault))
    });
    let tried = futures::future::join_all(tried).await;
    let refused = tried.into_iter().flatten().map(|(id, fault)| {
        let entry = loaded.config.plugins.get(id);
        entry.map_or_else(
            || Problem::new(fault.message.clone()),
            |entry| Problem::at(&entry.place, &entry.path, fault.message.clone()),
        )
    });
    let refused = refused.collect();
    app.stop().await;
    refused
}
