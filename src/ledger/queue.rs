//! What waits to be written. Taking something in costs a lock that is held for an instant, and wakes the writer at most
//! twice per batch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::ledger::record::{Call, DenialRow, LifeRow, NoteRow};

/// How many entries wait at one time.
const MAX_ENTRIES: usize = 16_384;

/// How many bytes of arguments and results wait at one time.
const MAX_BYTES: usize = 64 << 20;

/// How many are written in one transaction.
pub(super) const BATCH: usize = 500;

/// Something to be written.
#[derive(Debug)]
pub(super) enum Entry {
    Call(Box<Call>),
    Life(LifeRow),
    Denial(DenialRow),
    /// With the one whose calls the incident must take.
    Note(NoteRow, Box<str>),
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is something, and when there is enough for a batch.
    some: Notify,
    enough: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    bytes: usize,
    dropped: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        let Self::Call(call) = self else { return 0 };
        let texts = [&call.arguments, &call.result].into_iter().flatten();
        texts.map(|json| json.bytes().len()).sum()
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }

    /// Takes an entry in, or drops and counts it where too much waits. Never waits.
    pub(super) fn push(&self, entry: Entry) {
        let mut waiting = self.waiting();
        let bytes = entry.bytes();
        // One that is large by itself is taken where nothing else waits.
        let too_many = waiting.entries.len() >= MAX_ENTRIES
            || (waiting.bytes > 0 && waiting.bytes + bytes > MAX_BYTES);
        if too_many {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += bytes;
        waiting.entries.push_back(entry);
        let n = waiting.entries.len();
        drop(waiting);
        match n {
            1 => self.some.notify_one(),
            BATCH => self.enough.notify_one(),
            _ => {}
        }
    }

    /// Takes out what fits into one batch.
    pub(super) fn take(&self) -> Vec<Entry> {
        let mut waiting = self.waiting();
        let n = waiting.entries.len().min(BATCH);
        let taken: Vec<Entry> = waiting.entries.drain(..n).collect();
        let bytes: usize = taken.iter().map(Entry::bytes).sum();
        waiting.bytes -= bytes;
        taken
    }

    /// Waits until there is something.
    pub(super) async fn some(&self) {
        while self.len() == 0 {
            self.some.notified().await;
        }
    }

    /// Waits until there is enough for a batch.
    pub(super) async fn enough(&self) {
        while self.len() < BATCH {
            self.enough.notified().await;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().entries.len()
    }

    /// How many were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.waiting().dropped
    }

    /// Counts what could not be kept for another reason.
    pub(super) fn drop_all(&self) {
        let mut waiting = self.waiting();
        waiting.dropped += waiting.entries.len() as u64;
        waiting.entries.clear();
        waiting.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> Entry {
        Entry::Life(LifeRow::default())
    }

    #[tokio::test]
    async fn what_is_too_much_is_dropped_and_counted() {
        let queue = Queue::default();
        for _ in 0..MAX_ENTRIES + 3 {
            queue.push(life());
        }
        assert_eq!((queue.len(), queue.dropped()), (MAX_ENTRIES, 3));
        queue.some().await;
        queue.enough().await;
        assert_eq!(queue.take().len(), BATCH);
        assert_eq!(queue.len(), MAX_ENTRIES - BATCH);
        queue.drop_all();
        assert_eq!(queue.dropped(), (MAX_ENTRIES - BATCH + 3) as u64);
    }
}
