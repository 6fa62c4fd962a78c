//! Remote servers that fail are left alone, and those that ask for it.

mod upstream;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::breaker::upstream::{Mood, Upstream};
use crate::hostile::{call, calling, failure, failure_of, result_of};
use crate::support::{Request, TestGateway, until, within};

/// Refused without asking anybody. The machine may be busy; far below any round trip that waits for something.
const AT_ONCE: Duration = Duration::from_millis(200);

async fn gateway(upstream: &Upstream, lines: &str) -> TestGateway {
    TestGateway::builder()
        .config(&upstream.entry(lines))
        .build()
        .await
}

async fn fails(gateway: &TestGateway) -> String {
    failure(gateway, "up__echo", json!({})).await.0
}

fn details(gateway: &TestGateway) -> Value {
    let report = gateway.plugin("up").health_report();
    serde_json::to_value(report.details).expect("JSON")
}

/// F23: five failures in a row, and then nobody is sent to the server.
async fn opens_after_five(mood: Mood, reason: &str) {
    let upstream = Upstream::start(Mood::Well).await;
    let lines = "breaker.open_ms = 60000\nlimits.call_timeout_ms = 100";
    let gateway = gateway(&upstream, lines).await;
    upstream.be(mood);
    for _ in 0..5 {
        assert_eq!(fails(&gateway).await, reason);
    }
    let n_calls = upstream.calls();
    let begun = Instant::now();
    let (told, words) = failure(&gateway, "up__echo", json!({})).await;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(told, "circuit_open", "{words}");
    assert_eq!(upstream.calls(), n_calls, "{words}");
    let details = details(&gateway);
    assert_eq!(details["circuit"], "open");
    let left = details["circuit_open_ms"].as_u64().expect("a number");
    assert!((50_000..=60_000).contains(&left), "{left}");
    assert_eq!(gateway.plugin("up").health().status.as_str(), "degraded");
    gateway.finish().await;
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone() {
    opens_after_five(Mood::Status("503 Service Unavailable"), "upstream_5xx").await;
    opens_after_five(Mood::Broken, "upstream_reset").await;
}

/// One that says nothing at all fails, too.
#[tokio::test]
async fn a_server_that_is_silent_is_left_alone() {
    opens_after_five(Mood::Silent, "timeout").await;
}

/// What a server refuses is its answer.
#[tokio::test]
async fn a_server_that_refuses_is_asked_again() {
    let upstream = Upstream::start(Mood::Status("400 Bad Request")).await;
    let gateway = gateway(&upstream, "").await;
    for _ in 0..7 {
        assert_eq!(fails(&gateway).await, "upstream_4xx");
    }
    assert_eq!(upstream.calls(), 7);
    assert_eq!(details(&gateway), json!({}));
    gateway.finish().await;
}

/// F23: of all who come when the wait is over exactly one reaches the server.
#[tokio::test]
async fn one_call_tries_for_all() {
    let upstream = Upstream::start(Mood::Status("500 Internal Server Error")).await;
    let gateway = gateway(&upstream, "breaker = { failures = 2, open_ms = 50 }").await;
    for _ in 0..2 {
        assert_eq!(fails(&gateway).await, "upstream_5xx");
    }
    upstream.be(Mood::Held);
    until("the wait is over", || {
        details(&gateway)["circuit"] == "half_open"
    })
    .await;
    let callers: Vec<_> = (0..20)
        .map(|_| calling(&gateway, "up__echo", json!({})))
        .collect();
    // All but the one that is held.
    until("the others are refused", || {
        callers.iter().filter(|call| call.is_finished()).count() == 19
    })
    .await;
    assert_eq!(upstream.calls(), 3);
    upstream.be(Mood::Well);
    upstream.let_go();
    let mut n_well = 0;
    for caller in callers {
        let result = within("the calls end", caller).await.expect("no panic");
        match result["isError"] == true {
            true => assert_eq!(failure_of(&result).0, "circuit_open"),
            false => n_well += 1,
        }
    }
    assert_eq!((n_well, upstream.calls()), (1, 3));
    assert_eq!(details(&gateway), json!({}));
    for _ in 0..3 {
        result_of(&call(gateway.address, "up__echo", json!({})).await);
    }
    assert_eq!(upstream.calls(), 6);
    gateway.finish().await;
}

/// F24: who is told to come later is told for how long, and nobody asks the server before.
#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is() {
    let upstream = Upstream::start(Mood::Well).await;
    let gateway = gateway(&upstream, "breaker.failures = 1").await;
    upstream.be(Mood::Limited);
    let mut request =
        Request::new("POST", "/api/tools/up__echo").header("content-type", "application/json");
    let refused = |answer: &crate::support::Answer| {
        let error = answer.json()["error"].clone();
        assert_eq!(error["reason"], "upstream_busy", "{error}");
        error["retry_after_ms"].as_u64().expect("a number")
    };
    request.body = b"{}".to_vec();
    assert_eq!(refused(&gateway.send(&request).await), 1_000);
    upstream.be(Mood::Well);
    let n_before = upstream.came().len();
    let mut last = 1_001;
    let answer = within("the wait is over", async {
        loop {
            let answer = gateway.send(&request).await;
            if answer.status == 200 {
                return answer;
            }
            let left = refused(&answer);
            assert!(left <= last, "{left} after {last}");
            last = left;
            // What the gateway does by itself waits as well.
            gateway.plugin("up").check_health().await;
        }
    })
    .await;
    assert_eq!(answer.status, 200);
    let came = upstream.came();
    let wait = came[n_before].duration_since(came[n_before - 1]);
    assert!(wait >= Duration::from_millis(990), "{wait:?}");
    assert_eq!(details(&gateway)["circuit"], Value::Null);
    gateway.finish().await;
}

/// F24: so is one that says so at the start.
#[tokio::test]
async fn a_start_that_comes_too_early_is_not_made() {
    let upstream = Upstream::start(Mood::Limited).await;
    let gateway = gateway(&upstream, "restart = { max = 1, backoff_initial_ms = 1 }").await;
    assert_eq!(upstream.came().len(), 1);
    upstream.be(Mood::Well);
    assert_eq!(fails(&gateway).await, "upstream_busy");
    within("it is started by itself", async {
        while call(gateway.address, "up__echo", json!({}))
            .await
            .text()
            .contains("isError")
        {}
    })
    .await;
    let came = upstream.came();
    let wait = came[1].duration_since(came[0]);
    assert!(wait >= Duration::from_millis(990), "{wait:?}");
    assert_eq!(gateway.plugin("up").pool.starts(), 2);
    gateway.finish().await;
}

/// F28: one attempt for each start, and no more starts than the budget has.
#[tokio::test]
async fn a_server_without_the_right_tls_is_not_stormed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (told, mut came) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let text = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            drop(tokio::io::AsyncWriteExt::write_all(&mut socket, text).await);
            told.try_send(()).ok();
        }
    });
    let config = format!(
        "[plugins.up]\nruntime = \"mcp_http\"\nmcp_http = {{ url = \"https://127.0.0.1:{port}/mcp\" }}\nrestart = {{ max = 2, backoff_initial_ms = 20, backoff_max_ms = 20 }}\n"
    );
    let gateway = TestGateway::builder().config(&config).build().await;
    let words = within("the budget is spent", async {
        loop {
            let (reason, words) = failure(&gateway, "up__echo", json!({})).await;
            assert!(
                reason.starts_with("tls_") || reason == "circuit_open",
                "{words}"
            );
            if words.contains("times within 60 s") {
                return words;
            }
        }
    })
    .await;
    let n_came = std::iter::from_fn(|| came.try_recv().ok()).count();
    let n_starts = gateway.plugin("up").pool.starts();
    assert_eq!(n_came as u64, n_starts, "{words}");
    assert!(n_starts <= 3, "{n_starts} starts: {words}");
    gateway.finish().await;
}
