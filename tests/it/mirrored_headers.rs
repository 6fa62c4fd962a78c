//! The headers that repeat what the body says (MCP 2026-07-28, streamable HTTP).

use serde_json::json;
use toolgate::wire::json::Json;

use crate::support::{Request, TestGateway, modern, plugin};

const MISMATCH: (u16, i64) = (400, -32020);

async fn refused(gateway: &TestGateway, request: Request, what: &str) {
    let answer = gateway.send(&request).await;
    assert_eq!((answer.status, answer.code()), MISMATCH, "{what}");
    assert_eq!(answer.json()["id"], 1, "{what}");
}

async fn accepted(gateway: &TestGateway, request: Request, what: &str) {
    let answer = gateway.send(&request).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    assert!(
        answer.json()["result"].is_object(),
        "{what}: {}",
        answer.text()
    );
}

/// S06.
#[tokio::test]
async fn headers_that_disagree_with_the_body_are_refused() {
    let gateway = TestGateway::plain().await;
    let call = || modern::call("echo__echo", json!({}));
    refused(
        &gateway,
        call().without("mcp-protocol-version"),
        "no version",
    )
    .await;
    refused(&gateway, call().without("mcp-method"), "no method").await;
    refused(&gateway, call().without("mcp-name"), "no name").await;
    refused(
        &gateway,
        call().set("mcp-protocol-version", "2025-11-25"),
        "other version",
    )
    .await;
    refused(
        &gateway,
        call().set("mcp-method", "tools/list"),
        "other method",
    )
    .await;
    refused(
        &gateway,
        call().set("mcp-method", "Tools/Call"),
        "other case of the method",
    )
    .await;
    refused(&gateway, call().set("mcp-name", "clock__now"), "other name").await;
    refused(
        &gateway,
        call().set("mcp-name", "Echo__echo"),
        "other case of the name",
    )
    .await;
    refused(
        &gateway,
        call().set("mcp-name", "=?base64?Y2xvY2tfX25vdw==?="),
        "other name in base64",
    )
    .await;
    refused(
        &gateway,
        call().set("mcp-name", "=?base64?!?="),
        "no base64",
    )
    .await;
    refused(&gateway, call().set("mcp-name", ""), "an empty name").await;
    gateway.finish().await;
}

/// S06.
#[tokio::test]
async fn a_header_that_stands_twice_is_refused_even_if_both_agree() {
    let gateway = TestGateway::plain().await;
    let call = || modern::call("echo__echo", json!({}));
    refused(
        &gateway,
        call().header("mcp-protocol-version", modern::VERSION),
        "version twice",
    )
    .await;
    refused(
        &gateway,
        call().header("Mcp-Method", "tools/call"),
        "method twice",
    )
    .await;
    refused(
        &gateway,
        call().header("MCP-NAME", "echo__echo"),
        "name twice",
    )
    .await;
    refused(
        &gateway,
        call().header("mcp-param-x", "1").header("mcp-param-x", "1"),
        "param twice",
    )
    .await;
    gateway.finish().await;
}

#[tokio::test]
async fn headers_that_agree_are_accepted_in_every_form() {
    let gateway = TestGateway::plain().await;
    let call = || modern::call("echo__echo", json!({}));
    accepted(&gateway, call(), "plain").await;
    accepted(&gateway, call().set("MCP-NAME", "echo__echo"), "upper case").await;
    accepted(
        &gateway,
        call().set("mcp-name", "=?base64?ZWNob19fZWNobw==?="),
        "base64",
    )
    .await;
    accepted(
        &gateway,
        call().header("mcp-param-unknown", "x"),
        "a param nobody knows",
    )
    .await;
    let list = modern::request("tools/list", json!({}));
    accepted(
        &gateway,
        list.header("mcp-name", "whatever"),
        "a name where none is needed",
    )
    .await;
    gateway.finish().await;
}

const REGION: &str = r#"{"name":"place","inputSchema":{"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "count":{"type":"integer","x-mcp-header":"Count"}}}}"#;

/// S06: arguments that a tool wants to see in headers.
#[tokio::test]
async fn mirrored_arguments_must_agree_too() {
    let tools = plugin(|tools| {
        tools.raw(Json::literal(REGION), |_, _| {
            std::future::ready(Ok(Json::literal(r#"{"content":[]}"#)))
        });
    });
    let gateway = TestGateway::builder().plugin("map", tools).build().await;
    let call = |arguments| modern::call("map__place", arguments);
    let both = || call(json!({ "region": "eu", "count": 3 }));
    accepted(
        &gateway,
        both()
            .header("mcp-param-region", "eu")
            .header("mcp-param-count", "3"),
        "both",
    )
    .await;
    accepted(&gateway, call(json!({})), "neither").await;
    refused(
        &gateway,
        both().header("mcp-param-region", "eu"),
        "one is missing",
    )
    .await;
    let other = both()
        .header("mcp-param-region", "us")
        .header("mcp-param-count", "3");
    refused(&gateway, other, "another value").await;
    let unexpected = call(json!({})).header("mcp-param-region", "eu");
    refused(&gateway, unexpected, "a header without an argument").await;
    let null = call(json!({ "region": null })).header("mcp-param-region", "null");
    refused(&gateway, null, "a header for null").await;
    let encoded = call(json!({ "region": "é" })).header("mcp-param-region", "=?base64?w6k=?=");
    accepted(&gateway, encoded, "base64").await;
    gateway.finish().await;
}
