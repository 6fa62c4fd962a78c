//! Child processes that list too much, too often, or what is no tool.

use std::time::{Duration, Instant};

use serde_json::json;
use toolgate::model::caller::Caller;

use crate::hostile::{Hostile, names, result_of, text, text_of};
use crate::support::{LegacySession, TestGateway, modern, within};
use crate::tokens::{ANN, BOB, token};

/// The names that are not listed, and why.
fn hidden(gateway: &TestGateway) -> Vec<(String, String)> {
    let catalog = gateway.registry().catalog();
    catalog
        .hidden(&Caller::anonymous())
        .map(|hidden| (hidden.name.clone(), hidden.reason.clone()))
        .collect()
}

async fn is_cut(list: &str, listed: usize, why: &str) {
    let plugin = Hostile::new("h", &["--list", list]);
    let gateway = plugin.build().await;
    let begun = Instant::now();
    let names = names(&gateway).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let of_plugin = names.iter().filter(|name| name.starts_with("h__")).count();
    assert_eq!(of_plugin, listed, "{list}");
    let hidden = hidden(&gateway);
    assert!(
        hidden.iter().any(|(_, reason)| reason.contains(why)),
        "{list}: {hidden:?}"
    );
    assert!(
        names.iter().any(|name| name.starts_with("echo__")),
        "others are listed"
    );
    gateway.finish().await;
}

/// F16.
#[tokio::test]
async fn lists_without_end_are_cut_and_say_so() {
    is_cut("many:20000", 1000, "limits.max_tools").await;
    is_cut("endless", 100, "limits.max_list_pages").await;
    is_cut("circle", 2, "limits.max_list_pages").await;
}

/// F16.
#[tokio::test]
async fn a_tool_that_cannot_be_listed_takes_no_other_with_it() {
    is_cut("long:200000", 1, "limits.max_description_bytes").await;
    is_cut("malformed", 1, "inputSchema").await;
    is_cut("malformed", 1, "not an object").await;
    is_cut("malformed", 1, "has no `name`").await;
    is_cut("malformed", 1, "lists this name twice").await;
}

/// A tool that comes later is listed, and clients hear of it.
#[tokio::test]
async fn a_tool_that_is_added_is_told_and_listed() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let gateway = plugin.build().await;
    let session = LegacySession::open(&gateway).await;
    let mut stream = gateway.connect().await;
    stream.write(&session.get().bytes(gateway.address)).await;
    assert_eq!(stream.head().await.status, 200);
    assert!(!names(&gateway).await.contains(&"h__grown_0".to_owned()));
    assert_eq!(text(&gateway, "h__grow", json!({})).await, "grown");
    let told = stream.event().await.expect("the stream goes on");
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert!(names(&gateway).await.contains(&"h__grown_0".to_owned()));
    drop(stream);
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// F17: the plugin is asked once a second, and a client is told once a second.
#[tokio::test]
async fn a_storm_of_changes_becomes_a_list_a_second() {
    let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
    let (gateway, ledger) = (plugin.build().await, plugin.ledger());
    let session = LegacySession::open(&gateway).await;
    let mut stream = gateway.connect().await;
    stream.write(&session.get().bytes(gateway.address)).await;
    assert_eq!(stream.head().await.status, 200);
    let listed = ledger.count("list");
    let begun = Instant::now();
    let mut told = 0;
    for _ in 0..5 {
        assert_eq!(
            text(&gateway, "h__storm", json!({ "count": 100 })).await,
            "grown"
        );
    }
    within("the last one is listed", async {
        while !names(&gateway).await.contains(&"h__grown_499".to_owned()) {
            stream.event().await.expect("the stream goes on");
            told += 1;
        }
    })
    .await;
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("fits") + 1;
    let lists = ledger.count("list") - listed;
    assert!(
        lists <= seconds + 1 && told <= seconds + 1,
        "{lists} lists, {told} told in {seconds} s"
    );
    drop(stream);
    assert_eq!(session.delete(&gateway).await.status, 204);
    gateway.finish().await;
}

/// What the call of one principal changed in an instance that it had alone is for that principal.
#[tokio::test]
async fn what_one_caller_changed_is_listed_for_that_caller_alone() {
    let plugin = Hostile::new("h", &[]);
    let config = [token("ann", ANN, ""), token("bob", BOB, ""), plugin.text()].concat();
    let gateway = TestGateway::builder().config(&config).build().await;
    let lists = async |who: &str| {
        let request = modern::request("tools/list", json!({})).token(who);
        let listed = result_of(&gateway.send(&request).await);
        let tools = listed["tools"].as_array().expect("tools").clone();
        tools.iter().any(|tool| tool["name"] == "h__grown_0")
    };
    let call = async |who: &str, tool: &str| {
        gateway
            .send(&modern::call(tool, json!({})).token(who))
            .await
    };
    assert_eq!(text_of(&result_of(&call(ANN, "h__grow").await)), "grown");
    within("ann sees what she did", async {
        while !lists(ANN).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!lists(BOB).await);
    let theirs = call(BOB, "h__grown_0").await;
    assert_eq!(theirs.code(), -32602);
    assert!(lists(ANN).await, "another's instance changes nothing");
    gateway.finish().await;
}
