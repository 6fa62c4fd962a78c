//! Lives of plugins, denied accesses, documents.

use toolgate::ledger::documents::Documents;
use toolgate::ledger::ids::{first_of, now_ms};
use toolgate::ledger::record::{DenialRow, LifeRow};
use toolgate::wire::json::Json;

use crate::ledger_contract::{ALL, Bench};
use crate::support::within;

pub(super) async fn lives_and_denials_are_kept(bench: &Bench) {
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

pub(super) async fn documents_are_kept(documents: &dyn Documents) {
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
