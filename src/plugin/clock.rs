//! The resource `clock`: what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use crate::model::utc::utc;

/// Tells the time. Handed in, so that tests can give another one.
#[derive(Debug, Clone, Copy)]
pub struct Clock(fn() -> SystemTime);

impl Default for Clock {
    fn default() -> Self {
        Self(SystemTime::now)
    }
}

impl Clock {
    /// A clock that says what `now` says, for tests.
    pub fn of(now: fn() -> SystemTime) -> Self {
        Self(now)
    }

    /// The time.
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; 0 before that.
    pub fn unix_ms(&self) -> u64 {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The date and time in UTC, as RFC 3339 writes it, to the millisecond.
    pub fn utc(&self) -> String {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        utc(since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_says_what_it_is_given() {
        let clock = Clock::of(|| UNIX_EPOCH + Duration::from_millis(951_782_400_007));
        assert_eq!(clock.utc(), "2000-02-29T00:00:00.007Z");
        assert_eq!(clock.unix_ms(), 951_782_400_007);
    }
}
