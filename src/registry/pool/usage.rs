//! What the instances of a plugin use of the machine, and for whom.

use std::sync::Arc;

use crate::registry::pool::Pool;
use crate::registry::pool::slot::Slot;
use crate::runtime::process::Usage;

/// An instance that has processes of its own.
#[derive(Debug, Clone)]
pub struct Running {
    /// What its processes use.
    pub usage: Usage,
    /// The id of the session that has it to itself, if one does.
    pub session: Option<Arc<str>>,
    /// How many calls it serves at this moment.
    pub calls: usize,
}

impl Pool {
    /// The instances that run in processes of their own, those that were started first before others.
    pub fn running(&self) -> Vec<Running> {
        let slots = self.state().slots.clone();
        let mut running: Vec<Running> = slots.iter().filter_map(|slot| slot.running()).collect();
        running.sort_by_key(|running| running.usage.started);
        running
    }
}

impl Slot {
    fn running(&self) -> Option<Running> {
        let usage = self.instance()?.usage()?;
        let owner = self.owner.borrow();
        Some(Running {
            usage,
            session: owner.as_ref().map(|session| Arc::clone(&session.id)),
            calls: self.uses(),
        })
    }
}
