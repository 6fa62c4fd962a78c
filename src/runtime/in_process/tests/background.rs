//! Background work of plugins in this process: where it runs, when it ends, and that it ends in order.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::*;
use crate::background::work::Doing;
use crate::plugin::{HookResult, NoArguments, Tools};

/// Writes down how it ends.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, line: impl Into<String>) {
        self.0.lock().expect("no holder panics").push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no holder panics").clone()
    }
}

/// Starts a worker that notes its end, on `on_init`.
struct Busy {
    cooperative: bool,
    hangs: bool,
    diary: Arc<Diary>,
    given: OnceLock<PluginContext>,
}

struct AtEnd(Arc<Diary>, PathBuf);

impl Drop for AtEnd {
    fn drop(&mut self) {
        let there = self.1.is_dir();
        self.0
            .write(format!("background, resources there: {there}"));
    }
}

#[async_trait]
impl Plugin for Busy {
    fn cooperative(&self) -> bool {
        self.cooperative
    }

    async fn on_init(&self, context: &PluginContext) -> HookResult {
        self.given.set(context.clone()).ok();
        let background = context.background()?;
        let (diary, home) = (Arc::clone(&self.diary), context.temp_dir()?.to_owned());
        background.start("worker", move || {
            let at_end = AtEnd(Arc::clone(&diary), home.clone());
            async move {
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                at_end.0.write(format!("runs on {name}"));
                std::future::pending::<()>().await;
            }
        })?;
        let twice = background
            .start("worker", || async {})
            .expect_err("the name is taken");
        self.diary.write(twice.to_string());
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        let context = self.given.get().cloned().expect("it comes first");
        tools.add(
            "stop",
            "Ends the worker",
            move |_: NoArguments, _: ToolContext| {
                let stopped = context
                    .background()
                    .map(|background| background.stop("worker"));
                async move { format!("{}", stopped.unwrap_or_default()) }
            },
        );
    }

    async fn on_stop(&self) -> HookResult {
        self.diary.write("on_stop");
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

use crate::plugin::ToolContext;

async fn busy(
    cooperative: bool,
    hangs: bool,
) -> (Arc<dyn Instance>, Arc<Diary>, tempfile::TempDir) {
    let diary = Arc::new(Diary::default());
    let busy: Arc<dyn Plugin> = Arc::new(Busy {
        cooperative,
        hangs,
        diary: Arc::clone(&diary),
        given: OnceLock::new(),
    });
    let factory: Factory = Arc::new(move || Arc::clone(&busy));
    let homes = tempfile::tempdir().expect("a temporary folder can be made");
    let runtime = InProcess::new()
        .with("builtin:p", factory)
        .with_homes(homes.path().join("homes"));
    let host = Host {
        grants: Arc::new([Grant::BackgroundTasks].into()),
        ..host()
    };
    let wants = "resources = { required = [\"temp_dir\"] }";
    let started = runtime.start(manifest(wants), host).await;
    (started.expect("it starts"), diary, homes)
}

/// Whether a directory of a plugin is left.
fn home_of(homes: &tempfile::TempDir) -> bool {
    let inside = std::fs::read_dir(homes.path().join("homes"))
        .into_iter()
        .flatten();
    inside
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with('p'))
}

async fn until_it_runs(instance: &Arc<dyn Instance>, diary: &Diary) {
    let runs = || {
        instance
            .background()
            .iter()
            .any(|work| work.seen().doing == Doing::Running)
    };
    while !runs() || diary.lines().len() < 2 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// O7, O23–O27: workers run where the plugin runs, names are unique, and all ends in order: `on_stop`, background,
/// resources.
#[tokio::test]
async fn background_work_ends_after_on_stop_and_before_what_it_uses() {
    for (cooperative, place) in [(true, "runs on "), (false, "runs on plugin p")] {
        let (instance, diary, homes) = busy(cooperative, false).await;
        until_it_runs(&instance, &diary).await;
        let names: Vec<_> = instance
            .background()
            .iter()
            .map(|work| work.name.clone())
            .collect();
        assert_eq!(names, ["worker"]);
        assert_eq!(instance.stop().await.map(|fault| fault.message), None);
        let lines = diary.lines();
        assert!(
            lines[0].contains("has background work `worker` already"),
            "{lines:?}"
        );
        assert!(lines[1].starts_with(place), "{lines:?}");
        assert_eq!(
            lines[2..],
            ["on_stop", "background, resources there: true"],
            "{cooperative}"
        );
        assert!(!home_of(&homes), "its directory is gone");
        assert!(instance.background().is_empty());
    }
}

/// O23–O27: a hook that hangs does not hold the rest.
#[tokio::test]
async fn a_hook_that_hangs_does_not_keep_background_work_running() {
    for cooperative in [true, false] {
        let (instance, diary, _homes) = busy(cooperative, true).await;
        until_it_runs(&instance, &diary).await;
        if cooperative {
            tokio::time::pause();
            let before = tokio::time::Instant::now();
            instance.stop().await.expect("the hook was late");
            assert_eq!(before.elapsed().as_secs(), 10);
            tokio::time::resume();
            assert_eq!(
                diary.lines()[2..],
                ["on_stop", "background, resources there: true"]
            );
        } else {
            // Its thread has a clock of its own: the gateway waits for as long as the hook may take, and goes on.
            drop(instance);
        }
    }
}

#[tokio::test]
async fn a_worker_is_ended_by_its_plugin_and_none_is_had_without_the_grant() {
    let (instance, diary, _homes) = busy(true, false).await;
    until_it_runs(&instance, &diary).await;
    let around = context();
    let told = text(instance.request(call("stop", ""), &around).await);
    assert!(told.contains("true"), "{told}");
    while !diary
        .lines()
        .iter()
        .any(|line| line.starts_with("background"))
    {
        tokio::task::yield_now().await;
    }
    let told = text(instance.request(call("stop", ""), &around).await);
    assert!(told.contains("false"), "{told}");
    instance.stop().await;
    struct Bare;
    #[async_trait]
    impl Plugin for Bare {
        async fn on_init(&self, context: &PluginContext) -> HookResult {
            let fault = context.background().expect_err("it is not granted");
            assert_eq!(
                (fault.kind, fault.reason),
                (FaultKind::Denied, "permission_denied")
            );
            Ok(())
        }
    }
    start(Bare).await.stop().await;
}
