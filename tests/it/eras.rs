//! Which era a request belongs to, decided request by request.

use serde_json::{Value, json};

use crate::support::{LegacySession, Request, TestGateway, modern};

/// What the decision is seen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Served without a session.
    Modern,
    /// Served in the session.
    Legacy,
    /// A status and an error code.
    Refused(u16, i64),
}

struct Case {
    /// The version in the body's `_meta`.
    meta: Option<&'static str>,
    /// The version header.
    header: Option<&'static str>,
    /// Whether the id of a session goes with it.
    session: bool,
    seen: Seen,
}

const fn case(
    meta: Option<&'static str>,
    header: Option<&'static str>,
    session: bool,
    seen: Seen,
) -> Case {
    Case {
        meta,
        header,
        session,
        seen,
    }
}

const NEW: Option<&str> = Some("2026-07-28");
const OLD: Option<&str> = Some("2025-11-25");
const ODD: Option<&str> = Some("1999-01-01");

const CASES: [Case; 16] = [
    case(NEW, NEW, false, Seen::Modern),
    case(NEW, NEW, true, Seen::Modern),
    case(None, None, true, Seen::Legacy),
    case(None, OLD, true, Seen::Legacy),
    case(None, Some("2025-06-18"), true, Seen::Legacy),
    case(None, None, false, Seen::Refused(400, -32600)),
    case(None, OLD, false, Seen::Refused(400, -32600)),
    case(NEW, None, false, Seen::Refused(400, -32020)),
    case(NEW, None, true, Seen::Refused(400, -32020)),
    case(NEW, OLD, true, Seen::Refused(400, -32020)),
    case(None, NEW, false, Seen::Refused(400, -32602)),
    case(None, NEW, true, Seen::Refused(400, -32602)),
    case(ODD, ODD, false, Seen::Refused(400, -32022)),
    case(OLD, OLD, true, Seen::Refused(400, -32022)),
    case(None, ODD, false, Seen::Refused(400, -32022)),
    case(None, ODD, true, Seen::Refused(400, -32022)),
];

fn seen(answer: &crate::support::Answer) -> Seen {
    match answer.json() {
        Value::Object(message) if message.contains_key("error") => {
            Seen::Refused(answer.status, answer.code())
        }
        message if message["result"].get("resultType").is_some() => Seen::Modern,
        _ => Seen::Legacy,
    }
}

#[tokio::test]
async fn the_metadata_decides_and_then_the_header() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    for Case {
        meta,
        header,
        session: in_session,
        seen: expected,
    } in CASES
    {
        let mut params = json!({});
        if let Some(version) = meta {
            params = modern::message(1, "", json!({}))["params"].clone();
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = version.into();
        }
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params });
        let mut request = Request::message(message.to_string()).header("mcp-method", "tools/list");
        if let Some(version) = header {
            request = request.header("mcp-protocol-version", version);
        }
        if in_session {
            request = request.header("mcp-session-id", &session.id);
        }
        let answer = gateway.send(&request).await;
        assert_eq!(
            seen(&answer),
            expected,
            "meta {meta:?}, header {header:?}, session {in_session}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn an_initialize_is_the_beginning_of_the_legacy_era_only() {
    let gateway = TestGateway::plain().await;
    let answer = gateway.send(&LegacySession::initialize("2025-11-25")).await;
    assert_eq!((answer.status, seen(&answer)), (200, Seen::Legacy));
    assert_eq!(gateway.front.sessions().len(), 1);
    let modern = gateway
        .send(&modern::request("initialize", json!({})))
        .await;
    assert_eq!(seen(&modern), Seen::Refused(404, -32601));
    assert_eq!(
        gateway.front.sessions().len(),
        1,
        "a modern initialize opens nothing"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn an_initialize_gets_the_revision_it_asks_for_or_the_newest_of_its_era() {
    let gateway = TestGateway::plain().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let answer = gateway.send(&LegacySession::initialize(version)).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], version);
    }
    for version in ["2026-07-28", "2030-01-01", "1", ""] {
        let answer = gateway.send(&LegacySession::initialize(version)).await;
        assert_eq!(
            answer.json()["result"]["protocolVersion"],
            "2025-11-25",
            "{version}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn both_eras_are_served_on_one_connection() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let mut connection = gateway.connect().await;
    for _ in 0..2 {
        let answer = connection
            .send(&modern::request("tools/list", json!({})))
            .await;
        assert_eq!(seen(&answer), Seen::Modern);
        let answer = connection
            .send(&session.request(2, "tools/list", json!({})))
            .await;
        assert_eq!(seen(&answer), Seen::Legacy);
    }
    gateway.finish().await;
}
