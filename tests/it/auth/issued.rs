//! Tokens of an authorization server (RFC 7519, RFC 8414, RFC 9068), and how clients find it (RFC 9728).

use serde_json::{Value, json};

use crate::auth::{audience, names, trusting};
use crate::support::issuer::{Issuer, Key, seconds, unsigned};
use crate::support::{LegacySession, Request, TestGateway, modern, until};
use crate::tokens::{ANN, token};

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
}

#[tokio::test]
async fn tokens_of_the_authorization_server_stand_beside_those_of_the_configuration() {
    let issuer = Issuer::start().await;
    let gateway = trusting(&issuer, "", &token("ann", ANN, "")).await;
    let audience = audience(&gateway);
    for algorithm in ["EdDSA", "ES256", "RS256"] {
        let claims = issuer.claims("ann", &audience, "");
        let shown = issuer.signed(algorithm, &claims);
        for _ in 0..2 {
            let call = modern::call("who__am_i", json!({})).token(&shown);
            let answer = gateway.send(&call).await;
            assert_eq!(answer.status, 200, "{algorithm}: {}", answer.text());
            // It is another ann than the one of the configuration.
            assert_eq!(text(&answer.json()), format!("{}|ann", issuer.url));
        }
        let session = LegacySession::open_as(&gateway, "2025-11-25", Some(&shown)).await;
        let answer = gateway.send(&session.call(1, "who__am_i", json!({}))).await;
        assert_eq!(text(&answer.json()), format!("{}|ann", issuer.url));
    }
    let answer = gateway
        .send(&modern::call("who__am_i", json!({})).token(ANN))
        .await;
    assert_eq!(text(&answer.json()), "ann");
    let alias = format!("http://{}/ext/mcp_http/mcp", gateway.address);
    let shown = issuer.token("bob", &alias, "");
    let list = modern::request("tools/list", json!({})).token(&shown);
    assert_eq!(gateway.send(&list).await.status, 200);
    assert_eq!(issuer.fetches(), 1, "keys are not fetched for each token");
    gateway.finish().await;
}

/// S15: and none of what is wrong with one is told apart by its status.
#[tokio::test]
async fn a_token_that_is_not_for_this_gateway_is_401() {
    let issuer = Issuer::start().await;
    let gateway = trusting(&issuer, "", "").await;
    let audience = audience(&gateway);
    let with = |claim: &str, value: Value| {
        let mut claims = issuer.claims("ann", &audience, "admin");
        claims[claim] = value;
        issuer.signed("EdDSA", &claims)
    };
    let good = issuer.claims("ann", &audience, "admin");
    let stranger = Key::ed25519();
    let public = Key::rsa().public("RS256");
    let secret = public["n"].as_str().expect("a modulus");
    let confused = {
        let text = unsigned(&json!({ "alg": "HS256", "kid": "RS256" }), &good);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = ring::hmac::sign(&key, text.as_bytes());
        use base64::Engine;
        let tag = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag.as_ref());
        format!("{text}.{tag}")
    };
    let of_rsa = issuer.signed("RS256", &good);
    for (shown, why) in [
        (
            with("aud", "https://other.example/mcp".into()),
            "meant for somebody else",
        ),
        (with("aud", Value::Null), "must name"),
        (
            with("iss", "https://other.example".into()),
            "another issuer",
        ),
        (with("exp", (seconds() - 3600).into()), "expired"),
        (with("exp", Value::Null), "must name"),
        (with("nbf", (seconds() + 3600).into()), "not valid yet"),
        (with("sub", Value::Null), "whose it is"),
        (stranger.token("EdDSA", &good), "signature"),
        (stranger.token("unknown", &good), "no key"),
        (stranger.token("RS256", &good), "no key"),
        (confused, "not accepted"),
        (
            format!("{}.", unsigned(&json!({ "alg": "none" }), &good)),
            "malformed",
        ),
        (altered(&of_rsa), "signature"),
        ("a.b.c".to_owned(), "malformed"),
        ("tg_of_nobody".to_owned(), "not known"),
    ] {
        let list = modern::request("tools/list", json!({})).token(&shown);
        let answer = gateway.send(&list).await;
        assert_eq!(answer.status, 401, "{why}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{challenge}"
        );
        assert!(challenge.contains(why), "{challenge}");
        assert!(!answer.text().contains(&shown));
    }
    gateway.finish().await;
}

/// The token with another signature of the same length.
fn altered(token: &str) -> String {
    let at = token.len() - 40;
    let other = if token.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[tokio::test]
async fn clients_without_a_token_find_the_authorization_server() {
    let issuer = Issuer::start().await;
    let config = "server = { public_url = \"https://gate.example/tools/\" }\n";
    let more = "[auth]\nrequire_scopes = true\n";
    let text = format!("{config}{more}{}", issuer.section(""));
    let gateway = TestGateway::builder().config(&text).build().await;
    let well_known = "/.well-known/oauth-protected-resource";
    for (path, resource) in [
        ("/mcp", "https://gate.example/tools/mcp"),
        (
            "/ext/mcp_http/mcp",
            "https://gate.example/tools/ext/mcp_http/mcp",
        ),
    ] {
        let answer = gateway.send(&Request::new("POST", path)).await;
        assert_eq!(answer.status, 401);
        let expect = format!(
            "Bearer realm=\"toolgate\", scope=\"ext:*:tools\", resource_metadata=\"https://gate.example/tools{well_known}{path}\""
        );
        assert_eq!(answer.header("www-authenticate"), expect);
        let answer = gateway
            .send(&Request::new("GET", &format!("{well_known}{path}")))
            .await;
        assert_eq!(answer.status, 200);
        let expect = json!({
            "resource": resource,
            "authorization_servers": [issuer.url],
            "scopes_supported": ["ext:*:tools"],
            "bearer_methods_supported": ["header"],
            "resource_name": "toolgate",
        });
        assert_eq!(answer.json(), expect);
    }
    let answer = gateway.send(&Request::new("GET", well_known)).await;
    assert_eq!(answer.json()["resource"], "https://gate.example/tools/mcp");
    // The host of its public address is one that it answers to.
    for (host, status) in [("gate.example", 200), ("evil.example", 403)] {
        let request = Request::new("GET", well_known).header("host", host);
        assert_eq!(gateway.send(&request).await.status, status, "{host}");
    }
    let token = issuer.token("ann", "https://gate.example/tools/mcp", "ext:*:tools");
    let list = modern::request("tools/list", json!({})).token(&token);
    assert_eq!(
        names(&gateway.send(&list).await),
        ["echo__echo", "echo__count"]
    );
    gateway.finish().await;
    let gateway = TestGateway::builder()
        .config(&crate::tokens::token("ann", ANN, ""))
        .build()
        .await;
    assert_eq!(
        gateway.send(&Request::new("GET", well_known)).await.status,
        404
    );
    let answer = gateway.send(&Request::new("GET", "/api/tools")).await;
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"toolgate\""
    );
    gateway.finish().await;
}

#[tokio::test]
async fn without_keys_nobody_is_let_in_and_readiness_says_why() {
    let issuer = Issuer::start().await;
    issuer.hide_keys();
    let gateway = trusting(&issuer, "", &token("ann", ANN, "")).await;
    let shown = issuer.token("ann", &audience(&gateway), "");
    let list = modern::request("tools/list", json!({})).token(&shown);
    let answer = gateway.send(&list).await;
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .header("www-authenticate")
            .contains("the keys of its issuer are not there")
    );
    until("the keys were asked for", || issuer.fetches() > 0).await;
    let ready = gateway.send(&Request::new("GET", "/readyz")).await;
    assert_eq!(
        (ready.status, &ready.json()["keys"]),
        (200, &json!({ "ready": false }))
    );
    let ready = gateway
        .send(&Request::new("GET", "/readyz").token(ANN))
        .await;
    let why = ready.json()["keys"]["reason"].as_str().map(str::to_owned);
    assert!(
        why.is_some_and(|why| why.contains("answered 500")),
        "{}",
        ready.text()
    );
    gateway.finish().await;
}

#[tokio::test]
async fn keys_may_stand_in_the_configuration_or_in_a_file() {
    let issuer = Issuer::start().await;
    let key = Key::ed25519();
    let public = key.public("own");
    let x = public["x"].as_str().expect("a key");
    let inline =
        format!("keys = [{{ kty = \"OKP\", crv = \"Ed25519\", kid = \"own\", x = \"{x}\" }}]");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("keys.json");
    std::fs::write(&file, json!({ "keys": [public] }).to_string()).expect("it can be written");
    for lines in [inline, format!("jwks = {file:?}")] {
        let gateway = trusting(&issuer, &lines, "").await;
        let claims = issuer.claims("ann", &audience(&gateway), "");
        let list = |shown: &str| modern::request("tools/list", json!({})).token(shown);
        assert_eq!(
            gateway.send(&list(&key.token("own", &claims))).await.status,
            200,
            "{lines}"
        );
        let other = issuer.signed("EdDSA", &claims);
        assert_eq!(gateway.send(&list(&other)).await.status, 401, "{lines}");
        gateway.finish().await;
    }
    assert_eq!(issuer.fetches(), 0);
}
