//! One tool, offered by every runtime, through every front: definitions, arguments and results arrive to the byte.

use toolgate::plugin::Tools;
use toolgate::wire::json::Json;

use crate::hostile::Hostile;
use crate::support::{LegacySession, Request, StdioClient, TestGateway, modern, plugin};

/// The definition, with everything in it that a proxy could lose.
const DEFINITION: &str = include_str!("../hostile/odd.json");

/// Arguments whose meaning, and whose text, a value tree would change.
const ARGUMENTS: &str = r##"{"z":1234567890123456789012345,"a" : 1.0,"deep":{"$defs":{"x":[1,2,{"b":1E300}]},"\u00e9":"caf\u00e9 \/ \ud83d\ude00 \t"},"":null,"10":0,"9":-0.0,"_meta":{"k":1},"$ref":"#/$defs/x"}"##;

/// What stands before and after the arguments in the tool's result.
const RESULT: [&str; 2] = [
    r#"{"zz":[1.0,1e5,-0],"content":[{"type":"text","text":"caf\u00e9 \/ \ud83d\ude00","x":1}],"structuredContent":"#,
    r#","n":1234567890123456789012345,"_meta":{"com.example/k":{"z":1,"a":2}},"isError":false}"#,
];

fn definition() -> &'static str {
    DEFINITION.trim_end()
}

fn result() -> String {
    RESULT.join(ARGUMENTS)
}

fn odd(tools: &mut Tools) {
    tools.raw(Json::literal(definition()), |arguments: Json, _| {
        std::future::ready(Ok(
            Json::scan(RESULT.join(arguments.as_str()).into()).expect("JSON")
        ))
    });
}

/// The tool in this process.
async fn in_process() -> TestGateway {
    let config = "[plugins.odd]\nprefix = \"\"";
    TestGateway::builder()
        .plugin("odd", plugin(odd))
        .config(config)
        .build()
        .await
}

/// The request of a modern client, the text of its arguments untouched.
fn modern_call(meta: &str) -> Request {
    let message = modern::message(1, "tools/call", serde_json::json!({ "name": "odd" }));
    let text = message.to_string();
    let mut request = modern::request_of(&message);
    let params = format!(r#""params":{{"arguments":{ARGUMENTS},"#);
    let text = text
        .replacen(r#""_meta":{"#, &format!(r#""_meta":{{{meta}"#), 1)
        .replacen(r#""params":{"#, &params, 1);
    request.body = text.into_bytes();
    request
}

fn legacy_call() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"odd","arguments":{ARGUMENTS}}}}}"#
    )
}

/// Lists and calls the tool through every front.
async fn is_faithful(gateway: &TestGateway) {
    let legacy = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}}}"#, result());
    let modern_result = result().replacen('{', r#"{"resultType":"complete","#, 1);
    let lists = |text: &str| {
        let place = text.find(definition());
        let place =
            place.unwrap_or_else(|| panic!("the definition is not listed as it is: {text}"));
        assert_eq!(text.matches(r#""name":"odd""#).count(), 1);
        let (before, after) = (
            text[..place].chars().last(),
            text[place + definition().len()..].chars().next(),
        );
        assert!(
            matches!((before, after), (Some('[' | ','), Some(',' | ']'))),
            "{text}"
        );
    };

    // Modern HTTP.
    lists(
        &gateway
            .send(&modern::request("tools/list", serde_json::json!({})))
            .await
            .text(),
    );
    let answer = gateway.send(&modern_call("")).await;
    assert_eq!(
        answer.text(),
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{modern_result}}}"#)
    );

    // Legacy HTTP.
    let session = LegacySession::open(gateway).await;
    lists(
        &gateway
            .send(&session.request(1, "tools/list", serde_json::json!({})))
            .await
            .text(),
    );
    let answer = gateway
        .send(&session.of(Request::message(legacy_call())))
        .await;
    assert_eq!(answer.text(), legacy);
    assert_eq!(session.delete(gateway).await.status, 204);

    // Plain HTTP.
    let answer = gateway.send(&crate::rest::call("odd", ARGUMENTS)).await;
    assert_eq!((answer.status, answer.text()), (200, result()));

    // The standard streams, for a legacy client and for a modern one.
    let mut client = StdioClient::initialized(gateway, "2025-11-25").await;
    client.request(1, "tools/list", serde_json::json!({})).await;
    lists(&client.line().await.expect("an answer"));
    client
        .write(format!("{}\n", legacy_call()).as_bytes())
        .await;
    assert_eq!(client.line().await, Some(legacy));
    assert_eq!(client.finish().await.len(), 0);
    let mut client = StdioClient::start(gateway);
    client
        .send(&modern::message(1, "tools/list", serde_json::json!({})))
        .await;
    lists(&client.line().await.expect("an answer"));
    client
        .write(&[&modern_call("").body[..], b"\n"].concat())
        .await;
    assert_eq!(
        client.line().await,
        Some(format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{modern_result}}}"#
        ))
    );
    assert_eq!(client.finish().await.len(), 0);
}

#[tokio::test]
async fn a_tool_in_this_process_arrives_to_the_byte() {
    let gateway = in_process().await;
    is_faithful(&gateway).await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_tool_of_a_child_process_arrives_to_the_byte() {
    for era in ["legacy", "modern"] {
        let child = Hostile::new("odd", &["--era", era]).key("prefix = \"\"");
        let gateway = child.build().await;
        is_faithful(&gateway).await;
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_tool_of_a_remote_server_arrives_to_the_byte() {
    let remote = in_process().await;
    for era in ["legacy", "modern"] {
        let config = format!(
            "[plugins.odd]\nruntime = \"mcp_http\"\nprefix = \"\"\nera = \"{era}\"\nmcp_http = {{ url = \"http://{}/mcp\" }}",
            remote.address
        );
        let gateway = TestGateway::builder().config(&config).build().await;
        is_faithful(&gateway).await;
        gateway.finish().await;
    }
    remote.finish().await;
}

/// What a child is sent is what the client sent: only the name and what belongs to the hop differ.
#[tokio::test]
async fn arguments_and_meta_reach_a_child_to_the_byte() {
    let child = Hostile::new("h", &[]);
    let gateway = child.build().await;
    let meta =
        r#""com.example/k":{"z":1,"a":12345678901234567890123,"e":"\u0041"},"baggage":"x=1","#;
    let mut request = modern_call(meta).set("mcp-name", "h__params");
    let text = String::from_utf8(request.body.clone()).expect("UTF-8");
    let text = text.replacen(
        r#""name":"odd""#,
        r#""name":"h__params","later":{"b":1.50,"a":2}"#,
        1,
    );
    request.body = text.into_bytes();
    let answer = gateway.send(&request).await.text();
    assert!(
        answer.contains(&format!(r#""arguments":{ARGUMENTS}"#)),
        "{answer}"
    );
    assert!(
        answer.contains(r#""name":"params","later":{"b":1.50,"a":2}"#),
        "{answer}"
    );
    assert!(
        answer.contains(&format!(r#""_meta":{{{}}}"#, meta.trim_end_matches(','))),
        "{answer}"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn a_prefix_changes_the_name_and_nothing_else() {
    let child = Hostile::new("h", &[]);
    let gateway = child.build().await;
    let list = gateway
        .send(&modern::request("tools/list", serde_json::json!({})))
        .await
        .text();
    let renamed = definition().replacen(r#""name":"odd""#, r#""name":"h__odd""#, 1);
    assert!(list.contains(&renamed), "{list}");
    gateway.finish().await;
}
