//! Events of the gateway's own: what happens to plugins, and calls of tools where somebody asks for them. They say what
//! notifiers are told: neither arguments nor results.

use std::sync::Arc;

use crate::dispatch::events::{Events, OWN};
use crate::dispatch::notices::Notice;
use crate::wire::json::Json;

/// Both are published, or neither.
pub(in crate::dispatch) const CALLS: [&str; 2] =
    ["toolgate.call.started", "toolgate.call.finished"];

impl Events {
    /// Whether calls are published.
    pub(in crate::dispatch) fn wants_calls(&self) -> bool {
        self.calls || CALLS.iter().any(|topic| self.bus.asks_for(topic))
    }

    /// Publishes what notifiers are told.
    pub(in crate::dispatch) fn publish_own(&self, notice: &Notice) {
        let topic = format!("{OWN}{}", notice.event);
        let Ok(topic) = topic.parse() else { return };
        let source = Arc::from("toolgate");
        if let Err(large) = self.bus.publish(topic, source, Json::of(notice)) {
            tracing::debug!("Does not publish `{}`: {large}", notice.event);
        }
    }
}
