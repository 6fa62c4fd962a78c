//! The work of all groups: one future each, all in one task.

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::events::redis::Redis;

impl Redis {
    /// Serves the groups that there are and that come.
    pub(super) async fn serve_groups(&self) {
        let name = self.mint.name();
        let mut serving = FuturesUnordered::new();
        let mut served = 0;
        loop {
            // Groups only come: they outlive their subscriptions.
            let groups = self.groups().clone();
            for group in groups.into_iter().skip(served) {
                served += 1;
                let name = &name;
                serving.push(async move {
                    group.serve(&self.link, &self.keys, &self.rules, name).await;
                });
            }
            tokio::select! {
                () = self.joined.notified() => {}
                Some(()) = serving.next(), if !serving.is_empty() => {}
            }
        }
    }
}
