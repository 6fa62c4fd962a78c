//! A bounded table of the calls that their clients come back to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::front::rounds::Dialogue;
use crate::wire::error::RpcError;

/// The table. It keeps no call alive.
pub(super) struct Places {
    max: usize,
    max_per_principal: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
pub(super) struct Table {
    calls: HashMap<u128, Weak<Dialogue>>,
    pub(super) per_principal: HashMap<Arc<str>, usize>,
    /// Takes nobody any more.
    closed: bool,
}

/// The place of one call in the table. Dropping it frees that.
pub(super) struct Slot {
    /// Unguessable.
    pub(super) id: u128,
    principal: Arc<str>,
    places: Arc<Places>,
}

/// Why a call got no place.
pub(super) enum Refused {
    /// The gateway stops.
    Closed,
    /// The table, or the principal's share of it, is full: so many are in it.
    Full(usize),
}

impl Places {
    pub(super) fn new(max: usize, max_per_principal: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_principal,
            table: Mutex::default(),
        })
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    /// How many calls are in it.
    pub(super) fn len(&self) -> usize {
        self.table().calls.len()
    }

    /// The call of that id, whosever it is.
    pub(super) fn find(&self, id: u128) -> Option<Arc<Dialogue>> {
        self.table().calls.get(&id).and_then(Weak::upgrade)
    }

    /// Takes nobody any more, and forsakes the calls that are in it.
    pub(super) fn close(&self, reason: &RpcError) {
        let mut table = self.table();
        table.closed = true;
        let calls: Vec<_> = table.calls.values().filter_map(Weak::upgrade).collect();
        drop(table);
        calls.iter().for_each(|dialogue| dialogue.forsake(reason));
    }

    /// Finds a place for a call, within the bounds.
    pub(super) fn admit(
        self: &Arc<Self>,
        call: &Weak<Dialogue>,
        principal: &Arc<str>,
    ) -> Result<Slot, Refused> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).expect("the system has a random generator");
        let id = u128::from_be_bytes(id);
        let mut table = self.table();
        if table.closed {
            return Err(Refused::Closed);
        }
        let of_principal = table.per_principal.get(principal).copied().unwrap_or(0);
        if table.calls.len() >= self.max || of_principal >= self.max_per_principal {
            return Err(Refused::Full(table.calls.len()));
        }
        table.calls.insert(id, Weak::clone(call));
        *table
            .per_principal
            .entry(Arc::clone(principal))
            .or_default() += 1;
        Ok(Slot {
            id,
            principal: Arc::clone(principal),
            places: Arc::clone(self),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.places.table();
        table.calls.remove(&self.id);
        if let Some(count) = table.per_principal.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                table.per_principal.remove(&self.principal);
            }
        }
        if table.calls.is_empty() {
            table.calls.shrink_to_fit();
        }
    }
}
