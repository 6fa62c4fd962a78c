//! Standing streams: changes are heard, lost streams opened again, and never in a hurry.

use crate::wire::list::ListKind;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::upstream::{
    Seen, Step, Upstream, answer, chunk, end, event, initialized, json_answer, legacy, modern,
    stream, tools,
};
use super::*;

fn changed() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })
}

/// Lists one tool at first, two later.
fn growing(n_lists: &AtomicUsize, seen: &Seen) -> Vec<Step> {
    let names: &[&str] = match n_lists.fetch_add(1, Ordering::Relaxed) {
        0 => &["echo"],
        _ => &["echo", "more"],
    };
    json_answer(&seen.result(&tools(names)))
}

async fn wait_for_two_tools(instance: &Arc<dyn Instance>) {
    let mut surface = instance.surface();
    soon(surface.wait_for(|surface| surface.list(ListKind::Tools).definitions.len() == 2))
        .await
        .expect("it runs");
}

#[tokio::test]
async fn a_legacy_server_tells_of_changes_on_its_standing_stream() {
    let n_lists = AtomicUsize::new(0);
    let server = move |seen: &Seen| match (&*seen.verb, &*seen.rpc()) {
        ("GET", _) => vec![stream(), event(&changed()), Step::Hold],
        (_, "tools/list") => growing(&n_lists, seen),
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    wait_for_two_tools(&instance).await;
    let get = upstream.next("GET").await;
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    assert_eq!(get.header("mcp-session-id"), Some("s1"));
    // The stream ends with the instance.
    instance.stop().await;
    assert_eq!(
        soon(upstream.hung_up.recv()).await.expect("it runs").verb,
        "GET"
    );
}

#[tokio::test]
async fn a_modern_server_is_subscribed_to_when_it_has_changes_to_tell() {
    let n_lists = AtomicUsize::new(0);
    let server = move |seen: &Seen| {
        match &*seen.rpc() {
        "server/discover" => json_answer(&seen.result(&json!({
            "supportedVersions": ["2026-07-28"], "capabilities": { "tools": { "listChanged": true } },
        }))),
        "subscriptions/listen" => {
            let acknowledged = json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {} });
            vec![stream(), event(&acknowledged), event(&changed()), Step::Hold]
        }
        "tools/list" => growing(&n_lists, seen),
        _ => modern(|_| Vec::new())(seen),
    }
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    wait_for_two_tools(&instance).await;
    let listen = upstream.next("subscriptions/listen").await;
    assert_eq!(listen.header("mcp-method"), Some("subscriptions/listen"));
    assert_eq!(
        listen.json()["params"]["notifications"],
        json!({ "toolsListChanged": true })
    );
    assert_eq!(upstream.count("GET"), 0);
}

#[tokio::test]
async fn a_server_that_has_no_standing_stream_is_not_asked_again() {
    let mut upstream = Upstream::start(legacy(|seen| json_answer(&seen.result(&json!({}))))).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    soon(upstream.next("GET")).await;
    for _ in 0..20 {
        call(&instance).await.expect("an answer");
    }
    assert_eq!(upstream.count("GET"), 0);
}

#[tokio::test]
async fn a_lost_stream_is_opened_again_after_a_pause_that_grows() {
    let n_opened = Arc::new(AtomicUsize::new(0));
    let opened = Arc::clone(&n_opened);
    let server = move |seen: &Seen| match &*seen.verb {
        "GET" if opened.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => {
            vec![stream(), Step::Reset]
        }
        "GET" => answer("503 Service Unavailable", "", ""),
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let began = std::time::Instant::now();
    let instance = start(&upstream.url()).await.expect("it starts");
    for _ in 0..5 {
        soon(upstream.next("GET")).await;
    }
    // 5, 10, 20 and 40 ms lie between them.
    assert!(began.elapsed() >= Duration::from_millis(75));
    instance.stop().await;
}

#[tokio::test]
async fn a_standing_stream_that_is_refused_is_soon_given_up() {
    // What frameworks answer for a method that has no handler.
    let server = |seen: &Seen| match &*seen.verb {
        "GET" => answer("404 Not Found", "", "Cannot GET /mcp"),
        _ => legacy(|seen| json_answer(&seen.result(&json!({}))))(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let host = host();
    let runtime = runtime();
    let started = runtime.start(manifest(&upstream.url(), "", ""), host.clone());
    let instance = soon(started).await.expect("it starts");
    for _ in 0..3 {
        soon(upstream.next("GET")).await;
    }
    // The task that would ask a fourth time is over, and the session is the first.
    soon(async {
        while host.supervisor.names().contains(&"up stream".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let more = std::iter::from_fn(|| upstream.seen.try_recv().ok());
    let more = more.filter(|seen| seen.verb == "GET" || seen.rpc() == "initialize");
    assert_eq!(more.count(), 0);
    instance.stop().await;
}

#[tokio::test]
async fn a_standing_stream_comes_back_when_the_session_is_opened_again() {
    let n_sessions = AtomicUsize::new(0);
    let n_lists = AtomicUsize::new(0);
    // A server that was started again after its first answers.
    let server = move |seen: &Seen| match (&*seen.verb, &*seen.rpc()) {
        (_, "initialize") => {
            let number = n_sessions.fetch_add(1, Ordering::Relaxed) + 1;
            initialized(seen, &format!("s{number}"))
        }
        (_, "tools/list") if n_lists.load(Ordering::Relaxed) == 0 => growing(&n_lists, seen),
        ("GET", _) | (_, "tools/list") if seen.header("mcp-session-id") == Some("s1") => {
            answer("404 Not Found", "", "")
        }
        (_, "tools/list") => growing(&n_lists, seen),
        ("GET", _) => vec![stream(), Step::Hold],
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    wait_for_two_tools(&instance).await;
    loop {
        let get = soon(upstream.next("GET")).await;
        if get.header("mcp-session-id") == Some("s2") {
            break;
        }
    }
}

#[tokio::test]
async fn a_lost_stream_goes_on_behind_its_last_event_where_the_server_lets_it() {
    let n_opened = AtomicUsize::new(0);
    let server = move |seen: &Seen| match &*seen.verb {
        "GET" => {
            let event = |id: &str| chunk(&format!("id: {id}\ndata: {}\n\n", changed()));
            let last = seen.header("last-event-id");
            match n_opened.fetch_add(1, Ordering::Relaxed) {
                0 => vec![stream(), event("g/1"), chunk("id: g/2\n\n"), end()],
                // Nothing new: the place is the same.
                1 => vec![stream(), Step::Close],
                2 => answer("503 Service Unavailable", "", ""),
                3 => answer("405 Method Not Allowed", "", ""),
                _ => {
                    assert_eq!(last, None, "it does not take that up");
                    vec![stream(), Step::Hold]
                }
            }
        }
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    for expect in [None, Some("g/2"), Some("g/2"), Some("g/2"), None] {
        let get = soon(upstream.next("GET")).await;
        assert_eq!(get.header("last-event-id"), expect);
    }
    instance.stop().await;
}

#[tokio::test]
async fn what_comes_on_the_standing_stream_goes_to_the_one_that_waits() {
    let (called, done) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let server = move |seen: &Seen| match (&*seen.verb, &*seen.rpc()) {
        ("GET", _) => vec![
            stream(),
            Step::Gate(Arc::clone(&called)),
            event(
                &json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": 1 } }),
            ),
            event(&json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" })),
            Step::Hold,
        ],
        (_, "tools/call") => {
            called.add_permits(1);
            let mut steps = vec![Step::Gate(Arc::clone(&done))];
            steps.extend(json_answer(&seen.result(&json!({}))));
            steps
        }
        // The answer to the question.
        (_, "answer") => {
            done.add_permits(1);
            answer("202 Accepted", "", "")
        }
        _ => legacy(|_| Vec::new())(seen),
    };
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let ears = Ears::new();
    call_for(&instance, Arc::clone(&ears))
        .await
        .expect("an answer");
    let heard: Vec<_> = ears.all().into_iter().map(|(method, _)| method).collect();
    assert_eq!(heard, ["notifications/message", "roots/list"]);
}

#[tokio::test]
async fn a_question_of_a_call_that_was_given_up_is_not_put_to_the_next_caller() {
    let (called, done) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let n_calls = AtomicUsize::new(0);
    let server = move |seen: &Seen| match (&*seen.verb, &*seen.rpc()) {
        ("GET", _) => vec![
            stream(),
            Step::Gate(Arc::clone(&called)),
            event(
                &json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": 1 } }),
            ),
            event(&json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" })),
            Step::Hold,
        ],
        (_, "tools/call") if n_calls.fetch_add(1, Ordering::Relaxed) == 0 => vec![Step::Hold],
        // What it says on its stream now is about the first.
        (_, "tools/call") => {
            called.add_permits(1);
            let mut steps = vec![Step::Gate(Arc::clone(&done))];
            steps.extend(json_answer(&seen.result(&json!({}))));
            steps
        }
        // The answer to the question.
        (_, "answer") => {
            done.add_permits(1);
            answer("202 Accepted", "", "")
        }
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    tokio::select! {
        answer = call(&instance) => unreachable!("it is held: {answer:?}"),
        _ = soon(upstream.next("tools/call")) => {}
    }
    assert!(instance.is_at_work());
    let ears = Ears::new();
    call_for(&instance, Arc::clone(&ears))
        .await
        .expect("an answer");
    assert_eq!(ears.all(), []);
    let refusal = soon(upstream.next("answer")).await.json();
    assert_eq!(refusal["error"]["code"], -32601, "{refusal}");
}
