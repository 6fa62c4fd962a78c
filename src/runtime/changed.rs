//! Which lists of a server are others now, gathered until somebody reads them again.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::wire::list::{ListKind, Topic};

/// Notes changes. One reader.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    topics: AtomicU8,
    nudge: Notify,
    /// Counts what was marked.
    marked: AtomicU64,
    /// How much of that has been read.
    read: watch::Sender<u64>,
    /// Somebody waits for what is not read yet.
    hurry: Notify,
}

impl Changed {
    /// The lists about `topic` are others now.
    pub(crate) fn mark(&self, topic: Topic) {
        self.marked.fetch_add(1, Ordering::SeqCst);
        self.topics.fetch_or(bit(topic), Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Any of the lists may be another now: something may have been told unheard.
    pub(crate) fn mark_all(&self) {
        Topic::ALL.into_iter().for_each(|topic| self.mark(topic));
    }

    /// Waits for changes, and gives the lists that changed since it was called last.
    pub(crate) async fn next(&self) -> Vec<ListKind> {
        loop {
            let topics = self.topics.swap(0, Ordering::SeqCst);
            if topics != 0 {
                let changed = |topic: &Topic| topics & bit(*topic) != 0;
                let lists = Topic::ALL.iter().filter(|topic| changed(topic));
                return lists.flat_map(|topic| topic.lists()).copied().collect();
            }
            self.nudge.notified().await;
        }
    }
}

impl Changed {
    /// How much was marked so far; to be given to [`Changed::done`] when that has been read.
    pub(crate) fn marked(&self) -> u64 {
        self.marked.load(Ordering::SeqCst)
    }

    /// What was marked up to `marked` has been read, or cannot be.
    pub(crate) fn done(&self, marked: u64) {
        self.read.send_replace(marked);
    }

    /// Waits before lists are read again, unless somebody waits for that.
    pub(crate) async fn pause(&self, bound: Duration) {
        tokio::select! {
            () = tokio::time::sleep(bound) => {}
            () = self.hurry.notified() => {}
        }
    }

    /// Waits until all that is marked has been read; `false` where nothing was to be read.
    pub(crate) async fn caught_up(&self) -> bool {
        let marked = self.marked();
        let mut read = self.read.subscribe();
        if *read.borrow_and_update() >= marked {
            return false;
        }
        self.hurry.notify_one();
        // The sender lives as long as this.
        read.wait_for(|read| *read >= marked).await.is_ok()
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
        let mut waiting = Box::pin(changed.caught_up());
        assert!(futures::poll!(&mut waiting).is_pending());
        changed.pause(Duration::MAX).await;
        changed.done(changed.marked());
        assert!(waiting.await);
        assert!(!changed.caught_up().await);
    }
}
