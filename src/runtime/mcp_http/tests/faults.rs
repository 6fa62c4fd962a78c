//! Servers that are gone, slow, flooding, lying: each gives its own fault, soon, and names the plugin.

use super::upstream::{
    Seen, Step, Upstream, answer, chunk, end, event, json_answer, legacy, modern, stream,
};
use tokio::io::AsyncWriteExt;

use super::*;

const JSON: &str = "content-type: application/json\r\n";

/// The fault of a call that a modern server handles with `calls`.
async fn fault_of(calls: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Fault {
    let upstream = Upstream::start(modern(calls)).await;
    let small = manifest(&upstream.url(), "", "limits.max_message_bytes = 4096");
    let instance = start_with(&runtime(), small).await.expect("it starts");
    let fault = call(&instance).await.expect_err("a fault");
    let names = format!("plugin `up` (127.0.0.1:{})", upstream.port);
    assert!(fault.message.starts_with(&names), "{fault}");
    fault
}

async fn check(
    calls: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
    expect: (FaultKind, &str, &str),
) {
    let fault = fault_of(calls).await;
    let (kind, reason, says) = expect;
    assert_eq!((fault.kind, fault.reason), (kind, reason), "{fault}");
    assert!(fault.message.contains(says), "{fault}");
}

/// F21, F22.
#[tokio::test]
async fn a_stream_that_breaks_or_ends_early_is_told_at_once() {
    let progress =
        || event(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} }));
    let reset = (FaultKind::Unavailable, "upstream_reset", "in the middle");
    check(move |_| vec![stream(), progress(), Step::Reset], reset).await;
    check(move |_| vec![stream(), progress(), Step::Close], reset).await;
    let ended = (FaultKind::Unavailable, "stream_ended", "before the answer");
    check(move |_| vec![stream(), progress(), end()], ended).await;
    check(|_| vec![stream(), end()], ended).await;
    // The last event is not finished, so it does not count.
    check(
        |seen| {
            vec![
                stream(),
                chunk(&format!("data: {}\n", seen.result(&json!({})))),
                end(),
            ]
        },
        ended,
    )
    .await;
}

/// F21.
#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_not_tried_again() {
    for last in [|| Step::Reset, || Step::Close] {
        let mut upstream = Upstream::start(modern(move |_| vec![last()])).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        let fault = call(&instance).await.expect_err("a fault");
        assert_eq!(
            (fault.kind, fault.reason),
            (FaultKind::Unavailable, "upstream_reset")
        );
        assert_eq!(upstream.count("tools/call"), 1);
    }
}

/// F30.
#[tokio::test]
async fn answers_that_are_none_are_refused() {
    use FaultKind::Broken;
    let text = |status: &'static str, headers: &'static str, body: &'static str| {
        move |_: &Seen| answer(status, headers, body)
    };
    check(
        text("200 OK", "content-type: text/html\r\n", "<html>"),
        (Broken, "bad_content_type", "`text/html`"),
    )
    .await;
    check(
        text("200 OK", "", "{}"),
        (Broken, "bad_content_type", "no content type"),
    )
    .await;
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    check(
        text("200 OK", gzip, "\x1f"),
        (Broken, "bad_content_type", "compressed"),
    )
    .await;
    check(
        text("200 OK", JSON, "{\"jsonrpc\""),
        (Broken, "protocol_error", "malformed"),
    )
    .await;
    check(
        text("200 OK", JSON, ""),
        (Broken, "protocol_error", "malformed"),
    )
    .await;
    check(
        text("200 OK", JSON, "[]"),
        (Broken, "protocol_error", "malformed"),
    )
    .await;
    let other = r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#;
    check(
        text("200 OK", JSON, other),
        (Broken, "protocol_error", "not the answer"),
    )
    .await;
    check(
        text("202 Accepted", "", ""),
        (Broken, "protocol_error", "202"),
    )
    .await;
    check(
        |_| vec![stream(), chunk("data: {\n\n"), end()],
        (Broken, "protocol_error", "malformed"),
    )
    .await;
    check(
        |_| vec![Step::Write("SSH-2.0-x\r\n".to_owned()), Step::Close],
        (Broken, "protocol_error", "not HTTP"),
    )
    .await;
    check(
        |seen| json_answer(&seen.result(&json!({ "resultType": "riddle" }))),
        (Broken, "protocol_error", "riddle"),
    )
    .await;
}

/// S24, F30.
#[tokio::test]
async fn answers_are_bounded_however_they_come() {
    let large = (FaultKind::Broken, "too_large", "max_message_bytes");
    // It says so itself: not a byte of the body is waited for.
    check(
        |_| {
            vec![
                Step::Write(format!(
                    "HTTP/1.1 200 OK\r\n{JSON}content-length: 5000\r\n\r\n"
                )),
                Step::Hold,
            ]
        },
        large,
    )
    .await;
    let chunked = format!("HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
    check(
        move |_| {
            vec![
                Step::Write(chunked.clone()),
                chunk(&" ".repeat(3000)),
                chunk(&" ".repeat(3000)),
                Step::Hold,
            ]
        },
        large,
    )
    .await;
    check(
        |_| {
            vec![
                stream(),
                chunk(&format!("data: {}", "x".repeat(5000))),
                Step::Hold,
            ]
        },
        large,
    )
    .await;
    // Many small ones.
    check(
        |_| {
            let comments = (0..20).map(|_| chunk(&":\n".repeat(500)));
            std::iter::once(stream())
                .chain(comments)
                .chain([Step::Hold])
                .collect()
        },
        large,
    )
    .await;
}

#[tokio::test]
async fn every_status_has_its_reason() {
    use FaultKind::{Broken, Busy, Unavailable};
    let table = [
        (
            "500 Internal Server Error",
            Unavailable,
            "upstream_5xx",
            "500",
        ),
        (
            "503 Service Unavailable",
            Unavailable,
            "upstream_5xx",
            "503",
        ),
        (
            "401 Unauthorized",
            Unavailable,
            "upstream_auth",
            "bearer_token",
        ),
        ("403 Forbidden", Unavailable, "upstream_auth", "403"),
        ("429 Too Many Requests", Busy, "upstream_busy", "429"),
        ("404 Not Found", Unavailable, "upstream_4xx", "url"),
        ("418 I'm a teapot", Unavailable, "upstream_4xx", "418"),
    ];
    for (status, kind, reason, says) in table {
        check(move |_| answer(status, "", "nothing"), (kind, reason, says)).await;
    }
    check(
        |_| answer("304 Not Modified", "", ""),
        (Unavailable, "redirect_refused", "304"),
    )
    .await;
    check(
        |_| answer("206 Partial Content", JSON, "{}"),
        (Broken, "protocol_error", "malformed"),
    )
    .await;
    for (sent, expect) in [("2", Some(2)), ("x", None), ("99999999999", Some(86_400))] {
        let headers = format!("retry-after: {sent}\r\n");
        let fault = fault_of(move |_| answer("429 Too Many Requests", &headers, "")).await;
        assert_eq!(fault.retry_after, expect.map(Duration::from_secs), "{sent}");
    }
}

/// S21, F27.
#[tokio::test]
async fn redirects_never_leave_the_origin() {
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let mut canary = Upstream::start(|_| answer("200 OK", "", "")).await;
        let to = canary.url();
        check(
            move |_| answer(status, &format!("location: {to}\r\n"), ""),
            (FaultKind::Unavailable, "redirect_refused", "redirects"),
        )
        .await;
        assert_eq!(canary.count("POST"), 0, "{status}");
    }
    check(
        |_| {
            answer(
                "307 Temporary Redirect",
                "location: http://169.254.169.254/latest\r\n",
                "",
            )
        },
        (FaultKind::Unavailable, "redirect_refused", "another server"),
    )
    .await;
}

/// F27.
#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_twice_at_most() {
    let server = modern(|seen| match &*seen.path {
        "/mcp" => answer("307 Temporary Redirect", "location: /b\r\n", ""),
        "/b" => answer("308 Permanent Redirect", "location: c?x=1\r\n", ""),
        "/c?x=1" => json_answer(&seen.result(&json!({ "at": "c" }))),
        _ => answer("404 Not Found", "", ""),
    });
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(call(&instance).await.expect("an answer"), r#"{"at":"c"}"#);

    let mut upstream = Upstream::start(modern(|_| {
        answer("307 Temporary Redirect", "location: /mcp\r\n", "")
    }))
    .await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let fault = call(&instance).await.expect_err("a fault");
    assert_eq!(fault.reason, "redirect_refused");
    assert_eq!(upstream.count("tools/call"), 3);
}

/// F25.
#[tokio::test]
async fn a_server_that_drips_holds_nobody_beyond_the_deadline() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let drip = Arc::clone(&gate);
    let server = modern(move |_| {
        let comment = || [Step::Gate(Arc::clone(&drip)), chunk(":\n\n")];
        std::iter::once(stream())
            .chain((0..100).flat_map(|_| comment()))
            .chain([Step::Hold])
            .collect()
    });
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let context = context(Ears::new());
    let call = instance.request(request(&json!({ "name": "echo" })), &context);
    let dripping = async {
        for _ in 0..50 {
            gate.add_permits(1);
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    // The deadline is the dispatcher's. That it passes drops the call, and this closes the connection.
    let deadline = Duration::from_millis(50);
    tokio::select! {
        late = tokio::time::timeout(deadline, call) => assert!(late.is_err()),
        () = dripping => {}
    }
    gate.add_permits(100);
    assert_eq!(
        soon(upstream.hung_up.recv()).await.expect("it runs").rpc(),
        "tools/call"
    );
}

/// F26.
#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let fault = start(&format!("http://127.0.0.1:{port}/mcp"))
        .await
        .err()
        .expect("a fault");
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Unavailable, "connect_refused")
    );
    assert!(fault.message.contains("plugin `up`"), "{fault}");

    // A label this long is no name, so nobody has to be asked.
    let name = format!("{}.invalid", "a".repeat(70));
    let fault = start(&format!("http://{name}/mcp?key=hunter2"))
        .await
        .err()
        .expect("a fault");
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Unavailable, "dns_failure")
    );
    assert!(fault.message.contains(&name), "{fault}");
    assert!(!fault.message.contains("hunter2"), "{fault}");
}

// Other systems take more connections than they were told to.
#[cfg(target_os = "linux")]
/// F26.
#[tokio::test]
async fn a_server_that_does_not_take_the_connection_is_given_up_on() {
    // A port whose queue of connections is full: the next one gets no answer.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a free port");
    socket.listen(0).expect("it listens");
    let address = socket
        .local_addr()
        .expect("bound")
        .as_socket()
        .expect("TCP");
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let connecting = tokio::net::TcpStream::connect(address);
        if let Ok(Ok(taken)) = tokio::time::timeout(Duration::from_millis(100), connecting).await {
            waiting.push(taken);
        }
    }
    let url = format!("http://{address}/mcp");
    let manifest = manifest(&url, "connect_timeout_ms = 100", "");
    let fault = start_with(&runtime(), manifest)
        .await
        .err()
        .expect("a fault");
    assert_eq!(
        (fault.kind, fault.reason),
        (FaultKind::Unavailable, "connect_timeout"),
        "{fault}"
    );
    assert!(fault.message.contains("100 ms"), "{fault}");
}

#[tokio::test]
async fn a_server_that_says_nothing_does_not_start() {
    let upstream = Upstream::start(|_| vec![Step::Hold]).await;
    let manifest = manifest(&upstream.url(), "", "limits.start_timeout_ms = 200");
    let fault = start_with(&runtime(), manifest)
        .await
        .err()
        .expect("a fault");
    assert_eq!(fault.kind, FaultKind::Unavailable, "{fault}");
    assert_eq!(fault.reason, "start_timeout");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("https://{}/mcp", listener.local_addr().expect("bound"));
    let runtime = McpHttp {
        tls: Tls::trusting(rustls::RootCertStore::empty()),
        ..runtime()
    };
    let answering = async {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let text = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        socket.write_all(text).await.expect("it is read");
        std::future::pending::<()>().await;
    };
    let fault = tokio::select! {
        started = start_with(&runtime, manifest(&url, "", "")) => started.err().expect("a fault"),
        () = answering => unreachable!("it waits for ever"),
    };
    assert_eq!(fault.reason, "tls_not_spoken", "{fault}");
}

#[tokio::test]
async fn a_failed_call_spoils_nothing_for_the_next() {
    let n = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let server = legacy(
        move |seen| match n.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => vec![stream(), Step::Reset],
            _ => json_answer(&seen.result(&json!({ "ok": true }))),
        },
    );
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(
        call(&instance).await.expect_err("a fault").reason,
        "upstream_reset"
    );
    assert_eq!(call(&instance).await.expect("an answer"), r#"{"ok":true}"#);
    assert!(!instance.ended().is_cancelled());
}
