//! The tools of the gateway over plain HTTP.

use serde_json::json;

use crate::ext::{get, order};
use crate::support::{LegacySession, Request, TestGateway};

async fn gateway() -> TestGateway {
    let config = "[plugins.mcp_http]\n[plugins.hash]\n";
    TestGateway::builder().config(config).build().await
}

/// O15: discovery, invocation, sessions, each under its path.
#[tokio::test]
async fn tools_are_listed_described_and_called() {
    let gateway = gateway().await;
    let list = get(&gateway, "/ext/mcp_http/tools").await;
    assert_eq!(list.status, 200, "{}", list.text());
    let list = list.json();
    let names: Vec<_> = list["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert!(
        names.contains(&&json!("echo__echo")) && names.contains(&&json!("hash.sha256")),
        "{list}"
    );
    let schema = get(&gateway, "/ext/mcp_http/tools/hash.sha256/schema")
        .await
        .json();
    assert_eq!(
        schema["input_schema"]["required"],
        json!(["data"]),
        "{schema}"
    );
    let call = |tool: &str, body| {
        Request::new("POST", &format!("/ext/mcp_http/tools/{tool}")).body_of(&body)
    };
    let answer = gateway
        .send(&call("hash.sha256", json!({ "data": "abc" })))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(
        answer.json(),
        json!({ "ok": true, "tool": "hash.sha256", "result": { "sha256": sha256 } })
    );
    let unknown = gateway.send(&call("nothing", json!({}))).await;
    assert_eq!(
        (unknown.status, &unknown.json()["ok"]),
        (404, &json!(false))
    );
    let failed = gateway
        .send(&call("echo__count", json!({ "to": 1001 })))
        .await;
    let failed = failed.json();
    assert_eq!(
        (&failed["ok"], &failed["tool"]),
        (&json!(false), &json!("echo__count"))
    );
    assert!(failed["error"].is_string(), "{failed}");
    let mut form = Request::new("POST", "/ext/mcp_http/tools/echo__echo");
    form.body = b"a=b".to_vec();
    assert_eq!(gateway.send(&form).await.status, 415);

    let count = async || get(&gateway, "/ext/mcp_http/sessions").await.json()["sessions"].clone();
    assert_eq!(count().await, 0);
    LegacySession::open(&gateway).await;
    assert_eq!(count().await, 1);
    gateway.finish().await;
}

/// O15: the stream tells of lists that are others now.
#[tokio::test]
async fn the_stream_tells_of_changed_lists() {
    let gateway = gateway().await;
    let mut stream = gateway.connect().await;
    let head = stream
        .begin(&Request::new("GET", "/ext/mcp_http/stream"))
        .await;
    assert!(head.is_stream(), "{}", head.status);
    assert_eq!(stream.event().await, Some(json!({ "sessions": 0 })));
    order(&gateway, "stop", "hash").await;
    assert_eq!(stream.event().await, Some(json!({ "lists": ["tools"] })));
    gateway.finish().await;
}

/// O15: the MCP endpoint is there as well, whether or not the plugin is.
#[tokio::test]
async fn the_endpoint_itself_stays_where_it_is() {
    let gateway = TestGateway::plain().await;
    let list = crate::support::modern::request("tools/list", json!({}));
    let list = gateway.send(&list.at("/ext/mcp_http/mcp")).await;
    assert_eq!(list.status, 200, "{}", list.text());
    assert_eq!(get(&gateway, "/ext/mcp_http/tools").await.status, 404);
    gateway.finish().await;
}
