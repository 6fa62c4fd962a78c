//! Which lists of a server are others now, gathered until somebody reads them again.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use crate::wire::list::{ListKind, Topic};

/// Notes changes. One reader.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    topics: AtomicU8,
    nudge: Notify,
}

impl Changed {
    /// The lists about `topic` are others now.
    pub(crate) fn mark(&self, topic: Topic) {
        self.topics.fetch_or(bit(topic), Ordering::Relaxed);
        self.nudge.notify_one();
    }

    /// Any of the lists may be another now: something may have been told unheard.
    pub(crate) fn mark_all(&self) {
        Topic::ALL.into_iter().for_each(|topic| self.mark(topic));
    }

    /// Waits for changes, and gives the lists that changed since it was called last.
    pub(crate) async fn next(&self) -> Vec<ListKind> {
        loop {
            let topics = self.topics.swap(0, Ordering::Relaxed);
            if topics != 0 {
                let changed = |topic: &Topic| topics & bit(*topic) != 0;
                let lists = Topic::ALL.iter().filter(|topic| changed(topic));
                return lists.flat_map(|topic| topic.lists()).copied().collect();
            }
            self.nudge.notified().await;
        }
    }
}

fn bit(topic: Topic) -> u8 {
    1 << topic as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_gathered_by_topic() {
        let changed = Changed::default();
        changed.mark(Topic::Resources);
        changed.mark(Topic::Tools);
        changed.mark(Topic::Tools);
        let lists = [
            ListKind::Tools,
            ListKind::Resources,
            ListKind::ResourceTemplates,
        ];
        assert_eq!(changed.next().await, lists);
        assert!(futures::poll!(Box::pin(changed.next())).is_pending());
    }
}
