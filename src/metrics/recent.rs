//! Calls of the last minutes, second by second: what an overview shows.
//!
//! A ring of seconds. Each is written by a few atomics; the first writer of a new second clears what stood there five
//! minutes ago, and a number of another writer may get lost at that moment.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::metrics::calls::{in_us, is_error};

/// How many seconds are kept.
pub const SECONDS: usize = 300;

/// They, and the one that goes on.
const RING: usize = SECONDS + 1;

/// Two buckets for each doubling, from a microsecond to above half an hour.
const BUCKETS: usize = 64;

/// The calls of the last minutes.
#[derive(Debug)]
pub struct Recent {
    begun: Instant,
    calls: AtomicU64,
    errors: AtomicU64,
    ring: Box<[Second]>,
}

#[derive(Debug)]
struct Second {
    /// Which second it is, counted from 1 since the beginning; 0 where it was never written.
    number: AtomicU64,
    calls: AtomicU32,
    errors: AtomicU32,
    took: [AtomicU32; BUCKETS],
}

/// What happened in some seconds, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Calls that came to their end.
    pub calls: u64,
    /// Those of them that failed.
    pub errors: u64,
    took: [u64; BUCKETS],
}

impl Default for Span {
    fn default() -> Self {
        Self {
            calls: 0,
            errors: 0,
            took: [0; BUCKETS],
        }
    }
}

impl Default for Second {
    fn default() -> Self {
        Self {
            number: AtomicU64::new(0),
            calls: AtomicU32::new(0),
            errors: AtomicU32::new(0),
            took: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }
}

impl Recent {
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            ring: (0..RING).map(|_| Second::default()).collect(),
        }
    }

    /// A call that began at `begun` came to this.
    pub fn add(&self, begun: Instant, took: Duration, outcome: &str) {
        let number = 1
            + (begun + took)
                .saturating_duration_since(self.begun)
                .as_secs();
        let second = &self.ring[at(number)];
        if second.number.load(Ordering::Relaxed) != number {
            second.begin(number);
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        second.calls.fetch_add(1, Ordering::Relaxed);
        second.took[bucket(in_us(took))].fetch_add(1, Ordering::Relaxed);
        if is_error(outcome) {
            self.errors.fetch_add(1, Ordering::Relaxed);
            second.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many calls there were since the beginning, and how many of them failed.
    pub fn totals(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.calls), read(&self.errors))
    }

    /// The last `count` whole seconds before `now`, the oldest first; those before the beginning were empty.
    pub fn seconds(&self, now: Instant, count: usize) -> Vec<Span> {
        // The second that is still going on is left out.
        let last = now.saturating_duration_since(self.begun).as_secs();
        let count = count.min(SECONDS) as u64;
        let numbers = (0..count).rev().map(|back| last.checked_sub(back));
        numbers
            .map(|number| self.read(number.unwrap_or(0)))
            .collect()
    }

    fn read(&self, number: u64) -> Span {
        let second = &self.ring[at(number)];
        if number == 0 || second.number.load(Ordering::Relaxed) != number {
            return Span::default();
        }
        let read = |count: &AtomicU32| u64::from(count.load(Ordering::Relaxed));
        Span {
            calls: read(&second.calls),
            errors: read(&second.errors),
            took: std::array::from_fn(|at| read(&second.took[at])),
        }
    }
}

impl Second {
    /// Begins to stand for another second, unless somebody else was first.
    fn begin(&self, number: u64) {
        let before = self.number.load(Ordering::Relaxed);
        let order = Ordering::Relaxed;
        if before < number
            && self
                .number
                .compare_exchange(before, number, order, order)
                .is_ok()
        {
            self.calls.store(0, order);
            self.errors.store(0, order);
            self.took.iter().for_each(|count| count.store(0, order));
        }
    }
}

impl Span {
    /// The same with what happened in another.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.calls += other.calls;
        self.errors += other.errors;
        let pairs = self.took.iter_mut().zip(&other.took);
        pairs.for_each(|(count, more)| *count += more);
        self
    }

    /// The milliseconds that this part of the calls did not take longer than, to a factor of 1.5; 0 where there was none.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let all: u64 = self.took.iter().sum();
        let wanted = all as f64 * part;
        let mut below = 0;
        for (at, count) in self.took.iter().enumerate() {
            below += count;
            if *count > 0 && below as f64 >= wanted {
                return upper_us(at) as f64 / 1e3;
            }
        }
        0.0
    }
}

fn at(number: u64) -> usize {
    (number % RING as u64) as usize
}

/// The bucket of a duration: its highest bit, and the one behind it.
fn bucket(us: u64) -> usize {
    let us = us.max(1);
    let high = 63 - us.leading_zeros() as usize;
    let next = match high {
        0 => 0,
        high => usize::from(us >> (high - 1) & 1 == 1),
    };
    (2 * high + next).min(BUCKETS - 1)
}

/// The highest duration of a bucket, in microseconds.
fn upper_us(bucket: usize) -> u64 {
    let low = 1_u64 << (bucket / 2);
    match bucket % 2 {
        0 => low + low / 2 - u64::from(low > 1),
        _ => 2 * low - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_not_above_its_bucket() {
        for us in [1, 2, 3, 4, 5, 6, 7, 8, 100, 1_000, 123_456, 30_000_000] {
            let found = bucket(us);
            let below = found.checked_sub(1).map_or(0, upper_us);
            assert!(us <= upper_us(found), "{us} in {found}");
            assert!(below < us || us < 3, "{us} is not above {below}");
        }
    }

    #[test]
    fn seconds_are_told_apart_and_overwritten() {
        let begun = Instant::now();
        let recent = Recent::new(begun);
        let after = |seconds: u64| begun + Duration::from_millis(seconds * 1000 + 500);
        let took = Duration::from_millis(10);
        recent.add(after(0), took, "answered");
        recent.add(after(2), took, "timeout");
        recent.add(after(2), Duration::from_millis(100), "answered");
        let seen = recent.seconds(after(3), 4);
        let counts: Vec<_> = seen.iter().map(|span| (span.calls, span.errors)).collect();
        assert_eq!(counts, [(0, 0), (1, 0), (0, 0), (2, 1)]);
        assert!((10.0..20.0).contains(&seen[3].quantile_ms(0.5)));
        assert!((100.0..150.0).contains(&seen[3].quantile_ms(0.99)));
        assert_eq!(seen[0].quantile_ms(0.99), 0.0);
        recent.add(after(300), took, "answered");
        let last = recent.seconds(after(301), 299);
        assert_eq!(last.iter().map(|span| span.calls).sum::<u64>(), 3);
        assert_eq!(recent.totals(), (4, 1));
    }
}
