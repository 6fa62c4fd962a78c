//! What is no message, and what a message may be as large as.

use serde_json::json;

use crate::support::{LegacySession, Request, TestGateway, modern};

/// Sends bodies that must be refused with `code`.
async fn check_refused(code: i64, bodies: &[&[u8]]) {
    let gateway = TestGateway::plain().await;
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(90)]);
        let answer = gateway.send(&Request::message(*body)).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{shown}");
        assert_eq!(answer.header("content-type"), "application/json", "{shown}");
        assert_eq!(answer.json()["jsonrpc"], "2.0");
    }
    gateway.finish().await;
}

/// S07, F36.
#[tokio::test]
async fn bodies_that_two_readers_could_take_differently_are_refused() {
    let deep = [br#"{"a":"#.repeat(1000), b"1".to_vec(), b"}".repeat(1000)].concat();
    let bodies: [&[u8]; 17] = [
        br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/list"}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":{"b":1,"b":2}}}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[{"a":1,"\u0061":2}]}}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud800"}}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\udc00\ud800"}}"#,
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"#,
        br#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":NaN,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#,
        b"{'jsonrpc':'2.0'}",
        b"not json",
        b"",
        &deep,
    ];
    check_refused(-32700, &bodies).await;
}

/// S07.
#[tokio::test]
async fn what_is_json_and_no_message_is_refused() {
    let bodies: [&[u8]; 15] = [
        br#"{"jsonrpc":"2.0","ID":1,"Method":"ping"}"#,
        br#"{"JSONRPC":"2.0","id":1,"method":"ping"}"#,
        br#"{"id":1,"method":"ping"}"#,
        br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        br#"{"jsonrpc":"2.0","id":1}"#,
        b"17",
        b"[]",
    ];
    check_refused(-32600, &bodies).await;
}

/// S37, F36.
#[tokio::test]
async fn a_batch_of_thousands_is_refused() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open_as(&gateway, "2025-03-26", None).await;
    let ping = r#"{"jsonrpc":"2.0","method":"ping","id":1}"#;
    let batch = format!("[{}]", vec![ping; 5000].join(","));
    for request in [
        Request::message(batch.clone()),
        session.of(Request::message(batch)),
    ] {
        let answer = gateway.send(&request).await;
        assert_eq!((answer.status, answer.code()), (400, -32600));
    }
    gateway.finish().await;
}

/// S37: 128 levels are read, the next is not.
#[tokio::test]
async fn nesting_ends_at_its_bound() {
    let gateway = TestGateway::plain().await;
    // The message, its params and the arguments are three levels more.
    for (levels, status) in [(125, 200), (126, 400)] {
        let arguments = format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let body = modern::message(
            1,
            "tools/call",
            json!({ "name": "echo__echo", "arguments": {} }),
        );
        let body = body.to_string().replacen(
            r#""arguments":{}"#,
            &format!(r#""arguments":{arguments}"#),
            1,
        );
        let mut request = modern::call("echo__echo", json!({}));
        request.body = body.into_bytes();
        let answer = gateway.send(&request).await;
        assert_eq!(answer.status, status, "{levels}: {}", answer.text());
    }
    gateway.finish().await;
}

/// F36.
#[tokio::test]
async fn a_megabyte_of_arguments_arrives_to_the_byte() {
    let gateway = TestGateway::plain().await;
    let arguments = format!(
        r#"{{"z" : 1.0,"big":1234567890123456789012345,"a":"\u0061\/é","text":"{}" }}"#,
        "x\\n".repeat(350_000)
    );
    assert!(arguments.len() > 1 << 20);
    let mut request = modern::call("echo__echo", json!({}));
    let text = String::from_utf8(request.body.clone()).expect("JSON is UTF-8");
    request.body = text
        .replacen(
            r#""arguments":{}"#,
            &format!(r#""arguments":{arguments}"#),
            1,
        )
        .into_bytes();
    let answer = gateway.send(&request).await;
    assert_eq!(answer.status, 200);
    let expected = format!(r#""structuredContent":{arguments}}}"#);
    assert!(
        answer.text().contains(&expected),
        "the arguments were touched"
    );
    gateway.finish().await;
}

/// S37, F36.
#[tokio::test]
async fn a_body_above_the_bound_is_refused_without_being_read() {
    let gateway = TestGateway::plain().await;
    let mut connection = gateway.connect().await;
    let length = ((4 << 20) + 1).to_string();
    let mut head = modern::call("echo__echo", json!({})).header("content-length", &length);
    head.body.clear();
    let answer = connection.send(&head).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"]["reason"], "too_large");
    assert!(connection.is_closed().await);
    gateway.finish().await;
}

/// S37: a body of unknown length is measured while it comes.
#[tokio::test]
async fn a_chunked_body_above_the_bound_is_refused_on_the_way() {
    let gateway = TestGateway::builder()
        .config("[server]\nmax_body_bytes = 2000")
        .build()
        .await;
    let mut head = modern::call("echo__echo", json!({})).header("transfer-encoding", "chunked");
    head.body.clear();
    let mut connection = gateway.connect().await;
    connection.write(&head.bytes(gateway.address)).await;
    for _ in 0..3 {
        connection
            .write(format!("3e8\r\n{}\r\n", " ".repeat(1000)).as_bytes())
            .await;
    }
    assert_eq!(connection.answer().await.status, 413);
    assert!(connection.is_closed().await);
    gateway.finish().await;
}

#[tokio::test]
async fn a_body_of_exactly_the_bound_is_read() {
    let gateway = TestGateway::builder()
        .config("[server]\nmax_body_bytes = 2000")
        .build()
        .await;
    for (size, status) in [(2000, 200), (2001, 413)] {
        let mut request = modern::call("echo__echo", json!({ "text": "a" }));
        request.body.resize(size, b' ');
        assert_eq!(gateway.send(&request).await.status, status, "{size}");
    }
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn types_that_cannot_be_are_refused() {
    let gateway = TestGateway::plain().await;
    let list = modern::request("tools/list", json!({}));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
    ] {
        assert_eq!(
            gateway
                .send(&list.clone().set("content-type", kind))
                .await
                .status,
            415,
            "{kind}"
        );
    }
    assert_eq!(
        gateway
            .send(&list.clone().without("content-type"))
            .await
            .status,
        415
    );
    let with_charset = list
        .clone()
        .set("content-type", "application/json; charset=utf-8");
    assert_eq!(gateway.send(&with_charset).await.status, 200);
    for accept in ["application/json", "text/event-stream", "text/html", ""] {
        assert_eq!(
            gateway
                .send(&list.clone().set("accept", accept))
                .await
                .status,
            406,
            "{accept}"
        );
    }
    assert_eq!(
        gateway.send(&list.clone().without("accept")).await.status,
        406
    );
    for accept in ["*/*", "text/event-stream;q=0.5, application/json"] {
        assert_eq!(
            gateway
                .send(&list.clone().set("accept", accept))
                .await
                .status,
            200,
            "{accept}"
        );
    }
    gateway.finish().await;
}
