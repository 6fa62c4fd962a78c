//! Subscriptions to a modern server (MCP 2026-07-28, subscriptions): one at a time, replaced without a gap.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::upstream::{
    Seen, Step, Upstream, answer, end, event, json_answer, modern, stream, tools,
};
use super::*;
use crate::model::client::Hearer;
use crate::wire::list::ListKind;
use crate::wire::meta::SUBSCRIPTION_ID;

/// A modern server with `capabilities`, that answers requests to listen with `listen`.
fn server(
    capabilities: Value,
    listen: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    move |seen| match &*seen.rpc() {
        "server/discover" => {
            json_answer(&seen.result(
                &json!({ "supportedVersions": ["2026-07-28"], "capabilities": capabilities }),
            ))
        }
        "subscriptions/listen" => listen(seen),
        "prompts/list" => json_answer(&seen.result(&json!({ "prompts": [] }))),
        "resources/list" => json_answer(&seen.result(&json!({ "resources": [] }))),
        "resources/templates/list" => {
            json_answer(&seen.result(&json!({ "resourceTemplates": [] })))
        }
        _ => modern(|seen| json_answer(&seen.result(&json!({}))))(seen),
    }
}

fn watchable() -> Value {
    json!({ "tools": { "listChanged": true }, "resources": { "subscribe": true } })
}

/// Something that the subscription of `seen` tells.
fn told(seen: &Seen, method: &str, mut params: Value) -> Step {
    params["_meta"] = json!({ SUBSCRIPTION_ID: seen.json()["id"] });
    event(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
}

fn acknowledged(seen: &Seen) -> Step {
    let filter = json!({ "notifications": filter(seen) });
    told(seen, "notifications/subscriptions/acknowledged", filter)
}

fn updated(seen: &Seen, uri: &str) -> Step {
    told(
        seen,
        "notifications/resources/updated",
        json!({ "uri": uri }),
    )
}

fn filter(seen: &Seen) -> Value {
    seen.json()["params"]["notifications"].clone()
}

/// Hears of updates.
struct Watcher(mpsc::UnboundedSender<Value>);

impl Hearer for Watcher {
    fn hear(&self, method: &Method, params: &Params) {
        assert_eq!(*method, Method::ResourcesUpdated);
        drop(self.0.send(params.to_json().parse().expect("JSON")));
    }
}

/// Asks to watch `uri`.
async fn watch(instance: &Arc<dyn Instance>, uri: &str) -> String {
    let request = Request {
        method: Method::ResourcesSubscribe,
        params: Params::of(&json!({ "uri": uri })),
    };
    let context = context(Ears::new());
    text(
        soon(instance.request(request, &context))
            .await
            .expect("an answer"),
    )
}

#[tokio::test]
async fn a_server_is_asked_for_what_it_says_it_tells_of() {
    let on = json!({ "listChanged": true });
    let table = [
        (json!({ "tools": on }), json!({ "toolsListChanged": true })),
        (
            json!({ "tools": {}, "prompts": on, "resources": { "listChanged": true, "subscribe": true } }),
            json!({ "promptsListChanged": true, "resourcesListChanged": true }),
        ),
        (
            json!({ "tools": on, "prompts": { "listChanged": false }, "resources": { "subscribe": true } }),
            json!({ "toolsListChanged": true }),
        ),
    ];
    for (capabilities, expect) in table {
        let listen = |seen: &Seen| vec![stream(), acknowledged(seen), Step::Hold];
        let mut upstream = Upstream::start(server(capabilities, listen)).await;
        let _instance = start(&upstream.url()).await.expect("it starts");
        let seen = soon(upstream.next("subscriptions/listen")).await;
        assert_eq!(filter(&seen), expect);
        assert_eq!(seen.header("mcp-name"), None);
        let version = &seen.json()["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        assert_eq!(version, "2026-07-28");
    }
    let nothing = json!({ "tools": {}, "resources": { "subscribe": true } });
    let mut upstream = Upstream::start(server(nothing, |_| Vec::new())).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    call(&instance).await.expect("an answer");
    assert_eq!(upstream.count("subscriptions/listen"), 0);
}

#[tokio::test]
async fn a_watched_resource_widens_the_subscription_without_a_gap() {
    let gates: [_; 3] = std::array::from_fn(|_| Arc::new(Semaphore::new(0)));
    let [before, acknowledge, after] = gates.clone();
    let listen = move |seen: &Seen| {
        let gate = |gate: &Arc<Semaphore>| Step::Gate(Arc::clone(gate));
        if filter(seen).get("resourceSubscriptions").is_none() {
            let changed = told(seen, "notifications/tools/list_changed", json!({}));
            return vec![
                stream(),
                acknowledged(seen),
                gate(&before),
                changed,
                Step::Hold,
            ];
        }
        vec![
            stream(),
            gate(&acknowledge),
            acknowledged(seen),
            gate(&after),
            updated(seen, "x:a"),
            updated(seen, "x:other"),
            updated(seen, "x:a/below"),
            Step::Hold,
        ]
    };
    let mut upstream = Upstream::start(server(watchable(), listen)).await;
    let host = host();
    let (heard, mut hears) = mpsc::unbounded_channel();
    let _watch = host
        .updates
        .watch("x:a".into(), None, Arc::new(Watcher(heard)));
    let runtime = runtime();
    let started = runtime.start(manifest(&upstream.url(), "", ""), host);
    let instance = soon(started).await.expect("it starts");
    let first = soon(upstream.next("subscriptions/listen")).await;

    let mut watching = Box::pin(watch(&instance, "x:a"));
    let second = tokio::select! {
        _ = &mut watching => panic!("it is not acknowledged yet"),
        seen = soon(upstream.next("subscriptions/listen")) => seen,
    };
    let expect = json!({ "toolsListChanged": true, "resourceSubscriptions": ["x:a"] });
    assert_eq!(filter(&second), expect);
    // The first one is heard until then.
    gates[0].add_permits(1);
    tokio::select! {
        _ = &mut watching => panic!("it is not acknowledged yet"),
        _ = soon(upstream.next("tools/list")) => {}
    }
    assert!(upstream.hung_up.try_recv().is_err());
    gates[1].add_permits(1);
    assert_eq!(watching.await, "{}");
    let closed = soon(upstream.hung_up.recv()).await.expect("it runs");
    assert_eq!(closed.json()["id"], first.json()["id"]);

    gates[2].add_permits(1);
    for uri in ["x:a", "x:a/below"] {
        let heard = soon(hears.recv()).await.expect("it runs");
        assert_eq!(heard, json!({ "uri": uri }));
    }
    assert!(hears.try_recv().is_err());
    assert_eq!(upstream.count("subscriptions/listen"), 0);
    instance.stop().await;
}

#[tokio::test]
async fn a_subscription_that_is_over_is_followed_by_another_and_the_lists_are_read_again() {
    // Ended in order, cut off, reset.
    for how in 0..3 {
        let n_listens = AtomicUsize::new(0);
        let n_lists = AtomicUsize::new(0);
        let inner = server(watchable(), move |seen: &Seen| {
            let over = match (n_listens.fetch_add(1, Ordering::Relaxed), how) {
                (0, 0) => vec![event(&seen.result(&json!({}))), Step::Hold],
                (0, 1) => vec![end()],
                (0, _) => vec![Step::Reset],
                _ => vec![Step::Hold],
            };
            [stream(), acknowledged(seen)]
                .into_iter()
                .chain(over)
                .collect()
        });
        let server = move |seen: &Seen| match &*seen.rpc() {
            "tools/list" if n_lists.fetch_add(1, Ordering::Relaxed) > 0 => {
                json_answer(&seen.result(&tools(&["echo", "more"])))
            }
            _ => inner(seen),
        };
        let mut upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        let mut surface = instance.surface();
        soon(surface.wait_for(|surface| surface.list(ListKind::Tools).definitions.len() == 2))
            .await
            .expect("it runs");
        assert_eq!(upstream.count("subscriptions/listen"), 2);
    }
}

/// The ways to refuse.
fn refusal(how: usize, seen: &Seen) -> Vec<Step> {
    let error = json!({ "jsonrpc": "2.0", "id": seen.json()["id"], "error": { "code": -32601, "message": "no" } });
    let headers = "content-type: application/json\r\n";
    match how {
        0 => answer("404 Not Found", headers, &error.to_string()),
        1 => json_answer(&error),
        2 => vec![stream(), event(&error), end()],
        _ => answer("405 Method Not Allowed", "", ""),
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_be_listened_to_is_left_alone_and_says_so_to_who_wants_to_watch() {
    for how in 0..4 {
        let refusing = server(watchable(), move |seen: &Seen| refusal(how, seen));
        let mut upstream = Upstream::start(refusing).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        soon(upstream.next("subscriptions/listen")).await;
        for _ in 0..10 {
            call(&instance).await.expect("an answer");
        }
        assert_eq!(upstream.count("subscriptions/listen"), 0, "{how}");
        let refused = watch(&instance, "x:a").await;
        assert!(refused.contains("refused"), "{refused}");
        for _ in 0..10 {
            call(&instance).await.expect("an answer");
        }
        // With the resource, and without it.
        assert!(upstream.count("subscriptions/listen") <= 2, "{how}");
    }
}

#[tokio::test]
async fn a_resource_that_the_server_refuses_to_tell_of_costs_nobody_what_is_heard() {
    for how in 0..4 {
        let change = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&change);
        let listen = move |seen: &Seen| {
            if filter(seen)["resourceSubscriptions"] == json!(["x:bad"]) {
                return refusal(how, seen);
            }
            let changed = told(seen, "notifications/tools/list_changed", json!({}));
            let gate = Step::Gate(Arc::clone(&gate));
            vec![stream(), acknowledged(seen), gate, changed, Step::Hold]
        };
        let mut upstream = Upstream::start(server(watchable(), listen)).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        let refused = watch(&instance, "x:bad").await;
        assert!(refused.contains("refused"), "{refused}");
        assert_eq!(watch(&instance, "x:good").await, "{}");
        upstream.count("");
        change.add_permits(3);
        soon(upstream.next("tools/list")).await;
        instance.stop().await;
    }
}

#[tokio::test]
async fn what_a_server_lacks_cannot_be_watched() {
    let capabilities = json!({ "tools": { "listChanged": true }, "resources": {} });
    let listen = |seen: &Seen| vec![stream(), acknowledged(seen), Step::Hold];
    let mut upstream = Upstream::start(server(capabilities, listen)).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    soon(upstream.next("subscriptions/listen")).await;
    let refused = watch(&instance, "x:a").await;
    assert!(refused.starts_with("-32601"), "{refused}");
    assert_eq!(upstream.count("subscriptions/listen"), 0);
}
