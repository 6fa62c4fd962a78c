//! Who calls, and with what kind of client.

use std::sync::Arc;

use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;
use crate::wire::revision::{Era, Revision};

/// Who a request comes from, as its credential says. Made once per credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of the credential; sessions and everything in them belong to it.
    pub principal: Arc<str>,
    /// The plugins this caller may see; `None` is all of them.
    pub plugins: Option<Arc<[PluginId]>>,
    /// What else it may do on the gateway.
    pub scopes: Arc<[String]>,
}

impl Caller {
    /// The caller where no credentials are configured: everyone on this machine.
    pub fn anonymous() -> Self {
        Self {
            principal: "anonymous".into(),
            plugins: None,
            scopes: Arc::new([]),
        }
    }

    /// Whether `plugin` is visible to it. What one may not see one cannot call.
    pub fn sees(&self, plugin: &PluginId) -> bool {
        self.plugins
            .as_ref()
            .is_none_or(|plugins| plugins.contains(plugin))
    }
}

/// What a client said of itself: at `initialize`, or on each modern request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProfile {
    /// The revision it speaks.
    pub revision: Revision,
    /// Its capabilities, an object.
    pub capabilities: Json,
    /// Its name and version.
    pub info: Option<Json>,
}

impl ClientProfile {
    /// A client that declares nothing: scripts, and the gateway itself.
    pub fn bare() -> Self {
        Self {
            revision: Revision::NEWEST,
            capabilities: Json::literal("{}"),
            info: None,
        }
    }

    /// The same in memory of its own: it does not keep the message alive that it came in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            revision: self.revision,
            capabilities: self.capabilities.detached(),
            info: self.info.as_ref().map(Json::detached),
        }
    }

    /// The era it speaks.
    pub fn era(&self) -> Era {
        self.revision.era()
    }
}
