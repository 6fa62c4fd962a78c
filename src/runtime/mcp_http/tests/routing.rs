//! Whom a server's words reach: the caller they belong to, the session that has the server to itself, else nobody.

use super::upstream::{
    Seen, Step, Upstream, answer, end, event, json_answer, legacy, modern, stream, tools,
};
use super::*;
use crate::session::Session;

fn log(text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": text } })
}

fn progress(token: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": 1 } })
}

fn question(id: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": { "message": id } })
}

/// What each of two clients heard when both called at the same time and the server, `era`, sent each of them on its
/// stream a log message, progress with its own token and with the other's, and a question.
async fn both_hear(era: Era, session: Option<Arc<Session>>) -> [Vec<(String, Value)>; 2] {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let both = Arc::new(tokio::sync::Semaphore::new(0));
    let answered = Arc::new(tokio::sync::Semaphore::new(0));
    let (known, gate, open) = (Arc::clone(&ids), Arc::clone(&both), Arc::clone(&answered));
    // The ids of our requests go upwards one by one, so each call knows the other's.
    let calls = move |seen: &Seen| {
        if seen.rpc() == "answer" {
            open.add_permits(1);
            return answer("202 Accepted", "", "");
        }
        let id = seen.json()["id"].clone();
        let (this, number) = {
            let mut known = known.lock().expect("fine");
            known.push(id.clone());
            (id.to_string(), id.as_u64().expect("a number"))
        };
        gate.add_permits(if known.lock().expect("fine").len() == 2 {
            2
        } else {
            0
        });
        let other = if known.lock().expect("fine").len() == 2 {
            number - 1
        } else {
            number + 1
        };
        let mut steps = vec![
            Step::Gate(Arc::clone(&gate)),
            stream(),
            event(&log(&this)),
            event(&progress(&id)),
            event(&progress(&json!(other))),
            event(&question(&this)),
        ];
        if era == Era::Legacy {
            steps.push(Step::Gate(Arc::clone(&open)));
        }
        steps.extend([event(&seen.result(&json!({}))), end()]);
        steps
    };
    let upstream = match era {
        Era::Modern => Upstream::start(modern(calls)).await,
        Era::Legacy => {
            let server = move |seen: &Seen| match &*seen.rpc() {
                "answer" | "tools/call" => calls(seen),
                _ => legacy(|_| Vec::new())(seen),
            };
            Upstream::start(server).await
        }
    };
    let host = Host { session, ..host() };
    let runtime = runtime();
    let started = runtime.start(manifest(&upstream.url(), "", ""), host);
    let instance = soon(started).await.expect("it starts");
    let ears = [Ears::new(), Ears::new()];
    let contexts = [
        context(Arc::clone(&ears[0]) as _),
        context(Arc::clone(&ears[1]) as _),
    ];
    let asked =
        |token: &str| request(&json!({ "name": "echo", "_meta": { "progressToken": token } }));
    let (one, two) = soon(futures::future::join(
        instance.request(asked("t0"), &contexts[0]),
        instance.request(asked("t1"), &contexts[1]),
    ))
    .await;
    one.expect("an answer");
    two.expect("an answer");
    let ids = ids.lock().expect("fine").clone();
    assert_eq!(ids.len(), 2);
    let first = ids.iter().filter_map(Value::as_u64).min().expect("two");
    // The first caller's request has the smaller id.
    ears.map(|ears| ears.all()).map(|heard| {
        let named = |(method, params): (String, Value)| {
            let about = params["data"].as_str().or(params["message"].as_str());
            let about = about.map(|id| id.parse::<u64>().expect("an id") - first);
            (
                method,
                about.map_or(params["progressToken"].clone(), Into::into),
            )
        };
        heard.into_iter().map(named).collect()
    })
}

fn counted(heard: &[(String, Value)], method: &str, about: &Value) -> usize {
    let same = |one: &&(String, Value)| one.0 == method && one.1 == *about;
    heard.iter().filter(same).count()
}

#[tokio::test]
async fn what_comes_on_the_stream_of_a_call_is_for_its_client_alone() {
    let profile = Arc::new(ClientProfile::bare());
    let session = Session::new("s".into(), "p".into(), profile);
    for (era, session) in [
        (Era::Modern, None),
        (Era::Legacy, None),
        (Era::Legacy, Some(session)),
    ] {
        let heard = both_hear(era, session).await;
        for (this, heard) in heard.iter().enumerate() {
            let (other, token) = (1 - this, json!(format!("t{this}")));
            let count = |method, about| counted(heard, method, &about);
            assert_eq!(count("notifications/message", json!(this)), 1, "{heard:?}");
            assert_eq!(count("notifications/message", json!(other)), 0, "{heard:?}");
            // Its progress is its own wherever a legacy server tells it, and never under the other's token.
            let n_progress = if era == Era::Legacy { 1..=2 } else { 1..=1 };
            let n = count("notifications/progress", token);
            assert!(n_progress.contains(&n), "{heard:?}");
            assert_eq!(
                count("notifications/progress", json!(format!("t{other}"))),
                0
            );
            // A modern server must not ask this way.
            let n_asked = usize::from(era == Era::Legacy);
            assert_eq!(
                count("elicitation/create", json!(this)),
                n_asked,
                "{heard:?}"
            );
            assert_eq!(count("elicitation/create", json!(other)), 0, "{heard:?}");
        }
    }
}

#[tokio::test]
async fn what_comes_on_the_stream_of_our_own_request_is_for_no_caller_of_a_shared_server() {
    let done = Arc::new(tokio::sync::Semaphore::new(0));
    let n_lists = std::sync::atomic::AtomicUsize::new(0);
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    let server = move |seen: &Seen| match &*seen.rpc() {
        "tools/list" => {
            let list = seen.result(&tools(&["echo"]));
            if n_lists.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                return json_answer(&list);
            }
            // It is read again while a call runs.
            vec![
                stream(),
                event(&log("of the list")),
                event(&question("of the list")),
                Step::Gate(Arc::clone(&done)),
                event(&list),
                end(),
            ]
        }
        "tools/call" => vec![
            stream(),
            event(&changed),
            Step::Gate(Arc::clone(&done)),
            event(&seen.result(&json!({}))),
            end(),
        ],
        "answer" => {
            done.add_permits(2);
            answer("202 Accepted", "", "")
        }
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let ears = Ears::new();
    call_for(&instance, Arc::clone(&ears))
        .await
        .expect("an answer");
    assert_eq!(ears.all(), []);
    let refused = upstream.next("answer").await.json();
    assert_eq!(refused["error"]["code"], -32601, "{refused}");
}
