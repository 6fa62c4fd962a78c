//! The plugins of a configuration that no gateway runs.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::{Begun, Context, failure};

/// Starts the plugins, and lists them with what became of them as a gateway would.
pub(super) fn listing(context: &Context<'_>) -> Result<Value, ExitCode> {
    let Begun {
        log,
        mut loaded,
        runtime,
    } = context.begin("error")?;
    // A look is not what happened.
    loaded.config.ledger.url = Some("off".into());
    runtime.block_on(async {
        let app = context.app(&loaded, &log);
        let app = app.map_err(|problems| failure(&problems.to_string()))?;
        let plugins = app.desk.registry().plugins();
        futures::future::join_all(plugins.iter().map(|plugin| plugin.warm())).await;
        let listing = app.desk.control.list().await;
        app.stop().await;
        let listing = listing.map_err(|error| failure(&error.to_string()))?;
        Ok(serde_json::to_value(listing).expect("a listing has string keys"))
    })
}
