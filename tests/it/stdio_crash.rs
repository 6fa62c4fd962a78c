//! Child processes that end when nobody asked them to.

use std::time::{Duration, Instant};

use serde_json::json;
use toolgate::registry::life::State;

use crate::hostile::{
    Hostile, all_gone, calling, failure, failure_of, gateway_of, kill, names, text,
};
use crate::support::{LegacySession, TestGateway, within};

/// How long it may take until a caller knows that the process is gone. Far below the deadline of the call.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn dies_in_a_call(tool: &str, how: &str) {
    let plugin = Hostile::new("h", &[]);
    let ledger = plugin.ledger();
    let gateway = plugin.build().await;
    let begun = Instant::now();
    let (reason, words) = failure(&gateway, &format!("h__{tool}"), json!({})).await;
    assert!(begun.elapsed() < AT_ONCE, "after {:?}", begun.elapsed());
    assert_eq!(reason, "upstream_exited", "{words}");
    assert!(words.contains(how), "{words}");
    assert_eq!(
        ledger.count(&format!("call {tool}")),
        1,
        "a call is never made twice"
    );
    let begun = Instant::now();
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    assert!(begun.elapsed() < AT_ONCE, "after {:?}", begun.elapsed());
    assert_eq!(ledger.count("start"), 2);
    gateway.finish().await;
    all_gone(&ledger.pids()).await;
}

/// F01.
#[tokio::test]
async fn a_crash_in_a_call_fails_that_call_once_and_the_next_call_is_well() {
    dies_in_a_call("die", "signal: 9").await;
    dies_in_a_call("crash", "signal: 6").await;
}

/// F02.
#[tokio::test]
async fn an_end_half_way_through_a_line_is_like_a_crash() {
    dies_in_a_call("half_line", "exit code 0").await;
}

/// F01.
#[tokio::test]
async fn the_exit_code_and_the_last_words_are_told() {
    dies_in_a_call("exit", "exit code 3").await;
    dies_in_a_call("exit", "out of cheese").await;
}

/// F01: whoever has been answered keeps the answer.
#[tokio::test]
async fn an_answer_before_the_end_arrives() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    assert_eq!(
        text(&gateway, "h__answer_then_die", json!({})).await,
        "the last answer"
    );
    gateway.finish().await;
}

/// F01: every call on the pipe is told, none hangs.
#[tokio::test]
async fn a_crash_fails_all_calls_in_flight_on_that_process_and_no_others() {
    let (one, two) = (
        Hostile::new("one", &[]).key("isolation = \"shared\""),
        Hostile::new("two", &[]).key("isolation = \"shared\""),
    );
    let gateway = gateway_of(&[&one, &two]).await;
    let hanging: Vec<_> = (0..5)
        .map(|_| calling(&gateway, "one__hang", json!({})))
        .collect();
    let gathering = calling(&gateway, "two__gather", json!({ "of": 2 }));
    one.ledger().reaches("call hang", 5).await;
    two.ledger().reaches("call gather", 1).await;
    kill(one.ledger().pids()[0]);
    for call in hanging {
        let result = within("the calls end", call).await.expect("no panic");
        assert_eq!(failure_of(&result).0, "upstream_exited");
    }
    let last = calling(&gateway, "two__gather", json!({ "of": 2 }));
    for call in [gathering, last] {
        assert_eq!(call.await.expect("no panic")["structuredContent"]["of"], 2);
    }
    gateway.finish().await;
}

/// F05.
#[tokio::test]
async fn a_plugin_that_ends_at_once_is_given_up_after_its_budget_and_says_why() {
    let dead = Hostile::new("dead", &["--start", "exit:3"]).key("restart.backoff_initial_ms = 1");
    let gateway = dead.build().await;
    let last = within("the budget is spent", async {
        loop {
            let (_, words) = failure(&gateway, "dead__echo", json!({})).await;
            if words.contains("times within 60 s") {
                return words;
            }
        }
    })
    .await;
    assert!(last.contains("exit code 3"), "{last}");
    assert!(last.contains("cannot find the database"), "{last}");
    assert!(!last.contains('\u{1b}'), "{last}");
    let starts = dead.ledger().count("start");
    assert!((5..=6).contains(&starts), "{starts} starts");
    gateway.finish().await;
    all_gone(&dead.ledger().pids()).await;
}

/// F31: it comes back by itself, and clients hear of it.
#[tokio::test]
async fn a_plugin_that_was_dead_at_the_start_comes_back() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let database = folder.path().join("database");
    let path = database.to_str().expect("temporary folders are UTF-8");
    let late = Hostile::new("late", &["--needs", path])
        .key("restart = { max = 1000, backoff_initial_ms = 20, backoff_max_ms = 20 }");
    let gateway = late.build().await;
    let session = LegacySession::open(&gateway).await;
    let mut stream = gateway.connect().await;
    assert_eq!(stream.begin(&session.get()).await.status, 200);
    assert!(!names(&gateway).await.contains(&"late__echo".to_owned()));
    std::fs::write(&database, "").expect("the folder is there");
    let told = stream.event().await.expect("the stream goes on");
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert!(names(&gateway).await.contains(&"late__echo".to_owned()));
    assert_eq!(text(&gateway, "late__count", json!({})).await, "1");
    drop(stream);
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// F05: without a call it is tried as often, and not more.
#[tokio::test]
async fn a_plugin_that_nobody_calls_is_tried_within_its_budget() {
    let dead = Hostile::new("dead", &["--start", "exit:3"])
        .key("restart = { max = 2, backoff_initial_ms = 1 }");
    let gateway = dead.build().await;
    dead.ledger().reaches("start", 3).await;
    let spent = within("the budget is spent", async {
        loop {
            let (_, words) = failure(&gateway, "dead__echo", json!({})).await;
            if words.contains("times within 60 s") {
                return dead.ledger().count("start");
            }
        }
    });
    assert!(spent.await <= 4);
    gateway.finish().await;
}

/// F05: a command that is not there is said to be that.
#[tokio::test]
async fn a_command_that_is_not_there_is_named() {
    let config =
        "[plugins.gone]\nruntime = \"mcp_stdio\"\nmcp_stdio = { command = [\"/no/such/program\"] }";
    let gateway = TestGateway::builder().config(config).build().await;
    let (_, words) = failure(&gateway, "gone__x", json!({})).await;
    assert!(words.contains("/no/such/program"), "{words}");
    gateway.finish().await;
}

/// F31.
#[tokio::test]
async fn one_dead_plugin_of_five_takes_nothing_from_the_others() {
    let dead = Hostile::new("dead", &["--start", "exit:3"]);
    let hung = Hostile::new("hung", &["--start", "hang"]).limit("start_timeout_ms", 60_000);
    let well: Vec<Hostile> = (0..3)
        .map(|n| Hostile::new(&format!("w{n}"), &[]))
        .collect();
    let mut texts: Vec<String> = well.iter().map(Hostile::text).collect();
    texts.extend([dead.text(), hung.text()]);
    let begun = Instant::now();
    let gateway = TestGateway::builder()
        .config(&texts.join("\n"))
        .unsettled()
        .build()
        .await;
    let names = names(&gateway).await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    for n in 0..3 {
        assert!(names.contains(&format!("w{n}__echo")), "{names:?}");
    }
    assert!(
        !names
            .iter()
            .any(|name| name.starts_with("dead") || name.starts_with("hung"))
    );
    let (_, words) = failure(&gateway, "dead__echo", json!({})).await;
    assert!(words.contains("exit code 3"), "{words}");
    let life = gateway.plugin("dead").life.snapshot();
    assert_eq!(life.state, State::Error);
    let why = life.error.expect("it failed");
    assert!(why.contains("exit code 3"), "{why}");
    gateway.finish().await;
    all_gone(&hung.ledger().pids()).await;
}
