//! What becomes of calls that pass through filters.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use toolgate::plugin::{Plugin, ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;

use crate::hostile::{Hostile, calling, failure, failure_of, names, text_of, value};
use crate::kinds::{add, saying, stamper};
use crate::reload::{reload, write};
use crate::support::{Latch, Request, TestGateway, modern, plugin, within};

/// The entry of a filter in this process.
fn filter(id: &str, more: &str) -> String {
    format!("[plugins.{id}]\nkind = \"filter\"\n{more}\n")
}

/// Two filters of this process and one in a child, one after the other: what each makes of arguments and results is what
/// the next one sees, and the plugin, and the caller; whatever the plugin is.
#[tokio::test]
async fn a_chain_changes_arguments_and_results_in_order_in_each_runtime() {
    let child_filter = Hostile::new("middle", &[]).key(
        "kind = \"filter\"\npriority = 5\nfilter = { arguments = \"stamp\", result = \"stamp\" }",
    );
    let child = Hostile::new("h", &[]);
    let modern = Hostile::new("m", &["--era", "modern"]);
    let config = [
        filter("zeta", "priority = 9"),
        filter("alpha", "priority = 1"),
        child_filter.text(),
        child.text(),
        modern.text(),
    ];
    let gateway = TestGateway::builder()
        .config(&config.join("\n"))
        .plugin("zeta", stamper("zeta"))
        .plugin("alpha", stamper("alpha"))
        .build()
        .await;
    for tool in ["echo__echo", "h__echo", "m__echo"] {
        let told = value(&gateway, tool, json!({ "text": "x" })).await;
        let order = json!(["zeta", "child", "alpha"]);
        let expect = json!({ "text": "x", "in": order, "out": order });
        assert_eq!(told, expect, "{tool}");
    }
    // Each of the six questions has a record of its own, for the caller it was asked for.
    assert_eq!(
        gateway.records.count("zeta__filter_arguments", "answered"),
        3
    );
    assert_eq!(gateway.records.count("middle__stamp", "answered"), 6);
    assert_eq!(gateway.records.count("h__echo", "answered"), 1);
    // Over plain HTTP the same.
    let mut request =
        Request::new("POST", "/api/tools/echo__echo").header("content-type", "application/json");
    request.body = b"{}".to_vec();
    let answer = gateway.send(&request).await;
    assert!(
        answer
            .text()
            .contains("\"in\":[\"zeta\",\"child\",\"alpha\"]"),
        "{}",
        answer.text()
    );
    // Its tools are not for clients, and it is said why.
    let listed = names(&gateway).await;
    assert!(
        !listed.iter().any(|name| name.contains("filter_")),
        "{listed:?}"
    );
    let (_, words) = unknown(&gateway, "zeta__filter_result").await;
    assert!(words.contains("is a filter"), "{words}");
    gateway.finish().await;
}

/// Calls a tool that is not listed: the code and the message of the error.
async fn unknown(gateway: &TestGateway, tool: &str) -> (Value, String) {
    let answer = gateway.send(&modern::call(tool, json!({}))).await;
    let error = answer.json()["error"].clone();
    let words = error["message"].as_str().unwrap_or_default().to_owned();
    (error["code"].clone(), words)
}

#[tokio::test]
async fn a_refusal_reaches_the_caller_and_names_the_filter() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .config(&filter("guard", ""))
        .plugin("guard", saying(json!({ "refuse": "not on Sundays" })))
        .plugin("held", latch.plugin())
        .build()
        .await;
    let (reason, words) = failure(&gateway, "held__wait", json!({})).await;
    assert_eq!(reason, "filtered");
    assert!(
        words.contains("`guard`") && words.contains("not on Sundays"),
        "{words}"
    );
    assert_eq!(latch.counts(), (0, 0, 0));
    assert_eq!(gateway.records.count("held__wait", "denied"), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn after_a_stop_nobody_is_asked_and_the_value_before_it_stands() {
    let gateway = TestGateway::builder()
        .config(&(filter("a", "priority = 2") + &filter("b", "priority = 1") + &filter("c", "")))
        .plugin("a", stamper("a"))
        .plugin(
            "b",
            saying(json!({ "stop": true, "arguments": { "lost": 1 } })),
        )
        .plugin("c", stamper("c"))
        .build()
        .await;
    let told = value(&gateway, "echo__echo", json!({})).await;
    assert_eq!(told, json!({ "in": ["a"], "out": ["a", "c"] }));
    gateway.finish().await;
}

/// What a filter is shown, and of which calls.
#[tokio::test]
async fn a_filter_is_shown_the_call_and_only_those_it_is_for() {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let gateway = TestGateway::builder()
        .config(&filter(
            "f",
            "filter = { plugins = [\"echo\"], tools = [\"e*\"], result = \"look\" }",
        ))
        .plugin(
            "f",
            plugin(move |tools| {
                let seen = Arc::clone(&seen);
                add(tools, "look", move |shown| {
                    seen.lock().expect("no holder panics").push(shown);
                    json!({ "unchanged": true })
                });
            }),
        )
        .build()
        .await;
    value(&gateway, "echo__echo", json!({ "text": "x" })).await;
    crate::hostile::text(&gateway, "echo__count", json!({ "to": 1 })).await;
    let shown = std::mem::take(&mut *shown.lock().expect("no holder panics"));
    assert_eq!(shown.len(), 1);
    let expect = json!({
        "plugin": "echo", "tool": "echo", "caller": "anonymous", "arguments": { "text": "x" },
    });
    let mut about = shown[0].clone();
    let result = about
        .as_object_mut()
        .and_then(|about| about.remove("result"));
    assert_eq!(about, expect);
    assert_eq!(result.expect("a result")["structuredContent"]["text"], "x");
    gateway.finish().await;
}

/// The schema is asked about what the plugin finally gets.
#[tokio::test]
async fn changed_arguments_must_fit_the_schema_and_an_answer_must_mean_something() {
    let gateway = TestGateway::builder()
        .config(&filter("f", "filter = { tools = [\"count\"] }"))
        .plugin("f", saying(json!({ "arguments": { "to": 2 } })))
        .build()
        .await;
    // The caller's own arguments would not fit.
    let told = crate::hostile::text(&gateway, "echo__count", json!({ "to": "many" })).await;
    assert_eq!(told, "Counted to 2.");
    gateway.finish().await;
    for (answer, part) in [
        (
            json!({ "arguments": { "to": "many" } }),
            "do not fit its schema",
        ),
        (json!({ "argments": { "to": 2 } }), "`argments`"),
    ] {
        let gateway = TestGateway::builder()
            .config(&filter("f", ""))
            .plugin("f", saying(answer))
            .build()
            .await;
        let (_, words) = failure(&gateway, "echo__count", json!({ "to": 2 })).await;
        assert!(words.contains(part), "{words}");
        gateway.finish().await;
    }
}

/// However a filter fails: the call is refused and the filter named, or the filter is passed over, as declared.
#[tokio::test]
async fn a_filter_that_fails_refuses_unless_it_may_be_passed_over() {
    for tool in ["hang", "exit", "refuse", "nowhere"] {
        for policy in ["refuse", "pass"] {
            let child = Hostile::new("f", &[]).key(&format!(
                "kind = \"filter\"\nfilter = {{ arguments = \"{tool}\", on_failure = \"{policy}\", timeout_ms = 300 }}"
            ));
            let gateway = child.build().await;
            if policy == "pass" {
                let told = value(&gateway, "echo__echo", json!({ "text": "x" })).await;
                assert_eq!(told, json!({ "text": "x" }), "{tool}");
            } else {
                let (reason, words) = failure(&gateway, "echo__echo", json!({})).await;
                assert_eq!(reason, "filter_failed", "{tool}");
                assert!(words.contains("the filter `f`"), "{words}");
            }
            gateway.finish().await;
        }
    }
}

/// A filter that cannot start, or has nothing to ask, must not seem to agree.
#[tokio::test]
async fn a_filter_that_is_not_there_refuses_all_calls() {
    let absent = Hostile::new("f", &["--start", "exit:3"]).key("kind = \"filter\"");
    let idle = Hostile::new("f", &[]).key("kind = \"filter\"");
    let needy = Hostile::new("f", &[])
        .key("kind = \"filter\"\nresources = { required = [\"vault\"] }\nfilter = { arguments = \"stamp\" }");
    for (plugin, part) in [
        (absent, "cannot find the database"),
        (idle, "neither"),
        (needy, "`vault`"),
    ] {
        let gateway = plugin.build().await;
        let (reason, words) = failure(&gateway, "echo__echo", json!({})).await;
        assert_eq!(reason, "filter_failed");
        assert!(
            words.contains("the filter `f`") && words.contains(part),
            "{words}"
        );
        gateway.finish().await;
    }
}

/// A call that comes while the filter is being started waits for it.
#[tokio::test]
async fn a_call_waits_for_a_filter_that_is_being_started() {
    let child = Hostile::new("f", &[]).key("kind = \"filter\"\nfilter = { arguments = \"stamp\" }");
    let gateway = TestGateway::builder()
        .config(&child.text())
        .unsettled()
        .build()
        .await;
    let told = value(&gateway, "echo__echo", json!({})).await;
    assert_eq!(told, json!({ "in": ["child"] }));
    gateway.finish().await;
}

/// What becomes of a filter while a call runs that is to pass it on its way back: what the caller gets then.
async fn answer_after(change: impl AsyncFnOnce(&TestGateway)) -> Value {
    let latch = Latch::new();
    let zeta = plugin(|tools| {
        let said = json!({ "result": { "content": [], "structuredContent": { "by": "zeta" } } });
        add(tools, "filter_result", move |_| said.clone());
    });
    let gateway = TestGateway::builder()
        .config(&filter("zeta", "priority = 1"))
        .plugin("zeta", zeta)
        .plugin("held", latch.plugin())
        .build()
        .await;
    let running = calling(&gateway, "held__wait", json!({}));
    latch.begun(1).await;
    change(&gateway).await;
    latch.open();
    let answer = within("the call ends", running).await.expect("no panic");
    gateway.finish().await;
    answer
}

/// F44: the filter that is there now is asked.
#[tokio::test]
async fn a_call_outlives_the_exchange_of_its_filter() {
    const HELD: &str = "[plugins.held]\nenabled = true\n";
    let answer = answer_after(async |gateway| {
        let old = gateway.plugin("zeta");
        write(gateway, &(filter("zeta", "priority = 2") + HELD));
        let done = reload(gateway).await;
        assert_eq!(done["data"]["changed"], json!(["zeta"]), "{done}");
        assert!(old.has_left());
    })
    .await;
    assert_eq!(answer["structuredContent"], json!({ "by": "zeta" }));
    // One that is for other tools now.
    let answer = answer_after(async |gateway| {
        let other = filter("zeta", "filter = { tools = [\"other\"] }");
        write(gateway, &(other + HELD));
        let done = reload(gateway).await;
        assert_eq!(done["data"]["changed"], json!(["zeta"]), "{done}");
    })
    .await;
    assert_eq!(text_of(&answer), "let go", "{answer}");
    // One that is none any more.
    let answer = answer_after(async |gateway| {
        write(gateway, HELD);
        let done = reload(gateway).await;
        assert_eq!(done["data"]["removed"], json!(["zeta"]), "{done}");
    })
    .await;
    assert_eq!(text_of(&answer), "let go", "{answer}");
    // One that is there and does not run has not agreed.
    let answer = answer_after(async |gateway| {
        let stop = Request::new("POST", "/api/v1/plugin/stop");
        let stopped = gateway.send(&stop.body_of(&json!({ "id": "zeta" }))).await;
        assert_eq!(stopped.status, 200, "{}", stopped.text());
    })
    .await;
    assert_eq!(failure_of(&answer).0, "filter_failed");
}

/// A filter whose answer on the way in waits for the latch.
fn waiting(latch: &Latch) -> impl Plugin {
    let latch = latch.clone();
    plugin(move |tools: &mut Tools| {
        let definition =
            Json::literal(r#"{"name":"filter_arguments","inputSchema":{"type":"object"}}"#);
        let latch = latch.clone();
        tools.raw(definition, move |_, _: ToolContext| {
            let latch = latch.clone();
            async move {
                latch.hold().await;
                let said = json!({ "content": [], "structuredContent": { "unchanged": true } });
                Ok::<_, ToolError>(Json::of(&said))
            }
        });
    })
}

/// F44: a call that is in a filter when its plugin is exchanged goes to what takes the place, if it has the tool still.
#[tokio::test]
async fn a_call_in_a_filter_outlives_the_exchange_of_its_plugin() {
    for takes_away in [false, true] {
        let latch = Latch::new();
        let held = Hostile::new("h", &[]);
        let zeta = filter("zeta", "filter = { plugins = [\"h\"] }");
        let gateway = TestGateway::builder()
            .config(&(held.text() + &zeta))
            .plugin("zeta", waiting(&latch))
            .build()
            .await;
        let call = modern::call("h__pid", json!({}));
        let running = async { within("the call ends", gateway.send(&call)).await.json() };
        let exchange = async {
            latch.begun(1).await;
            let choice = match takes_away {
                true => "deny = [\"pid\"]",
                false => "rename = { pid = \"other\" }",
            };
            let text = format!("{}[plugins.h.expose]\n{choice}\n{zeta}", held.text());
            write(&gateway, &text);
            let done = reload(&gateway).await;
            assert_eq!(done["data"]["changed"], json!(["h"]), "{done}");
            latch.open();
        };
        let (answer, ()) = tokio::join!(running, exchange);
        if takes_away {
            let words = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(words.contains("Unknown tool `h__pid`"), "{answer}");
        } else {
            let pid = held.ledger().pids()[1].to_string();
            assert_eq!(text_of(&answer["result"]), pid, "{answer}");
        }
        gateway.finish().await;
    }
}
