//! What every ledger does, whatever database it is in.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use toolgate::background::Supervisor;
use toolgate::ledger::config::LedgerConfig;
use toolgate::ledger::documents::{Documents, InMemory};
use toolgate::ledger::ids::{Ids, first_of, now_ms};
use toolgate::ledger::record::{
    Call, CallFilter, CallRow, DenialRow, LifeRow, Marks, NoteRow, OPEN, Page,
};
use toolgate::ledger::{IncidentFilter, Ledger};
use toolgate::wire::json::Json;
use toolgate::wire::method::Method;

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

async fn calls_are_kept_and_found(bench: &Bench) {
    let mut calls: Vec<Call> = (0..5)
        .map(|n| bench.call("ann", &format!("p__{n}")))
        .collect();
    calls[3].outcome = "timeout";
    calls[3].reason = Some("late");
    calls[4].plugin = None;
    calls[4].marks.dry_run = true;
    calls[4].marks.replay_of = Some(calls[0].id);
    calls[4].marks.approval = Some("a1".into());
    calls
        .iter()
        .cloned()
        .for_each(|call| bench.ledger.record(call));
    bench.ledger.record(bench.call("bob", "p__0"));
    let kept = bench.calls(&of("ann"), 5).await;
    let ids: Vec<u64> = kept.iter().map(|call| call.id).collect();
    let newest_first: Vec<u64> = calls.iter().rev().map(|call| call.id).collect();
    assert_eq!(ids, newest_first);
    assert_eq!(kept[0].replay_of, Some(calls[0].id));
    assert_eq!(
        (kept[0].dry_run, kept[0].approval.as_deref()),
        (true, Some("a1"))
    );
    assert_eq!(kept[1].reason.as_deref(), Some("late"));
    let whole = &kept[4];
    let digest = whole.arguments_sha256.as_deref().unwrap_or_default();
    assert!(
        digest.starts_with("015abd7f5cc57a2d") && digest.len() == 64,
        "{digest}"
    );
    assert_eq!(
        (whole.taken_us, &*whole.runtime.clone().unwrap_or_default()),
        (Some(1_500), "in_process")
    );

    let text = |text: &str| Some(text.to_owned());
    for (filter, n) in [
        (
            CallFilter {
                tool: text("p__0"),
                ..of("ann")
            },
            1,
        ),
        (
            CallFilter {
                plugin: text("p"),
                ..of("ann")
            },
            4,
        ),
        (
            CallFilter {
                outcome: text("timeout"),
                ..of("ann")
            },
            1,
        ),
        (
            CallFilter {
                since: Some(calls[3].id),
                ..of("ann")
            },
            2,
        ),
        (
            CallFilter {
                until: Some(calls[3].id),
                ..of("ann")
            },
            4,
        ),
        (
            CallFilter {
                since: Some(first_of(now_ms() + 60_000)),
                ..of("ann")
            },
            0,
        ),
        (
            CallFilter {
                plugins: Some(vec!["q".to_owned()]),
                ..of("ann")
            },
            1,
        ),
        (
            CallFilter {
                tool: text("p__0"),
                ..CallFilter::default()
            },
            2,
        ),
    ] {
        let found = bench.ledger.calls(&filter, ALL).await.expect("it answers");
        assert_eq!(found.len(), n, "{filter:?}");
        assert!(found.iter().all(|call| filter.wants(call)), "{filter:?}");
    }
    let first = Page {
        before: None,
        limit: 2,
    };
    let first = bench
        .ledger
        .calls(&of("ann"), first)
        .await
        .expect("it answers");
    let second = Page {
        before: first.last().map(|call| call.id),
        limit: 2,
    };
    let second = bench
        .ledger
        .calls(&of("ann"), second)
        .await
        .expect("it answers");
    let ids: Vec<u64> = first.iter().chain(&second).map(|call| call.id).collect();
    assert_eq!(ids, newest_first[..4]);
}

async fn bodies_are_kept_where_that_is_wanted(bench: &Bench) {
    let mut calls =
        ["kept__plain", "kept__secret", "other__plain"].map(|tool| bench.call("bea", tool));
    for call in &mut calls {
        call.result = Some(Json::literal(r#"{"content":[]}"#));
    }
    calls[1].arguments = Some(Json::literal(r#"{"password":"hunter2","a":1}"#));
    calls
        .iter()
        .cloned()
        .for_each(|call| bench.ledger.record(call));
    bench.calls(&of("bea"), 3).await;
    let mut bodies = Vec::new();
    for call in &calls {
        let found = bench.ledger.call(call.id).await.expect("it answers");
        bodies.push(found.expect("it is there").1);
    }
    let kept = |at: usize| bodies[at].clone().expect("it is kept");
    assert_eq!(kept(0).arguments.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(kept(0).result.as_deref(), Some(r#"{"content":[]}"#));
    assert!(!kept(0).redacted && kept(1).redacted);
    assert_eq!(
        kept(1).arguments.as_deref(),
        Some(r#"{"password":"***","a":1}"#)
    );
    assert_eq!(bodies[2], None);
    assert_eq!(bench.ledger.call(7).await.expect("it answers"), None);
}

async fn a_session_is_an_incident(bench: &Bench) {
    let in_session = |session: &str| Call {
        session: Some(session.into()),
        ..bench.call("cid", "p__t")
    };
    for session in ["0123456789abcdef", "0123456789abcdef", "other"] {
        bench.ledger.record(in_session(session));
    }
    let failed = Call {
        outcome: "tool_error",
        ..in_session("other")
    };
    bench.ledger.record(failed);
    bench.ledger.record(bench.call("cid", "p__t"));
    let calls = bench.calls(&of("cid"), 5).await;
    assert_eq!(calls[0].incident, None, "it has no session");
    assert_eq!(calls[4].incident, calls[3].incident);
    assert_eq!(calls[2].incident, calls[1].incident);
    assert_ne!(calls[4].incident, calls[2].incident);
    assert_eq!(calls[4].session.as_deref(), Some("01234567"));
    let filter = IncidentFilter {
        principal: Some("cid".to_owned()),
        open: Some(true),
    };
    let incidents = bench
        .ledger
        .incidents(&filter, ALL)
        .await
        .expect("it answers");
    let counts: Vec<_> = incidents
        .iter()
        .map(|one| (one.calls, one.errors))
        .collect();
    assert_eq!(counts, [(2, 1), (2, 0)]);
    assert_eq!(incidents[1].title, "Session 01234567");
    let shown = format!("{incidents:?}{calls:?}");
    assert!(
        !shown.contains("0123456789abcdef"),
        "a session's id can be used: {shown}"
    );
}

async fn incidents_are_opened_noted_and_closed(bench: &Bench) {
    let ledger = &bench.ledger;
    let own = ledger
        .open_incident("mine", "dan", false)
        .await
        .expect("it is opened");
    let shared = ledger
        .open_incident("all", "ops", true)
        .await
        .expect("it is opened");
    let naming = |principal: &str, id: u64| Call {
        incident: Some(format!("{id:016x}").into()),
        session: Some("a session of dan or eve".into()),
        ..bench.call(principal, "p__t")
    };
    ledger.record(naming("dan", own.id));
    ledger.record(naming("eve", own.id));
    ledger.record(naming("eve", shared.id));
    ledger.record(naming("eve", 77));
    let of_eve = bench.calls(&of("eve"), 3).await;
    assert_eq!(bench.calls(&of("dan"), 1).await[0].incident, Some(own.id));
    let incidents: Vec<_> = of_eve.iter().map(|call| call.incident).collect();
    assert_eq!(
        incidents,
        [None, Some(shared.id), None],
        "unknown, of everyone, another's"
    );
    assert_eq!(ledger.status().await.strayed, 2);

    let note = NoteRow {
        incident: own.id,
        kind: "note".to_owned(),
        principal: "dan".to_owned(),
        data: json!({ "text": "it is the disk" }).to_string(),
        ..NoteRow::default()
    };
    let kept = ledger.keep_note(note).await.expect("it is kept");
    assert_eq!(ledger.notes(own.id, 10).await.expect("it answers"), [kept]);

    assert_eq!(
        ledger.close_incident(own.id).await.expect("it answers"),
        true
    );
    assert_eq!(
        ledger.close_incident(own.id).await.expect("it answers"),
        false
    );
    let closed = ledger
        .incident(own.id)
        .await
        .expect("it answers")
        .expect("it is there");
    assert!(
        closed.closed_ms.is_some() && closed.calls == 1,
        "{closed:?}"
    );
    ledger.record(Call {
        principal: "dan2".into(),
        ..naming("dan", own.id)
    });
    ledger.record(Call {
        outcome: "answered",
        ..naming("dan", own.id)
    });
    let calls = bench.calls(&of("dan"), 2).await;
    assert_eq!(calls[0].incident, None, "it is closed");
    let filter = IncidentFilter {
        principal: Some("dan".to_owned()),
        open: Some(false),
    };
    let closed = ledger.incidents(&filter, ALL).await.expect("it answers");
    assert_eq!(closed.len(), 1);
}

async fn admitted_calls_are_there_at_once(bench: &Bench) {
    let over = Call {
        session: Some("of fay".into()),
        ..bench.call("fay", "p__act")
    };
    let open = Call {
        outcome: OPEN,
        taken_us: None,
        ..over.clone()
    };
    within("it is admitted", bench.ledger.admit(&open))
        .await
        .expect("it is written");
    let (row, _) = bench
        .ledger
        .call(open.id)
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!((&*row.outcome, row.taken_us), (OPEN, None));
    assert!(row.incident.is_some());
    bench.ledger.record(Call {
        outcome: "tool_error",
        ..over
    });
    let filter = CallFilter {
        outcome: Some("tool_error".to_owned()),
        ..of("fay")
    };
    let closed = bench.calls(&filter, 1).await;
    assert_eq!((closed[0].id, closed[0].taken_us), (open.id, Some(1_500)));
    let incident = closed[0].incident.expect("that of its session");
    let incident = bench
        .ledger
        .incident(incident)
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!((incident.calls, incident.errors), (1, 1));
}

/// No text that a caller can choose keeps others from being written.
async fn strange_texts_are_kept(bench: &Bench) {
    let subject = format!(
        "a\0b'\"; DROP TABLE calls; --\u{1f600}{}",
        "x".repeat(5_000)
    );
    let mut strange = bench.call("gus", &subject);
    strange.session = Some("\0".into());
    strange.incident = Some("\0'".into());
    bench.ledger.record(strange);
    let kept = bench.calls(&of("gus"), 1).await;
    assert!(
        kept[0].tool.starts_with("a\u{fffd}b'\"; DROP"),
        "{}",
        kept[0].tool
    );
    assert_eq!(
        kept[0].tool.len(),
        1_024 + 2,
        "cut, and one character is longer"
    );
}

async fn lives_and_denials_are_kept(bench: &Bench) {
    for event in ["plugin.loaded", "plugin.failed"] {
        bench.ledger.lived(LifeRow {
            plugin: "hal".to_owned(),
            event: event.to_owned(),
            state: Some("error".to_owned()),
            ..LifeRow::default()
        });
    }
    for path in ["GET /a", "GET /a", "GET /b"] {
        bench.ledger.denied(DenialRow {
            principal: Some("ida".to_owned()),
            what: "insufficient_scope".to_owned(),
            scope: Some("admin".to_owned()),
            path: Some(path.to_owned()),
            ..DenialRow::default()
        });
    }
    let (life, denials) = within("they are written", async {
        loop {
            let life = bench
                .ledger
                .life(Some("hal"), None, ALL)
                .await
                .expect("it answers");
            let denials = bench.ledger.denials(Some("ida"), None, ALL).await;
            let denials = denials.expect("it answers");
            if life.len() == 2 && denials.iter().map(|row| row.count).sum::<u64>() == 3 {
                return (life, denials);
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let events: Vec<_> = life.iter().map(|row| &*row.event).collect();
    assert_eq!(events, ["plugin.failed", "plugin.loaded"]);
    assert!(
        denials
            .iter()
            .all(|row| row.scope.as_deref() == Some("admin"))
    );
    let later = Some(first_of(now_ms() + 60_000));
    assert!(
        bench
            .ledger
            .life(None, later, ALL)
            .await
            .expect("it answers")
            .is_empty()
    );
}

async fn documents_are_kept(documents: &dyn Documents) {
    let json = |text: &'static str| Json::literal(text);
    for (kind, key, value) in [
        ("k", "b", "2"),
        ("k", "a", r#"{"z":1,"a":[]}"#),
        ("l", "a", "3"),
        ("k", "é", "0"),
    ] {
        documents
            .put(kind, key, json(value))
            .await
            .expect("it is kept");
    }
    documents
        .put("k", "b", json("4"))
        .await
        .expect("it is replaced");
    let got = documents.get("k", "a").await.expect("it answers");
    assert_eq!(got, Some(json(r#"{"z":1,"a":[]}"#)));
    assert_eq!(documents.get("k", "c").await.expect("it answers"), None);
    let all = documents.list("k").await.expect("it answers");
    let all: Vec<_> = all
        .iter()
        .map(|(key, value)| (&**key, value.as_str()))
        .collect();
    assert_eq!(all, [("a", r#"{"z":1,"a":[]}"#), ("b", "4"), ("é", "0")]);
    assert!(documents.remove("k", "b").await.expect("it answers"));
    assert!(!documents.remove("k", "b").await.expect("it answers"));
    assert_eq!(documents.list("k").await.expect("it answers").len(), 2);
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
