//! One group: what waits for it, what it has and has not acknowledged, what comes again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::events::bus::{Dead, GroupStatus, Subscriber};
use crate::events::counts::Counts;
use crate::events::subscription::{Group, Taken};
use crate::model::event::Event;

/// What a group may hold, and when events come again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) queue: usize,
    pub(super) redeliver: Duration,
    pub(super) max_deliveries: u32,
}

/// One group.
pub(super) struct MemoryGroup {
    subscriber: Subscriber,
    bounds: Bounds,
    counts: Arc<Counts>,
    morgue: Arc<Morgue>,
    state: Mutex<State>,
    /// Rung when there is something to take.
    bell: Notify,
}

#[derive(Default)]
struct State {
    /// Not delivered yet.
    waiting: VecDeque<Arc<Event>>,
    /// Delivered, and neither acknowledged nor given up.
    out: HashMap<u64, Again>,
    /// To be delivered again, the first one first.
    again: VecDeque<(Instant, Again)>,
    taken: u64,
    subscriptions: usize,
    /// Since when there is no subscription.
    deserted: Option<Instant>,
}

/// An event that was delivered.
struct Again {
    event: Arc<Event>,
    attempt: u32,
}

/// What there is to take.
enum Offer {
    Now(Taken),
    At(Instant),
    Nothing,
}

/// The dead letters.
pub(super) struct Morgue {
    letters: Mutex<VecDeque<Dead>>,
    bound: usize,
}

impl Morgue {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            letters: Mutex::default(),
            bound,
        }
    }

    fn put(&self, dead: Dead) {
        let mut letters = self.letters.lock().expect("no holder of this lock panics");
        letters.push_back(dead);
        if letters.len() > self.bound {
            letters.pop_front();
        }
    }

    pub(super) fn newest(&self, limit: usize) -> Vec<Dead> {
        let letters = self.letters.lock().expect("no holder of this lock panics");
        letters.iter().rev().take(limit).cloned().collect()
    }
}

impl MemoryGroup {
    pub(super) fn new(
        subscriber: Subscriber,
        bounds: Bounds,
        counts: Arc<Counts>,
        morgue: Arc<Morgue>,
    ) -> Arc<Self> {
        Arc::new(Self {
            subscriber,
            bounds,
            counts,
            morgue,
            state: Mutex::default(),
            bell: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    pub(super) fn is(&self, other: &Subscriber) -> bool {
        self.subscriber.group == other.group && self.subscriber.pattern == other.pattern
    }

    pub(super) fn enter(&self) {
        let mut state = self.state();
        state.subscriptions += 1;
        state.deserted = None;
    }

    pub(super) fn has_subscriptions(&self) -> bool {
        self.state().subscriptions > 0
    }

    /// Whether nobody has listened for so long.
    pub(super) fn is_deserted(&self, now: Instant, linger: Duration) -> bool {
        let deserted = self.state().deserted;
        deserted.is_some_and(|since| now.duration_since(since) > linger)
    }

    /// Lets an event wait for the group, if it is one of its own.
    pub(super) fn put(&self, event: &Arc<Event>) {
        if !self.subscriber.pattern.chooses(event.topic.as_str()) {
            return;
        }
        let mut state = self.state();
        state.waiting.push_back(Arc::clone(event));
        if state.waiting.len() > self.bounds.queue {
            state.waiting.pop_front();
            self.counts.dropped.add(1);
        }
        drop(state);
        self.bell.notify_one();
    }

    pub(super) fn status(&self) -> GroupStatus {
        let state = self.state();
        GroupStatus {
            group: self.subscriber.group.clone(),
            topic: self.subscriber.pattern.clone(),
            plugin: self.subscriber.plugin.clone(),
            pending: state.waiting.len() + state.out.len() + state.again.len(),
        }
    }

    fn offer(&self) -> Offer {
        let now = Instant::now();
        let mut state = self.state();
        let due = state.again.front().map(|(due, _)| *due);
        let next = match due {
            Some(due) if due <= now => state.again.pop_front().map(|(_, again)| again),
            _ => state
                .waiting
                .pop_front()
                .map(|event| Again { event, attempt: 0 }),
        };
        let Some(Again { event, attempt }) = next else {
            return due.map_or(Offer::Nothing, Offer::At);
        };
        let attempt = attempt + 1;
        state.taken += 1;
        let number = state.taken;
        let out = Again {
            event: Arc::clone(&event),
            attempt,
        };
        state.out.insert(number, out);
        let more = !state.waiting.is_empty() || !state.again.is_empty();
        drop(state);
        if more {
            // Others of the group may sleep.
            self.bell.notify_one();
        }
        if attempt > 1 {
            self.counts.redelivered.add(1);
        }
        Offer::Now(Taken {
            number,
            event,
            attempt,
        })
    }
}

impl Group for MemoryGroup {
    fn take(&self) -> BoxFuture<'_, Taken> {
        Box::pin(async move {
            loop {
                let rung = self.bell.notified();
                match self.offer() {
                    Offer::Now(taken) => return taken,
                    Offer::Nothing => rung.await,
                    Offer::At(due) => {
                        tokio::select! {
                            () = rung => {}
                            () = tokio::time::sleep_until(due) => {}
                        }
                    }
                }
            }
        })
    }

    fn settle(&self, number: u64, outcome: Result<(), String>) {
        let mut state = self.state();
        let Some(again) = state.out.remove(&number) else {
            return;
        };
        match outcome {
            Ok(()) => self.counts.delivered.add(1),
            Err(error) if again.attempt >= self.bounds.max_deliveries => {
                drop(state);
                self.counts.dead.add(1);
                self.morgue.put(Dead {
                    event: again.event,
                    group: self.subscriber.group.clone(),
                    deliveries: again.attempt,
                    error,
                });
            }
            Err(_) => {
                let due = Instant::now() + self.bounds.redeliver;
                state.again.push_back((due, again));
                if state.again.len() > self.bounds.queue {
                    state.again.pop_front();
                    self.counts.dropped.add(1);
                }
                drop(state);
                self.bell.notify_one();
            }
        }
    }

    fn leave(&self) {
        let mut state = self.state();
        state.subscriptions -= 1;
        if state.subscriptions == 0 {
            state.deserted = Some(Instant::now());
        }
    }
}
