//! The settings of what the gateway tells other systems of itself: `[telemetry]`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::secret::Secret;
use crate::manifest::url::HttpUrl;

/// What the gateway tells other systems of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Spans of calls, by OpenTelemetry (OTLP over HTTP).
    pub traces: TracesConfig,
}

/// Spans of calls, by OpenTelemetry (OTLP over HTTP).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// Whether any are made.
    pub enabled: bool,
    /// Where the collector is, such as `http://127.0.0.1:4318`; `/v1/traces` is added. When left out,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, or else this machine.
    pub endpoint: Option<HttpUrl>,
    /// Headers sent to the collector. Those of `OTEL_EXPORTER_OTLP_HEADERS` are sent, too.
    pub headers: IndexMap<String, Secret>,
    /// Which part of the traces that begin here is recorded, 0 to 1. Of those that a client has begun the ones that it
    /// records.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// What the gateway is called there; when left out, `OTEL_SERVICE_NAME` or `toolgate`.
    pub service_name: Option<String>,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            endpoint: None,
            headers: IndexMap::new(),
            sample_ratio: 1.0,
            service_name: None,
        }
    }
}

impl TracesConfig {
    /// The same with what the variables of OpenTelemetry say where the file says nothing.
    #[must_use]
    pub fn with_variables<'a>(&self, variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let mut config = self.clone();
        let url = |name: &str| variable(name)?.parse().ok();
        config.endpoint = config
            .endpoint
            .or_else(|| url("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let name = variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty());
        config.service_name = config.service_name.or(name.map(str::to_owned));
        config
    }

    /// Where spans are sent to.
    pub fn target(&self) -> String {
        let base = self
            .endpoint
            .as_ref()
            .map_or("http://127.0.0.1:4318", HttpUrl::as_str);
        format!("{}/v1/traces", base.trim_end_matches('/'))
    }
}
