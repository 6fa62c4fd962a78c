//! What this process uses of the machine, as Linux tells it in `/proc`. Elsewhere there is nothing to be seen.

use std::sync::LazyLock;

use crate::metrics::page::Page;

/// What a process uses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessNumbers {
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// Bytes that are in memory.
    pub resident_bytes: u64,
    /// Bytes of address space.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files, sockets among them.
    pub open_files: u64,
    /// How many of them there may be.
    pub max_open_files: Option<u64>,
    /// When it was started, in seconds since 1970.
    pub started: f64,
}

/// When the machine was started, in seconds since 1970.
static BOOTED: LazyLock<f64> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|time| time.trim().parse().ok())
        .unwrap_or(0.0)
});

/// What this process uses; nothing where that cannot be seen.
pub fn numbers() -> Option<ProcessNumbers> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (page, ticks) = sizes();
    let mut read = read_stat(&text, page, ticks)?;
    read.open_files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
    read.max_open_files = max_open_files();
    read.started += *BOOTED;
    Some(read)
}

/// Reads `/proc/PID/stat` (proc(5)); the fields are counted from behind the name, which may hold anything.
fn read_stat(text: &str, page: u64, ticks: f64) -> Option<ProcessNumbers> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let whole = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(ProcessNumbers {
        cpu_seconds: (number(11)? + number(12)?) / ticks,
        threads: whole(17)?,
        started: number(19)? / ticks,
        virtual_bytes: whole(20)?,
        resident_bytes: whole(21)?.saturating_mul(page),
        ..ProcessNumbers::default()
    })
}

fn max_open_files() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(unix)]
fn sizes() -> (u64, f64) {
    let (page, ticks) = (
        rustix::param::page_size(),
        rustix::param::clock_ticks_per_second(),
    );
    (page as u64, ticks.max(1) as f64)
}

#[cfg(not(unix))]
fn sizes() -> (u64, f64) {
    (4096, 100.0)
}

/// Under the names that every client library of Prometheus uses.
pub(super) fn read(page: &mut Page) {
    let Some(process) = numbers() else {
        return;
    };
    let seconds = crate::metrics::page::Value::Number(process.cpu_seconds);
    let help = "Processor time of the gateway itself, in seconds";
    let kind = crate::metrics::page::Kind::Counter;
    page.put(("process_cpu_seconds", help, kind), &[], seconds);
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory that the gateway itself holds",
            process.resident_bytes as f64,
        ),
        (
            "process_virtual_memory_bytes",
            "Address space of the gateway",
            process.virtual_bytes as f64,
        ),
        (
            "process_open_fds",
            "Open files of the gateway, sockets among them",
            process.open_files as f64,
        ),
        (
            "process_threads",
            "Threads of the gateway",
            process.threads as f64,
        ),
        (
            "process_start_time_seconds",
            "When the gateway was started, in seconds since 1970",
            process.started,
        ),
    ];
    for (name, help, value) in gauges {
        page.gauge(name, help, &[], value);
    }
    if let Some(max) = process.max_open_files {
        let help = "How many files the gateway may have open";
        page.gauge("process_max_fds", help, &[], max as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_counted_behind_the_name() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 1000 8192 3 18446744073709551615 1";
        let read = read_stat(text, 4096, 100.0).expect("it is sound");
        assert_eq!(read.cpu_seconds, 2.0);
        assert_eq!(read.threads, 9);
        assert_eq!(read.started, 10.0);
        assert_eq!((read.virtual_bytes, read.resident_bytes), (8192, 3 * 4096));
    }
}
