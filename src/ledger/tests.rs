//! What a ledger does of which nobody outside sees the inside: plans of queries, orphans, room, a full disk.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cleaning::clean;
use super::config::Dsn;
use super::engine::Engine;
use super::ids::{first_of, now_ms};
use super::record::{Body, CallFilter, Incident, OPEN, Page, UNKNOWN};
use super::sqlite::SqliteEngine;
use super::store::{Batch, calls as calls_query, incidents as incidents_query, others};
use super::*;
use crate::wire::json::Json;
use crate::wire::method::Method;

const ALL: Page = Page {
    before: None,
    limit: 1_000,
};

fn row(id: u64) -> CallRow {
    CallRow {
        id,
        began_ms: 1,
        principal: "ann".to_owned(),
        method: "tools/call".to_owned(),
        tool: "p__t".to_owned(),
        plugin: Some("p".to_owned()),
        era: "modern".to_owned(),
        outcome: "answered".to_owned(),
        taken_us: Some(5),
        ..CallRow::default()
    }
}

fn call(id: u64, outcome: &'static str) -> Call {
    Call {
        id,
        began_ms: now_ms(),
        principal: "ann".into(),
        session: None,
        incident: None,
        method: Method::ToolsCall,
        subject: "p__t".into(),
        plugin: None,
        runtime: Some("in_process"),
        era: "modern",
        taken_us: (outcome != OPEN).then_some(7),
        outcome,
        reason: None,
        arguments: Some(Json::literal(r#"{"a":1}"#)),
        result: None,
        marks: record::Marks::default(),
    }
}

async fn store(writer: u64) -> Store {
    let engine = SqliteEngine::in_memory().await.expect("there is memory");
    Store::of(engine, writer)
}

async fn write(store: &Store, calls: Vec<CallRow>) {
    let batch = Batch {
        calls,
        ..Batch::default()
    };
    store.write(&batch).await.expect("it is written");
}

/// Every question that can be asked is answered by a range of an index, however much there is.
#[tokio::test]
async fn no_question_looks_at_all_rows() {
    let store = store(1).await;
    let text = |text: &str| Some(text.to_owned());
    let none = CallFilter::default;
    let of_plugins = Some(vec!["p".to_owned(), "q".to_owned()]);
    let filters = [
        none(),
        CallFilter {
            incident: Some(7),
            ..none()
        },
        CallFilter {
            incident: Some(7),
            plugins: of_plugins,
            ..none()
        },
        CallFilter {
            tool: text("t"),
            ..none()
        },
        CallFilter {
            plugin: text("p"),
            ..none()
        },
        CallFilter {
            principal: text("ann"),
            ..none()
        },
        CallFilter {
            outcome: text("timeout"),
            ..none()
        },
        CallFilter {
            tool: text("t"),
            outcome: text("timeout"),
            since: Some(5),
            until: Some(9),
            ..none()
        },
    ];
    let pages = [
        ALL,
        Page {
            before: Some(9),
            limit: 100,
        },
    ];
    let mut plans = Vec::new();
    for page in pages {
        for filter in &filters {
            plans.push(calls_query::calls(filter, page));
        }
        for open in [None, Some(true), Some(false)] {
            for principal in [None, text("ann")] {
                plans.push(incidents_query::incidents(
                    &IncidentFilter { open, principal },
                    page,
                ));
            }
        }
        plans.push(others::life(None, None, page));
        plans.push(others::life(Some("p"), Some(3), page));
        plans.push(others::denials(None, None, page));
        plans.push(others::denials(Some("ann"), Some(3), page));
    }
    plans.push(incidents_query::notes(7, 100));
    for query in plans {
        let sql = query.sql.to_string();
        let plan = store.plan(query).await.expect("a plan");
        // To go through the rows in the order in which they lie is what a page without a filter is.
        let in_order = !sql.contains("AND ") && plan.starts_with("SCAN");
        assert!(plan.starts_with("SEARCH") || in_order, "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    let of_incident = calls_query::calls(&filters[1], pages[1]);
    let plan = store.plan(of_incident).await.expect("a plan");
    assert!(
        plan.contains("calls_of_incident (incident=? AND id<?)"),
        "{plan}"
    );
}

/// F43: what a gateway that died was carrying is told from what came to an end.
#[tokio::test]
async fn calls_of_a_gateway_that_died_are_closed() {
    let dead = store(1).await;
    dead.beat(1_000).await.expect("it lives");
    let open = CallRow {
        outcome: OPEN.to_owned(),
        taken_us: None,
        ..row(1)
    };
    dead.open_call(&open, None).await.expect("it is written");
    write(&dead, vec![row(2)]).await;
    let next = Store { writer: 2, ..dead };
    assert_eq!(next.close_orphans(500).await, Ok(0), "it may live");
    next.beat(20_000).await.expect("it lives");
    let own = CallRow { id: 3, ..open };
    next.open_call(&own, None).await.expect("it is written");
    assert_eq!(next.close_orphans(10_000).await, Ok(1));
    let calls = next
        .calls(&CallFilter::default(), ALL)
        .await
        .expect("they are there");
    let outcomes: Vec<_> = calls.iter().map(|call| (call.id, &*call.outcome)).collect();
    assert_eq!(outcomes, [(3, OPEN), (2, "answered"), (1, UNKNOWN)]);
    assert_eq!(calls[2].reason.as_deref(), Some("gateway_ended"));
}

#[tokio::test]
async fn what_is_old_is_forgotten() {
    let store = store(1).await;
    let now = now_ms();
    let day = |days: u64| first_of(now - days * 86_400_000);
    let old: Vec<CallRow> = (0..1_200).map(|n| row(day(3) + n)).collect();
    let open = CallRow {
        outcome: OPEN.to_owned(),
        ..row(day(3) + 5_000)
    };
    let batch = Batch {
        calls: old,
        bodies: vec![(day(3), Body::default())],
        incidents: vec![
            Incident {
                id: day(3),
                principal: "ann".to_owned(),
                ..Incident::default()
            },
            Incident {
                id: day(3) + 1,
                principal: "ann".to_owned(),
                ..Incident::default()
            },
        ],
        ..Batch::default()
    };
    store.write(&batch).await.expect("it is written");
    store.open_call(&open, None).await.expect("it is written");
    let fresh = CallRow {
        incident: Some(day(3)),
        ..row(day(1))
    };
    write(&store, vec![fresh]).await;
    clean(&store, 2, u64::MAX).await.expect("it is cleaned");
    let calls = store
        .calls(&CallFilter::default(), ALL)
        .await
        .expect("they are there");
    assert_eq!(
        calls.len(),
        2,
        "the one of yesterday, and the one that is open"
    );
    let incidents = store
        .incidents(&IncidentFilter::default(), ALL)
        .await
        .expect("they are there");
    assert_eq!(
        incidents.len(),
        1,
        "the one in which something happened yesterday"
    );
}

#[tokio::test]
async fn what_is_too_much_makes_room() {
    let store = store(1).await;
    for at in 0..20 {
        let id = |n: u64| first_of(now_ms()) + at * 500 + n;
        let calls = (0..500).map(|n| CallRow {
            tool: "t".repeat(300),
            ..row(id(n))
        });
        write(&store, calls.collect()).await;
    }
    let before = store.bytes().await.expect("a number");
    clean(&store, 2, before / 2).await.expect("it is cleaned");
    let after = store.bytes().await.expect("a number");
    assert!(after <= before / 2, "{after} of {before}");
    let newest = store
        .calls(&CallFilter::default(), ALL)
        .await
        .expect("they are there");
    assert_eq!(newest.len(), 1_000, "the newest stay");
}

/// A ledger at work, on a database whose size a test can bound.
struct Bench {
    ledger: Ledger,
    store: Arc<Store>,
    engine: Arc<SqliteEngine>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[async_trait::async_trait]
impl Engine for Arc<SqliteEngine> {
    fn name(&self) -> &'static str {
        "sqlite"
    }
    async fn run(&self, all: Vec<engine::Statement>) -> Result<Vec<u64>, StoreError> {
        (**self).run(all).await
    }
    async fn query(&self, one: engine::Statement) -> Result<Vec<engine::Row>, StoreError> {
        (**self).query(one).await
    }
    async fn bytes(&self) -> Result<u64, StoreError> {
        (**self).bytes().await
    }
    fn can_shrink(&self) -> bool {
        true
    }
    async fn close(&self) {
        (**self).close().await;
    }
}

async fn bench(config: LedgerConfig) -> Bench {
    let config = LedgerConfig {
        url: Some(Dsn::from("memory")),
        ..config
    };
    let ledger = Ledger::new(&config, None);
    let engine = Arc::new(SqliteEngine::in_memory().await.expect("there is memory"));
    let inner = ledger.0.as_ref().expect("it is on");
    let store = Arc::new(Store::of(Arc::clone(&engine), inner.writer));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (task, at, ends) = (ledger.clone(), Arc::clone(&store), stop.clone());
    tasks.spawn(async move {
        let inner = task.0.as_ref().expect("it is on");
        inner.store.send_replace(Some(Arc::clone(&at)));
        inner.write_to(&at, &ends).await;
    });
    Bench {
        ledger,
        store,
        engine,
        stop,
        tasks,
    }
}

impl Bench {
    async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Ledger) -> bool) {
        let looks = async {
            while !holds(&self.ledger).await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), looks)
            .await
            .expect(what);
    }

    async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// F48: when the disk is full what changes things is refused and what looks is not slowed; both recover by themselves.
#[tokio::test]
async fn a_full_disk_refuses_what_changes_things_and_recovers() {
    let bench = bench(LedgerConfig::default()).await;
    let ledger = &bench.ledger;
    let ids = Ids::default();
    ledger
        .admit(&call(ids.next(), OPEN))
        .await
        .expect("there is room");
    bench
        .engine
        .limit_pages(1)
        .await
        .expect("it is bounded to what it has");
    // What is free in its pages is used up first.
    let mut refused = false;
    for _ in 0..2_000 {
        let large = Call {
            subject: "t".repeat(900).into(),
            ..call(ids.next(), OPEN)
        };
        if let Err(error) = ledger.admit(&large).await {
            assert!(error.0.contains("full"), "{error}");
            refused = true;
            break;
        }
    }
    assert!(refused, "it is full at some time");
    assert!(!ledger.is_well());
    let before = ledger.status().await.written;
    for _ in 0..20_000 {
        ledger.record(call(ids.next(), "answered"));
    }
    let status = ledger.status().await;
    assert!(!status.is_healthy && status.error.is_some(), "{status:?}");
    assert!(
        status.dropped > 0 && status.queue > 0,
        "what is too much is counted: {status:?}"
    );
    bench
        .engine
        .limit_pages(1_000_000)
        .await
        .expect("there is room again");
    bench
        .until("it writes again", async |ledger| {
            let status = ledger.status().await;
            status.is_healthy && status.written > before
        })
        .await;
    ledger
        .admit(&call(ids.next(), OPEN))
        .await
        .expect("there is room again");
    assert!(bench.store.oldest().await.expect("it answers").is_some());
    bench.finish().await;
}

/// What waits is written when the gateway stops.
#[tokio::test]
async fn what_waits_is_written_at_the_end() {
    let bench = bench(LedgerConfig::default()).await;
    let ids = Ids::default();
    for _ in 0..1_700 {
        bench.ledger.record(call(ids.next(), "answered"));
    }
    bench.stop.cancel();
    bench.tasks.close();
    bench.tasks.wait().await;
    let status = bench.ledger.status().await;
    assert_eq!(
        (status.written, status.dropped, status.queue),
        (1_700, 0, 0)
    );
}
