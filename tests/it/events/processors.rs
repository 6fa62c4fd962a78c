//! One event turns into the next: by plugins of other runtimes, which are called with events and publish by results.

use serde_json::{Value, json};

use crate::events::plugins::{GRANTED, Heard, Hearer, granted};
use crate::hostile::{Hostile, call, result_of};
use crate::support::{Request, TestGateway, until};

const PROCESSOR: &str = "events = { subscribe = [{ topic = \"step.one\", tool = \"publish\" }] }\n";

async fn publish(gateway: &TestGateway, topic: &str, payload: &Value) {
    let request = Request::new("POST", &format!("/api/events/{topic}")).body_of(payload);
    assert_eq!(gateway.send(&request).await.status, 202);
}

/// O33: one event turns into the next, for a process.
#[tokio::test]
async fn a_process_turns_one_event_into_the_next() {
    let heard = Heard::default();
    // Nobody has called it before: the event wakes it.
    let child = Hostile::new("h", &[])
        .key(GRANTED.trim_end())
        .key(PROCESSOR.trim_end());
    let child = child.key("load = \"lazy\"");
    let gateway = TestGateway::builder()
        .config(&format!("{}{}", granted("ear"), child.text()))
        .plugin("ear", Hearer::of(&heard, "step.two"))
        .build()
        .await;
    assert_eq!(child.ledger().count("start"), 0);
    publish(&gateway, "step.one", &json!({ "n": 7 })).await;
    until("the next one is heard", || {
        heard.payloads("step.two").len() == 1
    })
    .await;
    let event = &heard.payloads("step.two")[0]["event"];
    assert_eq!(event["topic"], "step.one");
    assert_eq!(event["payload"], json!({ "n": 7 }));
    assert_eq!(event["source"], "caller:anonymous");
    assert!(event["id"].is_string() && event["time"].is_string());
    let records = gateway.records.all();
    assert!(
        records.iter().any(|record| record.tool == "publish"),
        "{records:?}"
    );
    gateway.finish().await;
}

/// O33: the same within this process.
#[tokio::test]
async fn a_plugin_turns_one_event_into_the_next() {
    let heard = Heard::default();
    let processor = Hearer::new(&heard, |events, _| {
        let next = events.clone();
        events.subscribe("step.one", move |event| {
            let published = next.publish("step.two", &json!({ "after": event.id }));
            async move { Ok(published.map(drop)?) }
        })?;
        Ok(())
    });
    let gateway = TestGateway::builder()
        .config(&format!("{}{}", granted("ear"), granted("processor")))
        .plugin("ear", Hearer::of(&heard, "step.two"))
        .plugin("processor", processor)
        .build()
        .await;
    publish(&gateway, "step.one", &json!(null)).await;
    until("the next one is heard", || {
        heard.payloads("step.two").len() == 1
    })
    .await;
    assert!(heard.payloads("step.two")[0]["after"].is_string());
    gateway.finish().await;
}

/// O5, for other runtimes: with the grant they are published and taken out, without it the result stays as it is.
#[tokio::test]
async fn events_in_results_are_published_where_that_is_granted() {
    let heard = Heard::default();
    let may = Hostile::new("may", &[]).key(GRANTED.trim_end());
    let may_not = Hostile::new("may_not", &[]).key(GRANTED.trim_end());
    let may_not = may_not.key("grants = [\"TOOLS\"]");
    let asks_not = Hostile::new("asks_not", &[]);
    let texts = [may.text(), may_not.text(), asks_not.text(), granted("ear")];
    let gateway = TestGateway::builder()
        .config(&texts.concat())
        .plugin("ear", Hearer::of(&heard, "*"))
        .build()
        .await;
    for (plugin, published) in [("may_not", false), ("asks_not", false), ("may", true)] {
        let tool = format!("{plugin}__publish");
        let result = result_of(&call(gateway.address, &tool, json!({ "by": plugin })).await);
        let events = &result["_meta"]["toolgate/events"];
        assert_eq!(events.is_null(), published, "{result}");
        assert_eq!(
            (&result["_meta"]["com.example/k"], &result["x"]),
            (&json!(1), &json!(1))
        );
    }
    until("one is heard", || !heard.payloads("step.two").is_empty()).await;
    assert_eq!(heard.payloads("step.two"), [json!({ "by": "may" })]);
    gateway.finish().await;
}

/// A tool that fails is called again, and after so many times the event is a dead letter that says why.
#[tokio::test]
async fn an_event_that_a_tool_cannot_take_is_a_dead_letter() {
    let child = Hostile::new("h", &[]).key(GRANTED.trim_end());
    let child = child.key("events = { subscribe = [{ topic = \"bad.*\", tool = \"refuse\" }] }");
    let config = format!(
        "[events]\nredeliver_ms = 20\nmax_deliveries = 3\n{}",
        child.text()
    );
    let gateway = TestGateway::builder().config(&config).build().await;
    publish(&gateway, "bad.thing", &json!("x")).await;
    child.ledger().reaches("call refuse", 3).await;
    let bus = gateway.app.desk.dispatcher.events().bus();
    until("it is dead", || bus.status().dead == 1).await;
    let dead = gateway
        .send(&Request::new("GET", "/api/events/dead"))
        .await
        .json();
    let dead = &dead["events"][0];
    assert_eq!(
        (&dead["topic"], &dead["deliveries"]),
        (&json!("bad.thing"), &json!(3))
    );
    assert_eq!(dead["group"], "h:refuse");
    assert!(
        dead["error"]
            .as_str()
            .is_some_and(|why| why.contains("not like this")),
        "{dead}"
    );
    gateway.finish().await;
}

/// Without the grant `EVENTS_SUB` nothing is called.
#[tokio::test]
async fn a_manifest_grants_itself_nothing() {
    let child = Hostile::new("h", &[])
        .key(GRANTED.trim_end())
        .key(PROCESSOR.trim_end());
    let child = child.key("grants = [\"TOOLS\", \"EVENTS_PUB\"]");
    let gateway = child.build().await;
    publish(&gateway, "step.one", &json!({})).await;
    let status = gateway
        .send(&Request::new("GET", "/api/events/status"))
        .await
        .json();
    assert_eq!(status["subscriptions"], json!([]));
    assert_eq!(child.ledger().count("call publish"), 0);
    gateway.finish().await;
}
