//! Which lists of a server are others now, gathered until somebody reads them again.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::wire::list::{ListKind, Topic};

/// Notes changes. One reader.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    marks: Mutex<Marks>,
    nudge: Notify,
    /// How much of what was marked has been read.
    read: watch::Sender<u64>,
    /// Somebody waits for what is not read yet.
    hurry: Notify,
}

#[derive(Debug, Default)]
struct Marks {
    /// What waits to be read, a bit each.
    topics: u8,
    /// Counts what was marked.
    marked: u64,
    /// How much of that was given to the reader.
    taken: u64,
}

impl Changed {
    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().expect("no holder of this lock panics")
    }

    /// The lists about `topic` are others now.
    pub(crate) fn mark(&self, topic: Topic) {
        let mut marks = self.marks();
        marks.topics |= bit(topic);
        marks.marked += 1;
        drop(marks);
        self.nudge.notify_one();
    }

    /// Any of the lists may be another now: something may have been told unheard.
    pub(crate) fn mark_all(&self) {
        Topic::ALL.into_iter().for_each(|topic| self.mark(topic));
    }

    /// Waits for changes, and gives the lists that changed since it was called last.
    pub(crate) async fn next(&self) -> Vec<ListKind> {
        loop {
            let topics = self.take();
            if topics != 0 {
                let changed = |topic: &Topic| topics & bit(*topic) != 0;
                let lists = Topic::ALL.iter().filter(|topic| changed(topic));
                return lists.flat_map(|topic| topic.lists()).copied().collect();
            }
            self.nudge.notified().await;
        }
    }

    fn take(&self) -> u8 {
        let mut marks = self.marks();
        marks.taken = marks.marked;
        std::mem::take(&mut marks.topics)
    }
}

impl Changed {
    /// How much of what was marked [`Changed::next`] has given; to be given to [`Changed::done`] when that has been read.
    pub(crate) fn taken(&self) -> u64 {
        self.marks().taken
    }

    /// What was marked up to `taken` has been read, or cannot be.
    pub(crate) fn done(&self, taken: u64) {
        self.read.send_replace(taken);
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
        let marked = self.marks().marked;
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
        changed.mark(Topic::Prompts);
        changed.done(changed.taken());
        assert!(futures::poll!(&mut waiting).is_ready());
        assert_eq!(changed.next().await, [ListKind::Prompts]);
        let taken = changed.taken();
        changed.done(taken);
        assert!(!changed.caught_up().await);
    }
}
