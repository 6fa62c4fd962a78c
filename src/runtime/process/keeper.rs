//! What one gateway has for all of its children: a mark, cgroups, a look at the processes of the machine, a guard.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::runtime::process::MARK;
use crate::runtime::process::bounds::Bounds;
use crate::runtime::process::cgroup::{Cgroup, Cgroups};
use crate::runtime::process::guard::{Guard, MAX_STRAYS};
use crate::runtime::process::table::{Name, Table};

/// How long a look at all processes is good for.
const FRESH: Duration = Duration::from_millis(250);

/// What one gateway has for all of its children.
pub(crate) struct Keeper {
    /// Names this gateway, and no other.
    name: Arc<str>,
    children: AtomicU64,
    cgroups: OnceLock<Cgroups>,
    guard: Mutex<Guarded>,
    table: Mutex<Option<(Instant, Arc<Table>)>>,
}

#[derive(Default)]
struct Guarded {
    guard: Option<Guard>,
    /// What it was told of, for the next one.
    strays: VecDeque<Name>,
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            name: crate::session::table::new_id(),
            children: AtomicU64::new(0),
            cgroups: OnceLock::new(),
            guard: Mutex::default(),
            table: Mutex::default(),
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Keeper {
    /// A name for the next child. As the value of [`MARK`] it says whose child it is as well.
    pub(super) fn name_child(&self) -> String {
        let number = self.children.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}", self.name)
    }

    /// Makes the cgroup of a child, where there are any and `wanted` says so.
    pub(super) fn cgroup(&self, name: &str, bounds: &Bounds, wanted: bool) -> Cgroup {
        if !wanted {
            return Cgroup::default();
        }
        let own = || Cgroups::make(&format!("toolgate-{}-{}", std::process::id(), self.name));
        self.cgroups.get_or_init(own).of_child(name, bounds)
    }

    /// Sees to it that a guard runs, which is started by `program`.
    pub(super) fn be_guarded(&self, program: &Path) {
        let mut guarded = self.guard.lock().expect("no holder of this lock panics");
        if guarded.guard.as_mut().is_some_and(Guard::runs) {
            return;
        }
        let directories = self.cgroups.get().map_or(&[][..], Cgroups::directories);
        guarded.guard = Guard::start(program, &prefix(&self.name), directories)
            .inspect_err(|err| {
                tracing::warn!("Plugins may outlive a gateway that is killed: {err}");
            })
            .ok();
        if let Some(guard) = &guarded.guard {
            guarded.strays.iter().for_each(|name| guard.tell(*name));
        }
    }

    /// Tells the guard of a process that it could not find.
    pub(super) fn tell(&self, name: Name) {
        let mut guarded = self.guard.lock().expect("no holder of this lock panics");
        if let Some(guard) = &guarded.guard {
            guard.tell(name);
        }
        if guarded.strays.len() == MAX_STRAYS {
            guarded.strays.pop_front();
        }
        guarded.strays.push_back(name);
    }

    /// The processes of the machine, not long ago.
    pub(super) fn table(&self) -> Arc<Table> {
        let mut known = self.table.lock().expect("no holder of this lock panics");
        match &*known {
            Some((at, table)) if at.elapsed() < FRESH => Arc::clone(table),
            _ => {
                let table = Arc::new(Table::read());
                *known = Some((Instant::now(), Arc::clone(&table)));
                table
            }
        }
    }
}

/// What stands in the environment of each child of the gateway `name`.
fn prefix(name: &str) -> String {
    format!("{MARK}={name}.")
}

/// What stands in the environment of one child and all that it starts: whole, as names begin like others.
pub(super) fn whole(child: &str) -> String {
    format!("{MARK}={child}\0")
}
