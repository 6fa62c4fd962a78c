//! Makes the ids of events: later ones sort behind earlier ones, whatever the clock does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::event::EventId;

const SEQUENCE_BITS: u32 = 12;

/// Makes ids.
pub(super) struct Mint {
    /// The latest: milliseconds, and the number within them.
    last: AtomicU64,
    /// Tells this program from others.
    tail: u64,
}

impl Mint {
    pub(super) fn new() -> Self {
        // Without randomness the process's own time has to do.
        let tail = getrandom::u64().unwrap_or_else(|_| unix_ms());
        Self {
            last: AtomicU64::new(0),
            tail,
        }
    }

    /// The next one.
    pub(super) fn next(&self) -> EventId {
        let now = unix_ms() << SEQUENCE_BITS;
        let later = |last: u64| Some(now.max(last + 1));
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, later)
            .unwrap_or_default();
        let this = now.max(last + 1);
        let sequence = this & ((1 << SEQUENCE_BITS) - 1);
        EventId::new(this >> SEQUENCE_BITS, sequence as u16, self.tail)
    }

    /// A name for this program among others that share a bus.
    pub(super) fn name(&self) -> String {
        format!("gateway-{:016x}", self.tail)
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow() {
        let mint = Mint::new();
        let ids: Vec<EventId> = (0..10_000).map(|_| mint.next()).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]));
    }
}
