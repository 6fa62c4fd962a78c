//! Streams that break before their answer has come: taken up again where the server lets us, and the request never sent
//! twice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::upstream::{
    Seen, Step, Upstream, answer, chunk, end, event, initialized, json_answer, legacy, modern,
    stream,
};
use super::*;

/// The event that opens a stream which can be taken up again.
fn priming(id: &str) -> Step {
    chunk(&format!("id: {id}\nretry: 10\ndata:\n\n"))
}

/// An event with an id.
fn numbered(id: &str, message: &Value) -> Step {
    chunk(&format!("id: {id}\ndata: {message}\n\n"))
}

fn progress(token: &Value, done: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/progress",
        "params": { "progressToken": token, "progress": done } })
}

fn result(id: &Value, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "says": text } })
}

/// A legacy server that breaks off the stream of a call, and answers the requests to take it up again, which say after
/// which event and how many there were, with `resumed`.
fn breaking(
    call: impl Fn(&Value) -> Vec<Step> + Send + Sync + 'static,
    resumed: impl Fn(&Value, &str, usize) -> Vec<Step> + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    let (id, n_resumed) = (Mutex::new(Value::Null), AtomicUsize::new(0));
    move |seen| match (&*seen.verb, seen.header("last-event-id")) {
        ("GET", Some(last)) => {
            let n = n_resumed.fetch_add(1, Ordering::Relaxed);
            resumed(&id.lock().expect("fine"), last, n)
        }
        (_, None) if seen.rpc() == "tools/call" => {
            *id.lock().expect("fine") = seen.json()["id"].clone();
            call(&seen.json()["id"])
        }
        _ => legacy(|_| Vec::new())(seen),
    }
}

/// How many streams were taken up again.
fn resumptions(upstream: &mut Upstream) -> usize {
    std::iter::from_fn(|| upstream.seen.try_recv().ok())
        .filter(|seen| seen.header("last-event-id").is_some())
        .count()
}

#[tokio::test]
async fn a_stream_that_broke_goes_on_behind_its_last_event() {
    // Ended in order, and in the middle.
    for broken in [end, || Step::Close] {
        let server = breaking(
            move |id| {
                vec![
                    stream(),
                    priming("a/0"),
                    numbered("a/1", &progress(id, 1)),
                    chunk("id: a/2\ndata: half an event that does not"),
                    broken(),
                ]
            },
            move |id, last, _| {
                assert_eq!(last, "a/1");
                vec![
                    stream(),
                    numbered("a/2", &progress(id, 2)),
                    numbered("a/3", &result(id, "done")),
                    end(),
                ]
            },
        );
        let mut upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        let ears = Ears::new();
        let answer = call_for(&instance, Arc::clone(&ears)).await;
        assert_eq!(answer.expect("an answer"), r#"{"says":"done"}"#);
        let heard = ears.all().into_iter().map(|(_, params)| params);
        let expect = [1, 2].map(|n| json!({ "progressToken": "mine", "progress": n }));
        assert_eq!(heard.collect::<Vec<_>>(), expect);

        upstream.next("tools/call").await;
        let get = loop {
            let get = upstream.next("GET").await;
            if get.header("last-event-id").is_some() {
                break get;
            }
        };
        assert_eq!(get.header("accept"), Some("text/event-stream"));
        assert_eq!(get.header("mcp-session-id"), Some("s1"));
        assert_eq!(get.header("mcp-protocol-version"), Some("2025-11-25"));
        assert_eq!(get.header("content-type"), None);
        assert_eq!(upstream.count("tools/call"), 0, "it is sent once");
        assert!(ears.all().is_empty());
    }
}

#[tokio::test]
async fn a_server_may_let_itself_be_asked_again_and_again() {
    let server = breaking(
        |_| vec![stream(), priming("0"), end()],
        |id, last, n| {
            assert_eq!(last, n.to_string());
            if n < 12 {
                vec![stream(), priming(&(n + 1).to_string()), end()]
            } else {
                vec![stream(), event(&result(id, "at last")), end()]
            }
        },
    );
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let began = std::time::Instant::now();
    let answer = call(&instance).await.expect("an answer");
    assert_eq!(answer, r#"{"says":"at last"}"#);
    // It wanted 10 ms each time.
    assert!(began.elapsed() >= Duration::from_millis(130));
}

#[tokio::test]
async fn a_stream_that_brings_nothing_new_is_given_up() {
    // Nothing new, nothing just now, nothing at all.
    for how in 0..3 {
        let server = breaking(
            |_| vec![stream(), priming("x"), end()],
            move |_, _, _| match how {
                0 => vec![stream(), chunk(":\n\n"), end()],
                1 => answer("503 Service Unavailable", "", ""),
                _ => vec![Step::Close],
            },
        );
        let mut upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        let fault = call(&instance).await.expect_err("a fault");
        assert_eq!(
            (fault.kind, fault.reason),
            (FaultKind::Unavailable, "stream_ended"),
            "{fault}"
        );
        assert!(fault.message.contains("in vain"), "{fault}");
        assert_eq!(resumptions(&mut upstream), 5);
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_streams_up_again_is_not_asked_twice() {
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "405 Method Not Allowed",
        "204 No Content",
        "501 Not Implemented",
    ] {
        let server = breaking(
            |_| vec![stream(), priming("x"), end()],
            move |_, _, _| answer(status, "", ""),
        );
        let mut upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        let fault = call(&instance).await.expect_err("a fault");
        assert_eq!(
            (fault.kind, fault.reason),
            (FaultKind::Unavailable, "resumption_refused"),
            "{fault}"
        );
        assert!(fault.message.contains(&status[..3]), "{fault}");
        assert_eq!(resumptions(&mut upstream), 1, "{status}");
    }
}

#[tokio::test]
async fn a_stream_without_a_place_to_go_on_from_stays_broken() {
    // No id; one that was taken back; one that no header can hold; an era that does not know of it.
    let table: [(&str, bool); 4] = [
        ("data: {\"jsonrpc\":\"2.0\",\"method\":\"x/y\"}\n\n", false),
        ("id: 1\n\nid:\n\n", false),
        ("id: \u{7f}\n\n", false),
        ("id: 1\ndata:\n\n", true),
    ];
    for (text, is_modern) in table {
        let calls = move |_: &Seen| vec![stream(), chunk(text), end()];
        let mut upstream = match is_modern {
            true => Upstream::start(modern(calls)).await,
            false => Upstream::start(legacy(calls)).await,
        };
        let instance = start(&upstream.url()).await.expect("it starts");
        let fault = call(&instance).await.expect_err("a fault");
        assert_eq!(fault.reason, "stream_ended", "{text}");
        assert_eq!(resumptions(&mut upstream), 0, "{text}");
    }
}

/// A client that takes its time to answer.
struct Thinking {
    asked: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

impl Client for Thinking {
    fn notify(&self, _: &Method, _: &Params) {}

    fn ask(&self, _: Method, _: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        self.asked.add_permits(1);
        Box::pin(async {
            let _may = self.may_answer.acquire().await.expect("it stays open");
            Ok(Json::literal(r#"{"action":"accept"}"#))
        })
    }
}

#[tokio::test]
async fn a_question_on_a_stream_that_broke_is_answered() {
    let gate = || Arc::new(Semaphore::new(0));
    let (asked, may_answer, answered) = (gate(), gate(), gate());
    let client = Thinking {
        asked: Arc::clone(&asked),
        may_answer: Arc::clone(&may_answer),
    };
    let ask = json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": { "message": "?" } });
    let seen_answer = Arc::clone(&answered);
    let server = breaking(
        // The connection is reset when the client has been asked, who answers when the stream has been taken up again.
        move |_| {
            let asked = Step::Gate(Arc::clone(&asked));
            vec![stream(), numbered("1", &ask), asked, Step::Reset]
        },
        move |id, _, _| {
            may_answer.add_permits(1);
            let done = numbered("2", &result(id, "thanks"));
            vec![stream(), Step::Gate(Arc::clone(&answered)), done, end()]
        },
    );
    let server = move |seen: &Seen| {
        if seen.rpc() == "answer" {
            seen_answer.add_permits(1);
        }
        server(seen)
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let context = context(Arc::new(client));
    let answer = soon(instance.request(request(&json!({ "name": "echo" })), &context));
    assert_eq!(
        answer.await.map(text).expect("an answer"),
        r#"{"says":"thanks"}"#
    );
    let answer = upstream.next("answer").await;
    assert_eq!(answer.json()["id"], "q");
    assert_eq!(answer.json()["result"], json!({ "action": "accept" }));
    assert_eq!(answer.header("mcp-session-id"), Some("s1"));
    assert_eq!(upstream.count("answer"), 0);
}

/// F29.
#[tokio::test]
async fn a_call_whose_session_is_lost_in_the_middle_is_not_repeated_and_the_next_finds_another() {
    let (n_sessions, lost) = (AtomicUsize::new(0), AtomicBool::new(false));
    let server = move |seen: &Seen| match (&*seen.verb, &*seen.rpc()) {
        (_, "initialize") => {
            let number = n_sessions.fetch_add(1, Ordering::Relaxed) + 1;
            initialized(seen, &format!("s{number}"))
        }
        ("GET", _) if seen.header("last-event-id").is_some() => {
            lost.store(true, Ordering::Relaxed);
            answer("404 Not Found", "", "")
        }
        _ if lost.load(Ordering::Relaxed) && seen.header("mcp-session-id") == Some("s1") => {
            answer("404 Not Found", "", "")
        }
        (_, "tools/call") if !lost.load(Ordering::Relaxed) => {
            vec![stream(), priming("1"), Step::Close]
        }
        _ => legacy(|seen| json_answer(&seen.result(&json!({ "ok": 1 }))))(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    upstream.count("");
    let fault = call(&instance).await.expect_err("a fault");
    assert_eq!(fault.reason, "resumption_refused");
    assert!(fault.message.contains("not known"), "{fault}");
    assert_eq!(upstream.count("tools/call"), 1);
    assert_eq!(call(&instance).await.expect("an answer"), r#"{"ok":1}"#);
    assert!(!instance.ended().is_cancelled());
}

#[tokio::test]
async fn a_call_that_is_given_up_while_its_stream_is_broken_is_cancelled() {
    let server = breaking(
        |_| vec![stream(), chunk("id: 1\nretry: 200000\n\n"), end()],
        |_, _, _| unreachable!("nobody waits that long"),
    );
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let context = context(Ears::new());
    let calling = instance.request(request(&json!({ "name": "echo" })), &context);
    let late = tokio::time::timeout(Duration::from_millis(50), calling).await;
    assert!(late.is_err());
    let seen = upstream.next("tools/call").await;
    let cancelled = soon(upstream.next("notifications/cancelled")).await;
    assert_eq!(cancelled.json()["params"]["requestId"], seen.json()["id"]);
}

#[tokio::test]
async fn the_events_of_all_streams_of_a_call_are_bounded_together() {
    let flood = || chunk(&format!("id: 1\n{}\n", ":\n".repeat(1500)));
    let server = breaking(
        move |_| vec![stream(), flood(), end()],
        move |_, _, _| vec![stream(), flood(), end()],
    );
    let mut upstream = Upstream::start(server).await;
    let small = manifest(&upstream.url(), "", "limits.max_message_bytes = 4096");
    let instance = start_with(&runtime(), small).await.expect("it starts");
    let fault = call(&instance).await.expect_err("a fault");
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Broken, "too_large"),
        "{fault}"
    );
    assert_eq!(resumptions(&mut upstream), 5);
}

#[tokio::test]
async fn an_answer_to_initialize_can_come_on_a_second_stream() {
    let id = Mutex::new(Value::Null);
    let server = move |seen: &Seen| match (&*seen.verb, &*seen.rpc()) {
        (_, "initialize") => {
            *id.lock().expect("fine") = seen.json()["id"].clone();
            let Step::Write(head) = stream() else {
                unreachable!("it is written")
            };
            let head = head.replace("\r\n\r\n", "\r\nmcp-session-id: s1\r\n\r\n");
            vec![Step::Write(head), priming("i"), Step::Close]
        }
        ("GET", _) if seen.header("last-event-id") == Some("i") => {
            let result =
                json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} } });
            let id = &*id.lock().expect("fine");
            let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
            let session = seen.header("mcp-session-id");
            assert_eq!(
                (session, seen.header("mcp-protocol-version")),
                (Some("s1"), None)
            );
            vec![stream(), event(&message), end()]
        }
        _ => legacy(|seen| json_answer(&seen.result(&json!({ "ok": 1 }))))(seen),
    };
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(call(&instance).await.expect("an answer"), r#"{"ok":1}"#);
}
