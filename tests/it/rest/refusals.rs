//! Each kind of fault has its status; each has the same form of body.

use toolgate::plugin::{NoArguments, ToolContext, ToolError};
use toolgate::wire::json::Json;

use crate::rest::{call, refused};
use crate::support::{Latch, Request, TestGateway, plugin, until};

#[tokio::test]
async fn an_unknown_tool_is_404() {
    let gateway = TestGateway::plain().await;
    for request in [call("nope", "{}"), Request::new("GET", "/api/tools/nope")] {
        assert_eq!(refused(&gateway.send(&request).await, 404), "not_found");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_422_and_name_the_place() {
    let gateway = TestGateway::plain().await;
    let answer = gateway.send(&call("echo__echo", r#"{"text":5}"#)).await;
    assert_eq!(refused(&answer, 422), "bad_input");
    assert!(answer.text().contains("`/text`"), "{}", answer.text());
    gateway.finish().await;
}

#[tokio::test]
async fn a_tool_that_the_policy_hides_is_404_and_says_which_rule_does() {
    let config = "[policy]\ndeny = [\"echo__*\"]\n";
    let gateway = TestGateway::builder().config(config).build().await;
    let answer = gateway.send(&call("echo__echo", "{}")).await;
    assert_eq!(refused(&answer, 404), "not_found");
    assert!(answer.text().contains("`policy.deny`"), "{}", answer.text());
    gateway.finish().await;
}

#[tokio::test]
async fn a_call_above_the_bound_is_429_and_says_when_to_come_back() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("p", latch.plugin())
        .config("[plugins.p.limits]\nmax_concurrent_calls = 1\nmax_queue = 0\n[plugins.p]\n")
        .build()
        .await;
    let first = call("p__wait", "{}");
    let both = async {
        latch.begun(1).await;
        let answer = gateway.send(&first).await;
        assert_eq!(refused(&answer, 429), "overloaded");
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.json()["error"]["retry_after_ms"], 1000);
        latch.open();
    };
    let (answer, ()) = tokio::join!(gateway.send(&first), both);
    assert_eq!(answer.status, 200);
    gateway.finish().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_504_and_is_given_up() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("p", latch.plugin())
        .config("[plugins.p.limits]\ncall_timeout_ms = 20\n[plugins.p]\n")
        .build()
        .await;
    assert_eq!(
        refused(&gateway.send(&call("p__wait", "{}")).await, 504),
        "timeout"
    );
    latch.given_up(1).await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_plugin_that_does_not_start_is_503_and_says_why() {
    let config = r#"
[plugins.gone]
runtime = "mcp_stdio"
version = "1.0.0"
mcp_stdio.command = ["./is-not-there"]
tools = [{ name = "x", input_schema = { type = "object" } }]
"#;
    let gateway = TestGateway::builder().config(config).build().await;
    let answer = gateway.send(&call("gone__x", "{}")).await;
    refused(&answer, 503);
    assert!(answer.text().contains("gone"), "{}", answer.text());
    let ready = gateway.send(&Request::new("GET", "/readyz")).await;
    assert_eq!(ready.status, 200, "one plugin's trouble is its own");
    let ready = ready.json();
    let plugins = ready["plugins"].as_array().expect("an array");
    let gone = plugins
        .iter()
        .find(|plugin| plugin["id"] == "gone")
        .expect("named");
    assert_eq!(gone["state"], "error");
    assert!(gone["reason"].is_string(), "{gone}");
    let health = gateway.send(&Request::new("GET", "/health")).await.json();
    assert_eq!(health["plugins"]["failed"], 1);
    gateway.finish().await;
}

#[tokio::test]
async fn a_plugin_that_breaks_the_protocol_is_502() {
    let broken = plugin(|tools| {
        let definition = r#"{"name":"list","inputSchema":{"type":"object"}}"#;
        tools.raw(Json::literal(definition), |_, _| {
            std::future::ready(Ok::<_, ToolError>(Json::literal("[]")))
        });
        tools.add("panic", "Panics", |_: NoArguments, _: ToolContext| async {
            if std::hint::black_box(true) {
                panic!("on purpose");
            }
            "never"
        });
    });
    let gateway = TestGateway::builder().plugin("p", broken).build().await;
    refused(&gateway.send(&call("p__list", "{}")).await, 502);
    let answer = gateway.send(&call("p__panic", "{}")).await;
    assert_eq!(answer.status, 200, "a panic is an error of the tool");
    assert_eq!(answer.json()["isError"], true);
    gateway.finish().await;
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("p", latch.plugin())
        .build()
        .await;
    let mut connection = gateway.connect().await;
    connection
        .write(&call("p__wait", "{}").bytes(gateway.address))
        .await;
    latch.begun(1).await;
    assert_eq!(gateway.front.active(), 1);
    drop(connection);
    latch.given_up(1).await;
    until("the call is counted out", || gateway.front.active() == 0).await;
    assert_eq!(latch.counts(), (1, 1, 0));
    gateway.finish().await;
}

#[tokio::test]
async fn a_gateway_that_stops_takes_no_new_calls_and_finishes_those_it_has() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("p", latch.plugin())
        .build()
        .await;
    let request = call("p__wait", "{}");
    let meanwhile = async {
        latch.begun(1).await;
        let mut early = gateway.connect().await;
        let others = async {
            until("it drains", || gateway.front.is_draining()).await;
            let answer = early.send(&request).await;
            assert_eq!(refused(&answer, 503), "unavailable");
            assert_eq!(answer.header("retry-after"), "1");
            let ready = gateway.send(&Request::new("GET", "/readyz")).await;
            assert_eq!(
                (ready.status, &ready.json()["status"]),
                (503, &"stopping".into())
            );
            assert_eq!(
                gateway.send(&Request::new("GET", "/livez")).await.status,
                200
            );
            latch.open();
        };
        let (left, ()) = tokio::join!(gateway.front.drain(), others);
        assert_eq!(left, 0);
    };
    let (answer, ()) = tokio::join!(gateway.send(&request), meanwhile);
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway.finish().await;
}
