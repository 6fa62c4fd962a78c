//! The tasks of the gateway: slow calls that their clients come back for (the extension `io.modelcontextprotocol/tasks`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::front::config::TasksConfig;
use crate::front::rounds::places::{Places, Slot};
use crate::front::rounds::{Dialogue, stopping};
use crate::model::caller::Caller;

/// The most bytes of results that are kept for clients to fetch, unless a single one is larger.
const MAX_KEPT_BYTES: usize = 256 << 20;

/// The calls that go on as tasks, of all fronts.
pub struct Tasks {
    places: Arc<Places>,
    pub(super) after: Duration,
    pub(super) ttl: Duration,
    pub(super) poll_interval_ms: u64,
    kept_bytes: AtomicUsize,
}

/// The room that one result takes. Dropping it gives that back.
pub(super) struct Kept {
    tasks: Arc<Tasks>,
    bytes: usize,
}

/// Learns which of some tasks are others than they were.
#[derive(Default)]
pub(crate) struct Watcher {
    changed: Mutex<VecDeque<u128>>,
    notify: Notify,
}

impl Tasks {
    /// No tasks yet. `are_named` says whether principals are more than one: where all are the same anonymous one, its
    /// share is all.
    pub fn new(config: &TasksConfig, are_named: bool) -> Arc<Self> {
        let share = match are_named {
            true => config.max_per_principal,
            false => config.max,
        };
        Arc::new(Self {
            places: Places::new(config.max, share),
            after: Duration::from_millis(config.after_ms),
            ttl: Duration::from_millis(config.ttl_ms),
            poll_interval_ms: config.poll_interval_ms,
            kept_bytes: AtomicUsize::new(0),
        })
    }

    /// How many tasks there are, those included whose results wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends all tasks, and begins no more: the gateway stops, nobody will come back.
    pub fn close(&self) {
        self.places.close(&stopping());
    }

    /// The task of that id, if it is one of `caller`'s.
    pub(crate) fn find(&self, id: &str, caller: &Caller) -> Option<Arc<Dialogue>> {
        let number = u128::from_str_radix(id, 16).ok()?;
        // There is one way to write an id.
        if *id != name_of(number) {
            return None;
        }
        self.at(number, caller)
    }

    /// The task of that number, if it is one of `caller`'s, begun with the same rights.
    pub(crate) fn at(&self, number: u128, caller: &Caller) -> Option<Arc<Dialogue>> {
        let found = self.places.find(number)?;
        found.is_of(caller).then_some(found)
    }

    /// Finds a place for a call that becomes a task, within the bounds.
    pub(super) fn admit(&self, call: &Dialogue) -> Option<Slot> {
        let admitted = self.places.admit(call.weak(), call.principal());
        if admitted.is_err() {
            tracing::debug!("A call does not become a task: there are too many");
        }
        admitted.ok()
    }

    /// Makes room for a result; `None` when there is none.
    pub(super) fn keep(self: &Arc<Self>, bytes: usize) -> Option<Kept> {
        let before = self.kept_bytes.fetch_add(bytes, Ordering::AcqRel);
        let kept = Kept {
            tasks: Arc::clone(self),
            bytes,
        };
        (before == 0 || before + bytes <= MAX_KEPT_BYTES).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.tasks
            .kept_bytes
            .fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Watcher {
    /// Is told that a task is another. What it was told and has not read yet is not told twice.
    pub(super) fn tell(&self, number: u128) {
        let mut changed = self.changed.lock().expect("no holder of this lock panics");
        if !changed.contains(&number) {
            changed.push_back(number);
        }
        drop(changed);
        self.notify.notify_one();
    }

    /// The number of a task that is another than it was. None is lost when the wait is given up.
    pub(crate) async fn next(&self) -> u128 {
        loop {
            let told = self.notify.notified();
            let first = {
                let mut changed = self.changed.lock().expect("no holder of this lock panics");
                changed.pop_front()
            };
            match first {
                Some(number) => return number,
                None => told.await,
            }
        }
    }
}

/// The id of a task as clients know it.
pub(super) fn name_of(number: u128) -> String {
    format!("{number:032x}")
}
