//! Tasks of users under a paused clock, with a real gateway behind them.

use std::sync::atomic::{AtomicU64, Ordering as Count};
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::dispatch::schedule::task::Outcome;
use crate::ledger::documents::InMemory;
use crate::model::caller::Scopes;
use crate::plugin::{Category, NoArguments, Plugin, ToolContext, ToolError, Tools};
use crate::testing::TestGateway;

/// Counts its calls; `fail` fails, `hang` never ends.
#[derive(Default, Clone)]
struct Counter(Arc<AtomicU64>);

impl Plugin for Counter {
    fn cooperative(&self) -> bool {
        true
    }

    fn tools(&self, tools: &mut Tools) {
        let count = Arc::clone(&self.0);
        tools
            .add(
                "count",
                "Counts",
                move |_: NoArguments, context: ToolContext| {
                    let count = count.fetch_add(1, Count::SeqCst) + 1;
                    async move { format!("{count} for {}", context.caller().principal) }
                },
            )
            .read_only();
        let count = Arc::clone(&self.0);
        tools
            .add("fail", "Fails", move |_: NoArguments, _: ToolContext| {
                count.fetch_add(1, Count::SeqCst);
                async { Err::<String, _>(ToolError::new("no luck")) }
            })
            .category(Category::Diagnostic);
        tools.add(
            "change",
            "Changes things",
            |_: NoArguments, _: ToolContext| async { "done" },
        );
        tools.add(
            "hang",
            "Never ends",
            |_: NoArguments, context: ToolContext| async move {
                context.cancelled().await;
                std::future::pending::<&str>().await
            },
        );
    }
}

struct Rig {
    gateway: TestGateway,
    schedule: Arc<Schedule>,
    supervisor: Supervisor,
    counter: Counter,
    caller: Arc<Caller>,
}

impl Rig {
    async fn with(documents: &Arc<InMemory>) -> Self {
        let counter = Counter::default();
        let gateway = TestGateway::builder()
            .plugin("c", counter.clone())
            .build()
            .await
            .expect("the gateway starts");
        let (start, supervisor) = (Instant::now(), Supervisor::new());
        // Each rig begins when the one before has ended.
        let base = 1_000_000;
        let clock = move || {
            let since = u64::try_from(start.elapsed().as_millis()).expect("small");
            Moment(base + since)
        };
        let schedule = Schedule::with_clock(
            &gateway.app().desk.dispatcher,
            Arc::clone(documents) as Arc<dyn Documents>,
            supervisor.clone(),
            Arc::new(clock),
        );
        schedule.begin();
        Self {
            gateway,
            schedule,
            supervisor,
            counter,
            caller: Arc::new(Caller::anonymous()),
        }
    }

    async fn new() -> Self {
        Self::with(&Arc::default()).await
    }

    async fn make(&self, text: &str) -> Change {
        let wanted = serde_json::from_str(text).expect("it fits");
        self.schedule.create(wanted, &self.caller).await
    }

    fn task(&self, id: &str) -> Arc<Task> {
        self.schedule.get(id, &self.caller).expect("it is there")
    }

    async fn end(self) {
        self.schedule.close();
        self.gateway.app().desk.dispatcher.close();
        assert!(
            self.supervisor
                .stop(Duration::from_secs(1))
                .await
                .is_empty()
        );
        self.gateway.stop().await;
    }
}

async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_run_now_at_a_time_and_again_and_again() {
    let rig = Rig::new().await;
    let now = rig
        .make(r#"{"tool":"c__count"}"#)
        .await
        .expect("it is made");
    let at = r#"{"tool":"c__count","name":"later","schedule":{"kind":"at","time":"1970-01-01T00:17:10Z"}}"#;
    let at = rig.make(at).await.expect("it is made");
    let every = r#"{"tool":"c__count","schedule":{"kind":"every","interval_ms":10000}}"#;
    let every = rig.make(every).await.expect("it is made");
    pass(100).await;
    let now = rig.task(&now.id);
    assert_eq!(
        (now.status, now.runs, &*now.name),
        (Status::Done, 1, "c__count")
    );
    let run = now.history.back().expect("it ran");
    let result = run.result.as_ref().expect("it is kept").as_str();
    assert!(result.contains("for anonymous"), "{result}");
    assert_eq!(
        (rig.task(&at.id).status, rig.task(&every.id).runs),
        (Status::Scheduled, 1)
    );
    pass(31_000).await;
    assert_eq!(
        (rig.task(&at.id).status, rig.task(&every.id).runs),
        (Status::Done, 4)
    );
    rig.schedule
        .remove(&every.id, &rig.caller)
        .await
        .expect("it is there");
    let before = rig.counter.0.load(Count::SeqCst);
    pass(60_000).await;
    assert_eq!(rig.counter.0.load(Count::SeqCst), before);
    assert_eq!(rig.schedule.list(&rig.caller, Some(Status::Done)).len(), 2);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_where_that_does_no_harm() {
    let rig = Rig::new().await;
    let task = rig
        .make(r#"{"tool":"c__fail","retries":3}"#)
        .await
        .expect("it is made");
    pass(100).await;
    assert_eq!(rig.task(&task.id).status, Status::Waiting);
    pass(60_000).await;
    let task = rig.task(&task.id);
    assert_eq!((task.status, task.runs), (Status::Failed, 4));
    assert_eq!(task.history[0].error.as_deref(), Some("no luck"));
    let refused = rig.make(r#"{"tool":"c__change","retries":1}"#).await;
    let refused = refused.expect_err("it may change things").to_string();
    assert!(refused.starts_with("`/retries` must be 0"), "{refused}");
    rig.schedule
        .retry(&task.id, &rig.caller)
        .await
        .expect("it failed");
    pass(60_000).await;
    assert_eq!(rig.task(&task.id).runs, 8);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_called_off_ends_its_call() {
    let rig = Rig::new().await;
    let mut changes = rig.schedule.changes();
    let task = rig.make(r#"{"tool":"c__hang"}"#).await.expect("it is made");
    pass(100).await;
    assert_eq!(rig.task(&task.id).status, Status::Running);
    let cancelled = rig.schedule.cancel(&task.id, &rig.caller).await;
    assert_eq!(cancelled.expect("it runs").status, Status::Cancelled);
    pass(100).await;
    let task = rig.task(&task.id);
    assert_eq!(
        (task.status, task.history[0].outcome),
        (Status::Cancelled, Outcome::Cancelled)
    );
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        told.push(change.status);
    }
    use Status::{Cancelled, Running, Scheduled};
    assert_eq!(told, [Scheduled, Running, Cancelled, Cancelled]);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_survive_a_restart() {
    let documents = Arc::new(InMemory::default());
    let rig = Rig::with(&documents).await;
    let every = r#"{"tool":"c__count","schedule":{"kind":"every","interval_ms":10000}}"#;
    let every = rig.make(every).await.expect("it is made").id.clone();
    let hang = rig
        .make(r#"{"tool":"c__hang"}"#)
        .await
        .expect("it is made")
        .id
        .clone();
    pass(15_000).await;
    rig.end().await;
    let rig = Rig::with(&documents).await;
    pass(60_000).await;
    let hang = rig.task(&hang);
    let error = hang.history[0].error.as_deref().expect("it was cut off");
    assert_eq!((hang.status, hang.runs), (Status::Failed, 1));
    assert!(error.starts_with("interrupted"), "{error}");
    assert!(rig.task(&every).runs > 4, "it goes on");
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_kept_before_it_was_planned_runs() {
    let documents = Arc::new(InMemory::default());
    let rig = Rig::with(&documents).await;
    let late = r#"{"tool":"c__count","schedule":{"kind":"every","interval_ms":3600000}}"#;
    let id = rig.make(late).await.expect("it is made").id.clone();
    rig.end().await;
    let kept = documents.get("task", &id).await.expect("it answers");
    let mut kept: serde_json::Value = kept.expect("it is kept").parse().expect("JSON");
    kept["status"] = "scheduled".into();
    kept["next_run"] = serde_json::Value::Null;
    let before = kept["runs"].as_u64().expect("a number");
    let kept = Json::of(&kept);
    documents.put("task", &id, kept).await.expect("it is kept");
    let rig = Rig::with(&documents).await;
    pass(1_000).await;
    assert_eq!(rig.task(&id).runs, before + 1);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_may_what_its_maker_may_and_is_seen_by_it() {
    let mut rig = Rig::new().await;
    let blind = |principal: &str, scopes| Caller {
        principal: principal.into(),
        plugins: Some(Vec::new().into()),
        scopes: Scopes::Only(scopes),
        ..Caller::anonymous()
    };
    let task = rig
        .make(r#"{"tool":"c__count"}"#)
        .await
        .expect("it is made")
        .id
        .clone();
    let other = blind("other", Arc::default());
    assert_eq!(
        rig.schedule.get(&task, &other).expect_err("not its own"),
        ScheduleError::NotFound
    );
    let admin = blind("admin", vec![ADMIN.to_owned()].into());
    assert!(
        rig.schedule.get(&task, &admin).is_err(),
        "it sees no plugin"
    );
    let admin = Caller {
        plugins: None,
        ..admin
    };
    assert!(rig.schedule.get(&task, &admin).is_ok());
    let looks = Caller {
        read_only: true,
        ..admin.clone()
    };
    assert!(
        rig.schedule.run(&task, &looks).await.is_err(),
        "it may only look"
    );
    rig.caller = Arc::new(other);
    let refused = rig
        .make(r#"{"tool":"c__count"}"#)
        .await
        .expect_err("it does not see it");
    assert!(refused.to_string().contains("Unknown tool"), "{refused}");
    for (text, place) in [
        (r#"{"tool":"c__count","arguments":[]}"#, "/arguments"),
        (
            r#"{"tool":"c__count","schedule":{"kind":"every","interval_ms":5}}"#,
            "/schedule/interval_ms",
        ),
        (r#"{"tool":"c__count","name":""}"#, "/name"),
        (r#"{"tool":"c__count","retries":99}"#, "/retries"),
    ] {
        let refused = rig
            .make(text)
            .await
            .expect_err("it does not fit")
            .to_string();
        assert!(refused.contains(place), "{refused}");
    }
    rig.end().await;
}
