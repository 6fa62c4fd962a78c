//! What becomes of plugins when others come, go, stop and change: dependencies, the operator's word, starts cut short.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::watch;
use toolgate::plugin::{HookResult, NoArguments, Plugin, ToolContext, Tools};

use crate::hostile::{Hostile, call, failure, is_alive, kill};
use crate::support::{Request, TestGateway, until};
use crate::tokens::{ANN, BOB, token};

fn write(gateway: &TestGateway, config: &str) {
    let file = gateway.folder().join("toolgate.toml");
    let echo = "\n[plugins.echo]\nenabled = true\n";
    std::fs::write(file, format!("{config}{echo}")).expect("the folder is ours");
}

async fn post(gateway: &TestGateway, what: &str, body: Value) -> (u16, Value) {
    let request = Request::new("POST", &format!("/api/v1/plugin/{what}")).body_of(&body);
    let answer = gateway.send(&request).await;
    (answer.status, answer.json())
}

async fn reload(gateway: &TestGateway) -> Value {
    post(gateway, "reload", json!({})).await.1["data"].clone()
}

fn state(gateway: &TestGateway, id: &str) -> &'static str {
    gateway.plugin(id).life.state().as_str()
}

async fn becomes(gateway: &TestGateway, id: &str, expect: &str) {
    until(&format!("`{id}` is {expect}"), || {
        state(gateway, id) == expect
    })
    .await;
}

/// `base` with `keys`, and `user`, which needs it.
fn pair(keys: &str) -> (Hostile, Hostile) {
    let base = Hostile::new("base", &[]).key(keys);
    (
        base,
        Hostile::new("user", &[]).key("depends_on = [\"base\"]"),
    )
}

async fn gateway_of(plugins: &[&Hostile]) -> TestGateway {
    let texts: Vec<String> = plugins.iter().map(|plugin| plugin.text()).collect();
    TestGateway::builder().config(&texts.concat()).build().await
}

#[tokio::test]
async fn dependents_start_when_a_reload_mends_what_they_need() {
    let (base, user) = pair("");
    let broken = base.text().replace("command = [", "command = [\"false\", ");
    let config = format!("{broken}\n{}", user.text());
    let gateway = TestGateway::builder().config(&config).build().await;
    assert_eq!(
        (state(&gateway, "base"), state(&gateway, "user")),
        ("error", "unavailable")
    );
    write(&gateway, &[base.text(), user.text()].concat());
    reload(&gateway).await;
    becomes(&gateway, "user", "active").await;
    gateway.finish().await;
}

#[tokio::test]
async fn who_waits_goes_on_waiting_when_something_else_comes() {
    let (base, user) = pair("load = \"manual\"");
    let gateway = gateway_of(&[&base, &user]).await;
    let new = Hostile::new("new", &[]);
    write(&gateway, &[base.text(), user.text(), new.text()].concat());
    reload(&gateway).await;
    assert_eq!(state(&gateway, "user"), "unavailable");
    post(&gateway, "start", json!({ "id": "base" })).await;
    becomes(&gateway, "user", "active").await;
    gateway.finish().await;
}

#[tokio::test]
async fn the_start_of_an_active_plugin_changes_nothing() {
    let (base, user) = pair("");
    let gateway = gateway_of(&[&base, &user]).await;
    let pid = user.ledger().pids()[0];
    post(&gateway, "stop", json!({ "id": "base" })).await;
    assert_eq!(state(&gateway, "user"), "active", "what runs goes on");
    assert_eq!(
        post(&gateway, "start", json!({ "id": "user" })).await.0,
        409
    );
    assert_eq!(state(&gateway, "user"), "active");
    assert!(is_alive(pid));
    assert_eq!(post(&gateway, "stop", json!({ "id": "user" })).await.0, 200);
    assert!(!is_alive(pid));
    gateway.finish().await;
}

/// The operator's stop counts wherever a plugin stands, and through reloads.
#[tokio::test]
async fn what_the_operator_stops_is_stopped_and_stays_so() {
    let lazy = Hostile::new("lazy", &[]).key("load = \"lazy\"");
    let ill = Hostile::new("ill", &["--start", "exit:3"]);
    let far = "[plugins.far]\nruntime = \"mcp_http\"\nmcp_http.url = \"http://127.0.0.1:9/mcp\"\n";
    let text = |lazy: &Hostile, ill: &Hostile| format!("{far}{}{}", lazy.text(), ill.text());
    let gateway = TestGateway::builder()
        .config(&text(&lazy, &ill))
        .build()
        .await;
    let before = ["lazy", "ill", "far"].map(|id| state(&gateway, id));
    assert_eq!(before, ["loaded", "error", "unavailable"]);
    for id in ["lazy", "ill", "far"] {
        assert_eq!(post(&gateway, "stop", json!({ "id": id })).await.0, 200);
        assert_eq!(state(&gateway, id), "stopped");
    }
    let (_, words) = failure(&gateway, "lazy__pid", json!({})).await;
    assert!(words.contains("it is stopped"), "{words}");
    let starts = ill.ledger().count("start");
    let (lazy, ill) = (lazy.limit("max_queue", 7), ill.limit("max_queue", 7));
    write(&gateway, &text(&lazy, &ill));
    let done = reload(&gateway).await;
    assert_eq!(done["failed"], json!([]), "{done}");
    assert_eq!(
        ["lazy", "ill"].map(|id| state(&gateway, id)),
        ["stopped"; 2]
    );
    assert_eq!(ill.ledger().count("start"), starts);
    failure(&gateway, "lazy__pid", json!({})).await;
    assert_eq!(lazy.ledger().count("start"), 0);
    assert_eq!(
        post(&gateway, "start", json!({ "id": "lazy" })).await.0,
        200
    );
    assert_eq!(
        call(gateway.address, "lazy__pid", json!({})).await.status,
        200
    );
    gateway.finish().await;
}

#[tokio::test]
async fn what_was_stopped_by_hand_stays_so_when_what_it_needs_goes_and_comes() {
    let (base, user) = pair("");
    let gateway = gateway_of(&[&base, &user]).await;
    post(&gateway, "stop", json!({ "id": "user" })).await;
    post(&gateway, "unregister", json!({ "id": "base" })).await;
    assert_eq!(state(&gateway, "user"), "stopped");
    post(&gateway, "register", json!({ "id": "base" })).await;
    assert_eq!(state(&gateway, "user"), "stopped");
    gateway.finish().await;
}

#[tokio::test]
async fn an_exchanged_plugin_waits_for_what_it_needs_now() {
    let plugin = Hostile::new("h", &[]);
    let gateway = plugin.build().await;
    let plugin = plugin.key("depends_on = [\"nobody\"]");
    write(&gateway, &plugin.text());
    let done = reload(&gateway).await;
    assert_eq!(done["failed"][0]["id"], "h", "{done}");
    let why = done["failed"][0]["error"].as_str().expect("a sentence");
    assert!(why.contains("`nobody`, which is not there"), "{why}");
    assert_eq!(state(&gateway, "h"), "active", "the old one goes on");
    gateway.finish().await;
}

#[tokio::test]
async fn a_plugin_that_does_not_run_takes_its_new_configuration() {
    let far = "[plugins.far]\nruntime = \"mcp_http\"\nmcp_http.url = \"http://127.0.0.1:9/mcp\"\n";
    let gateway = TestGateway::builder().config(far).build().await;
    write(
        &gateway,
        &format!("{far}[plugins.far.expose]\ndeny = [\"drop_all\"]\n"),
    );
    let done = reload(&gateway).await;
    assert_eq!(done["changed"], json!(["far"]), "{done}");
    assert_eq!(gateway.plugin("far").manifest.expose.deny.len(), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn a_crash_does_not_bring_back_what_lacks_its_dependency() {
    let base = Hostile::new("base", &[]);
    let user = Hostile::new("user", &["--era", "modern"]).key("depends_on = [\"base\"]");
    let gateway = gateway_of(&[&base, &user]).await;
    post(&gateway, "unregister", json!({ "id": "base" })).await;
    assert_eq!(state(&gateway, "user"), "active");
    kill(user.ledger().pids()[0]);
    becomes(&gateway, "user", "unavailable").await;
    let (_, words) = failure(&gateway, "user__pid", json!({})).await;
    assert!(words.contains("`base`, which is not there"), "{words}");
    assert_eq!(user.ledger().count("start"), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn a_call_does_not_start_what_the_operator_starts() {
    let plugin = Hostile::new("h", &[]).key("load = \"manual\"");
    let gateway = plugin.build().await;
    let (_, words) = failure(&gateway, "h__pid", json!({})).await;
    assert!(words.contains("started by the operator"), "{words}");
    assert_eq!(plugin.ledger().count("start"), 0);
    post(&gateway, "start", json!({ "id": "h" })).await;
    assert_eq!(call(gateway.address, "h__pid", json!({})).await.status, 200);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_switched_off_goes_although_its_manifest_is_broken_and_is_not_built() {
    let plugin = Hostile::new("x", &[]);
    let gateway = TestGateway::builder().build().await;
    let folder = gateway.folder().join("custom_plugins/x");
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    let manifest = |text: String| std::fs::write(folder.join("plugin.toml"), text).expect("ours");
    manifest(plugin.manifest());
    reload(&gateway).await;
    assert_eq!(state(&gateway, "x"), "active");
    manifest(plugin.manifest().replace("1.0.0", "one"));
    write(&gateway, "[plugins.x]\nenabled = false\n");
    reload(&gateway).await;
    assert!(gateway.registry().named("x").is_empty());
    let build = "[build]\ncommand = [\"touch\", \"was-built\"]\n";
    manifest(format!("{}{build}", plugin.manifest()));
    let (status, said) = post(&gateway, "build", json!({ "id": "x" })).await;
    assert_eq!(status, 409, "{said}");
    assert!(!folder.join("was-built").exists());
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_configuration_is_for_the_operator() {
    let tokens = [
        token("boss", ANN, "scopes = [\"admin\"]"),
        token("me", BOB, "plugins = [\"echo\"]"),
    ]
    .concat();
    let gateway = TestGateway::builder().config(&tokens).build().await;
    write(&gateway, &format!("runtme = 1\n{tokens}"));
    let ask = |what: &str, token: &str| {
        Request::new("GET", &format!("/api/v1/plugin/{what}")).token(token)
    };
    let reload = Request::new("POST", "/api/v1/plugin/reload").body_of(&json!({}));
    assert_eq!(gateway.send(&reload.token(ANN)).await.status, 422);
    let boss = gateway.send(&ask("report", ANN)).await.text();
    assert!(boss.contains("runtme"), "{boss}");
    let me = gateway.send(&ask("report", BOB)).await.text();
    assert!(!me.contains("runtme") && me.contains("echo"), "{me}");
    write(&gateway, &tokens);
    let list = gateway.send(&ask("list", BOB)).await.json();
    assert_eq!(list["data"]["unregistered"], json!([]));
    assert_eq!(list["data"]["registered"][0]["source"], "");
    gateway.finish().await;
}

/// Starts when it is let, and counts its starts and stops.
#[derive(Clone)]
struct Slow {
    open: watch::Sender<bool>,
    begun: Arc<AtomicUsize>,
    started: Arc<AtomicUsize>,
    stopped: Arc<AtomicUsize>,
}

impl Slow {
    fn new(open: bool) -> Self {
        Self {
            open: watch::Sender::new(open),
            begun: Arc::default(),
            started: Arc::default(),
            stopped: Arc::default(),
        }
    }

    /// How many starts began, and came to their end, and how many stops there were.
    fn counts(&self) -> [usize; 3] {
        [&self.begun, &self.started, &self.stopped].map(|count| count.load(Ordering::SeqCst))
    }

    async fn has_begun(&self, times: usize) {
        until("it begins to start", || self.counts()[0] == times).await;
    }
}

#[async_trait::async_trait]
impl Plugin for Slow {
    fn tools(&self, tools: &mut Tools) {
        tools.add(
            "tool",
            "Does nothing",
            |_: NoArguments, _: ToolContext| async { "done" },
        );
    }

    fn cooperative(&self) -> bool {
        true
    }

    async fn on_start(&self) -> HookResult {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.open.subscribe().wait_for(|open| *open).await?;
        self.started.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn on_stop(&self) -> HookResult {
        self.stopped.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Stopped while it starts, and started again before that start is over: one instance is left.
#[tokio::test]
async fn a_start_that_was_cut_short_leaves_nothing() {
    let slow = Slow::new(false);
    let gateway = TestGateway::builder()
        .plugin("slow", slow.clone())
        .unsettled()
        .build()
        .await;
    slow.has_begun(1).await;
    assert_eq!(post(&gateway, "stop", json!({ "id": "slow" })).await.0, 200);
    assert_eq!(state(&gateway, "slow"), "stopped");
    let open = async {
        slow.has_begun(2).await;
        slow.open.send_replace(true);
    };
    let (started, ()) = tokio::join!(post(&gateway, "start", json!({ "id": "slow" })), open);
    assert_eq!(started.0, 200, "{}", started.1);
    assert_eq!(slow.counts(), [2, 1, 0], "the first start was given up");
    gateway.finish().await;
    assert_eq!(slow.counts(), [2, 1, 1]);
}

#[tokio::test]
async fn a_start_that_hangs_does_not_keep_the_operator_from_other_plugins() {
    let slow = Slow::new(false);
    let gateway = TestGateway::builder()
        .config("[plugins.slow]\nload = \"manual\"\n")
        .plugin("slow", slow.clone())
        .build()
        .await;
    let control = Arc::clone(&gateway.app.desk.control);
    let meanwhile = async {
        slow.has_begun(1).await;
        let stopped = control.stop("echo").await.map(|info| info.state.as_str());
        slow.open.send_replace(true);
        stopped
    };
    let (started, stopped) = tokio::join!(control.start("slow"), meanwhile);
    assert_eq!(stopped, Ok("stopped"));
    assert_eq!(started.map(|info| info.state.as_str()), Ok("active"));
    gateway.finish().await;
}

/// The gateway stops while a reload exchanges something: that stops, too.
#[tokio::test]
async fn a_stop_during_a_reload_stops_what_the_reload_starts() {
    let slow = Slow::new(true);
    let gateway = TestGateway::builder()
        .plugin("slow", slow.clone())
        .build()
        .await;
    slow.open.send_replace(false);
    write(&gateway, "[plugins.slow]\npriority = 3\n");
    gateway.app.reload();
    slow.has_begun(2).await;
    gateway.finish().await;
    let [_, started, stopped] = slow.counts();
    assert_eq!(started, stopped);
}
