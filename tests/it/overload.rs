//! More than the gateway takes: of calls, of connections, and of time.

use std::time::{Duration, Instant};

use serde_json::json;
use toolgate::runtime::process::raise_file_limit;

use crate::support::{Latch, Request, StdioClient, TestGateway, modern, until, within};

/// F35: 50 run, 200 wait, the others are refused at once; another plugin does not notice.
#[tokio::test]
async fn calls_above_the_bounds_of_a_plugin_are_refused_at_once() {
    raise_file_limit();
    const CALLS: usize = 1000;
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let call = modern::call("held__wait", json!({})).bytes(gateway.address);
    let mut connections = Vec::new();
    for _ in 0..CALLS {
        let mut connection = gateway.connect().await;
        connection.write(&call).await;
        connections.push(connection);
    }
    latch.begun(50).await;
    let held = gateway.plugin("held");
    let gate = &held.gate;
    until("the others are refused", || gateway.front.active() == 250).await;
    assert_eq!(
        (gate.in_flight(), gate.queued(), latch.counts().0),
        (50, 200, 50)
    );

    let mut quiet = gateway.connect().await;
    let echo = modern::call("echo__echo", json!({ "text": "a" }));
    let begun = Instant::now();
    assert_eq!(
        quiet.send(&echo).await.json()["result"]["content"][0]["text"],
        "a"
    );
    assert!(
        begun.elapsed() < Duration::from_millis(50),
        "another plugin took {:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    quiet.send(&modern::call("held__wait", json!({}))).await;
    assert!(
        begun.elapsed() < Duration::from_millis(50),
        "a refusal took {:?}",
        begun.elapsed()
    );

    latch.open();
    let (mut done, mut refused) = (0, 0);
    for mut connection in connections {
        let answer = connection.answer().await;
        let result = &answer.json()["result"];
        assert_eq!(
            (answer.status, &result["resultType"]),
            (200, &json!("complete"))
        );
        if result["isError"] == true {
            assert_eq!(result["_meta"]["toolgate/reason"], "overloaded");
            assert!(result["_meta"]["toolgate/retry_after_ms"].is_u64());
            let text = result["content"][0]["text"].to_string();
            assert!(
                text.contains("at its limit of 50 calls with 200 waiting"),
                "{text}"
            );
            assert!(text.contains("try again in"), "{text}");
            refused += 1;
        } else {
            done += 1;
        }
    }
    assert_eq!((done, refused), (250, 750));
    gateway.finish().await;
}

/// F35, on a pipe: the client reads its refusals while others wait.
#[tokio::test]
async fn a_pipe_full_of_calls_goes_on() {
    let latch = Latch::new();
    let config = "[plugins.held.limits]\nmax_concurrent_calls = 1\nmax_queue = 2";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let call = json!({ "name": "held__wait", "arguments": {} });
    for id in 1..=10 {
        client.request(id, "tools/call", call.clone()).await;
    }
    for _ in 0..7 {
        let refused = client.next().await;
        assert_eq!(refused["result"]["_meta"]["toolgate/reason"], "overloaded");
    }
    assert_eq!(client.ask("ping", "ping", json!({})).await["id"], "ping");
    latch.open();
    for _ in 0..3 {
        assert_eq!(
            client.next().await["result"]["content"][0]["text"],
            "let go"
        );
    }
    client.finish().await;
    gateway.finish().await;
}

/// S38.
#[tokio::test]
async fn headers_that_do_not_come_end_the_connection() {
    let gateway = TestGateway::builder()
        .config("[server]\nheader_timeout_ms = 100")
        .build()
        .await;
    for begun in [
        &b""[..],
        b"POST /mcp HT",
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    ] {
        let mut slow = gateway.connect().await;
        slow.write(begun).await;
        let answer = gateway.send(&modern::call("echo__echo", json!({}))).await;
        assert_eq!(answer.status, 200, "others are served meanwhile");
        let rest = slow.rest().await;
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"),
            "{rest:?}"
        );
    }
    gateway.finish().await;
}

/// S38: a byte now and then does not give a client its time again.
#[tokio::test]
async fn headers_that_come_one_by_one_end_the_connection() {
    let gateway = TestGateway::builder()
        .config("[server]\nheader_timeout_ms = 100")
        .build()
        .await;
    let mut slow = gateway.connect().await;
    let dripping = async {
        let bytes = b"GET /health HTTP/1.1\r\nx: "
            .iter()
            .chain(std::iter::repeat(&b'x'));
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for byte in bytes {
            ticks.tick().await;
            if !slow.try_write(&[*byte]).await {
                return;
            }
        }
    };
    within("the connection ends", dripping).await;
    gateway.finish().await;
}

/// S38.
#[tokio::test]
async fn a_body_that_does_not_come_is_refused() {
    let gateway = TestGateway::builder()
        .config("[server]\nbody_timeout_ms = 100")
        .build()
        .await;
    let call = modern::call("echo__echo", json!({}));
    let bytes = call.bytes(gateway.address);
    let mut slow = gateway.connect().await;
    slow.write(&bytes[..bytes.len() - 1]).await;
    let answer = slow.answer().await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.json()["error"]["reason"], "too_slow");
    assert!(slow.is_closed().await);
    gateway.finish().await;
}

/// S38: connections that wait for their headers are counted, and make room when they are over.
#[tokio::test]
async fn connections_above_the_bound_are_closed() {
    let config =
        "[server]\nmax_connections = 4\nmax_connections_per_ip = 4\nheader_timeout_ms = 150";
    let gateway = TestGateway::builder().config(config).build().await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut connection = gateway.connect().await;
        connection.write(b"GET").await;
        open.push(connection);
    }
    let mut above = gateway.connect().await;
    assert!(above.is_closed().await);
    for mut connection in open {
        connection.rest().await;
    }
    until_served(&gateway).await;
    gateway.finish().await;
}

/// Waits until the gateway has seen that other connections are over.
async fn until_served(gateway: &TestGateway) {
    let echo = modern::call("echo__echo", json!({}))
        .header("connection", "close")
        .bytes(gateway.address);
    within("there is room again", async {
        loop {
            let mut connection = gateway.connect().await;
            if connection.try_write(&echo).await
                && connection.rest().await.starts_with(b"HTTP/1.1 200")
            {
                return;
            }
        }
    })
    .await;
}

/// S38: an answer that nobody reads is let go.
#[tokio::test]
async fn an_answer_that_is_not_read_ends_the_connection() {
    let config = "[server]\nwrite_timeout_ms = 150\nmax_connections = 1";
    let gateway = TestGateway::builder().config(config).build().await;
    let text = "x".repeat(3 << 20);
    let call = modern::call("echo__echo", json!({ "text": text }));
    let mut lazy = gateway.narrow().await;
    lazy.write(&call.bytes(gateway.address)).await;
    // The one place is free again when the gateway has closed the connection.
    until_served(&gateway).await;
    let read = lazy.rest().await;
    assert!(
        read.len() < 6 << 20,
        "the whole answer came: {}",
        read.len()
    );
    gateway.finish().await;
}

#[tokio::test]
async fn many_connections_that_send_nothing_leave_room_for_one_that_does() {
    raise_file_limit();
    let gateway = TestGateway::plain().await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(gateway.connect().await);
    }
    let begun = Instant::now();
    let answer = gateway.send(&Request::new("OPTIONS", "/mcp")).await;
    assert_eq!(answer.status, 204);
    assert!(
        begun.elapsed() < Duration::from_millis(100),
        "it took {:?}",
        begun.elapsed()
    );
    drop(silent);
    gateway.finish().await;
}
