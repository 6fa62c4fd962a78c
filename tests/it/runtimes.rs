//! Isolation, and the life of instances: the same in every runtime that has processes of its own.

use serde_json::{Value, json};
use toolgate::registry::pool::Standing;

use crate::hostile::{
    Hostile, all_gone, calling, failure_of, is_alive, names, result_of, text, text_of,
};
use crate::support::{LegacySession, TestGateway, until, within};

/// Calls a tool in a session; gives the text of the answer.
async fn of(gateway: &TestGateway, session: &LegacySession, tool: &str) -> String {
    text_of(&result_of(
        &gateway.send(&session.call(1, tool, json!({}))).await,
    ))
}

/// Starts a call in a session.
fn begin(
    gateway: &TestGateway,
    session: &LegacySession,
    tool: &str,
    arguments: Value,
) -> tokio::task::JoinHandle<Value> {
    let (address, request) = (gateway.address, session.call("begun", tool, arguments));
    tokio::spawn(async move {
        result_of(
            &crate::support::Connection::open(address)
                .await
                .send(&request)
                .await,
        )
    })
}

#[tokio::test]
async fn each_session_has_a_process_of_its_own_which_ends_with_it() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"session\"");
    let gateway = plugin.build().await;
    let (one, two) = (
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    );
    let (pid_one, pid_two) = (
        of(&gateway, &one, "h__pid").await,
        of(&gateway, &two, "h__pid").await,
    );
    assert_ne!(pid_one, pid_two);
    for n in 1..=3 {
        assert_eq!(of(&gateway, &one, "h__count").await, n.to_string());
    }
    assert_eq!(of(&gateway, &two, "h__count").await, "1");
    assert_eq!(of(&gateway, &one, "h__pid").await, pid_one);
    // Nobody else is given what a session uses, or has used.
    let pid = text(&gateway, "h__pid", json!({})).await;
    assert!(pid != pid_one && pid != pid_two);
    // The first took the process that was started with the gateway.
    assert_eq!(plugin.ledger().count("start"), 3);

    let number = |pid: &str| pid.parse::<u32>().expect("a pid");
    assert_eq!(one.delete(&gateway).await.status, 204);
    all_gone(&[number(&pid_one)]).await;
    assert!(is_alive(number(&pid_two)) && is_alive(number(&pid)));
    assert_eq!(two.delete(&gateway).await.status, 204);
    all_gone(&[number(&pid_two)]).await;
    assert!(is_alive(number(&pid)));
    gateway.finish().await;
}

/// Two calls of one session at the same time share its process.
#[tokio::test]
async fn calls_of_one_session_meet_in_its_process() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    let first = begin(&gateway, &session, "h__gather", json!({ "of": 2 }));
    plugin.ledger().reaches("call gather", 1).await;
    let second = session.call(2, "h__gather", json!({ "of": 2 }));
    result_of(&gateway.send(&second).await);
    within("the first ends", first).await.expect("no panic");
    assert_eq!(plugin.ledger().count("start"), 1);
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

#[tokio::test]
async fn a_shared_process_serves_everyone() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let gateway = plugin.build().await;
    let (one, two) = (
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    );
    assert_eq!(of(&gateway, &one, "h__count").await, "1");
    assert_eq!(of(&gateway, &two, "h__count").await, "2");
    assert_eq!(text(&gateway, "h__count", json!({})).await, "3");
    assert_eq!(one.delete(&gateway).await.status, 204);
    assert_eq!(of(&gateway, &two, "h__count").await, "4");
    assert_eq!(plugin.ledger().count("start"), 1);
    assert_eq!(two.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// A modern server keeps nothing between calls, so it is shared whatever the manifest says. The second start has shown
/// that it does not speak the era of the session.
#[tokio::test]
async fn a_modern_process_serves_everyone() {
    for isolation in ["session", "call"] {
        let plugin =
            Hostile::new("h", &["--era", "modern"]).key(&format!("isolation = \"{isolation}\""));
        let gateway = plugin.build().await;
        let session = LegacySession::open(&gateway).await;
        assert_eq!(of(&gateway, &session, "h__count").await, "1");
        let held = calling(&gateway, "h__gather", json!({ "of": 2 }));
        plugin.ledger().reaches("call gather", 1).await;
        assert_eq!(text(&gateway, "h__count", json!({})).await, "2");
        text(&gateway, "h__gather", json!({ "of": 2 })).await;
        within("it ends", held).await.expect("no panic");
        assert_eq!(session.delete(&gateway).await.status, 204);
        let other = LegacySession::open(&gateway).await;
        of(&gateway, &other, "h__count").await;
        assert_eq!(other.delete(&gateway).await.status, 204);
        assert_eq!(plugin.ledger().count("start"), 2);
        gateway.finish().await;
    }
}

/// Without a session, and with `isolation = "call"`, a call has its process to itself while it runs.
#[tokio::test]
async fn a_call_without_a_session_leases_a_free_process() {
    for isolation in ["session", "call"] {
        let plugin = Hostile::new("h", &[]).key(&format!("isolation = \"{isolation}\""));
        let (gateway, ledger) = (plugin.build().await, plugin.ledger());
        // One after the other they use the same.
        assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
        assert_eq!(text(&gateway, "h__count", json!({})).await, "2");
        let resume = gateway.folder().join("resume");
        let held = calling(&gateway, "h__pause", json!({ "until": resume }));
        ledger.reaches("call pause", 1).await;
        assert_eq!(
            text(&gateway, "h__count", json!({})).await,
            "1",
            "the other is in use"
        );
        assert_eq!(ledger.count("start"), 2);
        std::fs::write(&resume, "").expect("the folder is there");
        within("it ends", held).await.expect("no panic");
        gateway.finish().await;
    }
}

/// With `isolation = "call"` a session has no process of its own.
#[tokio::test]
async fn calls_of_one_session_do_not_meet_where_each_call_stands_alone() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"call\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let session = LegacySession::open(&gateway).await;
    let resume = gateway.folder().join("resume");
    let held = begin(&gateway, &session, "h__pause", json!({ "until": resume }));
    ledger.reaches("call pause", 1).await;
    of(&gateway, &session, "h__pid").await;
    assert_eq!(ledger.count("start"), 2);
    std::fs::write(&resume, "").expect("the folder is there");
    within("it ends", held).await.expect("no panic");
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

#[tokio::test]
async fn over_the_bound_on_instances_is_a_clear_refusal() {
    let plugin = Hostile::new("h", &[]).limit("max_instances", 2);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let sessions = [
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    ];
    let resume = gateway.folder().join("resume");
    let arguments = json!({ "until": resume });
    let held = sessions
        .each_ref()
        .map(|session| begin(&gateway, session, "h__pause", arguments.clone()));
    ledger.reaches("call pause", 2).await;
    let third = LegacySession::open(&gateway).await;
    for refused in [
        result_of(&gateway.send(&third.call(1, "h__pid", json!({}))).await),
        result_of(&crate::hostile::call(gateway.address, "h__pid", json!({})).await),
    ] {
        let (reason, words) = failure_of(&refused);
        assert_eq!(reason, "overloaded");
        assert!(
            words.contains("limit of 2 instances, all in use (`limits.max_instances`)"),
            "{words}"
        );
        assert_eq!(refused["_meta"]["toolgate/retry_after_ms"], 1000);
    }
    assert_eq!(ledger.count("start"), 2);
    std::fs::write(&resume, "").expect("the folder is there");
    for call in held {
        within("it ends", call).await.expect("no panic");
    }
    // Once one is free there is room again.
    of(&gateway, &third, "h__pid").await;
    until("one made room", || {
        ledger.pids().iter().filter(|pid| is_alive(**pid)).count() == 2
    })
    .await;
    for session in sessions.iter().chain([&third]) {
        assert_eq!(session.delete(&gateway).await.status, 204);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn an_idle_process_is_stopped_its_tools_stay_and_a_call_wakes_it() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("idle_timeout_ms", 1);
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let listed = names(&gateway).await;
    let pool = &gateway.plugin("h").pool;
    let resume = gateway.folder().join("resume");
    let held = calling(&gateway, "h__pause", json!({ "until": resume }));
    ledger.reaches("call pause", 1).await;
    pool.stop_idle();
    assert_eq!(pool.standing(), Standing::Active, "it is in use");
    std::fs::write(&resume, "").expect("the folder is there");
    within("it ends", held).await.expect("no panic");
    until("it is stopped", || {
        pool.stop_idle();
        pool.standing() == Standing::Idle
    })
    .await;
    all_gone(&ledger.pids()).await;
    assert_eq!(names(&gateway).await, listed);
    assert_eq!(ledger.count("start"), 1, "a list wakes nobody");
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert_eq!(ledger.count("start"), 2);
    gateway.finish().await;
}

/// `idle_timeout_ms = 0` is never.
#[tokio::test]
async fn a_process_that_may_idle_for_ever_is_kept() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("idle_timeout_ms", 0);
    let gateway = plugin.build().await;
    let pool = &gateway.plugin("h").pool;
    pool.stop_idle();
    assert_eq!(pool.standing(), Standing::Active);
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert_eq!(plugin.ledger().count("start"), 1);
    gateway.finish().await;
}

/// A lazy plugin is started by the first call, whose name need not be listed yet.
#[tokio::test]
async fn a_lazy_plugin_is_woken_by_the_first_call() {
    let plugin = Hostile::new("h", &[]).key("load = \"lazy\"");
    let gateway = plugin.build().await;
    assert_eq!(plugin.ledger().count("start"), 0);
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert!(names(&gateway).await.contains(&"h__count".to_owned()));
    assert_eq!(plugin.ledger().count("start"), 1);
    gateway.finish().await;
}

/// Whoever gives up while a process starts does not end that for the others.
#[tokio::test]
async fn many_first_calls_start_one_process() {
    let plugin =
        Hostile::new("h", &["--discover", "die"]).key("load = \"lazy\"\nisolation = \"shared\"");
    let gateway = plugin.build().await;
    let calls: Vec<_> = (0..20)
        .map(|n| calling(&gateway, "h__echo", json!({ "n": n })))
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        let result = within("it is answered", call).await.expect("no panic");
        assert_eq!(result["structuredContent"]["n"], n, "{result}");
    }
    assert_eq!(
        plugin.ledger().count("start"),
        2,
        "once with the probe and once without"
    );
    gateway.finish().await;
}
