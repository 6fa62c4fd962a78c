//! Calls and what is kept of them.

use toolgate::ledger::ids::{first_of, now_ms};
use toolgate::ledger::record::{Call, CallFilter, OPEN, Page};
use toolgate::wire::json::Json;

use crate::ledger_contract::{ALL, Bench, of};
use crate::support::within;

pub(super) async fn calls_are_kept_and_found(bench: &Bench) {
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

    calls_are_found_by_what_they_are(bench, calls[3].id).await;
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

/// `late` is the fourth of the five calls above.
async fn calls_are_found_by_what_they_are(bench: &Bench, late: u64) {
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
                since: Some(late),
                ..of("ann")
            },
            2,
        ),
        (
            CallFilter {
                until: Some(late),
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
}

pub(super) async fn bodies_are_kept_where_that_is_wanted(bench: &Bench) {
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

pub(super) async fn admitted_calls_are_there_at_once(bench: &Bench) {
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
pub(super) async fn strange_texts_are_kept(bench: &Bench) {
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
