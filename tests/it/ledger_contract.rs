//! What every ledger does, whatever database it is in.

mod calls;

mod incidents;

mod others;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use toolgate::background::Supervisor;
use toolgate::ledger::Ledger;
use toolgate::ledger::config::LedgerConfig;
use toolgate::ledger::documents::{Documents, InMemory};
use toolgate::ledger::ids::{Ids, now_ms};
use toolgate::ledger::record::{Call, CallFilter, CallRow, Marks, OPEN, Page};
use toolgate::wire::json::Json;
use toolgate::wire::method::Method;

use crate::ledger_contract::calls::{
    admitted_calls_are_there_at_once, bodies_are_kept_where_that_is_wanted,
    calls_are_kept_and_found, strange_texts_are_kept,
};
use crate::ledger_contract::incidents::{
    a_session_is_an_incident, incidents_are_opened_noted_and_closed,
};
use crate::ledger_contract::others::{documents_are_kept, lives_and_denials_are_kept};
use crate::support::{Postgres, within};

const ALL: Page = Page {
    before: None,
    limit: 1_000,
};

/// A ledger at work.
struct Bench {
    ledger: Ledger,
    ids: Ids,
    supervisor: Supervisor,
}

impl Bench {
    fn open(config: &LedgerConfig) -> Self {
        let ledger = Ledger::new(config, None);
        let supervisor = Supervisor::new();
        let one = || ledger.clone();
        supervisor.spawn("ledger", |stop: CancellationToken| one().run(stop));
        supervisor.spawn("cleaning", |stop| one().look_after(stop));
        Self {
            ledger,
            ids: Ids::default(),
            supervisor,
        }
    }

    fn call(&self, principal: &str, tool: &str) -> Call {
        Call {
            id: self.ids.next(),
            began_ms: now_ms(),
            principal: principal.into(),
            session: None,
            incident: None,
            method: Method::ToolsCall,
            subject: tool.into(),
            plugin: Some("p".parse().expect("an id")),
            runtime: Some("in_process"),
            era: "modern",
            taken_us: Some(1_500),
            outcome: "answered",
            reason: None,
            arguments: Some(Json::literal(r#"{"a":1}"#)),
            result: None,
            marks: Marks::default(),
        }
    }

    /// The calls that are wanted, as soon as there are `n`.
    async fn calls(&self, filter: &CallFilter, n: usize) -> Vec<CallRow> {
        within("calls are written", async {
            loop {
                let calls = self.ledger.calls(filter, ALL).await.expect("it answers");
                if calls.len() >= n {
                    assert_eq!(calls.len(), n);
                    return calls;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    async fn close(self) {
        within("it closes", self.ledger.close()).await;
        let left = self
            .supervisor
            .stop(std::time::Duration::from_secs(2))
            .await;
        assert_eq!(left, Vec::<String>::new());
    }
}

fn of(principal: &str) -> CallFilter {
    CallFilter {
        principal: Some(principal.to_owned()),
        ..CallFilter::default()
    }
}

/// What each ledger must do. `outlives` says that it is there after a restart.
async fn suite(config: LedgerConfig, outlives: bool) {
    let config = LedgerConfig {
        bodies: vec!["kept__*".to_owned()],
        redact: vec!["/password".to_owned()],
        ..config
    };
    let bench = Bench::open(&config);
    calls_are_kept_and_found(&bench).await;
    bodies_are_kept_where_that_is_wanted(&bench).await;
    a_session_is_an_incident(&bench).await;
    incidents_are_opened_noted_and_closed(&bench).await;
    admitted_calls_are_there_at_once(&bench).await;
    strange_texts_are_kept(&bench).await;
    lives_and_denials_are_kept(&bench).await;
    documents_are_kept(&bench.ledger).await;
    let left = bench.call("late", "p__late");
    bench.ledger.record(left);
    let document = ("setting", "left", Json::literal("[1]"));
    let put = bench.ledger.put(document.0, document.1, document.2.clone());
    put.await.expect("it is kept");
    bench.close().await;
    if outlives {
        let bench = Bench::open(&config);
        assert_eq!(bench.calls(&of("late"), 1).await[0].tool, "p__late");
        let got = bench.ledger.get(document.0, document.1).await;
        assert_eq!(got.expect("it answers"), Some(document.2));
        bench.close().await;
    }
}

fn at(url: &str) -> LedgerConfig {
    LedgerConfig {
        url: Some(url.into()),
        ..LedgerConfig::default()
    }
}

fn file(folder: &Path) -> LedgerConfig {
    at(&format!(
        "sqlite:{}",
        folder.join("new/ledger.db").display()
    ))
}

#[tokio::test]
async fn in_memory() {
    suite(at("sqlite::memory:"), false).await;
}

#[tokio::test]
async fn in_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    suite(file(folder.path()), true).await;
}

#[tokio::test]
async fn in_postgres() {
    let server = Postgres::start().await;
    suite(at(&server.url()), true).await;
}

#[tokio::test]
async fn documents_without_a_ledger() {
    documents_are_kept(&InMemory::default()).await;
}

/// Several gateways may share one file: none loses anything.
#[tokio::test]
async fn gateways_share_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let benches: Vec<Bench> = (0..3).map(|_| Bench::open(&file(folder.path()))).collect();
    for n in 0..600 {
        let bench = &benches[n % 3];
        bench.ledger.record(bench.call("ann", "p__t"));
        if n % 60 == 0 {
            let open = Call {
                outcome: OPEN,
                taken_us: None,
                ..bench.call("bob", "p__act")
            };
            within("it is admitted", bench.ledger.admit(&open))
                .await
                .expect("it is written");
        }
    }
    assert_eq!(benches[0].calls(&of("ann"), 600).await.len(), 600);
    assert_eq!(benches[1].calls(&of("bob"), 10).await.len(), 10);
    for bench in benches {
        bench.close().await;
    }
}

/// A ledger that cannot be opened says so at once, and does not keep anyone.
#[tokio::test]
async fn a_ledger_that_cannot_be_opened_is_told_of() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("no_folder"), "").expect("it can be written");
    let path = folder.path().join("no_folder/ledger.db");
    let bench = Bench::open(&at(&format!("sqlite:{}", path.display())));
    let open = Call {
        outcome: OPEN,
        ..bench.call("ann", "p__act")
    };
    let refused = within("it is refused", bench.ledger.admit(&open)).await;
    assert!(refused.is_err());
    let status = bench.ledger.status().await;
    assert!(!status.is_healthy && status.error.is_some(), "{status:?}");
    assert!(bench.ledger.get("k", "a").await.is_err());
    bench.close().await;
}

/// The address of a database may hold a password; nothing that is said does.
#[tokio::test]
async fn a_password_is_not_told() {
    let bench = Bench::open(&at("postgres://u:hunter2@127.0.0.1:1/d"));
    let open = Call {
        outcome: OPEN,
        ..bench.call("ann", "p__act")
    };
    let refused = within("it is refused", bench.ledger.admit(&open)).await;
    let told = format!(
        "{refused:?} {:?} {:?}",
        bench.ledger.status().await,
        Arc::new(bench.ledger.clone())
    );
    assert!(!told.contains("hunter2"), "{told}");
    bench.close().await;
}
