//! What instances of a plugin wrote beside the protocol, also those that have ended.

use std::sync::Arc;

use crate::registry::pool::Pool;
use crate::runtime::{Instance, LogLine};

/// The most lines that are kept of instances that are gone.
const MAX_PAST: usize = 200;

impl Pool {
    /// The last lines of its instances, in order of time; of those that are gone the very last only.
    pub fn log_lines(&self) -> Vec<LogLine> {
        let mut lines = self
            .past
            .lock()
            .expect("no holder of this lock panics")
            .clone();
        let state = self.state();
        let present = state.slots.iter().filter_map(|slot| slot.instance());
        let all: Vec<Arc<dyn Instance>> = present.chain(state.leaving.iter().cloned()).collect();
        drop(state);
        lines.extend(all.iter().flat_map(|instance| instance.log_lines()));
        lines.sort_by_key(|line| line.time);
        lines
    }

    /// Keeps what an instance has said, which is at its end.
    pub(super) fn remember(&self, instance: &dyn Instance) {
        let lines = instance.log_lines();
        let mut past = self.past.lock().expect("no holder of this lock panics");
        past.extend(lines);
        let over = past.len().saturating_sub(MAX_PAST);
        past.drain(..over);
    }
}
