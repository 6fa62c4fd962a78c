//! `monitoring`: asks Prometheus, Loki and Sentry. Each has its tools where the settings say where it is.

mod backend;

mod loki;

mod moment;

mod prometheus;

mod sentry;

mod settings;

mod sparkline;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use crate::builtin::monitoring::backend::Backend;
use crate::builtin::monitoring::settings::{Service, Settings};
use crate::plugin::{
    Annotations, Category, Clock, HookResult, Notifier, Plugin, PluginContext, Risk, ToolContext,
    ToolError, ToolOptions, Tools,
};

/// How long a call may take: two requests, of which each has 30 s.
const TIMEOUT: Duration = Duration::from_secs(65);

/// The plugin.
#[derive(Default)]
pub(super) struct Monitoring {
    /// Replaced when the settings change.
    services: Arc<ArcSwapOption<Services>>,
    /// Tells clients that there are other tools then.
    notifier: OnceLock<Notifier>,
}

/// The services that there are.
struct Services {
    clock: Clock,
    prometheus: Option<Backend>,
    loki: Option<Backend>,
    /// With the organisation that it is asked about.
    sentry: Option<(Backend, String)>,
}

#[async_trait]
impl Plugin for Monitoring {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let services = Services::of(context);
        let services = services.map_err(|error| error.message().to_owned())?;
        self.services.store(Some(Arc::new(services)));
        if let Some(notifier) = self.notifier.get() {
            notifier.lists_changed();
        }
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        self.notifier.set(tools.notifier()).ok();
        let known = self.services.load_full();
        let Some(known) = known else { return };
        if known.prometheus.is_some() {
            self.add_prometheus(tools);
        }
        if known.loki.is_some() {
            let services = Arc::clone(&self.services);
            let query = move |wanted, _: ToolContext| {
                let services = services.load_full();
                async move {
                    let services = services.ok_or_else(not_there)?;
                    let loki = services.loki.as_ref().ok_or_else(not_there)?;
                    loki::query(loki, services.clock, wanted).await
                }
            };
            let tool = tools.add(
                "loki.query",
                "Finds log lines in Loki by a LogQL expression, over the last hour unless told otherwise",
                query,
            );
            looks(tool, "Find log lines", "Loki");
        }
        if known.sentry.is_some() {
            let services = Arc::clone(&self.services);
            let get = move |wanted, _: ToolContext| {
                let services = services.load_full();
                async move {
                    let services = services.ok_or_else(not_there)?;
                    let (sentry, organization) = services.sentry.as_ref().ok_or_else(not_there)?;
                    sentry::get_issue(sentry, organization, wanted).await
                }
            };
            let tool = tools.add(
                "sentry.get_issue",
                "Gets what Sentry knows of an error: how often, since when, and the stack of the last time",
                get,
            );
            looks(tool, "Get an issue of Sentry", "Sentry");
        }
    }

    fn cooperative(&self) -> bool {
        true
    }
}

impl Monitoring {
    fn add_prometheus(&self, tools: &mut Tools) {
        let services = Arc::clone(&self.services);
        let query = move |wanted, _: ToolContext| {
            let services = services.load_full();
            async move {
                let services = services.ok_or_else(not_there)?;
                let prometheus = services.prometheus.as_ref().ok_or_else(not_there)?;
                prometheus::query(prometheus, services.clock, wanted).await
            }
        };
        let tool = tools.add(
            "prom.query",
            "Asks Prometheus for the value of a PromQL expression at one moment; `prom.query_range` shows how it went",
            query,
        );
        looks(tool, "Ask Prometheus for a moment", "Prometheus");
        let services = Arc::clone(&self.services);
        let query_range = move |wanted, _: ToolContext| {
            let services = services.load_full();
            async move {
                let services = services.ok_or_else(not_there)?;
                let prometheus = services.prometheus.as_ref().ok_or_else(not_there)?;
                prometheus::query_range(prometheus, services.clock, wanted).await
            }
        };
        let tool = tools.add(
            "prom.query_range",
            "Asks Prometheus for the values of a PromQL expression over a time, with a small chart of each series",
            query_range,
        );
        looks(tool, "Ask Prometheus for a time", "Prometheus");
    }
}

impl Services {
    fn of(context: &PluginContext) -> Result<Self, ToolError> {
        let settings: Settings = context.settings()?;
        if settings.is_empty() {
            return Err(ToolError::new(
                "the plugin's config names no service: write at least one of `prometheus`, `loki` and `sentry` into it",
            ));
        }
        let http = context.http()?;
        let backend = |name, key: &str, service: &Service| Backend::new(name, key, service, http);
        let prometheus = settings.prometheus.as_ref();
        let loki = settings.loki.as_ref();
        let sentry = settings.sentry.map(|sentry| {
            let organization = sentry.organization.clone();
            let backend = backend("Sentry", "sentry", &sentry.into())?;
            Ok::<_, ToolError>((backend, organization))
        });
        Ok(Self {
            clock: context.clock()?,
            prometheus: prometheus
                .map(|service| backend("Prometheus", "prometheus", service))
                .transpose()?,
            loki: loki
                .map(|service| backend("Loki", "loki", service))
                .transpose()?,
            sentry: sentry.transpose()?,
        })
    }
}

/// A call that came while the settings changed.
fn not_there() -> ToolError {
    ToolError::new("the plugin's settings no longer say where this service is")
}

/// What all these tools have in common: they look, at something outside.
fn looks(tool: &mut ToolOptions, title: &str, service: &str) {
    tool.title(title)
        .category(Category::Diagnostic)
        .risk(Risk::Low)
        .touches(format!("nothing: reads from {service}"))
        .timeout(TIMEOUT)
        .annotations(Annotations {
            read_only: Some(true),
            open_world: Some(true),
            idempotent: Some(true),
            ..Annotations::default()
        });
}
