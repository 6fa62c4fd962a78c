//! What supervisors are told, and what only callers are.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::rest::{odd, refused};
use crate::support::{Request, TestGateway, plugin};

/// The token of the one caller.
pub(crate) const TOKEN: &str = "a-token-that-only-ann-knows";

fn get(path: &str) -> Request {
    Request::new("GET", path)
}

/// A gateway with one caller, who may see the plugin `echo` only.
pub(crate) async fn guarded() -> TestGateway {
    let digest: String = Sha256::digest(TOKEN)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let config =
        format!("[[auth.tokens]]\nname = \"ann\"\nsha256 = \"{digest}\"\nplugins = [\"echo\"]\n");
    TestGateway::builder()
        .config(&config)
        .plugin("p", plugin(odd))
        .build()
        .await
}

#[tokio::test]
async fn a_gateway_that_runs_says_so() {
    let gateway = TestGateway::plain().await;
    let answer = gateway.send(&get("/livez")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "status": "alive" }))
    );
    let answer = gateway.send(&get("/readyz")).await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("ready"))
    );
    let health = gateway.send(&get("/health")).await.json();
    assert_eq!(health["status"], "ready");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["plugins"]["failed"], 0);
    assert_eq!(
        (&health["sessions"], &health["active_calls"]),
        (&json!(0), &json!(0))
    );
    let tools = gateway.send(&get("/api/tools")).await.json();
    assert_eq!(health["tools"], tools.as_array().expect("an array").len());
    gateway.finish().await;
}

#[tokio::test]
async fn without_a_credential_there_is_only_a_status() {
    let gateway = guarded().await;
    for request in [
        get("/readyz"),
        get("/health"),
        get("/health").token("no-such-token"),
    ] {
        let answer = gateway.send(&request).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "status": "ready" }))
        );
    }
    for path in [
        "/api/tools",
        "/api/tools/echo__echo",
        "/openapi.json",
        "/nothing",
    ] {
        assert_eq!(
            refused(&gateway.send(&get(path)).await, 401),
            "unauthorized",
            "{path}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_caller_is_told_of_the_plugins_it_may_see() {
    let gateway = guarded().await;
    let ready = gateway.send(&get("/readyz").token(TOKEN)).await.json();
    assert_eq!(
        ready["plugins"],
        json!([{ "id": "echo", "state": "active", "health": "unknown" }])
    );
    let health = gateway.send(&get("/health").token(TOKEN)).await.json();
    assert_eq!(
        health["plugins"],
        json!({ "active": 1, "idle": 0, "starting": 0, "failed": 0 })
    );
    assert_eq!(
        health["health"],
        json!({ "healthy": 0, "degraded": 0, "unhealthy": 0, "unknown": 1 })
    );
    let tools = gateway.send(&get("/api/tools?all=true").token(TOKEN)).await;
    assert_eq!(tools.status, 200);
    assert!(!tools.text().contains("odd"), "{}", tools.text());
    assert_eq!(
        health["tools"],
        tools.json().as_array().expect("an array").len()
    );
    gateway.finish().await;
}
