//! Which instances of a plugin there are: for whom, and what they use of the machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// An instance that runs, wherever that is.
#[derive(Debug, Clone)]
pub struct Present {
    /// Which start of the plugin it came from, counted from 1: as long as the plugin is registered no two instances of it
    /// have the same.
    pub number: u64,
    /// How long ago it was started.
    pub age: Duration,
    /// What its processes use, where it has some of its own.
    pub usage: Option<Usage>,
    /// The id of the session that has it to itself, if one does.
    pub session: Option<Arc<str>>,
    /// How many calls it serves at this moment.
    pub calls: usize,
}

impl Pool {
    /// The instances that run in processes of their own, those that were started first before others.
    pub fn running(&self) -> Vec<Running> {
        let running = self.present().into_iter().filter_map(|present| {
            Some(Running {
                usage: present.usage?,
                session: present.session,
                calls: present.calls,
            })
        });
        let mut running: Vec<Running> = running.collect();
        running.sort_by_key(|running| running.usage.started);
        running
    }

    /// The instances that run, those that were started first before others.
    pub fn present(&self) -> Vec<Present> {
        let slots = self.state().slots.clone();
        let mut present: Vec<Present> = slots.iter().filter_map(|slot| slot.present()).collect();
        present.sort_by_key(|present| present.number);
        present
    }
}

impl Slot {
    fn present(&self) -> Option<Present> {
        let usage = self.instance()?.usage();
        let begun = usage.map_or(self.begun, |usage| usage.started);
        let owner = self.owner.borrow();
        Some(Present {
            number: self.number,
            age: Instant::now().saturating_duration_since(begun),
            usage,
            session: owner.as_ref().map(|session| Arc::clone(&session.id)),
            calls: self.uses(),
        })
    }
}
