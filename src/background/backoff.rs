//! Waits that grow with each failure and are short again after a success. A pure machine: it is told what happened.

use std::time::Duration;

/// How long waits may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The whole of the first wait.
    pub initial: Duration,
    /// The whole of the longest.
    pub max: Duration,
}

/// The waits after failures in a row.
#[derive(Debug, Clone)]
pub struct Backoff {
    bounds: Bounds,
    failed_in_a_row: u32,
}

impl Backoff {
    /// Nothing has failed yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            failed_in_a_row: 0,
        }
    }

    /// How long to wait after one more failure: twice as long as after the one before, `bounds.max` at the most, and
    /// between the half and the whole of that, so that not everything comes back at once. `share` says where between:
    /// 0 is the half, 255 the whole.
    pub fn failed(&mut self, share: u8) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failed_in_a_row.min(20));
        self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
        let whole = self
            .bounds
            .initial
            .saturating_mul(doubled)
            .min(self.bounds.max);
        let half = whole / 2;
        half.saturating_add(half.saturating_mul(u32::from(share)) / 255)
    }

    /// It went well: the next failure is the first one again.
    pub fn succeeded(&mut self) {
        self.failed_in_a_row = 0;
    }

    /// How many failures in a row there were.
    pub fn failed_in_a_row(&self) -> u32 {
        self.failed_in_a_row
    }
}

/// A share for [`Backoff::failed`] that nobody can tell before. Without random bits it is the whole.
pub fn random_share() -> u8 {
    let mut bits = [0];
    getrandom::fill(&mut bits).map_or(255, |()| bits[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(60),
    };

    /// O12: exponential, capped, and short again after a success.
    #[test]
    fn waits_double_up_to_the_bound_and_begin_again() {
        let mut backoff = Backoff::new(BOUNDS);
        let mut waits = || {
            (0..8)
                .map(|_| backoff.failed(255).as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(), [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.succeeded();
        assert_eq!(backoff.failed(255), Duration::from_secs(1));
        assert_eq!(backoff.failed_in_a_row(), 1);
    }

    /// O12: jittered.
    #[test]
    fn a_wait_is_between_the_half_and_the_whole() {
        for share in [0, 1, 127, 254, 255] {
            let mut backoff = Backoff::new(BOUNDS);
            backoff.failed(share);
            let wait = backoff.failed(share);
            assert!((1.0..=2.0).contains(&wait.as_secs_f64()), "{wait:?}");
        }
        let far = Bounds {
            initial: Duration::MAX,
            max: Duration::MAX,
        };
        let mut backoff = Backoff::new(far);
        for _ in 0..100 {
            backoff.failed(255);
        }
        assert!(
            backoff.failed(255) > Duration::from_secs(1 << 40),
            "nothing overflows"
        );
    }
}
