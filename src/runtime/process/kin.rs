//! One child and all that it started.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::runtime::process::bounds::Bounds;
use crate::runtime::process::cgroup::Cgroup;
use crate::runtime::process::descendants::{Signal, kill_found, reap_orphans, signal_group};
use crate::runtime::process::keeper::Keeper;
use crate::runtime::process::table::{Name, Row, Table, carries};

/// How long a sweep looks for processes that were started while it ran.
const SWEEP: Duration = Duration::from_millis(500);

/// What is between two looks: what was ended is gone then.
const BETWEEN: Duration = Duration::from_millis(2);

/// One child and all that it started.
pub(super) struct Kin {
    /// The child, and its group.
    pub(super) leader: u32,
    pub(super) bounds: Bounds,
    pub(super) started: Instant,
    /// Why it was stopped, if the gateway or the kernel did that because of a bound.
    pub(super) verdict: OnceLock<String>,
    /// How often the system had been out of memory when it was started.
    pub(super) out_of_memory: u64,
    /// What all of them carry in their environment, as long as they do not clear it.
    mark: String,
    cgroup: Cgroup,
    keeper: Arc<Keeper>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    members: HashSet<Name>,
    /// Whether the child was seen in its cgroup.
    is_enclosed: bool,
    /// Those of them that the guard was told of.
    told: HashSet<Name>,
    /// Processes without a parent that are none of its.
    strangers: HashSet<Name>,
    last: Look,
}

/// What its processes use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) memory_bytes: u64,
    pub(super) processes: usize,
    /// The processor time of the child alone.
    pub(super) cpu_seconds: u64,
}

impl Kin {
    pub(super) fn new(
        (leader, mark): (u32, String),
        bounds: Bounds,
        cgroup: Cgroup,
        keeper: &Arc<Keeper>,
    ) -> Self {
        Self {
            leader,
            bounds,
            started: Instant::now(),
            verdict: OnceLock::new(),
            out_of_memory: crate::runtime::process::table::out_of_memory(),
            mark,
            cgroup,
            keeper: Arc::clone(keeper),
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder of this lock panics")
    }

    /// Whether the kernel ended some of it because of its bound on memory.
    pub(super) fn was_out_of_memory(&self) -> bool {
        self.cgroup.was_out_of_memory()
    }

    /// What its processes used when they were looked at last.
    pub(super) fn last_look(&self) -> Look {
        self.seen().last
    }

    /// Looks at its processes. Reads files of the system's, one for each process of the machine where there is no cgroup.
    pub(super) fn look(&self) -> Look {
        let enclosed = self.enclosed();
        let has_strays = enclosed.is_none();
        let members = match enclosed {
            Some(pids) => pids.into_iter().filter_map(Row::of).collect(),
            None => self.search(&self.keeper.table()),
        };
        let members: Vec<Row> = members.into_iter().filter(|row| row.runs).collect();
        let mut memory_bytes = members.iter().map(|row| row.memory_bytes).sum();
        if self
            .bounds
            .memory_bytes
            .is_some_and(|bound| memory_bytes > bound)
        {
            // What they share counts once.
            memory_bytes = members.iter().map(Row::own_bytes).sum();
        }
        let leader = members.iter().find(|row| row.pid == self.leader);
        let mut seen = self.seen();
        seen.members = members.iter().map(Row::name).collect();
        let cpu_seconds = leader.map_or(seen.last.cpu_seconds, |row| row.cpu_seconds);
        let look = Look {
            memory_bytes,
            processes: members.len(),
            cpu_seconds,
        };
        seen.last = look;
        if has_strays {
            self.tell_of_strays(&mut seen);
        }
        look
    }

    /// The processes in its cgroup. `None` where there is none, or the child could not join it.
    fn enclosed(&self) -> Option<Vec<u32>> {
        let pids = self.cgroup.pids()?;
        let mut seen = self.seen();
        seen.is_enclosed |= pids.contains(&self.leader);
        seen.is_enclosed.then_some(pids)
    }

    /// Tells the guard of processes that have lost their mark: it finds the others.
    fn tell_of_strays(&self, seen: &mut Seen) {
        let Seen { members, told, .. } = seen;
        told.retain(|name| members.contains(name));
        for name in members.iter() {
            if !told.contains(name) && carries(name.0, &self.mark) == Some(false) {
                told.insert(*name);
                self.keeper.tell(*name);
            }
        }
    }

    /// Finds its processes: its group, whoever was one of them, children of these, and orphans with its mark.
    fn search(&self, table: &Table) -> Vec<Row> {
        let own = std::process::id();
        let mut seen = self.seen();
        seen.strangers.retain(|name| table.has(*name));
        let mut members: HashSet<u32> = HashSet::new();
        for row in table.rows().filter(|row| row.runs) {
            let name = row.name();
            let mut is_member =
                row.pid == self.leader || row.group == self.leader || seen.members.contains(&name);
            // Of those that lost their parent nothing else tells whose they are.
            let is_orphan = row.parent == 1 || row.parent == own;
            if !is_member && is_orphan && row.pid != own && !seen.strangers.contains(&name) {
                match carries(row.pid, &self.mark) {
                    Some(true) => is_member = true,
                    Some(false) => drop(seen.strangers.insert(name)),
                    None => {}
                }
            }
            if is_member {
                members.insert(row.pid);
            }
        }
        drop(seen);
        loop {
            let children: Vec<u32> = table
                .rows()
                .filter(|row| members.contains(&row.parent) && !members.contains(&row.pid))
                .map(|row| row.pid)
                .collect();
            if children.is_empty() {
                break;
            }
            members.extend(children);
        }
        let rows = table.rows().filter(|row| members.contains(&row.pid));
        rows.copied().collect()
    }

    /// Ends all of it, and takes its cgroup away; says how many processes there were. Blocks for a moment.
    pub(super) fn sweep(&self) -> usize {
        let known = self.seen().members.clone();
        let mut ended = HashSet::new();
        let begun = Instant::now();
        while begun.elapsed() < SWEEP {
            signal_group(self.leader, Signal::Kill);
            self.cgroup.kill();
            let of_kin = |pid| {
                Row::of(pid).is_some_and(|row| {
                    let is_known = known.contains(&row.name());
                    row.runs && (row.group == self.leader || is_known)
                })
            };
            let found = kill_found(&self.mark, of_kin);
            reap_orphans();
            if found.is_empty() && self.cgroup.remove() {
                break;
            }
            ended.extend(found);
            std::thread::sleep(BETWEEN);
        }
        reap_orphans();
        ended.len()
    }
}
