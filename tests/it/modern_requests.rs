//! Requests of revision 2026-07-28, each of which stands alone.

use serde_json::{Value, json};

use crate::support::{Request, TestGateway, modern};

const META: &str = "io.modelcontextprotocol/";

#[tokio::test]
async fn discovery_says_what_the_gateway_is() {
    let gateway = TestGateway::plain().await;
    let answer = gateway
        .send(&modern::request("server/discover", json!({})))
        .await;
    assert_eq!(answer.status, 200);
    let result = &answer.json()["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"][0], modern::VERSION);
    assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(result["cacheScope"], "public");
    assert!(result["ttlMs"].is_u64());
    assert_eq!(
        result["_meta"][format!("{META}serverInfo")]["name"],
        "toolgate"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn a_request_without_its_metadata_is_refused() {
    let gateway = TestGateway::plain().await;
    let version = format!("{META}protocolVersion");
    let capabilities = format!("{META}clientCapabilities");
    let cases = [
        (version.as_str(), None),
        (version.as_str(), Some(json!(20260728))),
        (capabilities.as_str(), None),
        (capabilities.as_str(), Some(json!([]))),
    ];
    for (key, value) in cases {
        let mut message = modern::message("x", "tools/list", json!({}));
        let meta = message["params"]["_meta"]
            .as_object_mut()
            .expect("the message has it");
        match &value {
            None => drop(meta.remove(key)),
            Some(value) => meta[key] = value.clone(),
        }
        let answer = gateway.send(&modern::request_of(&message)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, -32602),
            "{key} {value:?}"
        );
        assert_eq!(answer.json()["id"], "x");
        let text = answer.json()["error"]["message"].to_string();
        assert!(text.contains(&key.replace('/', "~1")), "{text}");
    }
    let bare = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let answer = gateway.send(&modern::request_of(&bare)).await;
    assert_eq!((answer.status, answer.code()), (400, -32602));
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn a_revision_that_is_not_served_is_answered_with_those_that_are() {
    let gateway = TestGateway::plain().await;
    for version in ["1900-01-01", "2027-01-01", "", "2025-11-25"] {
        let meta = json!({ "_meta": { format!("{META}protocolVersion"): version } });
        let request = modern::request("tools/list", meta).set("mcp-protocol-version", version);
        let answer = gateway.send(&request).await;
        assert_eq!((answer.status, answer.code()), (400, -32022), "{version}");
        let data = &answer.json()["error"]["data"];
        assert_eq!(data["requested"], version);
        assert_eq!(data["supported"][0], modern::VERSION);
    }
    gateway.finish().await;
}

/// F37.
#[tokio::test]
async fn a_method_that_does_not_exist_is_not_found() {
    let gateway = TestGateway::plain().await;
    let gone = [
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
    ];
    for method in gone
        .into_iter()
        .chain(["tools/burn", "", "notifications/cancelled"])
    {
        let answer = gateway.send(&modern::request(method, json!({}))).await;
        assert_eq!((answer.status, answer.code()), (404, -32601), "{method}");
        assert_eq!(answer.json()["id"], 1);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn params_that_do_not_fit_are_named() {
    let gateway = TestGateway::plain().await;
    let cases = [
        ("tools/call", json!({}), "/params/name"),
        (
            "tools/call",
            json!({ "name": "echo__echo", "arguments": [] }),
            "/params/arguments",
        ),
        ("tools/list", json!({ "cursor": "x" }), "/params/cursor"),
        ("subscriptions/listen", json!({}), "/params/notifications"),
        (
            "tools/call",
            json!({ "name": "echo__nothing" }),
            "Unknown tool `echo__nothing`",
        ),
        (
            "tools/call",
            json!({ "name": "Echo__Echo" }),
            "Unknown tool",
        ),
    ];
    for (method, params, named) in cases {
        let answer = gateway.send(&modern::request(method, params.clone())).await;
        assert_eq!(answer.code(), -32602, "{method} {params}");
        let text = answer.json()["error"]["message"].to_string();
        assert!(text.contains(named), "{text}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn arguments_that_do_not_fit_the_schema_are_a_result_the_model_can_read() {
    let gateway = TestGateway::plain().await;
    let answer = gateway
        .send(&modern::call("echo__count", json!({ "to": "many" })))
        .await;
    assert_eq!(answer.status, 200);
    let result = &answer.json()["result"];
    assert_eq!(
        (&result["isError"], &result["resultType"]),
        (&json!(true), &json!("complete"))
    );
    assert!(
        result["content"][0]["text"].to_string().contains("/to"),
        "{result}"
    );
    assert_eq!(result["_meta"]["toolgate/reason"], "bad_input");
    gateway.finish().await;
}

#[tokio::test]
async fn every_result_says_of_which_kind_it_is() {
    let gateway = TestGateway::plain().await;
    for request in [
        modern::request("tools/list", json!({})),
        modern::call("echo__echo", json!({})),
    ] {
        let answer = gateway.send(&request).await;
        assert_eq!(answer.json()["result"]["resultType"], "complete");
        assert!(!answer.headers.contains_key("mcp-session-id"));
    }
    gateway.finish().await;
}

#[tokio::test]
async fn notifications_are_accepted_and_answers_are_not() {
    let gateway = TestGateway::plain().await;
    let told = |method: &str| json!({ "jsonrpc": "2.0", "method": method });
    for message in [
        told("notifications/cancelled"),
        told("notifications/whatever"),
    ] {
        let answer = gateway.send(&modern::request_of(&message)).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
    }
    let response = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
    let answer = gateway.send(&modern::request_of(&response)).await;
    assert_eq!((answer.status, answer.code()), (400, -32600));
    gateway.finish().await;
}

/// F37: there is nothing to get or delete for a modern client.
#[tokio::test]
async fn other_verbs_are_not_allowed() {
    let gateway = TestGateway::plain().await;
    for verb in ["GET", "DELETE", "PUT", "PATCH", "HEAD"] {
        let request = Request::new(verb, "/mcp")
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", modern::VERSION);
        let answer = gateway.connect().await.begin(&request).await;
        assert_eq!(answer.status, 405, "{verb}");
        assert!(answer.header("allow").contains("POST"), "{verb}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn ids_come_back_as_they_were() {
    let gateway = TestGateway::plain().await;
    for id in [
        "1",
        "-7",
        "9007199254740993",
        "123456789012345678901234567890",
        r#""""#,
        r#""é\n""#,
    ] {
        let message = modern::message(1, "tools/list", json!({}));
        let text = message
            .to_string()
            .replacen(r#""id":1"#, &format!(r#""id":{id}"#), 1);
        let mut request = modern::request_of(&message);
        request.body = text.into_bytes();
        let answer = gateway.send(&request).await;
        assert!(
            answer
                .text()
                .starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"#)),
            "{}",
            answer.text()
        );
    }
    gateway.finish().await;
}

/// S40: what depends on the credential is nobody else's to keep.
#[tokio::test]
async fn lists_are_private_to_their_caller() {
    let gateway = TestGateway::plain().await;
    let answer = gateway
        .send(&modern::request("tools/list", json!({})))
        .await;
    let result = &answer.json()["result"];
    assert_eq!(result["cacheScope"], "private");
    assert!(result["ttlMs"].is_u64());
    let call = gateway.send(&modern::call("echo__echo", json!({}))).await;
    let public = |value: &Value| value["result"]["cacheScope"] == "public";
    assert!(!public(&call.json()));
    gateway.finish().await;
}

/// A client that sends the id of a session it does not have is still served alone.
#[tokio::test]
async fn a_session_id_means_nothing_here() {
    let gateway = TestGateway::plain().await;
    let request =
        modern::request("tools/list", json!({})).header("mcp-session-id", "0123456789abcdef");
    let answer = gateway.send(&request).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    gateway.finish().await;
}
