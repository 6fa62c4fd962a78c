//! The end of a gateway that is killed: nothing of its plugins survives it, nor does its guard.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, is_alive, kill, result_of};
use crate::support::until;

/// Children of a process that are guards.
fn guards_of(gateway: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_guard = |pid: &u32| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&read("stat")).into_owned();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let is_child = fields.split(' ').nth(1) == Some(&gateway.to_string());
        is_child && read("cmdline").split(|byte| *byte == 0).nth(1) == Some(b"__guard")
    };
    pids.filter(is_guard).collect()
}

fn is_in_a_cgroup(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.contains("/toolgate-")
}

async fn guard_of(binary: &Binary) -> u32 {
    until("it has a guard", || !guards_of(binary.pid).is_empty()).await;
    let guards = guards_of(binary.pid);
    assert_eq!(guards.len(), 1);
    guards[0]
}

/// F13: twenty plugins; some ignore the end of their input and SIGTERM, some have grandchildren in sessions of their
/// own, and where there are cgroups one has a grandchild that nothing else ties to it.
async fn nothing_survives(cgroups: &str) {
    let arguments = |n: usize| -> &[&str] {
        match n {
            0 => &["--deaf", "--family"],
            1 => &["--family"],
            2 => &["--stray"],
            4 | 8 | 12 | 16 => &["--deaf"],
            _ => &[],
        }
    };
    let plugins: Vec<Hostile> = (0..20)
        .map(|n| Hostile::new(&format!("p{n}"), arguments(n)))
        .collect();
    let config: Vec<String> = plugins.iter().map(Hostile::text).collect();
    let variables = [("TOOLGATE_CGROUPS", cgroups)];
    let (binary, address) = Binary::serve(&config.join("\n"), &variables).await;
    let mut pids = vec![guard_of(&binary).await];
    for (n, plugin) in plugins.iter().enumerate() {
        result_of(&crate::hostile::call(address, &format!("p{n}__pid"), json!({})).await);
        let own = plugin.ledger().pids();
        assert_eq!(own.len(), [4, 4, 2].get(n).copied().unwrap_or(1));
        let must_go = |pid: &u32| n != 2 || *pid == own[0] || is_in_a_cgroup(*pid);
        pids.extend(own.iter().copied().filter(must_go));
    }
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    let begun = Instant::now();
    kill(binary.pid);
    all_gone(&pids).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    // Where nothing ties it, it is the test that ends it.
    let stray = plugins[2].ledger().pids()[1];
    if is_alive(stray) {
        kill(stray);
    }
}

/// F13.
#[tokio::test]
async fn nothing_survives_a_gateway_that_is_killed() {
    nothing_survives("on").await;
}

/// F13.
#[tokio::test]
async fn nothing_survives_a_gateway_that_is_killed_where_there_are_no_cgroups() {
    nothing_survives("off").await;
}

/// F13: it keeps nothing open, does not hear what a terminal tells, and is gone after an orderly end.
#[tokio::test]
async fn a_guard_stands_apart_and_goes_with_the_gateway() {
    let plugin = Hostile::new("h", &[]);
    let (mut binary, _) = Binary::serve(&plugin.text(), &[]).await;
    let guard = guard_of(&binary).await;
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{guard}/status")).unwrap_or_default();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // SIGHUP, SIGINT, SIGQUIT, SIGTERM.
        mask.is_some_and(|mask| {
            [1, 2, 3, 15]
                .iter()
                .all(|signal| mask >> (signal - 1) & 1 == 1)
        })
    };
    until("it is deaf", caught).await;
    let stat = std::fs::read_to_string(format!("/proc/{guard}/stat")).expect("it runs");
    let fields = stat.rsplit_once(") ").expect("a name").1;
    assert_eq!(
        fields.split(' ').nth(3),
        Some(&*guard.to_string()),
        "its own session"
    );
    let open = std::fs::read_dir(format!("/proc/{guard}/fd")).expect("it runs");
    let target = |entry: std::fs::DirEntry| std::fs::read_link(entry.path()).ok();
    let targets: BTreeSet<PathBuf> = open.flatten().filter_map(target).collect();
    let sockets = targets
        .iter()
        .filter(|target| target.to_string_lossy().starts_with("socket:"));
    assert!(
        sockets.count() <= 2,
        "a pair of its own, to hear of signals: {targets:?}"
    );
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
    all_gone(&[guard]).await;
    all_gone(&plugin.ledger().pids()).await;
}

/// F13: one that is gone is replaced before the next child is started.
#[tokio::test]
async fn a_guard_that_was_killed_is_replaced() {
    let plugin = Hostile::new("h", &["--deaf", "--family"]).key("restart.max = 100");
    let (binary, address) = Binary::serve(&plugin.text(), &[]).await;
    let first = guard_of(&binary).await;
    kill(first);
    all_gone(&[first]).await;
    result_of(&crate::hostile::call(address, "h__die", json!({})).await);
    result_of(&crate::hostile::call(address, "h__pid", json!({})).await);
    assert_ne!(guard_of(&binary).await, first);
    let pids = plugin.ledger().pids();
    kill(binary.pid);
    all_gone(&pids).await;
}
