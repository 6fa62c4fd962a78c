//! What a bus has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one bus.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) published: Counter,
    pub(super) delivered: Counter,
    pub(super) redelivered: Counter,
    pub(super) dead: Counter,
    pub(super) dropped: Counter,
}

/// Counts up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
