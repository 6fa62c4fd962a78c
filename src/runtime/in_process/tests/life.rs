//! The hooks: their order, their failures, their bounds.

use super::*;
use crate::plugin::{HookResult, NoArguments, Tools};

/// Writes down which of its hooks ran; the one that is to fail fails.
#[derive(Clone, Default)]
struct Diary {
    lines: Arc<Mutex<Vec<String>>>,
    fails: &'static str,
    panics: &'static str,
    hangs: &'static str,
    handles: bool,
    cooperative: bool,
}

impl Diary {
    fn lines(&self) -> String {
        self.lines
            .lock()
            .expect("no holder of this lock panics")
            .join(" ")
    }

    fn write(&self, line: impl Into<String>) {
        self.lines
            .lock()
            .expect("no holder of this lock panics")
            .push(line.into());
    }

    async fn hook(&self, name: &str) -> HookResult {
        self.write(name);
        assert_ne!(name, self.panics, "as it was told");
        if name == self.hangs {
            std::future::pending::<()>().await;
        }
        match name == self.fails {
            true => Err("as it was told".into()),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Plugin for Diary {
    fn tools(&self, tools: &mut Tools) {
        self.write("tools");
        tools.add("t", "", |_: NoArguments, _| async {
            panic!("as it was told") as ()
        });
    }

    fn cooperative(&self) -> bool {
        self.cooperative
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
        self.handles
    }

    async fn health_check(&self) -> HookResult {
        self.hook("health_check").await
    }
}

/// Runs `check` on a diary for each seat.
fn both(diary: Diary) -> [Diary; 2] {
    [true, false].map(|cooperative| Diary {
        lines: Arc::default(),
        cooperative,
        ..diary.clone()
    })
}

async fn failed(diary: &Diary, more: &str) -> String {
    match try_start(diary.clone(), more).await {
        Ok(_) => "started".to_owned(),
        Err(fault) => text(Err(fault)),
    }
}

#[tokio::test]
async fn the_hooks_run_in_order() {
    for diary in both(Diary::default()) {
        let plugin = try_start(diary.clone(), "config = { a = [1, \"x\"] }")
            .await
            .expect("it starts");
        plugin
            .probe(Duration::from_secs(5))
            .await
            .expect("it is well");
        plugin.stop().await;
        plugin.stop().await;
        let expect = r#"on_load {"a":[1,"x"]} on_init tools on_start health_check on_stop"#;
        assert_eq!(diary.lines(), expect);
    }
}

#[tokio::test]
async fn a_hook_that_fails_ends_the_start_and_on_error_hears_of_it() {
    for fails in ["on_load", "on_init", "on_start"] {
        for diary in both(Diary {
            fails,
            ..Diary::default()
        }) {
            let expect = format!(
                "unavailable (hook_failed): plugin `p` failed in `{fails}`: as it was told"
            );
            assert_eq!(failed(&diary, "").await, expect);
            assert!(
                diary
                    .lines()
                    .ends_with(&format!("{fails} on_error(hook_failed)")),
                "{}",
                diary.lines()
            );
        }
    }
    for diary in both(Diary {
        fails: "on_init",
        handles: true,
        ..Diary::default()
    }) {
        let failed = failed(&diary, "").await;
        assert!(
            failed.starts_with("unavailable (hook_failed_handled)"),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_hook_that_panics_is_a_failure_of_the_plugin() {
    for diary in both(Diary {
        panics: "on_init",
        ..Diary::default()
    }) {
        assert_eq!(
            failed(&diary, "").await,
            "unavailable (panic): plugin `p` panicked in `on_init`"
        );
    }
    for diary in both(Diary {
        panics: "on_stop",
        ..Diary::default()
    }) {
        let plugin = start(diary.clone()).await;
        plugin.stop().await;
        assert!(
            diary.lines().ends_with("on_stop on_error(panic)"),
            "{}",
            diary.lines()
        );
        assert_eq!(plugin.last_words(), None);
    }
}

#[tokio::test]
async fn a_hook_that_does_not_end_is_named() {
    for diary in both(Diary {
        hangs: "on_start",
        ..Diary::default()
    }) {
        let failed = failed(&diary, "limits = { start_timeout_ms = 50 }").await;
        assert_eq!(
            failed,
            "timeout (timeout): plugin `p` did not come through `on_start` within 50 ms"
        );
    }
}

#[tokio::test]
async fn ill_health_is_told() {
    for diary in both(Diary {
        fails: "health_check",
        ..Diary::default()
    }) {
        let plugin = start(diary).await;
        let ill = plugin
            .probe(Duration::from_secs(5))
            .await
            .map_err(|fault| fault.to_string());
        assert_eq!(
            ill,
            Err("plugin `p` failed in `health_check`: as it was told".to_owned())
        );
        plugin.stop().await;
    }
    for diary in both(Diary {
        hangs: "health_check",
        ..Diary::default()
    }) {
        let plugin = start(diary).await;
        let silent = plugin
            .probe(Duration::from_millis(1))
            .await
            .map_err(|fault| fault.kind);
        assert_eq!(silent, Err(FaultKind::Timeout));
        plugin.stop().await;
    }
}

#[tokio::test]
async fn on_error_hears_of_a_tool_that_panics() {
    for diary in both(Diary::default()) {
        let plugin = start(diary.clone()).await;
        let answer = text(plugin.request(call("t", ""), &context()).await);
        assert!(answer.ends_with(r#""isError":true}"#), "{answer}");
        assert!(
            diary.lines().ends_with("on_error(panic)"),
            "{}",
            diary.lines()
        );
        plugin.stop().await;
    }
}

#[tokio::test]
async fn an_entry_that_is_not_compiled_in_is_named_with_those_that_are() {
    let factory: Factory = Arc::new(|| Arc::new(Diary::default()));
    let runtime = InProcess::new().with("builtin:q", factory);
    let Err(fault) = runtime.start(manifest(""), host()).await else {
        panic!("there is no such entry");
    };
    assert_eq!(
        fault.message,
        "plugin `p` wants the entry `builtin:p`, which is not compiled in; there are `builtin:q`"
    );
}
