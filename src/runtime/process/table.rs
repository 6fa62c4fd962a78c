//! The processes of the machine as Linux tells of them in `/proc`. Elsewhere there are none to be seen.

use std::collections::HashMap;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Whether it runs, as opposed to one that has ended and was not waited for.
    pub(super) runs: bool,
    /// When it was started, in a unit of the system's: with the pid it names a process for good.
    pub(super) started: u64,
    /// Seconds of processor time it has used.
    pub(super) cpu_seconds: u64,
    /// Bytes it holds, those that it shares with others included.
    pub(super) memory_bytes: u64,
}

/// A process that no other can be taken for: its pid, and when it was started.
pub(super) type Name = (u32, u64);

/// All processes at one time.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<u32, Row>);

impl Row {
    /// One process; `None` if it is gone.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Self::read(pid, &text, page_bytes(), ticks_per_second())
    }

    pub(super) fn name(&self) -> Name {
        (self.pid, self.started)
    }

    /// Reads `/proc/PID/stat` (proc(5)); the fields are counted from behind the name, which may hold anything.
    fn read(pid: u32, text: &str, page: u64, ticks: u64) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            runs: !matches!(*fields.first()?, "Z" | "X" | "x"),
            started: number(19)?,
            cpu_seconds: (number(11)? + number(12)?) / ticks.max(1),
            memory_bytes: number(21)?.saturating_mul(page),
        })
    }

    /// Bytes it holds, its part only of those that it shares with others. Costs more to find out.
    pub(super) fn own_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid));
        let text = text.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map_or(self.memory_bytes, |kib| kib << 10)
    }
}

impl Table {
    /// Looks at all processes.
    pub(super) fn read() -> Self {
        Self(
            pids()
                .filter_map(Row::of)
                .map(|row| (row.pid, row))
                .collect(),
        )
    }

    /// Whether this very process is among them.
    pub(super) fn has(&self, name: Name) -> bool {
        self.0.get(&name.0).is_some_and(|row| row.name() == name)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values()
    }
}

/// The ids of all processes.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether `mark` stands in the environment that a process was started with. `None` where that cannot be seen: it has
/// ended, belongs to someone else, or is just becoming another program.
pub(super) fn carries(pid: u32, mark: &str) -> Option<bool> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let found = memchr::memmem::find(&environment, mark.as_bytes()).is_some();
    (!environment.is_empty()).then_some(found)
}

/// How often the system has ended a process because it was out of memory.
pub(super) fn out_of_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
    count.unwrap_or(0)
}

#[cfg(unix)]
fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(unix)]
fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

#[cfg(not(unix))]
fn page_bytes() -> u64 {
    4096
}

#[cfg(not(unix))]
fn ticks_per_second() -> u64 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "7 (a) Z (b) S 3 5 7 0 -1 4194304 1 0 0 0 250 150 0 0 20 0 1 0 9876 1000 42 1 2";
        let row = Row::read(7, text, 4096, 100).expect("a process");
        let expect = Row {
            pid: 7,
            parent: 3,
            group: 5,
            runs: true,
            started: 9876,
            cpu_seconds: 4,
            memory_bytes: 42 * 4096,
        };
        assert_eq!(row, expect);
        let table = Table(HashMap::from([(7, row)]));
        assert!(table.has((7, 9876)) && !table.has((7, 9877)) && !table.has((8, 9876)));
        assert_eq!(Row::read(7, "7 (a) S 3", 4096, 100), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let own = std::process::id();
        let table = Table::read();
        let row = table.rows().find(|row| row.pid == own);
        let row = row.expect("it is there");
        assert!(row.runs && row.memory_bytes > 0);
        assert!(row.own_bytes() > 0 && row.own_bytes() <= row.memory_bytes.max(1 << 40));
    }
}
