//! What the headers of a modern request say of its body (MCP 2026-07-28, streamable HTTP, request metadata).

use super::upstream::{Seen, Upstream, json_answer, legacy, modern};
use super::*;

/// The headers of `method` that begin with `mcp-`, sorted.
async fn mcp_headers(
    instance: &Arc<dyn Instance>,
    upstream: &mut Upstream,
    (method, params): (&str, &Value),
) -> Vec<(String, String)> {
    let request = Request {
        method: Method::of(method),
        params: Params::of(params),
    };
    soon(instance.request(request, &context(Ears::new())))
        .await
        .expect("an answer");
    let mut headers = upstream.next(method).await.headers;
    headers.retain(|(name, _)| name.starts_with("mcp-"));
    headers.sort();
    headers
}

/// A modern server with one tool that wants its region and everything else's members in headers.
fn mirroring(seen: &Seen) -> Vec<upstream::Step> {
    match &*seen.rpc() {
        "tools/list" => json_answer(&seen.result(&json!({ "tools": [{
            "name": "echo",
            "inputSchema": { "type": "object", "properties": {
                "region": { "type": "string", "x-mcp-header": "Region" } } },
        }] }))),
        _ => modern(|seen| json_answer(&seen.result(&json!({}))))(seen),
    }
}

#[tokio::test]
async fn what_a_request_is_about_stands_in_its_headers() {
    let arguments = json!({ "region": "eu" });
    let table = [
        (
            "tools/call",
            json!({ "name": "echo", "arguments": arguments }),
            Some("echo"),
        ),
        (
            "prompts/get",
            json!({ "name": "echo", "arguments": arguments }),
            Some("echo"),
        ),
        (
            "prompts/get",
            json!({ "name": "grün" }),
            Some("=?base64?Z3LDvG4=?="),
        ),
        (
            "resources/read",
            json!({ "uri": "file:///a b?c=1" }),
            Some("file:///a b?c=1"),
        ),
        (
            "resources/read",
            json!({ "uri": "file:///grün", "name": "x" }),
            Some("=?base64?ZmlsZTovLy9ncsO8bg==?="),
        ),
        ("tasks/get", json!({ "taskId": "t 1" }), Some("t 1")),
        (
            "tasks/update",
            json!({ "taskId": "=?base64?eA==?=", "inputResponses": {} }),
            Some("=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ),
        (
            "tasks/cancel",
            json!({ "taskId": "\n" }),
            Some("=?base64?Cg==?="),
        ),
        // There are no such requests in this revision.
        ("tasks/result", json!({ "taskId": "t1" }), None),
        ("tasks/list", json!({ "taskId": "t1" }), None),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "p" }, "argument": {} }),
            None,
        ),
        ("resources/list", json!({ "name": "x", "uri": "x" }), None),
        (
            "x/y",
            json!({ "name": "x", "uri": "x", "taskId": "x" }),
            None,
        ),
    ];
    let mut upstream = Upstream::start(mirroring).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    for (method, params, name) in table {
        let found = mcp_headers(&instance, &mut upstream, (method, &params)).await;
        let mut expect = vec![("mcp-method", method)];
        expect.extend(name.map(|name| ("mcp-name", name)));
        if method == "tools/call" {
            expect.push(("mcp-param-region", "eu"));
        }
        expect.push(("mcp-protocol-version", "2026-07-28"));
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(found, expect, "{method} {params}");
    }
}

#[tokio::test]
async fn a_legacy_request_says_nothing_in_its_headers() {
    let server = |seen: &Seen| match &*seen.rpc() {
        "prompts/get" | "resources/read" | "tasks/get" => json_answer(&seen.result(&json!({}))),
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    for method in ["prompts/get", "resources/read", "tasks/get"] {
        let params = json!({ "name": "x", "uri": "x", "taskId": "x" });
        let found = mcp_headers(&instance, &mut upstream, (method, &params)).await;
        let names: Vec<_> = found.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            ["mcp-protocol-version", "mcp-session-id"],
            "{method}"
        );
    }
}
