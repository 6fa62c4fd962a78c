//! Scopes decide which tools a caller is shown and may call.

use serde_json::json;

use crate::auth::{audience, names, trusting};
use crate::support::issuer::Issuer;
use crate::support::{Answer, LegacySession, Request, TestGateway, modern};
use crate::tokens::{ANN, BOB, token};

const ADA: &str = "tg_ada-0123456789abcdef0123456789abcdef";

const CHALLENGE: &str =
    "Bearer realm=\"toolgate\", error=\"insufficient_scope\", scope=\"ext:clock:tools\"";

/// Bob may use the tools of `echo`, ann those of all plugins, ada is an administrator.
async fn guarded(require: &str) -> TestGateway {
    let config = [
        token("ann", ANN, "scopes = [\"read\"]"),
        token(
            "bob",
            BOB,
            "scopes = [\"ext:echo:tools\", \"ext:clock:routes\"]",
        ),
        token("ada", ADA, "scopes = [\"admin\"]"),
        "[plugins.clock]\n".to_owned(),
    ]
    .concat();
    let builder = TestGateway::builder().config(&config);
    builder
        .variable("ORDINAUT_REQUIRE_SCOPES", require)
        .build()
        .await
}

fn is_challenge(answer: &Answer) {
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(answer.header("www-authenticate"), CHALLENGE);
    assert!(
        answer.text().contains("missing scope `ext:clock:tools`"),
        "{}",
        answer.text()
    );
}

/// S16: what a caller may not call it does not see, and a call says which scope is missing, and no other.
#[tokio::test]
async fn a_tool_without_its_scope_is_hidden_and_403() {
    let gateway = guarded("false").await;
    let own = ["echo__echo", "echo__count"];
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(BOB)).await;
    for list in [
        modern::request("tools/list", json!({})).token(BOB),
        session.request(1, "tools/list", json!({})),
        Request::new("GET", "/api/tools").token(BOB),
        Request::new("GET", "/api/tools?all=true").token(BOB),
    ] {
        assert_eq!(names(&gateway.send(&list).await), own);
    }
    let execute = json!({ "id": "clock", "method": "now", "args": {} });
    for call in [
        modern::call("clock__now", json!({})).token(BOB),
        session.call(2, "clock__now", json!({})),
        Request::new("GET", "/api/tools/clock__now").token(BOB),
        Request::new("POST", "/api/tools/clock__now")
            .body_of(&json!({}))
            .token(BOB),
        Request::new("POST", "/api/v1/plugin/execute")
            .body_of(&execute)
            .token(BOB),
    ] {
        is_challenge(&gateway.send(&call).await);
    }
    // For who asks why, the reason.
    let all = gateway
        .send(&Request::new("GET", "/api/tools?all=true").token(BOB))
        .await;
    let all = all.json();
    let hidden = all
        .as_array()
        .expect("a list")
        .iter()
        .find(|tool| tool["name"] == "clock__now");
    let reason = hidden.expect("it is there")["reason"]
        .as_str()
        .expect("a reason");
    assert!(
        reason.contains("missing scope `ext:clock:tools`"),
        "{reason}"
    );
    let why = Request::new("GET", "/api/v1/plugin/why?tool=clock__now").token(BOB);
    assert_eq!(gateway.send(&why).await.json()["data"]["reason"], "scope");
    // A tool that is not there is another thing.
    let answer = gateway
        .send(&modern::call("clock__other", json!({})).token(BOB))
        .await;
    assert_eq!((answer.status, answer.code()), (200, -32602));
    for shown in [ANN, ADA] {
        let list = modern::request("tools/list", json!({})).token(shown);
        assert_eq!(names(&gateway.send(&list).await).len(), 3);
        let call = modern::call("clock__now", json!({})).token(shown);
        assert_eq!(gateway.send(&call).await.status, 200);
    }
    assert_eq!(
        gateway.records.count("clock__now", "denied"),
        4,
        "each refusal is on record"
    );
    gateway.finish().await;
}

/// O22: with `ORDINAUT_REQUIRE_SCOPES` every token needs the scope.
#[tokio::test]
async fn where_scopes_are_required_a_token_without_any_calls_nothing() {
    let gateway = guarded("true").await;
    for (shown, count) in [(ANN, 0), (BOB, 2), (ADA, 3)] {
        let list = modern::request("tools/list", json!({})).token(shown);
        assert_eq!(names(&gateway.send(&list).await).len(), count, "{shown}");
    }
    is_challenge(
        &gateway
            .send(&modern::call("clock__now", json!({})).token(ANN))
            .await,
    );
    // What a header claims changes nothing about the credential.
    let claimed = modern::call("clock__now", json!({}))
        .token(ANN)
        .header("x-scopes", "ext:clock:tools, admin");
    is_challenge(&gateway.send(&claimed).await);
    gateway.finish().await;
}

/// O22: without any credential this machine is believed what it claims, and has nothing without a claim.
#[tokio::test]
async fn without_credentials_a_required_scope_is_claimed_by_header() {
    let builder = TestGateway::builder().config("[plugins.clock]\n");
    let gateway = builder
        .variable("TOOLGATE_REQUIRE_SCOPES", "1")
        .build()
        .await;
    let call = modern::call("clock__now", json!({}));
    is_challenge(&gateway.send(&call).await);
    let other = call.clone().header("x-scopes", "ext:echo:tools");
    is_challenge(&gateway.send(&other).await);
    let claimed = call.header("x-scopes", "ext:clock:tools");
    assert_eq!(gateway.send(&claimed).await.status, 200);
    gateway.finish().await;
}

/// A header takes away what a credential has, also where that is all tools.
#[tokio::test]
async fn a_header_narrows_what_a_token_may_call() {
    let gateway = guarded("").await;
    let call = modern::call("clock__now", json!({})).token(ANN);
    assert_eq!(gateway.send(&call).await.status, 200);
    let narrowed = call.clone().header("x-scopes", "ext:echo:tools");
    is_challenge(&gateway.send(&narrowed).await);
    let narrowed = call.header("x-scopes", "ext:clock:tools");
    assert_eq!(gateway.send(&narrowed).await.status, 200);
    gateway.finish().await;
}

/// S16: with the way to the authorization server.
#[tokio::test]
async fn a_missing_scope_leads_to_the_authorization_server() {
    let issuer = Issuer::start().await;
    let gateway = trusting(&issuer, "", "").await;
    let shown = issuer.token("ann", &audience(&gateway), "ext:echo:tools");
    let metadata = format!(
        ", resource_metadata=\"http://{}/.well-known/oauth-protected-resource/mcp\"",
        gateway.address
    );
    for request in [
        modern::call("clock__now", json!({})),
        Request::new("POST", "/api/tools/clock__now").body_of(&json!({})),
    ] {
        let answer = gateway.send(&request.token(&shown)).await;
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.header("www-authenticate"),
            format!("{CHALLENGE}{metadata}")
        );
    }
    let reload = Request::new("POST", "/api/v1/plugin/reload").body_of(&json!({}));
    let answer = gateway.send(&reload.token(&shown)).await;
    let challenge = answer.header("www-authenticate");
    assert_eq!(answer.status, 403);
    assert!(
        challenge.contains("scope=\"admin\"") && challenge.ends_with(&metadata),
        "{challenge}"
    );
    gateway.finish().await;
}
