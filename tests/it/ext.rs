//! What plugins answer over HTTP themselves, and what they may.

mod files;

mod grants;

mod lazy;

mod mcp_http;

mod routes;

mod scopes;

mod streams;

use serde_json::{Value, json};

use crate::support::{Answer, Request, TestGateway};

/// `GET path`.
async fn get(gateway: &TestGateway, path: &str) -> Answer {
    gateway.send(&Request::new("GET", path)).await
}

/// What `/ext/status` says of one plugin.
async fn status(gateway: &TestGateway, id: &str) -> Value {
    let answer = get(gateway, "/ext/status").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["extensions"][id].clone()
}

/// `POST /api/v1/plugin/{what}` about one plugin.
async fn order(gateway: &TestGateway, what: &str, id: &str) {
    let request = Request::new("POST", &format!("/api/v1/plugin/{what}"));
    let answer = gateway.send(&request.body_of(&json!({ "id": id }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
