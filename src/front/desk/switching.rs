//! Tools that operators switch on and off, and that stay so over a restart.

use std::sync::Arc;

use serde_json::json;

use crate::front::desk::Desk;
use crate::ledger::documents::NotKept;
use crate::registry::catalog::Entry;
use crate::wire::json::Json;

/// The kind under which tools that are off are kept, by their listed names.
const KIND: &str = "tool";

impl Desk {
    /// Switches a tool on or off for `by`. It is kept first: what could not be kept is not done.
    pub(in crate::front) async fn switch(
        &self,
        entry: &Entry,
        on: bool,
        by: &str,
    ) -> Result<(), NotKept> {
        let name = &*entry.name;
        let _alone = self.switching.lock().await;
        let kept = match on {
            true => self.documents.remove(KIND, name).await.map(drop),
            false => {
                let value = Json::of(&json!({ "enabled": false, "by": by }));
                self.documents.put(KIND, name, value).await
            }
        };
        kept.inspect_err(|why| {
            tracing::warn!(
                tool.name = name,
                "Could not keep that a tool is switched: {why}"
            );
        })?;
        if self.registry().switch(&entry.plugin, name, on) {
            let word = if on { "on" } else { "off" };
            tracing::info!(tool.name = name, principal = by, "Switched `{name}` {word}");
        }
        Ok(())
    }

    /// Takes in what operators decided before: which tools are off, which calls were approved. Before anything is served.
    pub async fn recall(&self) -> Result<(), NotKept> {
        // Approvals are kept from now on, whatever can be read.
        let documents = Arc::clone(&self.documents);
        let recalled = self.dispatcher.approvals().keep_in(documents).await;
        let off = self.documents.list(KIND).await?;
        if !off.is_empty() {
            let names = off.into_iter().map(|(name, _)| name).collect();
            self.registry().switch_off(names);
        }
        recalled
    }
}
