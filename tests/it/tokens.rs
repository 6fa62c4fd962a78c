//! Bearer tokens: who is let in, what each may see, and that none goes further than the gateway.

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use toolgate::plugin::{ToolContext, ToolError, Tools};

use crate::support::{LegacySession, Program, Request, TestGateway, modern, plugin};

pub(crate) const ANN: &str = "tg_ann-0123456789abcdef0123456789abcdef";
pub(crate) const BOB: &str = "tg_bob-0123456789abcdef0123456789abcdef";
const EVE: &str = "tg_eve-0123456789abcdef0123456789abcdef";

/// The entry of a token in a configuration.
pub(crate) fn token(name: &str, token: &str, plugins: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[auth.tokens]]\nname = \"{name}\"\nsha256 = \"{digits}\"\n{plugins}\n")
}

/// A gateway where ann sees all, bob only `echo`, and eve nothing.
async fn guarded() -> TestGateway {
    let config = [
        token("ann", ANN, ""),
        token("bob", BOB, "plugins = [\"echo\"]"),
        token("eve", EVE, "plugins = []"),
        "[plugins.clock]\n".to_owned(),
    ]
    .concat();
    let asked = plugin(|tools: &mut Tools| {
        tools.raw(
            toolgate::wire::json::Json::literal(
                r#"{"name":"all","inputSchema":{"type":"object"}}"#,
            ),
            |arguments, context: ToolContext| {
                let meta = context.meta().to_json();
                let seen = format!(
                    "{arguments:?} {} {context:?} {:?}",
                    meta.as_str(),
                    context.caller()
                );
                std::future::ready(Ok::<_, ToolError>(toolgate::wire::json::Json::of(
                    &json!({ "content": [{ "type": "text", "text": seen }] }),
                )))
            },
        );
    });
    TestGateway::builder()
        .config(&config)
        .plugin("seen", asked)
        .build()
        .await
}

fn names(list: &Value) -> Vec<String> {
    let tools = list["result"]["tools"].as_array().expect("a list");
    tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token_that_is_known() {
    let gateway = guarded().await;
    let list = modern::request("tools/list", json!({}));
    for path in [
        "/mcp",
        "/ext/mcp_http/mcp",
        "/api/tools",
        "/openapi.json",
        "/metrics",
        "/nowhere",
    ] {
        for verb in ["GET", "POST", "DELETE"] {
            let answer = gateway.send(&Request::new(verb, path)).await;
            assert_eq!(answer.status, 401, "{verb} {path}");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer "),
                "{verb} {path}"
            );
        }
    }
    let nearly = format!("{ANN}x");
    let shown = [
        format!("Bearer {nearly}"),
        format!("Bearer {}", &ANN[1..]),
        format!("Bearer {}", ANN.to_uppercase()),
        format!("Basic {ANN}"),
        ANN.to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
    ];
    for authorization in shown {
        let answer = gateway
            .send(&list.clone().header("authorization", &authorization))
            .await;
        assert_eq!(answer.status, 401, "{authorization}");
        assert!(!answer.text().contains(ANN));
    }
    assert_eq!(
        gateway
            .send(&LegacySession::initialize("2025-11-25"))
            .await
            .status,
        401
    );
    let twice = list
        .clone()
        .token(ANN)
        .header("authorization", &format!("Bearer {BOB}"));
    assert_eq!(
        gateway.send(&twice).await.status,
        401,
        "whose request is this?"
    );
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = gateway
            .send(
                &list
                    .clone()
                    .header("authorization", &format!("{scheme} {ANN}")),
            )
            .await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_token_in_the_address_is_no_token() {
    let gateway = guarded().await;
    let mut request = Request::new("POST", &format!("/mcp?access_token={ANN}&token={ANN}"));
    request.body = b"{}".to_vec();
    assert_eq!(gateway.send(&request).await.status, 401);
    gateway.finish().await;
}

/// S40 as well: each list is its caller's.
#[tokio::test]
async fn everyone_lists_what_their_token_shows() {
    let gateway = guarded().await;
    let expected: [(&str, &[&str]); 3] = [
        (
            ANN,
            &["clock__now", "echo__echo", "echo__count", "seen__all"],
        ),
        (BOB, &["echo__echo", "echo__count"]),
        (EVE, &[]),
    ];
    // Twice, so that what was made for one is there when the next asks.
    for (shown, tools) in expected.iter().chain(&expected) {
        let answer = gateway
            .send(&modern::request("tools/list", json!({})).token(shown))
            .await;
        assert_eq!(names(&answer.json()), *tools);
        assert_eq!(answer.json()["result"]["cacheScope"], "private");
        let session = LegacySession::open_as(&gateway, "2025-11-25", Some(shown)).await;
        let answer = gateway
            .send(&session.request(1, "tools/list", json!({})))
            .await;
        assert_eq!(names(&answer.json()), *tools);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn what_one_may_not_see_one_cannot_call() {
    let gateway = guarded().await;
    let error = async |name: &str| {
        let answer = gateway
            .send(&modern::call(name, json!({})).token(BOB))
            .await;
        assert_eq!(answer.code(), -32602, "{name}");
        answer.json()["error"]["message"]
            .as_str()
            .expect("a message")
            .replace(name, "NAME")
    };
    // The answer does not tell a hidden tool from one that is not there.
    let absent = error("nothing__now").await;
    assert_eq!(error("clock__now").await, absent);
    assert_eq!(error("seen__all").await, absent);
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(BOB)).await;
    let answer = gateway
        .send(&session.call(1, "clock__now", json!({})))
        .await;
    assert_eq!(answer.code(), -32602);
    let answer = gateway
        .send(&session.call(2, "echo__echo", json!({ "text": "a" })))
        .await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "a");
    gateway.finish().await;
}

/// S10: someone else's session is answered like one that never was.
#[tokio::test]
async fn a_session_of_another_principal_is_not_found() {
    let gateway = guarded().await;
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(ANN)).await;
    let requests = [
        session.request(1, "tools/list", json!({})),
        session.notification("notifications/cancelled", json!({ "requestId": 1 })),
        session.get(),
        session.of(Request::new("DELETE", "/mcp")),
    ];
    for request in requests {
        let unknown = request
            .clone()
            .token(BOB)
            .set("mcp-session-id", "0123456789abcdef0123456789abcdef");
        let (stolen, unknown) = (
            gateway.send(&request.token(BOB)).await,
            gateway.send(&unknown).await,
        );
        assert_eq!(stolen.status, 404);
        assert_eq!(stolen.body, unknown.body);
    }
    assert_eq!(
        gateway
            .send(&session.request(2, "ping", json!({})))
            .await
            .status,
        200,
        "it is still there"
    );
    gateway.finish().await;
}

/// S39: one principal cannot take the places of all.
#[tokio::test]
async fn the_bound_on_sessions_of_one_principal_leaves_room_for_others() {
    let config = [
        token("ann", ANN, ""),
        token("bob", BOB, ""),
        "[server.sessions]\nmax = 4\nmax_per_principal = 2\n".to_owned(),
    ]
    .concat();
    let gateway = TestGateway::builder().config(&config).build().await;
    let open = LegacySession::initialize("2025-11-25");
    for (shown, status) in [
        (ANN, 200),
        (ANN, 200),
        (ANN, 503),
        (BOB, 200),
        (BOB, 200),
        (BOB, 503),
    ] {
        assert_eq!(
            gateway.send(&open.clone().token(shown)).await.status,
            status
        );
    }
    gateway.finish().await;
}

/// S14.
#[tokio::test]
async fn credentials_of_a_client_do_not_reach_a_plugin() {
    let gateway = guarded().await;
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(ANN)).await;
    let calls = [
        modern::call("seen__all", json!({ "a": 1 })).token(ANN),
        session.call(1, "seen__all", json!({ "a": 1 })),
    ];
    for call in calls {
        let call = call
            .header("cookie", "sid=SECRET-cookie")
            .header("x-upstream-authorization", "Bearer SECRET-upstream")
            .header("proxy-authorization", "Basic SECRET-proxy")
            .header("x-api-key", "SECRET-key")
            .header("x-forwarded-authorization", "SECRET-forwarded");
        let answer = gateway.send(&call).await;
        let text = answer.text();
        assert!(text.contains("ann"), "the plugin sees who calls: {text}");
        for secret in ["SECRET", ANN, session.id.as_str()] {
            assert!(
                !text.contains(secret),
                "{secret} reached the plugin: {text}"
            );
        }
    }
    gateway.finish().await;
}

/// S10: who tries is on record.
#[tokio::test]
async fn a_try_at_a_session_of_another_principal_is_recorded() {
    let config = [
        token("ann", ANN, ""),
        token("bob", BOB, ""),
        "[plugins.echo]\n".to_owned(),
    ]
    .concat();
    let program = Program::serve(&config).await;
    let opened = program
        .send(&LegacySession::initialize("2025-11-25").token(ANN))
        .await;
    let id = opened.header("mcp-session-id");
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    let stolen = Request::message(ping)
        .header("mcp-session-id", id)
        .token(BOB);
    assert_eq!(program.send(&stolen).await.status, 404);
    program.signal(Signal::TERM);
    let (code, log) = program.ended().await;
    assert_eq!(code, 0);
    let tries: Vec<&String> = log
        .iter()
        .filter(|line| line.contains("session of another principal"))
        .collect();
    assert!(
        matches!(tries[..], [line] if line.contains("bob") && !line.contains(id)),
        "{log:#?}"
    );
}

/// What `token new` prints can be put into the configuration as it is, scopes and all.
#[tokio::test]
async fn a_new_token_may_have_scopes() {
    let arguments = ["token", "new", "--scope", "admin", "--scope", "ext:x:tools"];
    let (code, said) = Program::run(&arguments, "").await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(r#"scopes = ["admin", "ext:x:tools"]"#),
        "{said}"
    );
}
