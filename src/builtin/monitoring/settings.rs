//! Where the three services are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::plugin::ToolError;

/// The plugin's settings: the services that there are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    pub(super) prometheus: Option<Service>,
    pub(super) loki: Option<Service>,
    pub(super) sentry: Option<Sentry>,
}

/// A service that is reached by HTTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// Its address, a path before its own paths included.
    pub(super) url: String,
    /// A bearer token.
    #[serde(default)]
    pub(super) token: Option<String>,
    /// Headers that go with every request, such as the tenant of a shared Loki.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
}

/// Sentry, in one organisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sentry {
    pub(super) url: String,
    pub(super) token: String,
    /// The organisation's short name, as it stands in its addresses.
    pub(super) organization: String,
}

impl Settings {
    /// Whether no service is named.
    pub(super) fn is_empty(&self) -> bool {
        self.prometheus.is_none() && self.loki.is_none() && self.sentry.is_none()
    }
}

impl Service {
    /// What stands before the paths of the service. The mistake names its setting.
    pub(super) fn base(&self, name: &str) -> Result<String, ToolError> {
        let base = self.url.trim_end_matches('/');
        let is_url = base.starts_with("http://") || base.starts_with("https://");
        match is_url && !base.contains(['?', '#', ' ']) {
            true => Ok(base.to_owned()),
            false => Err(ToolError::new(format!(
                "`{name}.url` must be an address such as `http://127.0.0.1:9090`"
            ))),
        }
    }
}

impl From<Sentry> for Service {
    fn from(sentry: Sentry) -> Self {
        Self {
            url: sentry.url,
            token: Some(sentry.token),
            headers: BTreeMap::new(),
        }
    }
}
