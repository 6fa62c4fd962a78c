//! The plugin `events_demo`.

use serde_json::{Value, json};

use crate::hostile::{result_of, value};
use crate::support::{Request, TestGateway, modern, within};

async fn demo() -> TestGateway {
    TestGateway::builder()
        .config("[plugins.events_demo]\n")
        .build()
        .await
}

/// O16: events are published and shown by tools.
#[tokio::test]
async fn tools_publish_and_show() {
    let gateway = demo().await;
    let said = json!({ "topic": "demo.said", "payload": { "text": "hello" } });
    let published = value(&gateway, "events_demo__publish", said).await;
    let recent = json!({ "topic": "demo.*", "limit": 5 });
    let shown = value(&gateway, "events_demo__recent", recent).await;
    let event = &shown["events"][0];
    assert_eq!(
        (&event["id"], &event["topic"]),
        (&published["id"], &json!("demo.said"))
    );
    assert_eq!(event["payload"], json!({ "text": "hello" }));
    assert_eq!(event["source"], "plugin:events_demo");
    gateway.finish().await;
}

/// O16: a published event appears on an open stream.
#[tokio::test]
async fn a_published_event_appears_on_an_open_stream() {
    let gateway = demo().await;
    let mut stream = gateway.connect().await;
    let head = stream
        .begin(&Request::new("GET", "/ext/events_demo/stream/task.*"))
        .await;
    assert!(head.is_stream(), "{}", head.status);
    let publish = |topic: &str, payload: &Value| {
        Request::new("POST", &format!("/ext/events_demo/publish/{topic}")).body_of(payload)
    };
    let other = gateway.send(&publish("tasks.x", &json!(1))).await;
    assert_eq!(other.status, 200);
    let published = gateway
        .send(&publish("task.done", &json!({ "n": 1 })))
        .await;
    let seen = within("an event", stream.event())
        .await
        .expect("the stream goes on");
    assert_eq!(
        (&seen["id"], &seen["topic"]),
        (&published.json()["id"], &json!("task.done"))
    );
    assert_eq!(
        (&seen["payload"], &seen["source"]),
        (&json!({ "n": 1 }), &json!("plugin:events_demo"))
    );
    for (request, status) in [
        (publish("Task", &json!(1)), 422),
        (publish("toolgate.x", &json!(1)), 403),
        (
            publish("a", &json!(1)).set("content-type", "text/plain"),
            415,
        ),
        (Request::new("GET", "/ext/events_demo/stream/A"), 422),
    ] {
        assert_eq!(gateway.send(&request).await.status, status);
    }
    drop(stream);
    gateway.finish().await;
}

/// Clients watch `events://{topic}`: each event is an update.
#[tokio::test]
async fn a_topic_is_a_resource_that_can_be_watched() {
    let gateway = demo().await;
    let params = json!({ "notifications": { "resourceSubscriptions": ["events://demo.said"] } });
    let listen = modern::message("sub", "subscriptions/listen", params);
    let mut stream = gateway.connect().await;
    assert!(stream.begin(&modern::request_of(&listen)).await.is_stream());
    let first = stream.event().await.expect("the acknowledgement");
    let granted = &first["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(granted, &json!(["events://demo.said"]));
    for topic in ["demo.other", "demo.said"] {
        let publish = json!({ "topic": topic, "payload": topic });
        value(&gateway, "events_demo__publish", publish).await;
    }
    let told = within("an update", stream.event())
        .await
        .expect("the stream goes on");
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], "events://demo.said");

    let read = modern::request("resources/read", json!({ "uri": "events://demo.said" }));
    let read = gateway
        .send(&read.header("mcp-name", "events://demo.said"))
        .await;
    let text = result_of(&read)["contents"][0]["text"].clone();
    let events: Vec<Value> = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["payload"], "demo.said");
    let read = modern::request("resources/read", json!({ "uri": "events://No" }));
    let refused = gateway.send(&read.header("mcp-name", "events://No")).await;
    assert_eq!(refused.code(), -32602);
    drop(stream);
    gateway.finish().await;
}
