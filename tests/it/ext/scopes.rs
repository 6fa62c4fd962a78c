//! Who may use the routes of a plugin.

use crate::support::{Request, Site, TestGateway};
use crate::tokens::{ANN, BOB, token};

const PLUGIN: &str = "[plugins.x]\nrequests = [\"ROUTES\"]\n";

const MISSING: &str = r#"{"detail":"missing scope ext:x:routes"}"#;

/// O22: a token without the scope and a header that claims it are refused; a header takes scopes away.
#[tokio::test]
async fn a_header_gives_no_scope_where_there_are_tokens() {
    let config = [
        PLUGIN.to_owned(),
        token("ann", ANN, "scopes = [\"ext:x:routes\", \"read\"]"),
        token("bob", BOB, ""),
    ]
    .concat();
    let gateway = TestGateway::builder()
        .config(&config)
        .plugin("x", Site::new())
        .build()
        .await;
    let greet = Request::new("GET", "/ext/x/greet");
    let ann = greet.clone().token(ANN);
    let bob = greet.clone().token(BOB);
    let claims = bob.clone().header("x-scopes", "ext:x:routes");
    let narrowed = ann.clone().header("x-scopes", "read");
    let kept = ann.clone().header("x-scopes", "read, ext:x:routes");
    for (request, status) in [
        (ann, 200),
        (kept, 200),
        (bob, 403),
        (claims, 403),
        (narrowed, 403),
    ] {
        let answer = gateway.send(&request).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 403 {
            assert_eq!(answer.text(), MISSING);
            let challenge = answer.header("www-authenticate");
            assert!(challenge.contains("scope=\"ext:x:routes\""), "{challenge}");
        }
    }
    for path in [
        "/ext/x/greet",
        "/ext/x/else",
        "/ext/nobody/",
        "/ext/status",
        "/ext/x/health",
    ] {
        let answer = gateway.send(&Request::new("GET", path)).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    gateway.finish().await;
}

/// O22: where nobody has a credential and only this machine asks, the header is believed.
#[tokio::test]
async fn a_header_is_believed_where_nobody_has_a_token() {
    let gateway = TestGateway::builder()
        .config(PLUGIN)
        .plugin("x", Site::new())
        .build()
        .await;
    let greet = Request::new("GET", "/ext/x/greet");
    for (scopes, status) in [
        (None, 200),
        (Some("ext:x:routes"), 200),
        (Some("other ext:*:routes"), 200),
        (Some("admin"), 200),
        (Some("other"), 403),
        (Some("ext:y:routes"), 403),
        (Some(""), 403),
    ] {
        let request = match scopes {
            Some(scopes) => greet.clone().header("x-scopes", scopes),
            None => greet.clone(),
        };
        let answer = gateway.send(&request).await;
        assert_eq!(answer.status, status, "{scopes:?}");
        if status == 403 {
            assert_eq!(answer.text(), MISSING);
        }
    }
    gateway.finish().await;
}
