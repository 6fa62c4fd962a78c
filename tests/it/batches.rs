//! Several messages in one array: revision 2025-03-26 has them, no other does.

use serde_json::{Value, json};

use crate::support::{Latch, LegacySession, Request, StdioClient, TestGateway, asker, modern};

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

fn echo(id: impl Into<Value>, text: &str) -> Value {
    request(
        id,
        "tools/call",
        json!({ "name": "echo__echo", "arguments": { "text": text } }),
    )
}

#[tokio::test]
async fn a_batch_is_answered_in_one_array() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open_as(&gateway, "2025-03-26", None).await;
    let batch = json!([
        echo(1, "a"),
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        request("x", "tools/burn", json!({})),
        { "jsonrpc": "2.0", "id": 9, "result": {} },
        { "jsonrpc": "2.0", "id": null, "method": "ping" },
        17,
        echo(2, "b"),
    ]);
    let answer = gateway
        .send(&session.of(Request::message(batch.to_string())))
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let answers = answer.json();
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(
        (
            &answers[0]["id"],
            &answers[0]["result"]["content"][0]["text"]
        ),
        (&json!(1), &json!("a"))
    );
    assert_eq!(
        (&answers[1]["id"], &answers[1]["error"]["code"]),
        (&json!("x"), &json!(-32601))
    );
    for invalid in &answers[2..4] {
        assert_eq!(
            (&invalid["id"], &invalid["error"]["code"]),
            (&Value::Null, &json!(-32600))
        );
    }
    assert_eq!(answers[4]["result"]["content"][0]["text"], "b");
    gateway.finish().await;
}

#[tokio::test]
async fn a_batch_of_notifications_is_accepted() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open_as(&gateway, "2025-03-26", None).await;
    let batch = json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }, { "jsonrpc": "2.0", "id": 1, "result": {} }]);
    let answer = gateway
        .send(&session.of(Request::message(batch.to_string())))
        .await;
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    gateway.finish().await;
}

/// F33, in a batch.
#[tokio::test]
async fn ids_are_unique_in_a_batch() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open_as(&gateway, "2025-03-26", None).await;
    let wait = request(
        1,
        "tools/call",
        json!({ "name": "held__wait", "arguments": {} }),
    );
    let mut connection = gateway.connect().await;
    let batch = json!([wait, echo(1, "b")]);
    connection
        .write(
            &session
                .of(Request::message(batch.to_string()))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(1).await;
    latch.open();
    let answers = connection.answer().await.json();
    assert_eq!(answers[0]["result"]["content"][0]["text"], "let go");
    assert_eq!(answers[1]["error"]["code"], -32600);
    gateway.finish().await;
}

#[tokio::test]
async fn no_other_revision_has_batches() {
    let gateway = TestGateway::plain().await;
    let batch = json!([echo(1, "a")]).to_string();
    for version in ["2025-06-18", "2025-11-25"] {
        let session = LegacySession::open_as(&gateway, version, None).await;
        let answer = gateway
            .send(&session.of(Request::message(batch.clone())))
            .await;
        assert_eq!((answer.status, answer.code()), (400, -32600), "{version}");
        let mut client = StdioClient::initialized(&gateway, version).await;
        client.write(format!("{batch}\n").as_bytes()).await;
        assert_eq!(client.next().await["error"]["code"], -32600, "{version}");
        client.finish().await;
    }
    let message = modern::message(1, "tools/list", json!({}));
    let modern = modern::request_of(&message);
    let mut batch = modern.clone();
    batch.body = json!([message]).to_string().into_bytes();
    let answer = gateway.send(&batch).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (400, "application/json")
    );
    gateway.finish().await;
}

#[tokio::test]
async fn a_batch_needs_the_session_that_its_revision_was_agreed_in() {
    let gateway = TestGateway::plain().await;
    let initialize = request(
        1,
        "initialize",
        json!({ "protocolVersion": "2025-03-26", "capabilities": {} }),
    );
    for batch in [json!([echo(1, "a")]), json!([initialize])] {
        let answer = gateway.send(&Request::message(batch.to_string())).await;
        assert_eq!((answer.status, answer.code()), (400, -32600));
    }
    assert!(gateway.front.sessions().is_empty(), "a batch opens nothing");
    gateway.finish().await;
}

#[tokio::test]
async fn a_pipe_answers_each_message_of_a_batch() {
    let gateway = TestGateway::plain().await;
    for version in ["2024-11-05", "2025-03-26"] {
        let mut client = StdioClient::initialized(&gateway, version).await;
        client
            .send(&json!([echo(1, "a"), { "jsonrpc": "2.0", "method": "x" }, echo(2, "b"), 7]))
            .await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let answer = client.next().await;
            let code = &answer["error"]["code"];
            seen.push((
                answer["id"].to_string(),
                if code.is_null() {
                    "result".to_owned()
                } else {
                    code.to_string()
                },
            ));
        }
        seen.sort();
        let expected = [("1", "result"), ("2", "result"), ("null", "-32600")];
        assert_eq!(
            seen,
            expected.map(|(id, what)| (id.to_owned(), what.to_owned())),
            "{version}"
        );
        client.finish().await;
    }
    gateway.finish().await;
}

#[tokio::test]
async fn what_the_requests_of_a_batch_tell_and_ask_stands_before_their_answers() {
    let gateway = TestGateway::builder().plugin("ask", asker()).build().await;
    let session = LegacySession::open_able(&gateway, "2025-03-26").await;
    let call = |id: u64, tool: &str, arguments: Value| {
        let params =
            json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    let batch = json!([
        call(1, "echo__count", json!({ "to": 2 })),
        call(2, "ask__ask", json!({ "method": "roots/list" })),
        { "jsonrpc": "2.0", "id": 3, "method": "ping" },
    ]);
    let mut connection = gateway.connect().await;
    let request = session.of(Request::message(batch.to_string()));
    assert!(connection.begin(&request).await.is_stream());
    let mut before = Vec::new();
    let asked = loop {
        let event = connection.event().await.expect("the stream goes on");
        if event["method"] == "roots/list" {
            break event["id"].clone();
        }
        before.push(event);
    };
    // A batch can also bring answers and cancel.
    let answers = json!([
        { "jsonrpc": "2.0", "id": asked, "result": { "roots": [] } },
        { "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 77 } },
    ]);
    let request = session.of(Request::message(answers.to_string()));
    assert_eq!(gateway.send(&request).await.status, 202);
    let mut ids = Vec::new();
    while let Some(event) = connection.event().await {
        match event.get("method") {
            Some(_) => before.push(event),
            None => ids.push(event["id"].clone()),
        }
    }
    assert_eq!(ids, [1, 2, 3], "answers come last");
    let counted = before.iter().map(|event| &event["params"]["progressToken"]);
    assert_eq!(counted.collect::<Vec<_>>(), [&json!(1), &json!(1)]);
    gateway.finish().await;
}
