//! Servers that ask: legacy ones by requests of their own, modern ones by their answers.

use serde_json::{Value, json};

use crate::hostile::Hostile;
use crate::rounds::asker::{again, capable, keys, refused, send};

fn params(tool: &str) -> Value {
    json!({
        "name": format!("h__{tool}"),
        "arguments": {},
        "_meta": { "io.modelcontextprotocol/clientCapabilities": capable() },
    })
}

#[tokio::test]
async fn a_legacy_server_asks_a_modern_client() {
    let hostile = Hostile::new("h", &[]);
    let gateway = hostile.build().await;
    let plain = params("ask");
    let asked = send(&gateway, 1, &plain).await;
    assert_eq!(keys(&asked), ["q1"]);
    let question = &asked["result"]["inputRequests"]["q1"];
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "Who?");
    let response = json!({ "action": "accept", "content": { "name": "x" } });
    let answer = send(
        &gateway,
        2,
        &again(&plain, &asked, json!({ "q1": response.clone() })),
    )
    .await;
    assert_eq!(answer["result"]["structuredContent"], response, "{answer}");
    gateway.finish().await;
}

/// S13: the client sees a sealed state only, the plugin gets its own one back, and all else is as it was.
#[tokio::test]
async fn the_state_of_a_modern_server_is_sealed_for_the_client() {
    let hostile = Hostile::new("h", &["--era", "modern"]);
    let gateway = hostile.build().await;
    let plain = params("ask_back");
    let answer = gateway
        .send(&crate::rounds::asker::request(1, &plain))
        .await;
    let text = answer.text();
    let asked = answer.json();
    let sealed = asked["result"]["requestState"].as_str().expect("a state");
    let tail = format!(r#",  "requestState":"{sealed}" , "x":1.50}}}}"#);
    assert!(text.ends_with(&tail), "{text}");
    let head = r#"{"jsonrpc":"2.0","id":1,"result":{ "resultType":"input_required", "inputRequests":{"who":"#;
    assert!(text.starts_with(head) && !text.contains("my "), "{text}");

    let right = again(&plain, &asked, json!({ "who": { "v": 1 }, "else": 2 }));
    let mut wrong = right.clone();
    wrong["requestState"] = r#"my "state" é"#.into();
    refused(&send(&gateway, 2, &wrong).await);
    wrong = right.clone();
    wrong["arguments"] = json!({ "other": 1 });
    refused(&send(&gateway, 2, &wrong).await);
    let answer = send(&gateway, 2, &right).await;
    let came = json!({ "state": "my \"state\" é", "responses": { "who": { "v": 1 }, "else": 2 } });
    assert_eq!(answer["result"]["structuredContent"], came, "{answer}");
    gateway.finish().await;
}
