//! Tools over plain HTTP.

mod edges;

mod refusals;

use serde_json::json;
use toolgate::plugin::{ToolError, Tools};
use toolgate::wire::json::Json;

use crate::support::{Answer, Request, TestGateway, modern, plugin};

const DEFINITION: &str = r##"{"name":"odd","zz":1,"title":"Odd","inputSchema":{ "type" : "object","$defs":{"n":{"maximum":1234567890123456789012345,"$anchor":"n"}},"properties":{"b":{"$ref":"#/$defs/n"},"a":{}} },"outputSchema":{"type":"object","properties":{"sum":{"$ref":"#/$defs/s"}},"$defs":{"s":{"type":"integer"}}},"description":"Odd \u00e9"}"##;

const INPUT_SCHEMA: &str = r##"{ "type" : "object","$defs":{"n":{"maximum":1234567890123456789012345,"$anchor":"n"}},"properties":{"b":{"$ref":"#/$defs/n"},"a":{}} }"##;

const RESULT: &str = r#"{ "zeta" : 1234567890123456789012345, "isError":true,"content" :[ ] ,"structuredContent":{"sum":1.0e+5,"\u0061":"\u00e9"},"_meta":{"x/y":null} }"#;

/// The tool `odd`, whose definition and result no typed reader would leave as they are.
pub(crate) fn odd(tools: &mut Tools) {
    tools.raw(Json::literal(DEFINITION), |_, _| {
        std::future::ready(Ok::<_, ToolError>(Json::literal(RESULT)))
    });
}

/// A call with these arguments.
pub(crate) fn call(tool: &str, arguments: &str) -> Request {
    let mut request = Request::new("POST", &format!("/api/tools/{tool}"))
        .header("content-type", "application/json");
    request.body = arguments.into();
    request
}

/// The reason of an answer that is a refusal with this status.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    let error = &answer.json()["error"];
    assert!(error["message"].is_string(), "{error}");
    error["reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn a_result_arrives_to_the_byte_also_when_the_tool_failed() {
    let gateway = TestGateway::builder()
        .plugin("p", plugin(odd))
        .build()
        .await;
    let answer = gateway.send(&call("p__odd", "{}")).await;
    assert_eq!((answer.status, answer.text()), (200, RESULT.to_owned()));
    assert_eq!(answer.header("content-type"), "application/json");
    gateway.finish().await;
}

#[tokio::test]
async fn arguments_arrive_to_the_byte() {
    let gateway = TestGateway::plain().await;
    let arguments = r#"{"z":1234567890123456789012345,"text":"\u0061\n","a" : 1.0}"#;
    let answer = gateway.send(&call("echo__echo", arguments)).await;
    let expected = format!(
        r#"{{"content":[{{"type":"text","text":"\u0061\n"}}],"structuredContent":{arguments}}}"#
    );
    assert_eq!(answer.text(), expected);
    gateway.finish().await;
}

#[tokio::test]
async fn the_list_has_the_order_of_mcp_and_the_schemas_of_the_plugins() {
    let gateway = TestGateway::builder()
        .plugin("p", plugin(odd))
        .build()
        .await;
    let answer = gateway.send(&Request::new("GET", "/api/tools")).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .text()
            .contains(&format!(r#""input_schema":{INPUT_SCHEMA}"#)),
        "{}",
        answer.text()
    );
    let list = answer.json();
    let names = |tools: &serde_json::Value| {
        let tools = tools.as_array().expect("an array");
        tools
            .iter()
            .map(|tool| tool["name"].clone())
            .collect::<Vec<_>>()
    };
    let mcp = gateway
        .send(&modern::request("tools/list", json!({})))
        .await
        .json();
    assert_eq!(names(&list), names(&mcp["result"]["tools"]));
    let odd = list
        .as_array()
        .expect("an array")
        .iter()
        .find(|tool| tool["name"] == "p__odd");
    let odd = odd.expect("listed");
    assert_eq!(
        (
            &odd["plugin"],
            &odd["listed"],
            &odd["title"],
            &odd["description"]
        ),
        (&json!("p"), &json!(true), &json!("Odd"), &json!("Odd é"))
    );
    let one = gateway
        .send(&Request::new("GET", "/api/tools/p__odd"))
        .await;
    assert_eq!((one.status, &one.json()), (200, odd));
    gateway.finish().await;
}

#[tokio::test]
async fn tools_that_are_not_listed_have_a_reason() {
    let gateway = TestGateway::builder()
        .plugin("p", plugin(odd))
        .config("[plugins.echo]\nenabled = false\n[plugins.p]\nexpose.deny = [\"*\"]\n")
        .build()
        .await;
    let listed = gateway.send(&Request::new("GET", "/api/tools")).await;
    assert_eq!(listed.text(), "[]");
    let all = Request::new("GET", "/api/tools?all=true");
    let reason = "plugin `p` offers it, but a pattern in `expose.deny` hides it";
    let expected = json!([{ "name": "p__odd", "plugin": "p", "listed": false, "reason": reason }]);
    assert_eq!(gateway.send(&all).await.json(), expected);
    for request in [
        Request::new("GET", "/api/tools/p__odd"),
        call("p__odd", "{}"),
    ] {
        let answer = gateway.send(&request).await;
        assert_eq!(refused(&answer, 404), "not_found");
        assert!(answer.text().contains(reason), "{}", answer.text());
    }
    gateway.finish().await;
}
