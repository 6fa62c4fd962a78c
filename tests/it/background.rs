//! Background work of plugins: seen, stopped and started over HTTP, and ended in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use toolgate::plugin::{
    HookResult, NoArguments, Plugin, PluginContext, ToolContext, ToolError, Tools,
};

use crate::hostile::Hostile;
use crate::support::{Program, Request, TestGateway, until};
use crate::tokens::{ANN, BOB, token};

/// Has a worker that runs on, periodic work, and a tool for the gateway to call.
#[derive(Clone, Default)]
struct Busy(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Plugin for Busy {
    fn tools(&self, tools: &mut Tools) {
        let ticks = Arc::clone(&self.0);
        tools.add(
            "tick",
            "Counts",
            move |_: NoArguments, context: ToolContext| {
                let tick = ticks.fetch_add(1, Ordering::SeqCst);
                assert_eq!(&*context.caller().principal, "plugin:busy");
                async move {
                    match tick {
                        0 => Err(ToolError::new("not yet")),
                        _ => Ok("tick"),
                    }
                }
            },
        );
    }

    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let background = context.background()?;
        background.start("listen", || async { std::future::pending::<()>().await })?;
        background.every("sweep", Duration::from_millis(20), || async {})?;
        Ok(())
    }
}

const CONFIG: &str = r#"
[plugins.busy]
requests = ["TOOLS", "BACKGROUND_TASKS"]
# What is there for this alone need not be offered to clients.
expose = { deny = ["tick"] }
[[plugins.busy.background]]
name = "tick"
tool = "tick"
interval_ms = 100
"#;

async fn list(gateway: &TestGateway) -> Vec<Value> {
    let answer = gateway.send(&Request::new("GET", "/api/background")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["background"]
        .as_array()
        .expect("a list")
        .clone()
}

async fn one(gateway: &TestGateway, name: &str) -> Value {
    let all = list(gateway).await;
    let found = all.iter().find(|one| one["name"] == name);
    found
        .unwrap_or_else(|| panic!("no `{name}` in {all:?}"))
        .clone()
}

async fn order(gateway: &TestGateway, path: &str) -> (u16, Value) {
    let request = Request::new("POST", &format!("/api/background/{path}")).body_of(&json!({}));
    let answer = gateway.send(&request).await;
    (answer.status, answer.json())
}

/// O7: workers and periodic work of code in process, and `[[background]]`, are seen with runs and failures, and are
/// stopped, started and run by an operator.
#[tokio::test]
async fn background_work_is_seen_and_stopped() {
    let busy = Busy::default();
    let child = Hostile::new("h", &[]).key("requests = [\"TOOLS\", \"BACKGROUND_TASKS\"]");
    let job = "[[plugins.h.background]]\nname = \"look\"\ntool = \"pid\"\ninterval_ms = 100\n";
    let gateway = TestGateway::builder()
        .config(&[CONFIG, &child.text(), job].concat())
        .plugin("busy", busy.clone())
        .build()
        .await;
    until("it was called again", || busy.0.load(Ordering::SeqCst) >= 2).await;
    let tick = one(&gateway, "tick").await;
    assert_eq!(
        (&tick["plugin"], &tick["kind"], &tick["interval_ms"]),
        (&json!("busy"), &json!("periodic"), &json!(100))
    );
    assert_eq!(tick["failures"], 1, "{tick}");
    let listen = one(&gateway, "listen").await;
    assert_eq!(
        (&listen["kind"], &listen["state"], &listen["runs"]),
        (&json!("worker"), &json!("running"), &json!(1)),
        "{listen}"
    );
    assert!(listen.get("interval_ms").is_none());
    while one(&gateway, "look").await["runs"].as_u64() < Some(2) {}
    while one(&gateway, "sweep").await["runs"].as_u64() < Some(2) {}
    assert!(one(&gateway, "sweep").await["last_run"].is_string());
    let status = gateway
        .send(&Request::new("GET", "/ext/status"))
        .await
        .json();
    let shown = &status["extensions"]["busy"]["background"];
    let names: Vec<_> = shown
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["listen", "sweep", "tick"], "{status}");
    assert_eq!(shown[2]["failures"], 1, "{status}");

    let (status, stopped) = order(&gateway, "busy/tick/stop").await;
    assert_eq!(
        (status, &stopped["name"]),
        (200, &json!("tick")),
        "{stopped}"
    );
    while one(&gateway, "tick").await["state"] != "stopped" {}
    let before = busy.0.load(Ordering::SeqCst);
    assert_eq!(order(&gateway, "busy/tick/stop").await.0, 409);
    assert_eq!(order(&gateway, "busy/tick/run").await.0, 200);
    until("it was run", || busy.0.load(Ordering::SeqCst) == before + 1).await;
    assert_eq!(order(&gateway, "busy/tick/start").await.0, 200);
    until("it goes on", || busy.0.load(Ordering::SeqCst) > before + 1).await;
    assert_eq!(order(&gateway, "busy/nothing/start").await.0, 404);
    assert_eq!(order(&gateway, "nobody/tick/start").await.0, 404);
    assert_eq!(order(&gateway, "busy/tick/dance").await.0, 400);

    gateway
        .app
        .desk
        .control
        .stop("busy")
        .await
        .expect("it runs");
    let left: Vec<Value> = list(&gateway).await;
    let of_busy = left.iter().filter(|one| one["plugin"] == "busy");
    assert!(of_busy.clone().all(|one| one["name"] == "tick"), "{left:?}");
    let before = busy.0.load(Ordering::SeqCst);
    assert_eq!(order(&gateway, "busy/tick/run").await.0, 200);
    while one(&gateway, "tick").await["state"] != "waiting" {}
    assert_eq!(
        busy.0.load(Ordering::SeqCst),
        before,
        "it is called while it is active only"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn who_may_not_see_a_plugin_sees_none_of_its_work() {
    let config = [
        token("ann", ANN, "scopes = [\"admin\"]"),
        token("bob", BOB, "plugins = [\"echo\"]\nscopes = [\"read\"]"),
        CONFIG.to_owned(),
    ]
    .concat();
    let busy = Busy::default();
    let gateway = TestGateway::builder()
        .config(&config)
        .plugin("busy", busy)
        .build()
        .await;
    let list = |token| {
        let request = Request::new("GET", "/api/background");
        match token {
            Some(token) => request.token(token),
            None => request,
        }
    };
    let seen = gateway.send(&list(Some(ANN))).await.json();
    assert_eq!(
        seen["background"].as_array().map(Vec::len),
        Some(3),
        "{seen}"
    );
    assert_eq!(
        gateway.send(&list(Some(BOB))).await.json()["background"],
        json!([])
    );
    assert_eq!(gateway.send(&list(None)).await.status, 401);
    let stop = Request::new("POST", "/api/background/busy/listen/stop");
    let stop = stop.body_of(&json!({})).token(BOB);
    assert_eq!(gateway.send(&stop).await.status, 403);
    gateway.finish().await;
}

/// O23–O27: after SIGTERM each plugin ends in this order.
#[tokio::test]
async fn a_plugin_ends_in_order_after_a_signal() {
    let config = "[plugins.echo]\nenabled = true\n";
    let program = Program::serve_with(&["--log", "toolgate=debug"], config).await;
    program.signal(Signal::TERM);
    let (code, log) = program.ended().await;
    assert_eq!(code, 0, "{log:?}");
    let at = |step: &str| {
        let found = log
            .iter()
            .position(|line| line.contains("Stops `echo`") && line.contains(step));
        found.unwrap_or_else(|| panic!("no step `{step}` in {log:?}"))
    };
    let steps = ["on_stop", "background", "resources", "routes"].map(at);
    assert!(steps.is_sorted(), "{steps:?}");
}
