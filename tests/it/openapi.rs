//! The OpenAPI document.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::health::{TOKEN, guarded};
use crate::rest::odd;
use crate::support::{Request, TestGateway, plugin};

async fn document(gateway: &TestGateway) -> (String, Value) {
    let answer = gateway
        .send(&Request::new("GET", "/openapi.json").token(TOKEN))
        .await;
    assert_eq!(answer.status, 200);
    (answer.text(), answer.json())
}

#[tokio::test]
async fn every_tool_is_an_operation_with_its_own_schemas() {
    let gateway = TestGateway::builder()
        .plugin("p", plugin(odd))
        .build()
        .await;
    let (text, document) = document(&gateway).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["security"], Value::Null);
    let odd = &document["paths"]["/api/tools/p__odd"]["post"];
    assert_eq!(
        (
            &odd["operationId"],
            &odd["summary"],
            &odd["description"],
            &odd["tags"]
        ),
        (
            &json!("p__odd"),
            &json!("Odd"),
            &json!("Odd é"),
            &json!(["p"])
        )
    );
    // The text of the plugin, with an `$id` in front so that its references stay its own.
    let input = r##""schema":{"$id":"/api/tools/p__odd/input","type" : "object","$defs":{"n":{"maximum":1234567890123456789012345,"$anchor":"n"}},"properties":{"b":{"$ref":"#/$defs/n"},"a":{}} }"##;
    assert!(text.contains(input), "{text}");
    let result = &odd["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(result["$ref"], "#/components/schemas/ToolResult");
    assert_eq!(
        result["properties"]["structuredContent"]["$defs"],
        json!({ "s": { "type": "integer" } })
    );
    let plain = &document["paths"]["/api/tools/echo__echo"]["post"];
    let result = &plain["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(
        result,
        &json!({ "$ref": "#/components/schemas/ToolResult" })
    );
    let tools = gateway
        .send(&Request::new("GET", "/api/tools"))
        .await
        .json();
    for tool in tools.as_array().expect("an array") {
        let path = format!("/api/tools/{}", tool["name"].as_str().expect("a name"));
        assert!(document["paths"][&path]["post"].is_object(), "{path}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn operations_have_different_names_and_references_lead_somewhere() {
    let gateway = TestGateway::builder()
        .plugin("p", plugin(odd))
        .build()
        .await;
    let (_, document) = document(&gateway).await;
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().expect("an object") {
        let operations = item.as_object().expect("an object").iter();
        for (verb, operation) in operations.filter(|(key, _)| *key != "parameters") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} twice");
            let responses = operation["responses"].as_object().expect("an object");
            let goes_well = responses.keys().any(|status| status.starts_with('2'));
            assert!(goes_well, "{verb} {path}");
            for response in responses
                .values()
                .filter_map(|response| response["$ref"].as_str())
            {
                let place = response.strip_prefix('#').expect("in this document");
                assert!(document.pointer(place).is_some(), "{response}");
            }
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn the_document_shows_what_the_caller_may_see() {
    let gateway = guarded().await;
    let (text, document) = document(&gateway).await;
    assert!(document["paths"]["/api/tools/echo__echo"].is_object());
    assert!(!text.contains("odd"), "{text}");
    assert_eq!(document["security"], json!([{ "token": [] }]));
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    assert_eq!(document["paths"]["/livez"]["get"]["security"], json!([{}]));
    gateway.finish().await;
}
