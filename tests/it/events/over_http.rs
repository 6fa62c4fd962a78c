//! Events over plain HTTP: published, listed, followed; by those who may.

use serde_json::{Value, json};

use crate::support::{Connection, Request, TestGateway, within};
use crate::tokens::{ANN, BOB, token};

fn publish(topic: &str, payload: &Value) -> Request {
    Request::new("POST", &format!("/api/events/{topic}")).body_of(payload)
}

async fn follow(gateway: &TestGateway, query: &str, last: Option<&str>) -> Connection {
    let mut request = Request::new("GET", &format!("/api/events/stream{query}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut stream = gateway.connect().await;
    let head = stream.begin(&request).await;
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, "text/event-stream")
    );
    stream
}

#[tokio::test]
async fn a_published_event_appears_on_an_open_stream_and_in_the_list() {
    let gateway = TestGateway::plain().await;
    let mut stream = follow(&gateway, "?topic=task.*", None).await;
    assert_eq!(
        gateway.send(&publish("tasks.x", &json!(1))).await.status,
        202
    );
    let answer = gateway
        .send(&publish("task.done", &json!({ "z": 1.0, "a": [] })))
        .await;
    assert_eq!(answer.status, 202);
    let published = answer.json();
    assert_eq!(published["topic"], "task.done");
    let seen = within("the event comes", stream.whole_event()).await;
    let seen = seen.expect("the stream goes on");
    assert_eq!(Value::from(seen.id.clone()), published["id"]);
    let event = seen.message.expect("it holds an event");
    assert_eq!(event["id"], published["id"]);
    assert_eq!(
        (&event["topic"], &event["payload"]),
        (&json!("task.done"), &json!({ "z": 1.0, "a": [] }))
    );
    assert_eq!(event["source"], "caller:anonymous");

    let listed = gateway
        .send(&Request::new("GET", "/api/events?topic=task*"))
        .await;
    let listed = listed.json()["events"].clone();
    let topics: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["topic"].clone())
        .collect();
    assert_eq!(topics, ["task.done", "tasks.x"]);
    let one = gateway
        .send(&Request::new("GET", "/api/events?topic=task*&limit=1"))
        .await;
    assert_eq!(one.json()["events"], json!([event]));
    let status = gateway
        .send(&Request::new("GET", "/api/events/status"))
        .await
        .json();
    assert_eq!(
        (&status["backend"], &status["healthy"]),
        (&json!("memory"), &json!(true))
    );
    assert!(status["published"].as_u64() >= Some(2), "{status}");

    // Who was away gets what came meanwhile.
    drop(stream);
    assert_eq!(
        gateway.send(&publish("task.next", &json!(2))).await.status,
        202
    );
    let mut stream = follow(&gateway, "?topic=task.*", Some(&seen.id)).await;
    let next = within("what was missed", stream.event())
        .await
        .expect("the stream goes on");
    assert_eq!(next["topic"], "task.next");
    gateway.finish().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_gateway() {
    let gateway = TestGateway::plain().await;
    let mut stream = follow(&gateway, "", None).await;
    let front = std::sync::Arc::clone(&gateway.front);
    within("the front drains", front.drain()).await;
    while within("the stream ends", stream.part()).await.is_some() {}
    gateway.finish().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_the_reason() {
    let gateway = TestGateway::plain().await;
    for (request, status, reason) in [
        (publish("Task", &json!(1)), 400, "bad_request"),
        (
            publish("toolgate.plugin.started", &json!(1)),
            403,
            "reserved_topic",
        ),
        (
            publish("a.b", &json!(1)).set("content-type", "text/plain"),
            415,
            "unsupported_media_type",
        ),
        (
            Request::new("GET", "/api/events?limit=0"),
            400,
            "bad_request",
        ),
        (
            Request::new("GET", "/api/events?topic=A"),
            400,
            "bad_request",
        ),
    ] {
        let answer = gateway.send(&request).await;
        let told = answer.json();
        assert_eq!(
            (answer.status, told["error"]["reason"].as_str()),
            (status, Some(reason)),
            "{told}"
        );
    }
    let mut broken = publish("a.b", &json!(1));
    broken.body = b"{".to_vec();
    assert_eq!(gateway.send(&broken).await.status, 400);
    let large = publish("a.b", &json!("x".repeat(300 << 10)));
    assert_eq!(gateway.send(&large).await.status, 422);
    gateway.finish().await;
}

#[tokio::test]
async fn events_are_for_those_who_may_see_them() {
    let config = [
        token("ann", ANN, "scopes = [\"admin\"]"),
        token("bob", BOB, "scopes = [\"read\"]\nplugins = [\"echo\"]"),
    ];
    let gateway = TestGateway::builder()
        .config(&format!("{}[plugins.clock]\n", config.concat()))
        .build()
        .await;
    assert_eq!(gateway.send(&publish("a", &json!(1))).await.status, 401);
    assert_eq!(
        gateway
            .send(&publish("a", &json!(1)).token(BOB))
            .await
            .status,
        403
    );
    assert_eq!(
        gateway
            .send(&publish("a", &json!(1)).token(ANN))
            .await
            .status,
        202
    );
    let list = Request::new("GET", "/api/events?topic=toolgate.plugin.started");
    let about = |answer: Value| {
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let mut about: Vec<String> = events
            .iter()
            .filter_map(|event| Some(event["payload"]["plugin"].as_str()?.to_owned()))
            .collect();
        about.sort_unstable();
        about
    };
    let all = about(gateway.send(&list.clone().token(ANN)).await.json());
    let some = about(gateway.send(&list.token(BOB)).await.json());
    assert_eq!(
        (all, some),
        (
            vec!["clock".to_owned(), "echo".to_owned()],
            vec!["echo".to_owned()]
        )
    );
    gateway.finish().await;
}
