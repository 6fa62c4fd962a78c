//! Changes of what one client is offered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::registry::catalog::Surfaces;
use crate::registry::{Registry, Viewer};
use crate::wire::list::Topic;

/// A client is told of changes at most this often.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits for changes of what a client is offered, for that client.
pub struct Changes {
    pub(super) registry: Arc<Registry>,
    pub(super) viewer: Viewer,
    pub(super) counted: watch::Receiver<u64>,
    /// What the plugins offered when the client was last told of a change.
    pub(super) told_of: Surfaces,
    /// When that was.
    pub(super) told: Option<Instant>,
}

impl Changes {
    /// Waits until the client is to be told of changes, and says of which: at once, but at most once a second. Changes
    /// that come closer together are told as one; none is lost when the wait is given up.
    pub async fn next(&mut self) -> Vec<Topic> {
        loop {
            self.counted.mark_unchanged();
            if !self.now().1.is_empty() {
                if let Some(told) = self.told {
                    tokio::time::sleep_until(told + PAUSE).await;
                }
                let (offered, topics) = self.now();
                self.told_of = offered;
                self.told = Some(Instant::now());
                return topics;
            }
            if self.counted.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What is offered now, and what of that is something else than the client was told of.
    fn now(&self) -> (Surfaces, Vec<Topic>) {
        let offered = self.registry.surfaces_for(&self.viewer.who);
        let seen = |at: usize| {
            let plugin = &self.registry.plugins[at];
            self.viewer.caller.sees(&plugin.manifest.id)
        };
        let differs = |topic: &Topic| {
            let pairs = offered.iter().zip(&self.told_of).enumerate();
            pairs
                .filter(|(at, _)| seen(*at))
                .any(|(_, pair)| match pair {
                    (Some(now), Some(then)) => !Arc::ptr_eq(now, then) && !now.shares(then, *topic),
                    // What a plugin offers is known now, and was not.
                    (Some(now), None) => topic
                        .lists()
                        .iter()
                        .any(|kind| !now.list(*kind).definitions.is_empty()),
                    (None, _) => false,
                })
        };
        let topics = Topic::ALL.into_iter().filter(differs).collect();
        (offered, topics)
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}
