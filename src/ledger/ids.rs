//! Numbers that grow with time: of calls, incidents and whatever else is kept in the order in which it happened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The bits below the milliseconds. They begin at a number of chance, so that two gateways with one database seldom make
/// the same number.
const LOW_BITS: u32 = 20;

/// Makes numbers: milliseconds since 1970 above, 20 bits below. Each is larger than the one before, whatever the clock does.
#[derive(Debug)]
pub struct Ids {
    last: AtomicU64,
    low: u64,
}

impl Default for Ids {
    fn default() -> Self {
        let mut low = [0; 4];
        // Without chance the numbers are still unique in this process.
        getrandom::fill(&mut low).ok();
        Self {
            last: AtomicU64::new(0),
            low: u64::from(u32::from_le_bytes(low)) & ((1 << LOW_BITS) - 1),
        }
    }
}

impl Ids {
    /// The next number. Below 2⁶³ until the year 2248.
    pub fn next(&self) -> u64 {
        let now = first_of(now_ms()) | self.low;
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = now.max(last + 1);
            match self
                .last
                .compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return next,
                Err(other) => last = other,
            }
        }
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The smallest number of a millisecond.
pub fn first_of(ms: u64) -> u64 {
    ms.min(u64::MAX >> (LOW_BITS + 1)) << LOW_BITS
}

/// When a number was made, as time since 1970.
pub fn time_of(id: u64) -> Duration {
    Duration::from_millis(id >> LOW_BITS)
}

/// A number as people and programs are shown it: sixteen digits, in whose order the numbers are.
pub fn shown(id: u64) -> String {
    format!("{id:016x}")
}

/// The number that is written so.
pub fn read(text: &str) -> Option<u64> {
    let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = is_one.then(|| u64::from_str_radix(text, 16).ok())??;
    (id <= i64::MAX as u64).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_know_their_time() {
        let ids = Ids::default();
        let before = now_ms();
        let made: Vec<u64> = (0..5000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        let time = u64::try_from(time_of(made[0]).as_millis()).expect("not that late");
        assert!((before..=now_ms()).contains(&time), "{time}");
    }

    #[test]
    fn what_is_shown_can_be_read() {
        let id = first_of(1_700_000_000_000) | 7;
        assert_eq!(read(&shown(id)), Some(id));
        for wrong in [
            "",
            "7",
            "ffffffffffffffff",
            "000000000000000g",
            "+00000000000000f",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
