//! How the gateway stops: what runs is finished, what does not end is ended, nobody is left without a word.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    Latch, LegacySession, Program, Request, StdioClient, TestGateway, modern, until, within,
};

/// F41.
#[tokio::test]
async fn calls_in_flight_are_finished_and_new_ones_are_refused() {
    const CALLS: usize = 40;
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let mut calls = Vec::new();
    for id in 0..CALLS {
        let request = match id % 2 {
            0 => modern::call("held__wait", json!({})),
            _ => session.call(id, "held__wait", json!({})),
        };
        let mut connection = gateway.connect().await;
        connection.write(&request.bytes(gateway.address)).await;
        calls.push(connection);
    }
    latch.begun(CALLS).await;
    let mut idle = gateway.connect().await;
    idle.send(&session.request("a", "ping", json!({}))).await;

    let front = std::sync::Arc::clone(&gateway.front);
    let drain = tokio::spawn(async move { front.drain().await });
    until("the gateway drains", || gateway.front.is_draining()).await;
    let refused = [
        modern::call("echo__echo", json!({})),
        session.call("new", "echo__echo", json!({})),
        LegacySession::initialize("2025-11-25"),
        session.get(),
    ];
    for request in refused {
        let answer = gateway.send(&request).await;
        assert_eq!(answer.status, 503);
        assert_eq!(
            (answer.header("retry-after"), answer.header("connection")),
            ("1", "close")
        );
    }
    for (path, status) in [("/readyz", 503), ("/livez", 200)] {
        let answer = gateway.send(&Request::new("GET", path)).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let answer = idle.send(&modern::call("echo__echo", json!({}))).await;
    assert_eq!(answer.status, 503, "on a connection that was open, too");
    assert!(!drain.is_finished());
    latch.open();
    for mut connection in calls {
        let answer = connection.answer().await;
        assert_eq!(answer.json()["result"]["content"][0]["text"], "let go");
    }
    let left = within("the drain ends", drain)
        .await
        .expect("the drain does not panic");
    assert_eq!((left, latch.counts()), (0, (CALLS, 0, CALLS)));
    gateway.finish().await;
}

/// F41.
#[tokio::test]
async fn streams_end_with_a_word_at_once() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let (mut get, mut listen, mut call) = (
        gateway.connect().await,
        gateway.connect().await,
        gateway.connect().await,
    );
    get.begin(&session.get()).await;
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    listen
        .begin(&modern::request("subscriptions/listen", filter))
        .await;
    assert!(listen.event().await.is_some());
    call.write(&modern::call("held__wait", json!({})).bytes(gateway.address))
        .await;
    latch.begun(1).await;
    let front = std::sync::Arc::clone(&gateway.front);
    let drain = tokio::spawn(async move { front.drain().await });
    // While the call is still running.
    assert_eq!(get.event().await, None);
    let last = listen.event().await.expect("a graceful end is a result");
    assert_eq!(
        (&last["id"], &last["result"]["resultType"]),
        (&json!(1), &json!("complete"))
    );
    assert_eq!(listen.event().await, None);
    assert!(!drain.is_finished());
    latch.open();
    assert_eq!(call.answer().await.status, 200);
    within("the drain ends", drain)
        .await
        .expect("the drain does not panic");
    gateway.finish().await;
}

/// F42.
#[tokio::test]
async fn a_call_that_does_not_end_is_ended_with_a_word() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .config("[server]\ndrain_ms = 50")
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let (mut modern, mut legacy) = (gateway.connect().await, gateway.connect().await);
    modern
        .write(&modern::call("held__wait", json!({})).bytes(gateway.address))
        .await;
    legacy
        .write(
            &session
                .call(1, "held__wait", json!({}))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(2).await;
    assert_eq!(within("the drain ends", gateway.front.drain()).await, 2);
    for connection in [&mut modern, &mut legacy] {
        let result = &connection.answer().await.json()["result"];
        assert_eq!(
            (&result["isError"], &result["_meta"]["toolgate/reason"]),
            (&json!(true), &json!("shutting_down"))
        );
    }
    latch.given_up(2).await;
    gateway.finish().await;
}

#[tokio::test]
async fn connections_that_do_nothing_do_not_delay_the_end() {
    let gateway = TestGateway::plain().await;
    let mut idle = gateway.connect().await;
    idle.send(&modern::call("echo__echo", json!({}))).await;
    let mut fresh = gateway.connect().await;
    let begun = Instant::now();
    gateway.finish().await;
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "it took {:?}",
        begun.elapsed()
    );
    assert!(idle.is_closed().await && fresh.is_closed().await);
}

/// F42 on a pipe.
#[tokio::test]
async fn a_pipe_that_is_told_to_stop_ends_its_calls_with_a_word() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    client
        .request(
            1,
            "tools/call",
            json!({ "name": "held__wait", "arguments": {} }),
        )
        .await;
    latch.begun(1).await;
    client.stop();
    let last = client.next().await;
    assert_eq!(
        last["result"]["_meta"]["toolgate/reason"], "shutting_down",
        "{last}"
    );
    assert_eq!(client.next_or_end().await, None);
    client.finish().await;
    gateway.finish().await;
}

/// F41 on a pipe: the client of a subscription is told that it ends.
#[tokio::test]
async fn a_pipe_that_is_told_to_stop_ends_its_subscriptions_with_a_word() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::start(&gateway);
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    client
        .send(&modern::message("sub", "subscriptions/listen", filter))
        .await;
    client.next().await;
    client.stop();
    let word = client.next().await;
    assert_eq!(
        (&word["method"], &word["params"]["requestId"]),
        (&json!("notifications/cancelled"), &json!("sub"))
    );
    let last = client.next().await;
    assert_eq!(
        (&last["id"], &last["result"]["resultType"]),
        (&json!("sub"), &json!("complete"))
    );
    assert_eq!(client.next_or_end().await, None);
    client.finish().await;
    gateway.finish().await;
}

fn counting(to: u32, delay_ms: u32) -> Request {
    let arguments = json!({ "to": to, "delay_ms": delay_ms });
    modern::request(
        "tools/call",
        json!({ "name": "echo__count", "arguments": arguments, "_meta": { "progressToken": 1 } }),
    )
}

/// F41 with the program itself and a signal.
#[tokio::test]
async fn the_program_finishes_its_calls_after_a_signal() {
    let program =
        Program::serve("[plugins.echo.limits]\nmax_concurrent_calls = 100\n[plugins.echo]\n").await;
    let mut calls = Vec::new();
    for _ in 0..100 {
        let mut connection = program.connect().await;
        connection
            .write(&counting(2, 400).bytes(program.address))
            .await;
        calls.push(connection);
    }
    for connection in &mut calls {
        assert_eq!(connection.head().await.status, 200);
    }
    let begun = Instant::now();
    program.signal(Signal::TERM);
    for connection in &mut calls {
        let mut last = None;
        while let Some(event) = connection.event().await {
            last = Some(event);
        }
        assert_eq!(
            last.expect("an answer")["result"]["content"][0]["text"],
            "Counted to 2."
        );
    }
    let (code, log) = program.ended().await;
    assert_eq!(code, 0, "{log:#?}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "it took {:?}",
        begun.elapsed()
    );
    assert!(
        !log.iter().any(|line| line.contains("did not end")),
        "{log:#?}"
    );
}

/// F42 with the program itself.
#[tokio::test]
async fn the_program_ends_calls_that_do_not_end() {
    let program = Program::serve("[server]\ndrain_ms = 200\n[plugins.echo]\n").await;
    let mut call = program.connect().await;
    call.begin(&counting(1000, 20)).await;
    let begun = Instant::now();
    program.signal(Signal::TERM);
    let mut last = json!(null);
    while let Some(event) = call.event().await {
        last = event;
    }
    assert_eq!(
        last["result"]["_meta"]["toolgate/reason"], "shutting_down",
        "{last}"
    );
    let (code, log) = program.ended().await;
    assert_eq!(code, 0, "{log:#?}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        begun.elapsed()
    );
    assert!(
        log.iter().any(|line| line.contains("not over in time")),
        "{log:#?}"
    );
}

/// F42: who asks twice means it.
#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let program = Program::serve("[plugins.echo]\n").await;
    let mut call = program.connect().await;
    call.begin(&counting(1000, 20)).await;
    program.signal(Signal::TERM);
    within("the program drains", async {
        while program
            .send(&modern::call("echo__echo", json!({})))
            .await
            .status
            != 503
        {}
    })
    .await;
    let begun = Instant::now();
    program.signal(Signal::INT);
    let (_, log) = program.ended().await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "it took {:?}",
        begun.elapsed()
    );
    assert!(log.iter().any(|line| line.contains("second")), "{log:#?}");
}
