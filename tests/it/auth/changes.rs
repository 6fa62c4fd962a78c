//! S04: nothing is changed by what a page of another site can have a browser send without asking.

use serde_json::{Value, json};

use crate::support::{Request, TestGateway};

/// Every route that takes a change, in the gateway's own description of itself.
#[tokio::test]
async fn no_change_is_taken_from_a_form_or_from_plain_text() {
    let gateway = TestGateway::plain().await;
    let document = gateway
        .send(&Request::new("GET", "/openapi.json"))
        .await
        .json();
    let paths = document["paths"].as_object().expect("paths");
    let mut changes: Vec<(String, String)> = Vec::new();
    for (path, item) in paths {
        let verbs = item.as_object().expect("an item").keys();
        let changing =
            verbs.filter(|verb| ["post", "put", "patch", "delete"].contains(&verb.as_str()));
        let path = path.replace(['{', '}'], "x");
        changes.extend(changing.map(|verb| (verb.to_uppercase(), path.clone())));
    }
    changes.push(("POST".to_owned(), "/mcp".to_owned()));
    changes.push(("POST".to_owned(), "/ext/mcp_http/mcp".to_owned()));
    assert!(changes.len() > 8, "{changes:?}");
    for (verb, path) in &changes {
        // What a plugin takes at its own routes is for the plugin to say.
        if path.starts_with("/ext/") && !path.starts_with("/ext/mcp_http/") {
            continue;
        }
        for kind in [
            "text/plain",
            "text/plain;charset=UTF-8",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
            "application/jsonp",
        ] {
            let mut request = Request::new(verb, path).header("content-type", kind);
            request.body = json!({ "id": "echo", "method": "echo", "args": {} })
                .to_string()
                .into();
            let answer = gateway.send(&request).await;
            assert_eq!(
                answer.status,
                415,
                "{verb} {path} {kind}: {}",
                answer.text()
            );
        }
    }
    let list = gateway
        .send(&Request::new("GET", "/api/v1/plugin/list"))
        .await
        .json();
    assert_ne!(list["data"]["registered"], Value::Null);
    gateway.finish().await;
}
