//! What a thousand calls leave behind: nothing.

use serde_json::json;

use crate::hostile::Hostile;
use crate::rest;
use crate::support::{Connection, Program};

/// How many calls of each plugin in a round.
const CALLS: usize = 1_000;

/// How many rounds there are at the most.
const ROUNDS: usize = 4;

/// How much more memory the gateway may hold after them, in KiB.
const MAX_GROWTH: u64 = 4 << 10;

#[derive(Debug)]
struct Held {
    files: usize,
    threads: u64,
    memory_kib: u64,
}

impl Held {
    fn by(pid: i32) -> Self {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let line = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            line.expect("a number")
        };
        Self {
            files: files.count(),
            threads: number("Threads:"),
            memory_kib: number("VmRSS:"),
        }
    }

    fn has_grown_since(&self, before: &Self) -> bool {
        let growth = self.memory_kib.saturating_sub(before.memory_kib);
        self.files > before.files || self.threads > before.threads || growth > MAX_GROWTH
    }
}

/// Calls each plugin, well and in vain, one after the other.
async fn call(connection: &mut Connection, count: usize) {
    for n in 0..count {
        let arguments = json!({ "n": n, "text": "x".repeat(n % 64) }).to_string();
        for tool in ["echo__echo", "h__echo"] {
            let answer = connection.send(&rest::call(tool, &arguments)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let failed = connection.send(&rest::call("h__refuse", "{}")).await;
        assert_eq!(failed.status, 422, "{}", failed.text());
    }
}

/// F36: files, threads and memory of the gateway and of the plugin's process are the same after a thousand calls.
#[tokio::test]
async fn nothing_leaks_over_a_thousand_calls() {
    let child = Hostile::new("h", &[]);
    let config = format!("[plugins.echo]\n{}", child.text());
    let gateway = Program::serve(&config).await;
    let mut connection = gateway.connect().await;
    // What is made once is there after some.
    call(&mut connection, CALLS / 2).await;
    let pids = child.ledger().pids();
    let child_pid = |pids: &[u32]| i32::try_from(pids[0]).expect("a pid");
    let held = |pids: &[u32]| [Held::by(gateway.pid()), Held::by(child_pid(pids))];
    let mut before = held(&pids);
    // What leaks grows in each round; what is made once, or waits to be written, in one.
    for round in 1.. {
        call(&mut connection, CALLS).await;
        let after = held(&pids);
        assert_eq!(child.ledger().pids(), pids, "one process has answered all");
        let mut both = before.iter().zip(&after);
        if both.all(|(before, after)| !after.has_grown_since(before)) {
            break;
        }
        assert!(round < ROUNDS, "{before:?} {after:?}");
        before = after;
    }
    drop(connection);
    gateway.signal(rustix::process::Signal::TERM);
    assert_eq!(gateway.ended().await.0, 0);
}
