//! Sessions of legacy clients: how they begin, who may use them, how they end.

use std::collections::HashSet;

use serde_json::json;
use toolgate::model::caller::Caller;

use crate::support::{Latch, LegacySession, Request, TestGateway, until};

/// S09.
#[tokio::test]
async fn session_ids_cannot_be_guessed() {
    let gateway = TestGateway::plain().await;
    let mut connection = gateway.connect().await;
    let mut ids = HashSet::new();
    let mut bits = [0; 128];
    const COUNT: usize = 512;
    for _ in 0..COUNT {
        let answer = connection
            .send(&LegacySession::initialize("2025-11-25"))
            .await;
        let id = answer.header("mcp-session-id").to_owned();
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
        let value = u128::from_str_radix(&id, 16).expect("128 bits as hexadecimal digits");
        assert_eq!(id.len(), 32);
        (0..128).for_each(|bit| bits[bit] += usize::from(value >> bit & 1 == 1));
        assert!(ids.insert(id), "ids come once");
    }
    // Every bit is set in half of them. Six standard deviations: wrong once in a million runs of all 128.
    let spread = 6.0 * (COUNT as f64 / 4.0).sqrt();
    for (bit, count) in bits.into_iter().enumerate() {
        let off = (count as f64 - COUNT as f64 / 2.0).abs();
        assert!(off < spread, "bit {bit} is set in {count} of {COUNT}");
    }
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn a_session_lives_from_initialize_to_delete() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let list = session.request(1, "tools/list", json!({}));
    let answer = gateway.send(&list).await;
    assert_eq!(answer.status, 200);
    let result = &answer.json()["result"];
    assert_eq!(result["tools"][0]["name"], "echo__echo");
    assert!(result.get("resultType").is_none() && result.get("cacheScope").is_none());
    assert_eq!(
        gateway
            .send(&session.request(2, "ping", json!({})))
            .await
            .json()["result"],
        json!({})
    );

    let deleted = session.delete(&gateway).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert!(gateway.front.sessions().is_empty());
    let told = session.notification("notifications/cancelled", json!({ "requestId": 1 }));
    for request in [list, session.get(), told] {
        let answer = gateway.send(&request).await;
        assert_eq!((answer.status, answer.code()), (404, -32600));
    }
    assert_eq!(session.delete(&gateway).await.status, 404);
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn a_session_that_is_not_named_is_missing_and_one_that_is_not_known_is_not_found() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let requests = [
        session.request(1, "tools/list", json!({})),
        session.notification("notifications/initialized", json!({})),
        session.get(),
        session.of(Request::new("DELETE", "/mcp")),
        session.of(Request::message(
            json!({ "jsonrpc": "2.0", "id": 1, "result": {} }).to_string(),
        )),
    ];
    for request in requests {
        let missing = gateway
            .send(&request.clone().without("mcp-session-id"))
            .await;
        assert_eq!((missing.status, missing.code()), (400, -32600));
        for unknown in [
            "0123456789abcdef0123456789abcdef",
            "x",
            "",
            &session.id[..31],
            &session.id.to_uppercase(),
        ] {
            let answer = gateway
                .send(&request.clone().set("mcp-session-id", unknown))
                .await;
            assert_eq!((answer.status, answer.code()), (404, -32600), "{unknown}");
        }
    }
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn a_revision_header_that_is_not_served_is_refused() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let list = session.request(1, "tools/list", json!({}));
    let answer = gateway
        .send(&list.clone().set("mcp-protocol-version", "1999-01-01"))
        .await;
    assert_eq!((answer.status, answer.code()), (400, -32022));
    // A header that is missing stands for 2025-03-26.
    assert_eq!(
        gateway
            .send(&list.without("mcp-protocol-version"))
            .await
            .status,
        200
    );
    gateway.finish().await;
}

/// S06.
#[tokio::test]
async fn a_header_that_stands_twice_names_nothing() {
    let gateway = TestGateway::plain().await;
    let (one, two) = (
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    );
    for request in [one.request(1, "tools/list", json!({})), one.get()] {
        for (name, value) in [
            ("mcp-session-id", two.id.as_str()),
            ("mcp-protocol-version", "2025-06-18"),
        ] {
            let answer = gateway.send(&request.clone().header(name, value)).await;
            assert_eq!((answer.status, answer.code()), (400, -32600), "{name}");
        }
    }
    gateway.finish().await;
}

/// S39.
#[tokio::test]
async fn an_initialize_that_is_refused_leaves_no_session() {
    let gateway = TestGateway::plain().await;
    let bad = [
        json!({}),
        json!({ "protocolVersion": 1, "capabilities": {} }),
        json!({ "protocolVersion": "2025-11-25" }),
        json!({ "protocolVersion": "2025-11-25", "capabilities": [] }),
    ];
    for params in bad {
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let answer = gateway.send(&Request::message(message.to_string())).await;
        assert_eq!(answer.code(), -32602, "{params}");
        assert!(!answer.headers.contains_key("mcp-session-id"));
    }
    assert!(gateway.front.sessions().is_empty());
    gateway.finish().await;
}

/// S39.
#[tokio::test]
async fn sessions_above_the_bound_are_refused_for_now() {
    let config = "[server.sessions]\nmax = 3\nmax_per_principal = 3";
    let gateway = TestGateway::builder().config(config).build().await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(LegacySession::open(&gateway).await);
    }
    let refused = gateway.send(&LegacySession::initialize("2025-11-25")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    for session in &sessions {
        assert_eq!(
            gateway
                .send(&session.request(1, "ping", json!({})))
                .await
                .status,
            200
        );
    }
    sessions[0].delete(&gateway).await;
    LegacySession::open(&gateway).await;
    gateway.finish().await;
}

/// S39.
#[tokio::test]
async fn an_idle_session_ends_and_one_in_use_does_not() {
    let latch = Latch::new();
    let config = "[server.sessions]\nidle_ms = 300";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut connection = gateway.connect().await;
    let open = LegacySession::initialize("2025-11-25");
    let id = |answer: &crate::support::Answer| answer.header("mcp-session-id").to_owned();
    let busy = id(&connection.send(&open).await);
    let of = |id: &str, method: &str, params: serde_json::Value| {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Request::message(message.to_string()).header("mcp-session-id", id)
    };
    let mut calling = gateway.connect().await;
    let call = of(
        &busy,
        "tools/call",
        json!({ "name": "held__wait", "arguments": {} }),
    );
    calling.write(&call.bytes(gateway.address)).await;
    latch.begun(1).await;
    let idle = id(&connection.send(&open).await);
    until("the idle session ends", || {
        gateway.front.sessions().sweep();
        gateway.front.sessions().len() == 1
    })
    .await;
    assert_eq!(
        gateway.send(&of(&idle, "ping", json!({}))).await.status,
        404
    );
    latch.open();
    assert_eq!(calling.answer().await.status, 200);
    gateway.finish().await;
}

/// S39.
#[tokio::test]
async fn an_open_stream_keeps_its_session() {
    let gateway = TestGateway::builder()
        .config("[server.sessions]\nidle_ms = 50")
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let mut stream = gateway.connect().await;
    assert_eq!(stream.begin(&session.get()).await.status, 200);
    let other = LegacySession::open(&gateway).await;
    until("the session without a stream ends", || {
        gateway
            .front
            .sessions()
            .get(&other.id, &Caller::anonymous())
            .is_none()
    })
    .await;
    assert!(
        gateway
            .front
            .sessions()
            .get(&session.id, &Caller::anonymous())
            .is_some()
    );
    drop(stream);
    until("the session ends after its stream", || {
        gateway
            .front
            .sessions()
            .get(&session.id, &Caller::anonymous())
            .is_none()
    })
    .await;
    gateway.finish().await;
}

/// S39.
#[tokio::test]
async fn no_session_outlives_its_total_time() {
    let latch = Latch::new();
    let config = "[server.sessions]\ntotal_ms = 300";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let mut calling = gateway.connect().await;
    calling
        .write(
            &session
                .call(1, "held__wait", json!({}))
                .bytes(gateway.address),
        )
        .await;
    latch.begun(1).await;
    until("the session ends", || {
        gateway.front.sessions().sweep();
        gateway.front.sessions().is_empty()
    })
    .await;
    latch.given_up(1).await;
    let answer = calling.answer().await;
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    gateway.finish().await;
}

#[tokio::test]
async fn a_second_stream_of_a_session_takes_the_place_of_the_first() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    let head = first.begin(&session.get()).await;
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, "text/event-stream")
    );
    assert_eq!(second.begin(&session.get()).await.status, 200);
    assert_eq!(first.event().await, None);
    session.delete(&gateway).await;
    assert_eq!(
        second.event().await,
        None,
        "the stream ends with its session"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn a_stream_must_be_acceptable() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    for accept in ["application/json", "text/html", ""] {
        assert_eq!(
            gateway
                .send(&session.get().set("accept", accept))
                .await
                .status,
            406,
            "{accept}"
        );
    }
    assert_eq!(
        gateway.send(&session.get().without("accept")).await.status,
        406
    );
    gateway.finish().await;
}

#[tokio::test]
async fn methods_of_the_other_era_are_not_there() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    for method in ["server/discover", "subscriptions/listen", "tools/burn"] {
        let answer = gateway.send(&session.request(1, method, json!({}))).await;
        assert_eq!((answer.status, answer.code()), (200, -32601), "{method}");
    }
    gateway.finish().await;
}

/// F33: the same id in two sessions is two ids.
#[tokio::test]
async fn sessions_do_not_hear_of_each_other() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let (one, two) = (
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    );
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    first
        .write(&one.call(1, "held__wait", json!({})).bytes(gateway.address))
        .await;
    second
        .write(&two.call(1, "held__wait", json!({})).bytes(gateway.address))
        .await;
    latch.begun(2).await;
    let cancel = one.notification("notifications/cancelled", json!({ "requestId": 1 }));
    assert_eq!(gateway.send(&cancel).await.status, 202);
    latch.given_up(1).await;
    assert_eq!(first.answer().await.status, 202);
    latch.open();
    assert_eq!(
        second.answer().await.json()["result"]["content"][0]["text"],
        "let go"
    );
    gateway.finish().await;
}
