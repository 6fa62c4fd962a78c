//! Requests that two readers could take differently, and requests that are none.

use serde_json::json;

use crate::support::{Request, TestGateway, modern};

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out.extend_from_slice(b"\r\n0\r\n\r\n");
    out
}

/// S06: whatever follows a body whose end can be taken in two ways is not read.
#[tokio::test]
async fn chunks_and_a_length_together_end_the_connection() {
    let gateway = TestGateway::plain().await;
    let call = modern::call("echo__echo", json!({ "text": "first" }));
    let body = chunked(&call.body);
    let smuggled = modern::call("echo__echo", json!({ "text": "smuggled" })).bytes(gateway.address);
    for length_first in [true, false] {
        for length in [0, 5, body.len()] {
            let length = length.to_string();
            let mut request = match length_first {
                true => call
                    .clone()
                    .header("content-length", &length)
                    .header("transfer-encoding", "chunked"),
                false => call
                    .clone()
                    .header("transfer-encoding", "chunked")
                    .header("content-length", &length),
            };
            request.body = body.clone();
            let mut connection = gateway.connect().await;
            connection
                .write(&[request.bytes(gateway.address), smuggled.clone()].concat())
                .await;
            let answer = connection.answer().await;
            assert!(!answer.text().contains("smuggled"), "{}", answer.text());
            assert!(
                connection.is_closed().await,
                "length first: {length_first}, length {length}"
            );
        }
    }
    gateway.finish().await;
}

/// S06.
#[tokio::test]
async fn a_chunked_body_alone_is_read_and_ends_the_connection() {
    let gateway = TestGateway::plain().await;
    let mut call = modern::call("echo__echo", json!({ "text": "first" }))
        .header("transfer-encoding", "chunked");
    call.body = chunked(&call.body);
    let mut connection = gateway.connect().await;
    let answer = connection.send(&call).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, "close"),
        "{}",
        answer.text()
    );
    assert!(connection.is_closed().await);
    gateway.finish().await;
}

/// S06.
#[tokio::test]
async fn lengths_that_can_be_read_in_two_ways_are_refused() {
    let gateway = TestGateway::plain().await;
    let call = modern::call("echo__echo", json!({}));
    let length = call.body.len();
    let headers: [&[(&str, &str)]; 8] = [
        &[
            ("content-length", &length.to_string()),
            ("content-length", "3"),
        ],
        &[("content-length", &format!("+{length}"))],
        &[("content-length", &format!("{length}, 3"))],
        &[("content-length", "0x10")],
        &[("content-length", "-1")],
        &[("transfer-encoding", "chunked, identity")],
        &[("transfer-encoding", "xchunked")],
        &[("transfer-encoding ", "chunked")],
    ];
    for headers in headers {
        let request = headers.iter().fold(call.clone(), |request, (name, value)| {
            request.header(name, value)
        });
        let mut connection = gateway.connect().await;
        assert_eq!(connection.send(&request).await.status, 400, "{headers:?}");
        assert!(connection.is_closed().await, "{headers:?}");
    }
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn headers_above_the_bounds_are_refused() {
    let gateway = TestGateway::plain().await;
    let large = Request::new("GET", "/health").header("x-large", &"x".repeat(64 << 10));
    assert_eq!(gateway.send(&large).await.status, 431);
    let many = (0..100).fold(Request::new("GET", "/health"), |request, at| {
        request.header(&format!("x-{at}"), "1")
    });
    assert_eq!(gateway.send(&many).await.status, 431);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_no_request_of_http_1_ends_the_connection() {
    let gateway = TestGateway::plain().await;
    let garbage: [&[u8]; 5] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: a\x00b\r\n\r\n",
    ];
    for bytes in garbage {
        let mut connection = gateway.connect().await;
        connection.write(bytes).await;
        let rest = connection.rest().await;
        let text = String::from_utf8_lossy(&rest);
        assert!(
            rest.is_empty() || text.starts_with("HTTP/1.1 400"),
            "{text}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order() {
    let gateway = TestGateway::plain().await;
    let mut connection = gateway.connect().await;
    let calls = ["a", "b", "c"]
        .map(|text| modern::call("echo__echo", json!({ "text": text })).bytes(gateway.address));
    connection.write(&calls.concat()).await;
    for text in ["a", "b", "c"] {
        let answer = connection.answer().await.json();
        assert_eq!(answer["result"]["content"][0]["text"], text);
    }
    gateway.finish().await;
}
