//! How plugins are asked how they are, and what becomes of those that are not well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use toolgate::plugin::{HookResult, Plugin};
use toolgate::registry::health::judge::Status;
use toolgate::registry::life::State;

use crate::hostile::{Hostile, all_gone, calling, failure, failure_of, gateway_of, names, text};
use crate::support::{TestGateway, until, within};

/// A plugin that all share, and that is asked as often as may be.
fn often(id: &str, health: &str) -> Hostile {
    Hostile::new(id, &[])
        .key("isolation = \"shared\"")
        .key(&format!("health = {{ {health} }}"))
}

/// One that is asked by the test alone.
fn seldom(id: &str, health: &str) -> Hostile {
    often(id, &format!("interval_ms = 3600000, {health}"))
}

fn status(gateway: &TestGateway, id: &str) -> Status {
    gateway.plugin(id).health().status
}

async fn checks(gateway: &TestGateway, id: &str, count: usize) {
    for _ in 0..count {
        gateway.plugin(id).check_health().await;
    }
}

/// A11, A12: in parallel, one that is silent delays nobody, and nobody is woken.
#[tokio::test]
async fn plugins_that_run_are_asked_again_and_again() {
    let well = often("well", "interval_ms = 200");
    let silent =
        often("silent", "interval_ms = 200, timeout_ms = 60000").limit("call_timeout_ms", 50);
    let lazy = often("lazy", "interval_ms = 100").key("load = \"lazy\"");
    let gateway = gateway_of(&[&well, &silent, &lazy]).await;
    assert_eq!(
        failure(&gateway, "silent__freeze", json!({})).await.0,
        "timeout"
    );
    well.ledger().reaches("ping", 3).await;
    until("it is known to be well", || {
        status(&gateway, "well") == Status::Healthy
    })
    .await;
    assert_eq!(status(&gateway, "lazy"), Status::Unknown);
    assert_eq!(lazy.ledger().count("start"), 0);
    assert_eq!(silent.ledger().count("start"), 1);
    let report = gateway.plugin("well").health_report();
    assert!(report.uptime_seconds > 0.0);
    assert_eq!((report.status, report.error_count), (Status::Healthy, 0));
    let report = gateway.plugin("lazy").health_report();
    assert_eq!((report.uptime_seconds, report.error_count), (0.0, 0));
    gateway.finish().await;
}

/// F47: one that does one thing at a time is not dead because it is at it.
#[tokio::test]
async fn a_plugin_that_is_busy_with_a_long_call_is_not_ended() {
    let plugin = often("h", "interval_ms = 100, timeout_ms = 30");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let resume = gateway.folder().join("resume");
    let paused = calling(&gateway, "h__pause", json!({ "until": resume }));
    ledger.reaches("call pause", 1).await;
    let before = gateway.plugin("h").health();
    checks(&gateway, "h", 20).await;
    let now = gateway.plugin("h").health();
    assert_eq!((now.status, now.bad_in_a_row), (before.status, 0));
    std::fs::write(&resume, "").expect("the folder is there");
    let result = within("the call ends", paused).await.expect("no panic");
    assert_eq!(result["content"][0]["text"], "resumed");
    assert_eq!(ledger.count("start"), 1);
    assert_eq!(gateway.plugin("h").life.snapshot().restarts, 0);
    gateway.finish().await;
}

/// One that does not answer, though nobody keeps it busy, is started again; nobody is told of other lists.
#[tokio::test]
async fn a_plugin_that_does_not_answer_is_started_again() {
    let plugin = seldom("h", "timeout_ms = 50").limit("call_timeout_ms", 100);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let (listed, catalog) = (names(&gateway).await, gateway.registry().catalog());
    assert_eq!(failure(&gateway, "h__freeze", json!({})).await.0, "timeout");
    for (count, expect) in [Status::Degraded, Status::Degraded, Status::Unhealthy]
        .into_iter()
        .enumerate()
    {
        checks(&gateway, "h", 1).await;
        assert_eq!(status(&gateway, "h"), expect, "check {count}");
    }
    let life = gateway.plugin("h").life.snapshot();
    assert_eq!(
        (life.state, life.restarts, life.error_count),
        (State::Active, 1, 1)
    );
    let why = life.error.expect("it crashed");
    assert!(why.contains("not well at 3 checks in a row"), "{why}");
    // It comes back by itself, and is trusted after two good checks.
    ledger.reaches("start", 2).await;
    until("it takes calls", || {
        gateway.plugin("h").pool.any_instance().is_some()
    })
    .await;
    checks(&gateway, "h", 1).await;
    assert_eq!(status(&gateway, "h"), Status::Unhealthy);
    checks(&gateway, "h", 1).await;
    assert_eq!(status(&gateway, "h"), Status::Healthy);
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert_eq!(names(&gateway).await, listed);
    assert!(
        Arc::ptr_eq(&gateway.registry().catalog(), &catalog),
        "the lists were made anew"
    );
    gateway.finish().await;
    all_gone(&ledger.pids()).await;
}

/// A tool says how the plugin is: calls that run when it is ended are told why, and the checks are no calls of anybody.
#[tokio::test]
async fn a_tool_can_say_that_the_plugin_is_not_well() {
    let plugin = seldom("h", "tool = \"refuse\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let hanging = calling(&gateway, "h__hang", json!({}));
    ledger.reaches("call hang", 1).await;
    checks(&gateway, "h", 3).await;
    let result = within("the call ends", hanging).await.expect("no panic");
    let (reason, words) = failure_of(&result);
    assert_eq!(reason, "unhealthy", "{words}");
    assert!(words.contains("not like this"), "{words}");
    assert_eq!(ledger.count("call refuse"), 3);
    let health = gateway.plugin("h").health();
    assert_eq!(health.status, Status::Unhealthy);
    assert!(
        health.details()["error"]
            .as_str()
            .expect("a text")
            .contains("`refuse` says")
    );
    assert_eq!(gateway.records.all().len(), 1);
    gateway.finish().await;
}

/// A check by a tool uses an instance that is there, and leaves it as nobody's.
#[tokio::test]
async fn a_check_by_a_tool_starts_nothing() {
    let plugin = Hostile::new("h", &[]).key("health = { tool = \"count\", interval_ms = 3600000 }");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    checks(&gateway, "h", 2).await;
    assert_eq!(status(&gateway, "h"), Status::Healthy);
    assert_eq!(text(&gateway, "h__count", json!({})).await, "3");
    assert_eq!(ledger.count("start"), 1);
    gateway.finish().await;
}

/// One that never gets well is not started for ever.
#[tokio::test]
async fn a_plugin_that_stays_ill_spends_its_budget() {
    let plugin = seldom("h", "tool = \"refuse\", unhealthy_after = 1")
        .key("restart = { max = 2, backoff_initial_ms = 1, backoff_max_ms = 1 }");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    within("its budget is spent", async {
        while gateway.plugin("h").life.state() != State::Error {
            checks(&gateway, "h", 1).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(ledger.count("start"), 3);
    let (reason, words) = failure(&gateway, "h__count", json!({})).await;
    assert_eq!(reason, "unhealthy", "{words}");
    assert!(names(&gateway).await.contains(&"h__count".to_owned()));
    gateway.finish().await;
}

/// Says that it is well every other time.
struct Flapping(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Plugin for Flapping {
    fn cooperative(&self) -> bool {
        true
    }

    async fn health_check(&self) -> HookResult {
        match self.0.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => Err("not now".into()),
            _ => Ok(()),
        }
    }
}

/// F47.
#[tokio::test]
async fn a_plugin_that_is_now_well_and_now_not_is_left_as_it_is() {
    let asked = Arc::new(AtomicUsize::new(0));
    let gateway = TestGateway::builder()
        .plugin("f", Flapping(Arc::clone(&asked)))
        .build()
        .await;
    let (catalog, starts) = (
        gateway.registry().catalog(),
        gateway.plugin("f").pool.starts(),
    );
    for _ in 0..10 {
        checks(&gateway, "f", 1).await;
        assert_eq!(status(&gateway, "f"), Status::Degraded);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 10);
    let details = gateway.plugin("f").health().details();
    assert_eq!(details.get("error"), None);
    checks(&gateway, "f", 1).await;
    let details = gateway.plugin("f").health().details();
    assert!(
        details["error"]
            .as_str()
            .expect("a text")
            .contains("not now")
    );
    assert_eq!(gateway.plugin("f").pool.starts(), starts);
    assert!(Arc::ptr_eq(&gateway.registry().catalog(), &catalog));
    gateway.finish().await;
}
