//! Incidents: those of sessions, and those that somebody opens.

use serde_json::json;
use toolgate::ledger::IncidentFilter;
use toolgate::ledger::record::{Call, NoteRow};

use crate::ledger_contract::{ALL, Bench, of};

pub(super) async fn a_session_is_an_incident(bench: &Bench) {
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

pub(super) async fn incidents_are_opened_noted_and_closed(bench: &Bench) {
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

    assert!(ledger.close_incident(own.id).await.expect("it answers"));
    assert!(!ledger.close_incident(own.id).await.expect("it answers"));
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
