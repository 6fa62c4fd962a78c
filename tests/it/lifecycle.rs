//! The life of plugins in this process, as it was recorded of another system: each step against the machine, the runtime
//! and the operator's hand. Where we decide otherwise the test says so.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use toolgate::control::Control;
use toolgate::control::error::{ControlError, ErrorKind};
use toolgate::control::info::PluginInfo;
use toolgate::model::fault::Fault;
use toolgate::plugin::{HookResult, NoArguments, Plugin, PluginContext, ToolContext, Tools};
use toolgate::registry::life::record::Snapshot;
use toolgate::registry::life::{Signal, State};

use crate::support::{TestGateway, plugin, until};

/// A plugin whose hooks do as they are told. Clones are the same.
#[derive(Clone, Default)]
struct Puppet(Arc<Strings>);

#[derive(Default)]
struct Strings {
    diary: Mutex<Vec<String>>,
    fails: Mutex<BTreeSet<&'static str>>,
    /// Hooks that do not end before this says so.
    held: watch::Sender<BTreeSet<&'static str>>,
    /// Whether it deals with its own failures.
    copes: bool,
}

impl Puppet {
    fn coping() -> Self {
        Self(Arc::new(Strings {
            copes: true,
            ..Strings::default()
        }))
    }

    /// From now on this hook fails.
    fn fail(self, hook: &'static str) -> Self {
        self.fails().insert(hook);
        self
    }

    /// From now on no hook fails.
    fn mend(&self) {
        self.fails().clear();
    }

    fn fails(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.fails.lock().expect("no holder of this lock panics")
    }

    fn hold(self, hook: &'static str) -> Self {
        self.0.held.send_modify(|held| {
            held.insert(hook);
        });
        self
    }

    fn let_go(&self) {
        self.0.held.send_modify(BTreeSet::clear);
    }

    fn diary(&self) -> String {
        let diary = self.0.diary.lock();
        diary.expect("no holder of this lock panics").join(" ")
    }

    fn write(&self, line: String) {
        let diary = self.0.diary.lock();
        diary.expect("no holder of this lock panics").push(line);
    }

    async fn hook(&self, hook: &'static str) -> HookResult {
        self.write(hook.to_owned());
        let mut held = self.0.held.subscribe();
        held.wait_for(|held| !held.contains(hook)).await.ok();
        match self.fails().contains(hook) {
            true => Err(format!("{} boom", hook.trim_start_matches("on_")).into()),
            false => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Plugin for Puppet {
    fn tools(&self, tools: &mut Tools) {
        self.write("tools".to_owned());
        let nothing = |_: NoArguments, _: ToolContext| async { "done" };
        tools.add("nothing", "Does nothing", nothing);
    }

    fn cooperative(&self) -> bool {
        true
    }

    async fn on_load(&self) -> HookResult {
        self.hook("on_load").await
    }

    async fn on_init(&self, context: &PluginContext) -> HookResult {
        self.write(context.config().to_string());
        self.hook("on_init").await
    }

    async fn on_start(&self) -> HookResult {
        self.hook("on_start").await
    }

    async fn on_stop(&self) -> HookResult {
        self.hook("on_stop").await
    }

    async fn on_error(&self, fault: &Fault) -> bool {
        self.write(format!("on_error({})", fault.reason));
        self.0.copes
    }

    async fn health_check(&self) -> HookResult {
        self.hook("health_check").await
    }
}

/// A gateway with the puppet `p`, which nobody starts by itself. `keys` are further lines of its entry.
async fn stage(puppet: &Puppet, keys: &str) -> TestGateway {
    let config = format!("[plugins.p]\nenabled = true\nload = \"manual\"\n{keys}\n");
    let builder = TestGateway::builder().config(&config);
    builder.plugin("p", puppet.clone()).build().await
}

fn life(gateway: &TestGateway, id: &str) -> Snapshot {
    gateway.plugin(id).life.snapshot()
}

fn state(gateway: &TestGateway, id: &str) -> State {
    life(gateway, id).state
}

/// A start by hand, as a task of its own.
fn starting(gateway: &TestGateway) -> JoinHandle<Result<PluginInfo, ControlError>> {
    let control: Arc<Control> = Arc::clone(&gateway.app.desk.control);
    tokio::spawn(async move { control.start("p").await })
}

async fn start(gateway: &TestGateway) -> Result<PluginInfo, ControlError> {
    gateway.app.desk.control.start("p").await
}

/// Whether a life is as the case says.
fn is_as(case: &Value, life: &Snapshot) {
    let words = case["state"].as_str().expect("a state");
    assert_eq!(Some(life.state.as_str()), words.split(' ').next(), "{case}");
    match &case["error"] {
        Value::Null => assert_eq!(life.error, None, "{case}"),
        error => {
            let text = life.error.as_deref().unwrap_or_default();
            let error = error.as_str().expect("a text");
            assert!(text.contains(error), "{text}: {case}");
        }
    }
}

fn refused(done: Result<PluginInfo, ControlError>, kind: ErrorKind, words: &Value) {
    let error = done.expect_err("it is refused");
    assert_eq!(error.kind, kind, "{error}");
    assert!(
        error.message.contains(words.as_str().unwrap_or_default()),
        "{error}"
    );
}

async fn starts(case: &Value) {
    match case["case"].as_str().expect("a name") {
        "init ok" => {
            let puppet = Puppet::default().hold("on_start");
            let gateway = stage(&puppet, "config = { a = 1 }").await;
            let starting = starting(&gateway);
            until("it has its configuration", || {
                state(&gateway, "p") != State::Loaded
            })
            .await;
            is_as(case, &life(&gateway, "p"));
            assert!(puppet.diary().contains(r#"{"a":1}"#), "{}", puppet.diary());
            puppet.let_go();
            starting.await.expect("no panic").expect("it starts");
            gateway.finish().await;
        }
        "init raises, on_error False" => {
            let puppet = Puppet::default().fail("on_init");
            let gateway = stage(&puppet, "").await;
            refused(start(&gateway).await, ErrorKind::Failed, &case["error"]);
            is_as(case, &life(&gateway, "p"));
            gateway.finish().await;
        }
        // Ours is the state before, without an error; the original keeps the state `error` without one.
        "init raises, on_error True" => {
            let puppet = Puppet::coping().fail("on_init");
            let gateway = stage(&puppet, "").await;
            start(&gateway).await.expect_err("the start has failed");
            is_as(case, &life(&gateway, "p"));
            assert_eq!(life(&gateway, "p").error_count, 1, "it is counted");
            gateway.finish().await;
        }
        "start from initialized" => {
            let puppet = Puppet::default().hold("on_start");
            let gateway = stage(&puppet, "").await;
            let starting = starting(&gateway);
            until("it is there", || state(&gateway, "p") == State::Initialized).await;
            puppet.let_go();
            starting.await.expect("no panic").expect("it starts");
            is_as(case, &life(&gateway, "p"));
            gateway.finish().await;
        }
        "start from stopped" => {
            let puppet = Puppet::default();
            let gateway = stage(&puppet, "").await;
            start(&gateway).await.expect("it starts");
            let control = &gateway.app.desk.control;
            let stopped = control.stop("p").await.expect("it stops");
            assert_eq!(stopped.state, State::Stopped);
            start(&gateway).await.expect("it starts again");
            is_as(case, &life(&gateway, "p"));
            gateway.finish().await;
        }
        "start from loaded/active/error/stopping" => starts_that_do_not_fit(case).await,
        "start unknown" => {
            let gateway = TestGateway::plain().await;
            let done = gateway.app.desk.control.start("nobody").await;
            refused(done, ErrorKind::NotFound, &json!("`nobody`"));
            gateway.finish().await;
        }
        // The report shows how it is now; the original shows how it was.
        "on_start raises" => {
            let puppet = Puppet::default().fail("on_start");
            let gateway = stage(&puppet, "").await;
            refused(start(&gateway).await, ErrorKind::Failed, &case["error"]);
            is_as(case, &life(&gateway, "p"));
            let report = json!(gateway.app.desk.control.report());
            let plugins = report["plugins"].as_array().expect("a list");
            let told = plugins.iter().find(|plugin| plugin["id"] == "p");
            let told = told.expect("it is in the report");
            assert_eq!(told["status"], case["state"]);
            let error = told["error"].as_str().expect("a text");
            assert!(error.contains("start boom"), "{error}");
            gateway.finish().await;
        }
        // The original leaves it `loaded` for ever.
        "plugin without lifecycle instance" => {
            let builder = TestGateway::builder().plugin("p", plugin(|_| {}));
            let gateway = builder.build().await;
            is_as(case, &life(&gateway, "p"));
            gateway.finish().await;
        }
        _ => stops(case).await,
    }
}

/// The machine refuses all four. By the operator's hand two of them are more than that one step: from `loaded` the plugin
/// is initialized first, and from `error` a start is a new beginning that resets it.
async fn starts_that_do_not_fit(case: &Value) {
    let words = &case["message_has"];
    for state in [State::Loaded, State::Active, State::Error, State::Stopping] {
        let error = state.on(Signal::Start).expect_err("it does not fit");
        let words = words.as_str().expect("a text");
        assert!(error.to_string().contains(words), "{error}");
    }
    let puppet = Puppet::default().fail("on_init");
    let gateway = stage(&puppet, "").await;
    assert_eq!(state(&gateway, "p"), State::Loaded);
    start(&gateway).await.expect_err("it fails");
    assert_eq!(state(&gateway, "p"), State::Error);
    puppet.mend();
    start(&gateway).await.expect("from `error`");
    assert_eq!(state(&gateway, "p"), State::Active);
    assert_eq!(life(&gateway, "p").error, None);
    refused(start(&gateway).await, ErrorKind::Conflict, words);

    let puppet = puppet.hold("on_stop");
    let control = Arc::clone(&gateway.app.desk.control);
    let stopping = tokio::spawn(async move { control.stop("p").await });
    until("it stops", || state(&gateway, "p") == State::Stopping).await;
    let error = gateway.plugin("p").start().await.expect_err("not now");
    let words = words.as_str().expect("a text");
    assert!(error.to_string().contains(words), "{error}");
    puppet.let_go();
    stopping.await.expect("no panic").expect("it stops");
    start(&gateway).await.expect("from `stopped`");
    gateway.finish().await;
}

async fn stops(case: &Value) {
    match case["case"].as_str().expect("a name") {
        "stop_one ok" => {
            let puppet = Puppet::default().hold("on_stop");
            let gateway = stage(&puppet, "").await;
            start(&gateway).await.expect("it starts");
            let mut path = vec![state(&gateway, "p")];
            let control = Arc::clone(&gateway.app.desk.control);
            let stopping = tokio::spawn(async move { control.stop("p").await });
            until("it stops", || state(&gateway, "p") != State::Active).await;
            path.push(state(&gateway, "p"));
            puppet.let_go();
            stopping.await.expect("no panic").expect("it stops");
            path.push(state(&gateway, "p"));
            assert_eq!(json!(path), case["path"]);
            gateway.finish().await;
        }
        // Nothing is done, as in the original; and we say that there is no such plugin.
        "stop_one unknown" => {
            let gateway = stage(&Puppet::default(), "").await;
            start(&gateway).await.expect("it starts");
            let done = gateway.app.desk.control.stop("nobody").await;
            refused(done, ErrorKind::NotFound, &json!("`nobody`"));
            assert_eq!(case["noop"], true);
            assert_eq!(state(&gateway, "p"), State::Active);
            gateway.finish().await;
        }
        "on_stop raises" => {
            let puppet = Puppet::default().fail("on_stop");
            let gateway = stage(&puppet, "").await;
            start(&gateway).await.expect("it starts");
            let control = &gateway.app.desk.control;
            control.stop("p").await.expect("it stops, however badly");
            is_as(case, &life(&gateway, "p"));
            gateway.finish().await;
        }
        "stop_all touches only active" => {
            let config = "[plugins.asleep]\nenabled = true\nload = \"manual\"\n[plugins.ill]\nenabled = true\nrestart.max = 0\n";
            let gateway = TestGateway::builder()
                .config(config)
                .plugin("asleep", Puppet::default())
                .plugin("ill", Puppet::default().fail("on_start"))
                .plugin("well", Puppet::default())
                .build()
                .await;
            let others = |gateway: &TestGateway| {
                ["asleep", "ill"].map(|id| Snapshot {
                    // The time goes on.
                    in_state: Duration::ZERO,
                    ..life(gateway, id)
                })
            };
            let before = others(&gateway);
            assert_eq!(
                before.each_ref().map(|life| life.state),
                [State::Loaded, State::Error]
            );
            gateway.registry().teardown_all().await.expect("all well");
            assert_eq!(state(&gateway, "well"), State::Stopped);
            assert_eq!(others(&gateway), before);
            assert_eq!(case["error_and_loaded_unchanged"], true);
            gateway.finish().await;
        }
        _ => is_asked(case).await,
    }
}

async fn is_asked(case: &Value) {
    let asked = match case["case"].as_str().expect("a name") {
        // The original cannot do this at all.
        "health_check default" => Puppet::default(),
        "health_check raises" => Puppet::default().fail("health_check"),
        other => panic!("a case that nobody holds: {other}"),
    };
    // Ours has patience, unless it is told to have none.
    let gateway = stage(&asked, "health.unhealthy_after = 1").await;
    start(&gateway).await.expect("it starts");
    let plugin = gateway.plugin("p");
    plugin.check_health().await;
    let report = plugin.health_report();
    assert_eq!(json!(report.status), case["health"], "{case}");
    assert!(report.uptime_seconds > 0.0, "{report:?}");
    assert_eq!(report.error_count, life(&gateway, "p").error_count);
    let is_ill = case.get("details.error").is_some();
    let error = report.details.get("error").and_then(Value::as_str);
    let told = error.is_some_and(|error| error.contains("health_check boom"));
    assert_eq!(told, is_ill, "{report:?}");
    gateway.finish().await;
}

/// A1–A10, A13, J18.
#[tokio::test]
async fn lives_go_as_recorded() {
    let text = include_str!("../vectors/agentos_lifecycle.json");
    let cases: Vec<Value> = serde_json::from_str(text).expect("the table is valid");
    assert_eq!(cases.len(), 15);
    for case in &cases {
        starts(case).await;
    }
}

/// A1, O18: the moments of a plugin's life, in their order, also in its second life.
#[tokio::test]
async fn the_hooks_run_in_order_through_all_of_the_gateway() {
    let puppet = Puppet::default();
    let gateway = stage(&puppet, "config = { a = 1 }").await;
    assert_eq!(puppet.diary(), "", "nobody has started it");
    start(&gateway).await.expect("it starts");
    gateway.plugin("p").check_health().await;
    gateway.app.desk.control.stop("p").await.expect("it stops");
    let life = r#"on_load {"a":1} on_init tools on_start"#;
    assert_eq!(puppet.diary(), format!("{life} health_check on_stop"));
    start(&gateway).await.expect("it starts again");
    gateway.finish().await;
    assert_eq!(
        puppet.diary(),
        format!("{life} health_check on_stop {life} on_stop")
    );
}

/// O23–O27: a hook that hangs has ten seconds, whoever else stops; then the gateway ends without it. On a clock that does
/// not wait.
#[tokio::test]
async fn a_hook_that_hangs_does_not_hold_the_end() {
    let (hung, well) = (Puppet::default().hold("on_stop"), Puppet::default());
    let gateway = TestGateway::builder()
        // A database goes by another clock.
        .config(
            "[ledger]\nurl = \"off\"\n[plugins.hung]\nenabled = true\ndepends_on = [\"well\"]\n",
        )
        .plugin("hung", hung.clone())
        .plugin("well", well.clone())
        .build()
        .await;
    assert_eq!(gateway.front.drain().await, 0);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let left = gateway.app.stop().await;
    let took = begun.elapsed();
    tokio::time::resume();
    assert_eq!(left, Vec::<String>::new(), "no task is left");
    assert!(
        (Duration::from_secs(10)..Duration::from_secs(11)).contains(&took),
        "{took:?}"
    );
    let error = life(&gateway, "hung").error.expect("it is named");
    assert!(
        error.contains("did not come through `on_stop` within 10000 ms"),
        "{error}"
    );
    assert_eq!(state(&gateway, "hung"), State::Stopped);
    assert!(well.diary().ends_with("on_stop"), "the rest is stopped");
    gateway.finish().await;
}
