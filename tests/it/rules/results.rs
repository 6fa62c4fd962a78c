//! Defaults of arguments, results that say they failed, and calls that are made anew.

use serde_json::{Value, json};

use crate::hostile::{Hostile, call, failure, result_of, text_of, value};
use crate::rest;
use crate::rules::{Script, any};
use crate::support::records::Kept;
use crate::support::{Latch, Program, TestGateway};

fn service() -> Value {
    json!({
        "type": "object",
        "properties": {
            "service_name": { "type": "string" },
            "namespace": { "type": "string", "default": "default" },
            "how": { "type": "object", "properties": { "fast": { "type": "boolean", "default": true } } },
        },
        "required": ["service_name"],
    })
}

/// F30: an omitted argument with a default reaches the plugin; what is given stays the text it is.
#[tokio::test]
async fn defaults_are_filled_in_before_the_call() {
    let script = Script::default();
    let gateway = TestGateway::builder()
        .plugin("p", script.plugin(&service()))
        .build()
        .await;
    for (given, expect) in [
        (
            r#"{"service_name":"a"}"#,
            r#"{"service_name":"a","namespace":"default"}"#,
        ),
        (
            r#"{"namespace" : "x", "service_name":"\u0061"}"#,
            r#"{"namespace" : "x", "service_name":"\u0061"}"#,
        ),
        (
            r#"{"service_name":"a","how":{},"namespace":""}"#,
            r#"{"service_name":"a","how":{"fast":true},"namespace":""}"#,
        ),
    ] {
        let answer = gateway.send(&rest::call("p__do", given)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(script.arguments().last().map(String::as_str), Some(expect));
    }
    gateway.finish().await;
}

/// F30: what a remote server says itself is left to it, unless the operator declares the schema or asks for it.
#[tokio::test]
async fn arguments_for_other_servers_are_filled_in_where_the_operator_declares_them() {
    let schema = "tools = [{ name = \"echo\", input_schema = { type = \"object\", properties = { n = { default = 7 } } } }]";
    let declared = Hostile::new("declared", &[]).key(schema);
    let foreign = Hostile::new("foreign", &[]);
    let config = [declared.text(), foreign.text()].join("\n");
    let gateway = TestGateway::builder().config(&config).build().await;
    let told = value(&gateway, "declared__echo", json!({ "a": 1 })).await;
    assert_eq!(told, json!({ "a": 1, "n": 7 }));
    let told = value(&gateway, "foreign__echo", json!({ "a": 1 })).await;
    assert_eq!(told, json!({ "a": 1 }));
    gateway.finish().await;
}

/// F33, O28: the words for a parameter that is missing, with its place; the plugin is not called.
#[tokio::test]
async fn a_missing_parameter_is_named() {
    let script = Script::default();
    let gateway = TestGateway::builder()
        .plugin("p", script.plugin(&service()))
        .build()
        .await;
    let (reason, words) = failure(&gateway, "p__do", json!({})).await;
    assert_eq!(reason, "bad_input");
    assert!(
        words.starts_with("Missing required parameter: service_name; "),
        "{words}"
    );
    assert!(words.contains("at `/`"), "{words}");
    let (_, words) = failure(&gateway, "p__do", json!({ "service_name": 7 })).await;
    assert!(words.contains("at `/service_name`"), "{words}");
    assert_eq!(script.arguments(), Vec::<String>::new());
    assert_eq!(gateway.records.count("p__do", "bad_input"), 2);
    gateway.finish().await;
}

/// F31: `success: false` is a failure, and the object stays.
#[tokio::test]
async fn a_result_that_says_it_failed_is_an_error_and_keeps_its_object() {
    let failed = json!({ "success": false, "error": "no such service", "data": null });
    let script = Script::of([failed.clone(), failed.clone(), json!({ "success": true })]);
    let gateway = TestGateway::builder()
        .plugin("p", script.plugin(&any()))
        .build()
        .await;
    let result = result_of(&call(gateway.address, "p__do", json!({})).await);
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"], failed);
    assert_eq!(text_of(&result), "no such service");
    let answer = gateway.send(&rest::call("p__do", "{}")).await;
    assert_eq!(answer.json()["isError"], true);
    let result = result_of(&call(gateway.address, "p__do", json!({})).await);
    assert_eq!(result.get("isError"), None, "{result}");
    gateway.finish().await;
}

/// F31: a server of somebody else may mean something else by it; its manifest can say what it means.
#[tokio::test]
async fn other_servers_mean_what_they_say_unless_their_manifest_says_otherwise() {
    let foreign = Hostile::new("foreign", &[]);
    let flagged = Hostile::new("flagged", &[]).key("results.success_flag = true");
    let config = [foreign.text(), flagged.text()].join("\n");
    let gateway = TestGateway::builder().config(&config).build().await;
    let said = json!({ "success": false, "message": "m" });
    assert_eq!(value(&gateway, "foreign__echo", said.clone()).await, said);
    assert_eq!(value(&gateway, "echo__echo", said.clone()).await, said);
    let result = result_of(&call(gateway.address, "flagged__echo", said.clone()).await);
    assert_eq!(
        (&result["isError"], text_of(&result)),
        (&json!(true), "m".to_owned())
    );
    assert_eq!(result["structuredContent"], said);
    gateway.finish().await;
}

/// The entry of a plugin whose tool `do` is of this category, with short pauses.
fn of_category(id: &str, category: &str) -> String {
    format!(
        "[plugins.{id}]\nretry.initial_ms = 1\n[[plugins.{id}.tools]]\nname = \"do\"\n{category}\n"
    )
}

/// F32: what fails twice and then succeeds is one answer and one record, of three attempts.
#[tokio::test]
async fn a_tool_that_only_looks_is_asked_again_when_it_says_so() {
    let again = || json!({ "success": false, "error": "Connection failed", "retry": true });
    let done = json!({ "success": true, "data": 7 });
    let script = Script::of([again(), again(), done.clone()]);
    let stubborn = Script::of([again(), again(), again(), again()]);
    let final_ = Script::of([json!({ "success": false }), done.clone()]);
    let look = "category = \"diagnostic\"";
    let config = ["p", "stubborn", "final"].map(|id| of_category(id, look));
    let gateway = TestGateway::builder()
        .config(&config.concat())
        .plugin("p", script.plugin(&any()))
        .plugin("stubborn", stubborn.plugin(&any()))
        .plugin("final", final_.plugin(&any()))
        .build()
        .await;
    assert_eq!(value(&gateway, "p__do", json!({ "n": 1 })).await, done);
    assert_eq!(script.arguments(), vec![r#"{"n":1}"#; 3]);
    let result = result_of(&call(gateway.address, "stubborn__do", json!({})).await);
    assert_eq!(result["isError"], true);
    assert_eq!(stubborn.arguments().len(), 3, "three attempts in all");
    let result = result_of(&call(gateway.address, "final__do", json!({})).await);
    assert_eq!(result["isError"], true);
    assert_eq!(final_.arguments().len(), 1, "it does not ask for another");
    let records = gateway.records.all();
    assert_eq!(Kept::only(&records, "p__do").attempts, 3);
    assert_eq!(Kept::only(&records, "final__do").attempts, 1);
    gateway.finish().await;
}

/// F32: who changes things is asked once, whatever is said of it; of unknown tools those that may be called twice are not.
#[tokio::test]
async fn a_tool_that_changes_things_is_never_asked_again() {
    let again = || json!({ "success": false, "error": "Connection failed", "retry": true });
    let change = "category = \"remediation\"\nidempotent = true";
    let config = [
        of_category("change", change),
        of_category("unknown", ""),
        of_category("twice", "idempotent = true"),
    ];
    let scripts = [(); 3].map(|()| Script::of([again(), again(), json!({ "success": true })]));
    let [change, unknown, twice] = &scripts;
    let gateway = TestGateway::builder()
        .config(&config.concat())
        .plugin("change", change.plugin(&any()))
        .plugin("unknown", unknown.plugin(&any()))
        .plugin("twice", twice.plugin(&any()))
        .build()
        .await;
    for id in ["change", "unknown", "twice"] {
        call(gateway.address, &format!("{id}__do"), json!({})).await;
    }
    let counts = scripts.each_ref().map(|script| script.arguments().len());
    assert_eq!(counts, [1, 1, 3]);
    gateway.finish().await;
}

/// F32: the attempts of a call share its time.
#[tokio::test]
async fn attempts_end_with_the_time_of_the_call() {
    let again = || json!({ "success": false, "retry": true });
    let script = Script::of([again(), again()]);
    let config = "[plugins.p]\nretry.initial_ms = 60000\n[[plugins.p.tools]]\nname = \"do\"\ncategory = \"diagnostic\"\n";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("p", script.plugin(&any()))
        .build()
        .await;
    // A pause that is longer than what is left is not begun.
    let result = result_of(&call(gateway.address, "p__do", json!({})).await);
    assert_eq!(result["isError"], true);
    assert_eq!(script.arguments().len(), 1);
    gateway.finish().await;
}

/// F34: a tool has a time of its own; the plugin is told when it is over.
#[tokio::test]
async fn a_call_that_takes_too_long_is_cancelled_and_says_so() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .config("[[plugins.held.tools]]\nname = \"wait\"\ntimeout_ms = 40\n[plugins.held]\n")
        .plugin("held", latch.plugin())
        .build()
        .await;
    let (reason, words) = failure(&gateway, "held__wait", json!({})).await;
    assert_eq!(reason, "timeout");
    assert!(words.starts_with("Operation timed out after 4"), "{words}");
    latch.given_up(1).await;
    assert_eq!(gateway.records.count("held__wait", "timeout"), 1);
    gateway.finish().await;
}

/// F35: the beginning and the end of a call are events of these names, at debug, without arguments and results.
#[tokio::test]
async fn the_log_names_the_beginning_and_the_end_of_a_call() {
    let child = Hostile::new("h", &[]);
    let run = async |level: &str, tool: &str| {
        let arguments = [
            "--log",
            level,
            "tools",
            "call",
            tool,
            r#"{"key":"hunter2"}"#,
        ];
        Program::run(&arguments, &child.text()).await.1
    };
    let well = run("debug", "h__pid").await;
    for part in ["plugin.execute.start", "plugin.execute.success", "h__pid"] {
        assert!(well.contains(part), "{part}: {well}");
    }
    let failed = run("debug", "h__die").await;
    assert!(failed.contains("plugin.execute.failed"), "{failed}");
    for said in [well, failed, run("info", "h__die").await] {
        assert!(!said.contains("hunter2"), "{said}");
    }
    let quiet = run("info", "h__pid").await;
    assert!(!quiet.contains("plugin.execute"), "{quiet}");
}
