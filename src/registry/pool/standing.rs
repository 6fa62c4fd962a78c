//! What the instances of a plugin are at.

use std::sync::Arc;

use tokio::time::Instant;

use crate::registry::pool::Pool;
use crate::registry::pool::slot::Slot;
use crate::runtime::Instance;

/// What the instances of a plugin do, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing runs; the next call starts it.
    Idle,
    /// An instance is being started.
    Starting,
    /// At least one instance runs.
    Active,
    /// It cannot be started; with the reason.
    Failed(String),
    /// The gateway is stopping it.
    Stopped,
}

impl Pool {
    /// Where the plugin stands.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        if state.stopped {
            return Standing::Stopped;
        }
        if state.slots.iter().any(|slot| slot.instance().is_some()) {
            return Standing::Active;
        }
        if !state.slots.is_empty() {
            return Standing::Starting;
        }
        match &state.last_failure {
            Some(fault) if state.failed_in_a_row > 0 => Standing::Failed(fault.to_string()),
            _ => Standing::Idle,
        }
    }

    /// Process ids of the instances, and how many calls each serves.
    pub fn processes(&self) -> Vec<(u32, usize)> {
        let slots = self.state().slots.clone();
        let pid = |slot: &Arc<Slot>| Some((slot.instance()?.pid()?, slot.uses()));
        slots.iter().filter_map(pid).collect()
    }

    /// How many starts there were.
    pub fn starts(&self) -> u64 {
        self.state().starts
    }

    /// Whether an instance runs or is being started.
    pub fn is_running(&self) -> bool {
        self.state().slots.iter().any(|slot| !slot.is_over())
    }

    /// How many calls its instances serve.
    pub fn uses(&self) -> usize {
        self.state().slots.iter().map(|slot| slot.uses()).sum()
    }

    /// When something useful last came from any of its instances, as far as is known.
    pub fn last_heard(&self) -> Option<Instant> {
        let slots = self.state().slots.clone();
        let heard = |slot: &Arc<Slot>| slot.instance()?.last_heard();
        slots.iter().filter_map(heard).max()
    }

    /// An instance that runs, whoever uses it.
    pub fn any_instance(&self) -> Option<Arc<dyn Instance>> {
        let state = self.state();
        state.slots.iter().find_map(|slot| slot.instance())
    }
}
