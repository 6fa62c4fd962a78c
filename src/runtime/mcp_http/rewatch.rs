//! Resources that were watched in a session which the server forgot (MCP 2025-11-25, resources, subscriptions).

use futures::StreamExt;
use futures::stream;
use serde_json::json;

use crate::runtime::link::ask;
use crate::runtime::mcp_http::link::HttpLink;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;

/// How many are watched again at the same time.
const AT_ONCE: usize = 8;

impl HttpLink {
    /// Asks the server to tell of what is watched, now that its session is another, and lets those who watch look again:
    /// nobody knows what has changed meanwhile. Each request is bounded by the time that a start may take.
    pub(super) async fn watch_again(&self) {
        let watched = stream::iter(self.host.updates.watched());
        let again = watched.for_each_concurrent(AT_ONCE, |own| async move {
            let params = Params::of(&json!({ "uri": &*own }));
            let plugin = &self.endpoint.upstream.plugin;
            match ask(self, &Method::ResourcesSubscribe, params, self.start_timeout).await {
                Ok(Outcome::Result(_)) => {}
                Ok(Outcome::Error(error)) => {
                    tracing::warn!(plugin.id = %plugin, "No longer tells of a resource: {}", error.message);
                }
                Err(fault) => {
                    tracing::warn!(plugin.id = %plugin, reason = fault.reason, "Could not watch a resource again: {fault}");
                }
            }
            self.host.updates.suspect(&own);
        });
        again.await;
    }
}
