//! Settings of plugins: layer upon layer, changed while the gateway runs, never a secret shown.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use toolgate::plugin::{HookResult, NoArguments, Plugin, PluginContext, ToolContext, Tools};
use toolgate::wire::json::Json;

use crate::hostile::{Hostile, value};
use crate::support::{Program, Request, TestGateway};
use crate::tokens::{ANN, BOB, token};

/// Says what its settings are; refuses those that say `refuse`.
#[derive(Clone, Default)]
struct Told {
    kept: Arc<Mutex<Option<PluginContext>>>,
    inits: Arc<Mutex<usize>>,
}

#[async_trait::async_trait]
impl Plugin for Told {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        *self.inits.lock().expect("no holder panics") += 1;
        *self.kept.lock().expect("no holder panics") = Some(context.clone());
        match context.config()["refuse"].as_bool() {
            Some(true) => Err("not with me".into()),
            _ => Ok(()),
        }
    }

    fn tools(&self, tools: &mut Tools) {
        let kept = Arc::clone(&self.kept);
        tools
            .add(
                "config",
                "Says its settings",
                move |_: NoArguments, _: ToolContext| {
                    let context = kept.lock().expect("no holder panics").clone();
                    let context = context.expect("`on_init` comes first");
                    async move { context.config().to_string() }
                },
            )
            .read_only();
    }
}

const CONFIG: &str = r#"
[plugins.told]
config = { level = 1, name = "file" }
[plugins.told.config_schema]
type = "object"
additionalProperties = false
[plugins.told.config_schema.properties]
level = { type = "integer", maximum = 9 }
name = { type = "string" }
refuse = { type = "boolean" }
pin = { type = "integer", writeOnly = true }
api_key = { type = "string" }
"#;

async fn gateway(told: &Told) -> TestGateway {
    TestGateway::builder()
        .config(CONFIG)
        .variable("TOOLGATE_CONFIG__TOLD__NAME", "env")
        .plugin("told", told.clone())
        .build()
        .await
}

async fn put(gateway: &TestGateway, id: &str, body: Value) -> (u16, Value) {
    let request = Request::new("PUT", &format!("/api/config/{id}")).body_of(&body);
    let answer = gateway.send(&request).await;
    (answer.status, answer.json())
}

async fn shown(gateway: &TestGateway, path: &str) -> Value {
    let answer = gateway.send(&Request::new("GET", path)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn seen_by_the_plugin(gateway: &TestGateway) -> Value {
    let request = Request::new("POST", "/api/tools/told__config").body_of(&json!({}));
    let answer = gateway.send(&request).await.json();
    let text = answer["content"][0]["text"].as_str().expect("a text");
    serde_json::from_str(text).expect("its settings")
}

/// F39, F40: PUT, call, no restart: the next call sees it.
#[tokio::test]
async fn the_next_call_sees_what_was_changed() {
    let told = Told::default();
    let gateway = gateway(&told).await;
    assert_eq!(
        seen_by_the_plugin(&gateway).await,
        json!({ "level": 1, "name": "env" })
    );
    let starts = gateway.plugin("told").pool.starts();
    let (status, now) = put(
        &gateway,
        "told",
        json!({ "level": 5, "pin": 1234, "api_key": "sesame" }),
    )
    .await;
    assert_eq!(status, 200, "{now}");
    assert_eq!(
        now["config"],
        json!({ "level": 5, "name": "env", "pin": "***", "api_key": "***" })
    );
    assert_eq!(
        now["layers"],
        json!({ "level": "store", "name": "env", "pin": "store", "api_key": "store" })
    );
    assert_eq!(
        (&now["needs_restart"], now["schema"].is_object()),
        (&json!(false), true)
    );
    let all = json!({ "level": 5, "name": "env", "pin": 1234, "api_key": "sesame" });
    assert_eq!(seen_by_the_plugin(&gateway).await, all);
    assert_eq!(
        gateway.plugin("told").pool.starts(),
        starts,
        "the same instance"
    );
    assert_eq!(*told.inits.lock().expect("no holder panics"), 2);

    // A mask leaves what is there.
    let (status, _) = put(&gateway, "told", json!({ "pin": "***", "api_key": "***" })).await;
    assert_eq!(
        (status, seen_by_the_plugin(&gateway).await),
        (200, all.clone())
    );
    // The file is read again, and what was changed stays on top of it.
    let reload = Request::new("POST", "/api/v1/plugin/reload").body_of(&json!({}));
    let reload = gateway.send(&reload).await.json();
    assert_eq!(reload["data"]["changed"], json!([]), "{reload}");
    assert_eq!(seen_by_the_plugin(&gateway).await, all);
    let whole = shown(&gateway, "/api/config").await;
    assert!(!whole.to_string().contains("sesame"), "{whole}");
    assert_eq!(whole["plugins"]["told"]["layers"]["name"], "env");
    assert!(whole["gateway"]["server"]["listen"].is_string(), "{whole}");

    let (status, _) = put(
        &gateway,
        "told",
        json!({ "level": null, "pin": null, "api_key": null }),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(
        seen_by_the_plugin(&gateway).await,
        json!({ "level": 1, "name": "env" })
    );
    gateway.finish().await;
}

#[tokio::test]
async fn what_does_not_fit_or_is_not_wanted_changes_nothing() {
    let told = Told::default();
    let gateway = gateway(&told).await;
    let before = seen_by_the_plugin(&gateway).await;
    for (body, words) in [
        (json!({ "level": 77 }), "/config/level"),
        (json!({ "api_key": 77_777 }), "/config/api_key"),
        (json!({ "levle": 1 }), "levle"),
        (json!({ "refuse": true }), "not with me"),
    ] {
        let (status, refused) = put(&gateway, "told", body).await;
        let message = refused["message"].as_str().expect("a sentence");
        assert_eq!(status, 422, "{refused}");
        assert!(
            message.contains(words) && !message.contains("77777"),
            "{message}"
        );
        assert_eq!(seen_by_the_plugin(&gateway).await, before, "{words}");
    }
    assert_eq!(
        shown(&gateway, "/api/config/told").await["layers"]["level"],
        "file"
    );
    assert_eq!(put(&gateway, "nobody", json!({ "a": 1 })).await.0, 404);
    assert_eq!(put(&gateway, "told", json!([1])).await.0, 400);
    gateway.finish().await;
}

/// F39: what was changed outlives the gateway; what does not fit changes nothing.
#[tokio::test]
async fn what_was_kept_counts_from_the_next_start() {
    let told = Told::default();
    let gateway = gateway(&told).await;
    let (documents, control) = (&gateway.app.desk.documents, &gateway.app.desk.control);
    for (kept, expect) in [
        (r#"{"level":7}"#, json!({ "level": 7, "name": "env" })),
        (r#"{"level":"seven"}"#, json!({ "level": 7, "name": "env" })),
    ] {
        let kept = Json::scan(kept.into()).expect("JSON");
        documents
            .put("setting", "told", kept)
            .await
            .expect("it is kept");
        control.stop("told").await.expect("it runs");
        control.restore_settings().await;
        control.start("told").await.expect("it starts");
        assert_eq!(seen_by_the_plugin(&gateway).await, expect);
    }
    // It can be mended where it is broken.
    assert_eq!(put(&gateway, "told", json!({ "level": null })).await.0, 200);
    assert_eq!(seen_by_the_plugin(&gateway).await["level"], 1);
    gateway.finish().await;
}

#[tokio::test]
async fn a_plugin_says_how_it_takes_changes() {
    let told = Told::default();
    let config = format!(
        "{CONFIG}[plugins.late]\nconfig_change = \"none\"\nconfig = {{ a = 1 }}\n[plugins.anew]\nconfig_change = \"restart\"\nconfig = {{ a = 1 }}\n"
    );
    let (late, anew) = (Told::default(), Told::default());
    let gateway = TestGateway::builder()
        .config(&config)
        .plugin("told", told)
        .plugin("late", late.clone())
        .plugin("anew", anew.clone())
        .build()
        .await;
    let inits = |told: &Told| *told.inits.lock().expect("no holder panics");
    let (status, now) = put(&gateway, "late", json!({ "a": 2 })).await;
    assert_eq!(
        (status, &now["needs_restart"], inits(&late)),
        (200, &json!(true), 1),
        "{now}"
    );
    let control = &gateway.app.desk.control;
    control.stop("late").await.expect("it runs");
    control.start("late").await.expect("it starts");
    let now = shown(&gateway, "/api/config/late").await;
    assert_eq!(
        (&now["needs_restart"], inits(&late)),
        (&json!(false), 2),
        "{now}"
    );
    let before = gateway.plugin("anew");
    let (status, now) = put(&gateway, "anew", json!({ "a": 2 })).await;
    assert_eq!(
        (status, &now["config"]["a"], inits(&anew)),
        (200, &json!(2), 2),
        "{now}"
    );
    assert!(
        !Arc::ptr_eq(&before, &gateway.plugin("anew")),
        "it was exchanged"
    );
    gateway.finish().await;
}

/// F40 for a process: it is started anew with the new settings, and the old one has left.
#[tokio::test]
async fn a_child_gets_its_settings_with_a_new_process() {
    let child = Hostile::new("h", &[]).key("isolation = \"shared\"\nconfig = { word = \"one\" }");
    let gateway = child.build().await;
    let variable = async || {
        let env = value(&gateway, "h__env", json!({})).await;
        env["TOOLGATE_PLUGIN_CONFIG"]
            .as_str()
            .expect("it is set")
            .to_owned()
    };
    let pids = || gateway.plugin("h").pool.processes();
    assert_eq!(variable().await, r#"{"word":"one"}"#);
    let before = pids();
    let (status, now) = put(&gateway, "h", json!({ "word": "two" })).await;
    assert_eq!(
        (status, &now["layers"]["word"]),
        (200, &json!("store")),
        "{now}"
    );
    assert_eq!(variable().await, r#"{"word":"two"}"#);
    assert_ne!(pids(), before);
    gateway.finish().await;
}

#[tokio::test]
async fn settings_are_changed_on_the_command_line_by_who_may() {
    let config = [
        token("ann", ANN, "scopes = [\"admin\"]"),
        token("bob", BOB, "scopes = [\"read\"]"),
        CONFIG.to_owned(),
    ]
    .concat();
    let told = Told::default();
    let gateway = TestGateway::builder()
        .config(&config)
        .plugin("told", told)
        .build()
        .await;
    let change = Request::new("PUT", "/api/config/told").body_of(&json!({ "level": 2 }));
    assert_eq!(gateway.send(&change.token(BOB)).await.status, 403);
    let look = Request::new("GET", "/api/config/told");
    assert_eq!(gateway.send(&look.token(BOB)).await.status, 200);
    gateway.finish().await;

    let told = Told::default();
    let gateway = self::gateway(&told).await;
    let url = format!("http://{}", gateway.address);
    let run = async |arguments: &[&str]| {
        let arguments = [&["config"], arguments, &["--gateway", &url]].concat();
        Program::run(&arguments, "").await
    };
    let (code, said) = run(&["set", "told.level=3", "told.api_key=sesame"]).await;
    assert!(
        code == 0 && said.contains("***") && !said.contains("sesame"),
        "{said}"
    );
    let (code, said) = run(&["get", "told.level"]).await;
    assert_eq!((code, said.lines().next()), (0, Some("3")), "{said}");
    let (code, said) = run(&["get"]).await;
    assert!(
        code == 0 && said.contains("told.name") && said.contains("env"),
        "{said}"
    );
    let (code, said) = run(&["set", "told.level=many"]).await;
    assert!(code == 1 && said.contains("/config/level"), "{said}");
    let (code, _) = run(&["unset", "told.level"]).await;
    assert_eq!(
        (code, seen_by_the_plugin(&gateway).await["level"].clone()),
        (0, json!(1))
    );
    gateway.finish().await;
}

/// What failed for its settings runs with better ones, and at once; with worse ones all stays as it was.
#[tokio::test]
async fn what_failed_for_its_settings_is_mended_by_others() {
    let told = Told::default();
    let config = CONFIG.replace("level = 1,", "level = 1, refuse = true,");
    let gateway = TestGateway::builder()
        .config(&config.replace("[plugins.told]\n", "[plugins.told]\nrestart.max = 0\n"))
        .plugin("told", told.clone())
        .build()
        .await;
    let call = Request::new("POST", "/api/tools/told__config").body_of(&json!({}));
    assert_ne!(gateway.send(&call).await.status, 200, "it does not run");
    let (status, refused) = put(&gateway, "told", json!({ "level": 2 })).await;
    assert_eq!(status, 422, "{refused}");
    assert!(
        refused["message"].to_string().contains("not with me"),
        "{refused}"
    );
    let (status, given) = put(&gateway, "told", json!({ "refuse": false })).await;
    assert_eq!(status, 200, "{given}");
    let seen = seen_by_the_plugin(&gateway).await;
    assert_eq!(
        (&seen["level"], &seen["refuse"]),
        (&json!(1), &json!(false))
    );
    gateway.finish().await;
}
