//! How long things took: a histogram that is written by two atomics.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the buckets, in microseconds: half a millisecond to thirty seconds. What is above them has a
/// bucket, too.
pub const BOUNDS_US: [u64; 12] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// A histogram of durations.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    /// The upper bound of each bucket, and how many values it alone holds. The last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all values.
    pub sum: f64,
}

impl Durations {
    /// Takes in a duration, in microseconds.
    pub fn add(&self, us: u64) {
        let mut bounds = BOUNDS_US.iter();
        let at = bounds.position(|bound| us <= *bound);
        self.buckets[at.unwrap_or(BOUNDS_US.len())].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What was taken in so far, in seconds.
    pub fn read(&self) -> Distribution {
        let bounds = BOUNDS_US.iter().map(|us| seconds(*us));
        let counts = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        Distribution {
            buckets: bounds.chain([f64::INFINITY]).zip(counts).collect(),
            sum: seconds(self.sum_us.load(Ordering::Relaxed)),
        }
    }
}

impl Distribution {
    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The value that this part of all is not above, as far as the buckets tell; 0 where there are none.
    pub fn quantile(&self, part: f64) -> f64 {
        let wanted = self.count() as f64 * part;
        let (mut below, mut lower) = (0.0, 0.0);
        for (upper, count) in &self.buckets {
            let count = *count as f64;
            if count > 0.0 && below + count >= wanted {
                let upper = if upper.is_finite() { *upper } else { lower };
                return lower + (upper - lower) * (wanted - below) / count;
            }
            below += count;
            lower = *upper;
        }
        0.0
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_the_first_bucket_that_holds_them() {
        let durations = Durations::default();
        [0, 500, 501, 31_000_000]
            .into_iter()
            .for_each(|us| durations.add(us));
        let read = durations.read();
        assert_eq!(read.count(), 4);
        assert_eq!(read.buckets[0], (0.0005, 2));
        assert_eq!(read.buckets[1], (0.001, 1));
        assert_eq!(read.buckets[12], (f64::INFINITY, 1));
        assert!((read.sum - 31.001_001).abs() < 1e-9);
    }

    #[test]
    fn a_quantile_lies_in_its_bucket() {
        let durations = Durations::default();
        assert_eq!(durations.read().quantile(0.99), 0.0);
        (0..99).for_each(|_| durations.add(700));
        durations.add(40_000_000);
        let read = durations.read();
        assert!((0.0005..=0.001).contains(&read.quantile(0.5)));
        assert_eq!(read.quantile(1.0), 30.0);
    }
}
