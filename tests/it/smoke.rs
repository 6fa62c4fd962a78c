//! Every kind of client gets an answer.

use serde_json::json;

use crate::support::{LegacySession, StdioClient, TestGateway, modern};

#[tokio::test]
async fn every_kind_of_client_gets_the_same_answer() {
    let gateway = TestGateway::plain().await;
    let arguments = json!({ "text": "hello" });
    let expected = json!([{ "type": "text", "text": "hello" }]);

    let answer = gateway
        .send(&modern::call("echo__echo", arguments.clone()))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["result"]["content"], expected);

    let session = LegacySession::open(&gateway).await;
    let answer = gateway
        .send(&session.call(7, "echo__echo", arguments.clone()))
        .await;
    assert_eq!(answer.json()["result"]["content"], expected);
    assert_eq!(answer.json()["id"], 7);

    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let params = json!({ "name": "echo__echo", "arguments": arguments });
    let answer = client.ask("a", "tools/call", params).await;
    assert_eq!(answer["result"]["content"], expected);
    assert_eq!(client.finish().await.len(), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn plugins_that_need_each_other_hold_up_nobody() {
    let config = "[plugins.echo]\ndepends_on = [\"hash\"]\n[plugins.hash]\ndepends_on = [\"echo\"]\n[plugins.text]\n";
    let gateway = TestGateway::builder()
        .config(config)
        .unsettled()
        .build()
        .await;
    let begun = std::time::Instant::now();
    let answer = gateway
        .send(&modern::request("tools/list", json!({})))
        .await;
    assert!(
        begun.elapsed().as_millis() < 1_500,
        "the list did not wait for what never starts"
    );
    let tools = answer.json()["result"]["tools"].clone();
    assert_eq!(tools.as_array().map(Vec::len), Some(1), "{tools}");
    let refused = gateway.send(&modern::call("echo__echo", json!({}))).await;
    assert!(
        refused.text().contains("depends on itself through"),
        "{}",
        refused.text()
    );
    gateway.finish().await;
}
