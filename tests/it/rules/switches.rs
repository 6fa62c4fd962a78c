//! Tools that an operator switches off and on.

use serde_json::{Value, json};

use crate::hostile::names;
use crate::rest::{self, refused};
use crate::rules::{Script, any, get, put};
use crate::support::{LegacySession, Request, TestGateway, modern};
use crate::tokens::{ANN, BOB, token};

const TOGGLE: &str = "/api/plugins/p__do/toggle";

async fn gateway(script: &Script, config: &str) -> TestGateway {
    TestGateway::builder()
        .config(config)
        .plugin("p", script.plugin(&any()))
        .build()
        .await
}

async fn element(gateway: &TestGateway, name: &str) -> Value {
    let all = gateway.send(&get("/api/plugins")).await.json();
    let all = all.as_array().expect("a bare array").clone();
    let found = all.into_iter().find(|element| element["name"] == name);
    found.unwrap_or(Value::Null)
}

/// F45: the list changes, and clients are told; a call by name says why there is none.
#[tokio::test]
async fn a_tool_that_is_switched_off_is_gone_until_it_is_switched_on() {
    let script = Script::default();
    let gateway = gateway(&script, "").await;
    let session = LegacySession::open(&gateway).await;
    let mut stream = gateway.connect().await;
    assert_eq!(stream.begin(&session.get()).await.status, 200);
    let off = gateway
        .send(&put(TOGGLE, &json!({ "enabled": false })))
        .await;
    assert_eq!(off.json(), json!({ "name": "p__do", "enabled": false }));
    let event = stream.event().await.expect("the stream goes on");
    assert_eq!(event["method"], "notifications/tools/list_changed");
    assert!(!names(&gateway).await.contains(&"p__do".to_owned()));
    let answer = gateway.send(&modern::call("p__do", json!({}))).await;
    let words = answer.json()["error"]["message"].to_string();
    assert!(words.contains("an operator has switched it off"), "{words}");
    assert_eq!(
        refused(&gateway.send(&rest::call("p__do", "{}")).await, 404),
        "not_found"
    );
    let all = gateway.send(&get("/api/tools?all=true")).await.json();
    let mut all = all.as_array().expect("an array").iter();
    let hidden = all
        .find(|tool| tool["name"] == "p__do")
        .expect("it is there");
    assert_eq!(
        (&hidden["listed"], &hidden["enabled"]),
        (&json!(false), &json!(false))
    );
    let why = gateway
        .send(&get("/api/v1/plugin/why?tool=p__do"))
        .await
        .json();
    assert_eq!(why["data"]["reason"], "disabled", "{why}");
    assert_eq!(element(&gateway, "p__do").await["enabled"], false);
    // Twice is the same; without a word it is switched over.
    let again = gateway
        .send(&put(TOGGLE, &json!({ "enabled": false })))
        .await;
    assert_eq!(again.json()["enabled"], false);
    let over = Request::new("PUT", TOGGLE).header("content-type", "application/json");
    assert_eq!(gateway.send(&over).await.json()["enabled"], true);
    let event = stream.event().await.expect("the stream goes on");
    assert_eq!(event["method"], "notifications/tools/list_changed");
    assert_eq!(element(&gateway, "p__do").await["enabled"], true);
    assert_eq!(gateway.send(&rest::call("p__do", "{}")).await.status, 200);
    assert_eq!(script.arguments().len(), 1);
    drop(stream);
    session.delete(&gateway).await;
    gateway.finish().await;
}

/// F45: it stays so over a restart.
#[tokio::test]
async fn what_was_switched_off_is_off_in_the_next_life() {
    let gateway = gateway(&Script::default(), "").await;
    gateway
        .send(&put(TOGGLE, &json!({ "enabled": false })))
        .await;
    // As a gateway begins that has the same store.
    gateway.registry().switch_off(Default::default());
    assert!(names(&gateway).await.contains(&"p__do".to_owned()));
    gateway.app.recall().await;
    assert!(!names(&gateway).await.contains(&"p__do".to_owned()));
    gateway
        .send(&put(TOGGLE, &json!({ "enabled": true })))
        .await;
    gateway.app.recall().await;
    assert!(names(&gateway).await.contains(&"p__do".to_owned()));
    gateway.finish().await;
}

/// F45, S04: only an operator switches, and no form of another page.
#[tokio::test]
async fn who_may_switch() {
    let config = [
        token("ann", ANN, "scopes = [\"admin\"]"),
        token("bob", BOB, ""),
    ]
    .concat();
    let gateway = gateway(&Script::default(), &config).await;
    let off = json!({ "enabled": false });
    let by_bob = gateway.send(&put(TOGGLE, &off).token(BOB)).await;
    assert_eq!(by_bob.status, 403, "{}", by_bob.text());
    let form = put(TOGGLE, &off)
        .set("content-type", "text/plain")
        .token(ANN);
    assert_eq!(gateway.send(&form).await.status, 415);
    let wrong = put(TOGGLE, &json!({ "enabled": 1 })).token(ANN);
    assert_eq!(gateway.send(&wrong).await.status, 400);
    let unknown = put("/api/plugins/p__none/toggle", &off).token(ANN);
    assert_eq!(gateway.send(&unknown).await.status, 404);
    assert_eq!(
        gateway.send(&put(TOGGLE, &off).token(ANN)).await.status,
        200
    );
    gateway.finish().await;
}

/// F1, F41: each tool is an element with its category; what is not known to look only may change something.
#[tokio::test]
async fn each_tool_is_an_element_with_its_category() {
    let config = "[plugins.p]\n[[plugins.p.tools]]\nname = \"do\"\ncategory = \"remediation\"\nrisk = \"low\"\nblast_radius = \"one pod\"\nrequires_approval = true\n";
    let gateway = gateway(&Script::default(), config).await;
    let expect = json!({
        "name": "p__do",
        "description": "",
        "category": "remediation",
        "parameters": { "type": "object" },
        "plugin": "p",
        "enabled": true,
        "requires_approval": true,
    });
    assert_eq!(element(&gateway, "p__do").await, expect);
    let list = gateway
        .send(&modern::request("tools/list", json!({})))
        .await
        .json();
    let mut tools = list["result"]["tools"].as_array().expect("a list").iter();
    let tool = tools.find(|tool| tool["name"] == "p__do").expect("listed");
    let annotations = json!({ "readOnlyHint": false, "destructiveHint": true });
    assert_eq!(tool["annotations"], annotations);
    let meta = json!({
        "toolgate/risk": "low",
        "toolgate/blast_radius": "one pod",
        "toolgate/requires_approval": true,
    });
    assert_eq!(tool["_meta"], meta);
    gateway.finish().await;
}
