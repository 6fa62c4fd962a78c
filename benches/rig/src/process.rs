//! What a process has used so far, read from Linux' `/proc`.

use std::fs;

use crate::Problem;

/// Kernel ticks in a second, as `/proc/PID/stat` counts them on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// A process to be measured, by its id. Its children are not counted.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// User and system time so far, in nanoseconds: the sum over its living threads, or, where the kernel does not
    /// say, the count of ticks (10 ms each) in `/proc/PID/stat`.
    pub(crate) fn cpu_ns(self) -> Result<u64, Problem> {
        match self.scheduled_ns() {
            Some(ns) => Ok(ns),
            None => self.ticks_ns(),
        }
    }

    fn scheduled_ns(self) -> Option<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0)).ok()? {
            // A thread may end between the listing and the reading.
            if let Ok(text) = fs::read_to_string(thread.ok()?.path().join("schedstat")) {
                sum += text.split(' ').next()?.parse::<u64>().ok()?;
            }
        }
        (sum > 0).then_some(sum)
    }

    fn ticks_ns(self) -> Result<u64, Problem> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The second field is the name in parentheses and may hold spaces; utime and stime are the 14th and 15th.
        let (_, rest) = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
        let mut ticks = rest.split_whitespace().skip(11);
        let mut next = || -> Result<u64, Problem> {
            Ok(ticks.next().ok_or("/proc/PID/stat is short")?.parse()?)
        };
        Ok((next()? + next()?) * (1_000_000_000 / TICKS_PER_SECOND))
    }

    /// Resident memory now, in KiB.
    pub(crate) fn resident_kib(self) -> Result<u64, Problem> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("the process has ended")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
