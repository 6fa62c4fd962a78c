//! Events that wait for the backend: bounded in number and weight, the oldest go first and are dropped first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::model::event::Event;

/// The most bytes that wait.
const MAX_WEIGHT: usize = 64 << 20;

/// The most events of one batch, and about how many bytes they may have.
const BATCH: usize = 128;
const BATCH_WEIGHT: usize = 1 << 20;

/// Events that wait.
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    bound: usize,
    /// Rung when there is something to do.
    pub(super) bell: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Arc<Event>>,
    weight: usize,
    /// How many at the front are being carried: they count, and are not dropped while nobody knows what becomes of them.
    taken: usize,
}

impl Outbox {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            bound,
            bell: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }

    /// Puts an event behind the others. Says how many old ones were dropped for it.
    pub(super) fn put(&self, event: Arc<Event>) -> u64 {
        let mut waiting = self.waiting();
        waiting.weight += event.weight();
        waiting.events.push_back(event);
        let mut dropped = 0;
        while waiting.events.len() > self.bound || waiting.weight > MAX_WEIGHT {
            let oldest = waiting.taken;
            let Some(event) = waiting.events.remove(oldest) else {
                break;
            };
            waiting.weight -= event.weight();
            dropped += 1;
        }
        drop(waiting);
        self.bell.notify_one();
        dropped
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().events.len()
    }

    /// The oldest ones, to be carried. They stay until [`Outbox::done`] says that they have been.
    pub(super) fn batch(&self) -> Vec<Arc<Event>> {
        let mut waiting = self.waiting();
        let mut weight = 0;
        let fits = |event: &&Arc<Event>| {
            weight += event.weight();
            weight <= BATCH_WEIGHT
        };
        let batch: Vec<_> = waiting
            .events
            .iter()
            .take(BATCH)
            .take_while(fits)
            .cloned()
            .collect();
        waiting.taken = batch.len();
        batch
    }

    /// What was taken has been carried, or has to be tried again.
    pub(super) fn done(&self, carried: bool) {
        let mut waiting = self.waiting();
        let taken = std::mem::take(&mut waiting.taken);
        if carried {
            let weight: usize = waiting
                .events
                .drain(..taken)
                .map(|event| event.weight())
                .sum();
            waiting.weight -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventId;
    use crate::wire::json::Json;

    fn event(number: u64) -> Arc<Event> {
        Arc::new(Event {
            id: EventId::new(number, 0, 0),
            topic: "t".parse().expect("a topic"),
            source: "s".into(),
            payload: Json::of(&number),
        })
    }

    fn numbers(batch: &[Arc<Event>]) -> Vec<u64> {
        batch.iter().map(|event| event.id.unix_ms()).collect()
    }

    #[test]
    fn the_oldest_are_dropped_but_not_while_they_are_carried() {
        let outbox = Outbox::new(3);
        assert_eq!((1..=3).map(|n| outbox.put(event(n))).sum::<u64>(), 0);
        assert_eq!(outbox.put(event(4)), 1);
        assert_eq!(numbers(&outbox.batch()), [2, 3, 4]);
        // All are on their way: the newcomer is the oldest that is not.
        assert_eq!(outbox.put(event(5)), 1);
        outbox.done(false);
        assert_eq!(outbox.put(event(6)), 1);
        assert_eq!(numbers(&outbox.batch()), [3, 4, 6]);
        outbox.done(true);
        assert_eq!((outbox.len(), outbox.put(event(7))), (0, 0));
        assert_eq!(numbers(&outbox.batch()), [7]);
    }

    #[test]
    fn a_batch_is_bounded() {
        let outbox = Outbox::new(1000);
        let dropped: u64 = (0..300).map(|n| outbox.put(event(n))).sum();
        assert_eq!(dropped, 0);
        assert_eq!(outbox.batch().len(), BATCH);
        outbox.done(true);
        assert_eq!(numbers(&outbox.batch())[0], BATCH as u64);
    }
}
