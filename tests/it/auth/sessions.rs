//! S11, S12: what somebody opened belongs to who it was, with the rights of then.

use serde_json::{Value, json};

use crate::auth::{audience, trusting};
use crate::support::issuer::Issuer;
use crate::support::{LegacySession, Request, modern};

#[tokio::test]
async fn a_session_is_not_found_with_other_rights() {
    let issuer = Issuer::start().await;
    let gateway = trusting(&issuer, "", "").await;
    let audience = audience(&gateway);
    let wide = issuer.token("ann", &audience, "ext:*:tools");
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(&wide)).await;
    let ping = session.request(1, "ping", json!({}));
    for scope in ["ext:echo:tools", "ext:*:tools read", "", "admin"] {
        let other = issuer.token("ann", &audience, scope);
        for request in [
            ping.clone(),
            session.get(),
            session.of(Request::new("DELETE", "/mcp")),
        ] {
            assert_eq!(
                gateway.send(&request.token(&other)).await.status,
                404,
                "{scope}"
            );
        }
    }
    // A fresh token with the same rights, as clients get one when the old one is about to expire.
    let mut claims = issuer.claims("ann", &audience, "ext:*:tools");
    claims["jti"] = "another".into();
    let fresh = issuer.signed("ES256", &claims);
    assert_eq!(gateway.send(&ping.clone().token(&fresh)).await.status, 200);
    assert_eq!(gateway.send(&ping).await.status, 200, "it is still there");
    gateway.finish().await;
}

#[tokio::test]
async fn a_handle_is_not_known_with_other_rights() {
    let issuer = Issuer::start().await;
    let gateway = trusting(&issuer, "", "").await;
    let audience = audience(&gateway);
    let wide = issuer.token("ann", &audience, "ext:*:tools");
    let open = modern::call("toolgate__open_session", json!({})).token(&wide);
    let opened = gateway.send(&open).await.json();
    let content = opened["result"]["structuredContent"].as_object().cloned();
    let (key, handle) = content
        .and_then(|content| content.into_iter().next())
        .expect("a handle");
    let close = modern::call("toolgate__close_session", json!({ key: handle }));
    let other = issuer.token("ann", &audience, "ext:echo:tools");
    let answer = gateway.send(&close.clone().token(&other)).await.json();
    assert_eq!(
        answer["result"]["_meta"]["toolgate/reason"], "unknown_session",
        "{answer}"
    );
    let answer = gateway.send(&close.token(&wide)).await.json();
    assert_ne!(answer["result"]["isError"], Value::Bool(true), "{answer}");
    gateway.finish().await;
}

/// S11: each request in a session is decided by itself, not by what the session was opened for.
#[tokio::test]
async fn a_session_carries_no_right_to_another_request() {
    let issuer = Issuer::start().await;
    let gateway = trusting(&issuer, "", "").await;
    let shown = issuer.token("ann", &audience(&gateway), "ext:echo:tools");
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(&shown)).await;
    let call = session.call(1, "clock__now", json!({}));
    assert_eq!(gateway.send(&call).await.status, 403);
    let nobody = call.without("authorization");
    assert_eq!(
        gateway.send(&nobody).await.status,
        401,
        "its id is no credential"
    );
    gateway.finish().await;
}
