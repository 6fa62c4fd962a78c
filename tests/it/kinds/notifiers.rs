//! What notifiers hear, and that nobody waits for them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use toolgate::plugin::Plugin;

use crate::hostile::{Hostile, call, failure, value};
use crate::kinds::add;
use crate::support::{TestGateway, plugin, until};

/// What a notifier of the test has heard. Clones are the same.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Value>>>);

impl Heard {
    fn plugin(&self) -> impl Plugin {
        let heard = self.clone();
        plugin(move |tools| {
            let heard = heard.clone();
            add(tools, "notify", move |event| {
                heard.0.lock().expect("no holder panics").push(event);
                json!({})
            });
        })
    }

    fn all(&self, event: &str) -> Vec<Value> {
        let heard = self.0.lock().expect("no holder panics");
        let fits = |heard: &&Value| heard["event"] == event;
        heard.iter().filter(fits).cloned().collect()
    }

    async fn reaches(&self, event: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} times `{event}`"), || {
            self.all(event).len() >= count
        })
        .await;
        self.all(event)
    }
}

const NOTIFIER: &str = "[plugins.ear]\nkind = \"notifier\"\n";

#[tokio::test]
async fn a_notifier_hears_calls_and_lives_but_neither_arguments_nor_itself() {
    let heard = Heard::default();
    let child = Hostile::new("h", &[]);
    let gateway = TestGateway::builder()
        .config(&format!("{NOTIFIER}{}", child.text()))
        .plugin("ear", heard.plugin())
        .build()
        .await;
    value(&gateway, "h__echo", json!({ "secret": "sesame" })).await;
    failure(&gateway, "h__exit", json!({})).await;
    let finished = heard.reaches("call.finished", 2).await;
    let told = &finished[0];
    assert_eq!(
        (
            &told["plugin"],
            &told["tool"],
            &told["caller"],
            &told["outcome"]
        ),
        (
            &json!("h"),
            &json!("h__echo"),
            &json!("anonymous"),
            &json!("answered")
        )
    );
    assert!(
        told["duration_ms"].is_u64() && told["time"].as_str().is_some_and(|at| at.ends_with('Z'))
    );
    assert_eq!(
        (&finished[1]["outcome"], &finished[1]["error"]),
        (&json!("unavailable"), &json!("upstream_exited"))
    );
    let started = heard.reaches("plugin.started", 1).await;
    assert!(
        started.iter().any(|event| event["plugin"] == "h"),
        "{started:?}"
    );
    let failed = heard.reaches("plugin.failed", 1).await;
    assert_eq!(failed[0]["plugin"], "h");
    assert!(
        failed[0]["error"]
            .as_str()
            .is_some_and(|why| why.contains("ended"))
    );
    let all = heard.0.lock().expect("no holder panics").clone();
    let text = Value::from(all).to_string();
    assert!(
        !text.contains("sesame") && !text.contains("\"ear"),
        "{text}"
    );
    assert!(heard.all("call.started").is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn a_notifier_may_choose_what_it_hears() {
    let heard = Heard::default();
    let gateway = TestGateway::builder()
        .config(&format!(
            "{NOTIFIER}notifier = {{ events = [\"call.s*\"] }}\n"
        ))
        .plugin("ear", heard.plugin())
        .build()
        .await;
    value(&gateway, "echo__echo", json!({})).await;
    value(&gateway, "echo__echo", json!({})).await;
    heard.reaches("call.started", 2).await;
    let all = heard.0.lock().expect("no holder panics").len();
    assert_eq!(all, 2);
    gateway.finish().await;
}

/// A notifier that never answers has its queue and its deadline; calls do not wait for either.
#[tokio::test]
async fn a_notifier_that_hangs_delays_nobody() {
    let heard = Heard::default();
    let deaf = Hostile::new("deaf", &[])
        .key("kind = \"notifier\"\nnotifier = { tool = \"hang\", timeout_ms = 60000 }");
    let gateway = TestGateway::builder()
        .config(&format!("{NOTIFIER}{}", deaf.text()))
        .plugin("ear", heard.plugin())
        .build()
        .await;
    for _ in 0..300 {
        let answer = call(gateway.address, "echo__echo", json!({})).await;
        assert_eq!(answer.status, 200);
    }
    heard.reaches("call.finished", 300).await;
    // It is still being told of the first event when the gateway stops, and nobody waits for that.
    gateway.app.desk.dispatcher.close();
    gateway.finish().await;
}
