//! Eras and upstream sessions: opened, kept apart, lost and found again, ended.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::upstream::{
    Seen, Step, Upstream, answer, event, initialized, json_answer, legacy, modern, stream,
};
use super::*;
use crate::model::client::Hearer;
use crate::runtime::updates::Updates;
use crate::session::Session;

/// A legacy server that numbers its sessions and knows only the last `known` of them.
fn numbering(
    forget_at_call: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    let (n_sessions, n_calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    move |seen| match &*seen.rpc() {
        "initialize" => {
            let number = n_sessions.fetch_add(1, Ordering::Relaxed) + 1;
            initialized(seen, &format!("s{number}"))
        }
        "tools/call" if forget_at_call(n_calls.fetch_add(1, Ordering::Relaxed) + 1) => {
            answer("404 Not Found", "", "Session not found")
        }
        _ => legacy(|seen| {
            json_answer(&seen.result(&json!({ "session": seen.header("mcp-session-id") })))
        })(seen),
    }
}

#[tokio::test]
async fn a_legacy_server_is_asked_in_its_session() {
    let mut upstream = Upstream::start(numbering(|_| false)).await;
    let runtime = runtime();
    let instance = start_with(&runtime, manifest(&upstream.url(), "", ""))
        .await
        .expect("it starts");
    assert_eq!(instance.era(), Era::Legacy);
    let initialize = upstream.next("initialize").await;
    assert_eq!(initialize.header("mcp-session-id"), None);
    assert_eq!(initialize.header("mcp-protocol-version"), None);
    assert_eq!(initialize.header("mcp-method"), None);
    let initialized = upstream.next("notifications/initialized").await;
    assert_eq!(initialized.header("mcp-session-id"), Some("s1"));
    assert_eq!(
        initialized.header("mcp-protocol-version"),
        Some("2025-11-25")
    );
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s1"}"#
    );
    soon(instance.probe(Duration::from_secs(5)))
        .await
        .expect_err("the test server does not ping");

    // The second start knows the era. Its session is another one.
    upstream.count("");
    let other = start_with(&runtime, manifest(&upstream.url(), "", ""))
        .await
        .expect("it starts");
    assert_eq!(upstream.count("server/discover"), 0);
    assert_eq!(
        call(&other).await.expect("an answer"),
        r#"{"session":"s2"}"#
    );
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s1"}"#
    );
}

/// F29.
#[tokio::test]
async fn a_lost_session_is_opened_again_and_the_call_sent_once_more() {
    let mut upstream = Upstream::start(numbering(|call| call == 2)).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s1"}"#
    );
    upstream.count("");
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s2"}"#
    );
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s2"}"#
    );
    assert!(!instance.ended().is_cancelled());
    let seen: Vec<String> = std::iter::from_fn(|| upstream.seen.try_recv().ok())
        .map(|seen| {
            format!(
                "{} {}",
                seen.rpc(),
                seen.header("mcp-session-id").unwrap_or("-")
            )
        })
        .filter(|line| !line.starts_with("tools/list") && !line.starts_with(' '))
        .collect();
    let expect = [
        "tools/call s1",
        "initialize -",
        "notifications/initialized s2",
        "tools/call s2",
        "tools/call s2",
    ];
    assert_eq!(seen, expect);
}

/// F29.
#[tokio::test]
async fn a_session_lost_twice_is_a_fault_and_the_end_of_the_instance() {
    let mut upstream = Upstream::start(numbering(|_| true)).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let fault = call(&instance).await.expect_err("a fault");
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Unavailable, "session_lost"),
        "{fault}"
    );
    assert_eq!(upstream.count("tools/call"), 2);
    assert!(instance.ended().is_cancelled());
    assert_eq!(instance.last_words(), Some(fault.message));
}

#[tokio::test]
async fn many_calls_that_lose_a_session_open_one_new_one() {
    let forgotten = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&forgotten);
    let base = numbering(|_| false);
    let server = move |seen: &Seen| {
        if seen.rpc() == "tools/call" && seen.header("mcp-session-id") == Some("s1") {
            let mut steps = vec![Step::Gate(Arc::clone(&gate))];
            steps.extend(answer("404 Not Found", "", ""));
            return steps;
        }
        base(seen)
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    upstream.count("");
    let calls = futures::future::join_all((0..8).map(|_| call(&instance)));
    let all_there = async {
        for _ in 0..8 {
            upstream.next("tools/call").await;
        }
        forgotten.add_permits(8);
        std::future::pending::<()>().await;
    };
    let answers = tokio::select! {
        answers = calls => answers,
        () = all_there => unreachable!("it waits for ever"),
    };
    for answer in answers {
        assert_eq!(answer.expect("an answer"), r#"{"session":"s2"}"#);
    }
    assert_eq!(upstream.count("initialize"), 1);
}

#[tokio::test]
async fn a_server_that_answers_400_for_a_session_it_forgot_is_understood() {
    let base = numbering(|_| false);
    let server = move |seen: &Seen| {
        if seen.rpc() == "tools/call" && seen.header("mcp-session-id") == Some("s1") {
            let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": "No valid session ID" } });
            return answer(
                "400 Bad Request",
                "content-type: application/json\r\n",
                &error.to_string(),
            );
        }
        base(seen)
    };
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s2"}"#
    );
}

#[tokio::test]
async fn the_session_is_ended_when_the_instance_stops() {
    let mut upstream = Upstream::start(numbering(|_| false)).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    upstream.count("");
    soon(instance.stop()).await;
    soon(instance.stop()).await;
    let goodbye = upstream.next("DELETE").await;
    assert_eq!(goodbye.header("mcp-session-id"), Some("s1"));
    assert_eq!(upstream.count("DELETE"), 0);
    assert_eq!(
        call(&instance).await.expect_err("a fault").reason,
        "stopping"
    );
}

#[tokio::test]
async fn a_call_that_runs_when_the_instance_stops_is_told() {
    let mut upstream = Upstream::start(legacy(|_| vec![stream(), Step::Hold])).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let stopping = async {
        upstream.next("tools/call").await;
        instance.stop().await;
        std::future::pending::<()>().await;
    };
    let fault = tokio::select! {
        answer = call(&instance) => answer.expect_err("a fault"),
        () = stopping => unreachable!("it waits for ever"),
    };
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Unavailable, "stopping")
    );
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_session_behind() {
    let server = |seen: &Seen| match &*seen.rpc() {
        "tools/list" => answer("500 Internal Server Error", "", ""),
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let host = host();
    let runtime = runtime();
    let started = runtime.start(manifest(&upstream.url(), "", ""), host.clone());
    let fault = soon(started).await.err().expect("a fault");
    assert_eq!(fault.reason, "upstream_5xx");
    let goodbye = soon(upstream.next("DELETE")).await;
    assert_eq!(goodbye.header("mcp-session-id"), Some("s1"));
    assert!(soon(host.supervisor.stop(PATIENCE)).await.is_empty());
}

#[tokio::test]
async fn a_stopped_instance_leaves_no_task_behind() {
    let mut upstream = Upstream::start(modern(|seen| json_answer(&seen.result(&json!({}))))).await;
    let host = host();
    let instance = soon(runtime().start(manifest(&upstream.url(), "", ""), host.clone()))
        .await
        .expect("it starts");
    instance.stop().await;
    assert!(soon(host.supervisor.stop(PATIENCE)).await.is_empty());
    assert_eq!(upstream.count("DELETE"), 0);
}

#[tokio::test]
async fn the_era_of_the_manifest_is_not_asked_for() {
    let mut upstream = Upstream::start(numbering(|_| false)).await;
    let legacy_only = manifest(&upstream.url(), "", "era = \"legacy\"");
    start_with(&runtime(), legacy_only)
        .await
        .expect("it starts");
    assert_eq!(upstream.count("server/discover"), 0);
    let modern_only = manifest(&upstream.url(), "", "era = \"modern\"");
    let fault = start_with(&runtime(), modern_only)
        .await
        .err()
        .expect("a fault");
    assert!(
        fault.message.contains("plugin `up`") && fault.message.contains("era"),
        "{fault}"
    );
}

#[tokio::test]
async fn what_a_server_answers_to_the_probe_decides_its_era() {
    let error = |code: i64| {
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": "no", "data": { "supported": ["2026-07-28"] } } }).to_string()
    };
    let json = "content-type: application/json\r\n";
    let table = [
        ("400 Bad Request", json, error(-32022), Era::Modern),
        ("400 Bad Request", json, error(-32020), Era::Modern),
        ("400 Bad Request", json, error(-32601), Era::Legacy),
        ("404 Not Found", json, error(-32601), Era::Legacy),
        ("400 Bad Request", "", "Bad Request".to_owned(), Era::Legacy),
        ("405 Method Not Allowed", "", String::new(), Era::Legacy),
        ("406 Not Acceptable", "", String::new(), Era::Legacy),
        ("500 Internal Server Error", "", String::new(), Era::Legacy),
        (
            "200 OK",
            "content-type: text/html\r\n",
            "<html>".to_owned(),
            Era::Legacy,
        ),
    ];
    for (status, headers, body, era) in table {
        let says = format!("{status} {body}");
        let server = move |seen: &Seen| match &*seen.rpc() {
            "server/discover" => answer(status, headers, &body),
            _ => legacy(|_| Vec::new())(seen),
        };
        let upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        assert_eq!(instance.era(), era, "{says}");
    }
}

#[tokio::test]
async fn a_server_without_sessions_is_fine() {
    let server = |seen: &Seen| match &*seen.rpc() {
        "initialize" => {
            let Some(Step::Write(text)) = initialized(seen, "s1").pop() else {
                unreachable!("it is one step")
            };
            vec![Step::Write(text.replace("mcp-session-id: s1\r\n", ""))]
        }
        _ => legacy(|seen| {
            json_answer(&seen.result(&json!({ "session": seen.header("mcp-session-id") })))
        })(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":null}"#
    );
    instance.stop().await;
    assert_eq!(upstream.count("DELETE"), 0);
}

#[tokio::test]
async fn a_server_that_does_not_take_in_that_a_session_is_open_holds_nobody_up_for_ever() {
    let base = numbering(|call| call <= 2);
    let server = move |seen: &Seen| match (&*seen.rpc(), seen.header("mcp-session-id")) {
        ("notifications/initialized", Some("s2")) => vec![Step::Hold],
        _ => base(seen),
    };
    let upstream = Upstream::start(server).await;
    let mut runtime = runtime();
    runtime.pace.telling = Duration::from_millis(500);
    let instance = start_with(&runtime, manifest(&upstream.url(), "", ""))
        .await
        .expect("it starts");
    let fault = call(&instance).await.expect_err("a fault");
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Timeout, "tell_timeout"),
        "{fault}"
    );
    // The next one opens a session of its own.
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s3"}"#
    );
}

/// Hears of updates.
struct Watcher(mpsc::UnboundedSender<Value>);

impl Hearer for Watcher {
    fn hear(&self, method: &Method, params: &Params) {
        assert_eq!(*method, Method::ResourcesUpdated);
        drop(self.0.send(params.to_json().parse().expect("JSON")));
    }
}

#[tokio::test]
async fn what_was_watched_in_a_lost_session_is_watched_in_the_next() {
    let base = numbering(|call| call == 1);
    let server = move |seen: &Seen| match &*seen.rpc() {
        "resources/subscribe" => json_answer(&seen.result(&json!({}))),
        _ => base(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let updates = Arc::new(Updates::default());
    let host = Host {
        updates: Arc::clone(&updates),
        ..host()
    };
    let runtime = runtime();
    let starting = runtime.start(manifest(&upstream.url(), "", ""), host);
    let instance = soon(starting).await.expect("it starts");
    let (told, mut heard) = mpsc::unbounded_channel();
    let watch = |uri: &str| updates.watch(uri.into(), None, Arc::new(Watcher(told.clone())));
    let _watches = ["x:a", "x:a"].map(watch);
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"session":"s2"}"#
    );
    let again = soon(upstream.next("resources/subscribe")).await;
    assert_eq!(again.header("mcp-session-id"), Some("s2"));
    assert_eq!(again.json()["params"]["uri"], "x:a");
    for _ in 0..2 {
        assert_eq!(soon(heard.recv()).await, Some(json!({ "uri": "x:a" })));
    }
    assert_eq!(upstream.count("resources/subscribe"), 0);
    assert!(heard.try_recv().is_err());
}

/// A session of a client that hears all it is told.
fn session() -> (Arc<Session>, mpsc::UnboundedReceiver<Value>) {
    let profile = Arc::new(ClientProfile::bare());
    let session = Session::new("s".into(), "me".into(), profile);
    let (told, heard) = mpsc::unbounded_channel();
    session.reach_by(move |message| {
        drop(told.send(serde_json::from_slice(&message).expect("JSON")));
    });
    (session, heard)
}

#[tokio::test]
async fn a_server_that_turns_out_to_be_modern_keeps_no_session() {
    let refusing = |seen: &Seen| {
        let error = json!({ "code": -32601, "message": "no" });
        json_answer(&json!({ "jsonrpc": "2.0", "id": seen.json()["id"], "error": error }))
    };
    let upstream = Upstream::start(modern(refusing)).await;
    let (session, _heard) = session();
    let host = Host {
        session: Some(Arc::clone(&session)),
        prefer: Era::Legacy,
        ..host()
    };
    let runtime = runtime();
    let starting = runtime.start(manifest(&upstream.url(), "", ""), host);
    let instance = soon(starting).await.expect("it starts");
    assert_eq!(instance.era(), Era::Modern);
    instance.adopt(&session);
    assert_eq!(Arc::strong_count(&session), 1);
}

#[tokio::test]
async fn a_session_that_is_given_a_server_later_hears_what_is_told_outside_of_calls() {
    let adopted = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&adopted);
    let server = move |seen: &Seen| match &*seen.verb {
        "GET" => {
            let told = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "error", "data": 1 } });
            let gate = Step::Gate(Arc::clone(&gate));
            vec![stream(), gate, event(&told), Step::Hold]
        }
        _ => legacy(|_| Vec::new())(seen),
    };
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let (session, mut heard) = session();
    instance.adopt(&session);
    adopted.add_permits(1);
    let message = soon(heard.recv()).await.expect("it is told");
    assert_eq!(message["method"], "notifications/message");
}
