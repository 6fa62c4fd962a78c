//! `observability`: the numbers of the gateway at `/ext/observability/metrics`, as `/metrics` has them.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::model::caller::READ;
use crate::plugin::routes::{IntoResponse, Router, Routes, get};
use crate::plugin::{HookResult, Plugin, PluginContext, PluginMetrics};

/// The plugin.
#[derive(Default)]
pub(super) struct Observability(Arc<OnceLock<PluginMetrics>>);

#[async_trait]
impl Plugin for Observability {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        self.0.set(context.metrics()?.clone()).ok();
        Ok(())
    }

    /// The text names all plugins and tools, so its readers need the scope for looking at what others do.
    fn routes(&self) -> Option<Routes> {
        let metrics = Arc::clone(&self.0);
        let text = move || std::future::ready(text(metrics.get()));
        Some(Routes::new(Router::new().route("/metrics", get(text))).for_scope(READ))
    }

    fn cooperative(&self) -> bool {
        true
    }
}

fn text(metrics: Option<&PluginMetrics>) -> impl IntoResponse + use<> {
    match metrics.map(PluginMetrics::text) {
        Some((kind, text)) => {
            let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
            (headers, text).into_response()
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
