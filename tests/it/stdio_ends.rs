//! The ends of child processes: nothing of them survives.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::Binary;
use crate::hostile::{
    Hostile, all_gone, calling, failure_of, is_alive, kill, result_of, text, value,
};
use crate::support::{LegacySession, within};

/// F11: end of input, 3 s, SIGTERM, 2 s, SIGKILL.
#[tokio::test]
async fn one_that_ignores_the_end_of_its_input_and_sigterm_is_killed() {
    let plugin = Hostile::new("h", &["--deaf", "--family"]);
    let gateway = plugin.build().await;
    assert_eq!(value(&gateway, "h__echo", json!({ "a": 1 })).await["a"], 1);
    let pids = plugin.ledger().pids();
    assert_eq!(pids.len(), 4);
    let begun = Instant::now();
    let stopped = tokio::time::timeout(Duration::from_millis(6500), gateway.app.stop()).await;
    assert_eq!(stopped.expect("it stops in 6.5 s"), Vec::<String>::new());
    assert!(
        begun.elapsed() >= Duration::from_secs(5),
        "every step has its time: {:?}",
        begun.elapsed()
    );
    all_gone(&pids).await;
    assert_eq!(plugin.ledger().count("eof"), 1);
    gateway.finish().await;
}

/// A child that ends at the end of its input is not waited for any longer.
#[tokio::test]
async fn one_that_ends_by_itself_is_stopped_at_once() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let begun = Instant::now();
    gateway.finish().await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(plugin.ledger().count("eof"), 1, "it was not killed");
}

/// F12.
#[tokio::test]
async fn grandchildren_do_not_survive_a_stop() {
    let plugin = Hostile::new("h", &["--family"]);
    let gateway = plugin.build().await;
    let mut pids = plugin.ledger().pids();
    let more = value(&gateway, "h__family", json!({})).await;
    pids.extend(
        more["pids"]
            .as_array()
            .expect("pids")
            .iter()
            .map(|pid| pid.as_u64().expect("a pid") as u32),
    );
    assert_eq!(pids.len(), 7);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    gateway.finish().await;
    all_gone(&pids).await;
}

/// F12: they hold the pipes of their parent, and its end is noticed all the same.
#[tokio::test]
async fn grandchildren_neither_survive_nor_hide_a_crash() {
    let plugin = Hostile::new("h", &["--family"]);
    let gateway = plugin.build().await;
    let pids = plugin.ledger().pids();
    let hanging = calling(&gateway, "h__hang", json!({}));
    plugin.ledger().reaches("call hang", 1).await;
    let begun = Instant::now();
    kill(pids[0]);
    let result = within("the call ends", hanging).await.expect("no panic");
    let (reason, words) = failure_of(&result);
    assert_eq!(reason, "upstream_exited");
    assert!(words.contains("signal: 9"), "{words}");
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    all_gone(&pids).await;
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    let pids = plugin.ledger().pids();
    gateway.finish().await;
    all_gone(&pids).await;
}

/// F12.
#[tokio::test]
async fn grandchildren_do_not_survive_the_session_that_they_served() {
    let plugin = Hostile::new("h", &["--family"]);
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    result_of(&gateway.send(&session.call(1, "h__pid", json!({}))).await);
    let pids = plugin.ledger().pids();
    assert_eq!(
        pids.len(),
        4,
        "the session took the instance that was there"
    );
    assert_eq!(session.delete(&gateway).await.status, 204);
    all_gone(&pids).await;
    gateway.finish().await;
}

/// F12: also not a start that fails.
#[tokio::test]
async fn grandchildren_do_not_survive_a_start_that_fails() {
    let plugin = Hostile::new("h", &["--family", "--era", "modern"])
        .key("era = \"legacy\"\nrestart.max = 0");
    let gateway = plugin.build().await;
    let pids = plugin.ledger().pids();
    assert_eq!(pids.len(), 4);
    all_gone(&pids).await;
    gateway.finish().await;
}

/// F13: the gateway's own end, the hard way.
#[tokio::test]
async fn a_child_does_not_survive_the_gateway_whatever_it_ignores() {
    let (deaf, tame) = (Hostile::new("deaf", &["--deaf"]), Hostile::new("tame", &[]));
    let config = format!("{}\n{}", deaf.text(), tame.text());
    let (binary, address) = Binary::serve(&config, &[]).await;
    for tool in ["deaf__pid", "tame__pid"] {
        result_of(&crate::hostile::call(address, tool, json!({})).await);
    }
    let pids = [deaf.ledger().pids(), tame.ledger().pids()].concat();
    assert!(
        pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)),
        "{pids:?}"
    );
    let begun = Instant::now();
    kill(binary.pid);
    all_gone(&pids).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

/// F11, F12, S31: the program stops in order, with code 0, and nothing is left of crashes before.
#[tokio::test]
async fn the_program_leaves_neither_orphans_nor_zombies() {
    let plugin = Hostile::new("h", &["--family"]).key("restart.max = 100");
    let (mut binary, address) = Binary::serve(&plugin.text(), &[]).await;
    for _ in 0..5 {
        let result = result_of(&crate::hostile::call(address, "h__die", json!({})).await);
        assert_eq!(failure_of(&result).0, "upstream_exited");
    }
    assert!(plugin.ledger().count("start") >= 5);
    all_gone(&plugin.ledger().pids()).await;
    crate::support::until("the ended ones are waited for", || binary.zombies() == 0).await;
    result_of(&crate::hostile::call(address, "h__pid", json!({})).await);
    let pids = plugin.ledger().pids();
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
    assert!(
        !pids.iter().any(|pid| is_alive(*pid)),
        "nothing is alive after its end"
    );
}

/// F08, F15: what one plugin says is not kept.
#[tokio::test]
async fn floods_do_not_make_the_program_grow() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let (mut binary, address) = Binary::serve(&plugin.text(), &[]).await;
    result_of(&crate::hostile::call(address, "h__pid", json!({})).await);
    let before = binary.peak_kib();
    let huge = result_of(
        &crate::hostile::call(address, "h__huge_line", json!({ "bytes": 100 << 20 })).await,
    );
    assert_eq!(failure_of(&huge).0, "line_too_large");
    result_of(&crate::hostile::call(address, "h__stderr", json!({ "mebibytes": 64 })).await);
    result_of(&crate::hostile::call(address, "h__flood", json!({ "count": 50_000 })).await);
    let grown = binary.peak_kib() - before;
    assert!(grown < 48 << 10, "it grew by {grown} KiB");
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
}
