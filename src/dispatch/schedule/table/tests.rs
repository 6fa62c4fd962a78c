//! The table of tasks, told the time.

use super::*;
use crate::dispatch::schedule::task::Owner;
use crate::model::caller::Caller;
use crate::wire::json::Json;

const NOW: Moment = Moment(1_000_000);

fn task(id: &str, schedule: When) -> Task {
    let first = first_run(schedule, NOW);
    Task {
        id: id.to_owned(),
        name: id.to_owned(),
        tool: "t".to_owned(),
        arguments: Json::literal("{}"),
        schedule,
        status: Status::Scheduled,
        created: NOW,
        owner: Owner::of(&Caller::anonymous()),
        timeout_ms: None,
        retries: 0,
        attempt: 0,
        next_run: Some(first),
        planned: Some(first),
        started: None,
        runs: 0,
        failures: 0,
        history: Default::default(),
    }
}

fn made(outcome: Outcome) -> Made {
    Made {
        outcome,
        result: None,
        error: None,
        call: 1,
        may_retry: true,
    }
}

fn ids(due: &[Due]) -> Vec<&str> {
    due.iter().map(|due| &*due.task.id).collect()
}

#[test]
fn each_is_begun_at_its_time_and_only_as_many_as_there_is_room() {
    let mut table = Table::default();
    let at = |ms| When::At {
        time: NOW.after(ms),
    };
    for (id, when) in [
        ("late", at(500)),
        ("now", When::Now),
        ("soon", at(10)),
        ("past", When::At { time: Moment(5) }),
    ] {
        table.insert(task(id, when)).expect("there is room");
    }
    assert_eq!(table.next(), Some(NOW));
    assert_eq!(ids(&table.begin(NOW, 1)), ["now"]);
    assert_eq!(ids(&table.begin(NOW.after(10), 9)), ["past", "soon"]);
    assert_eq!((table.running(), table.next()), (3, Some(NOW.after(500))));
    let done = table
        .end("now", made(Outcome::Ok), NOW.after(20), 0)
        .expect("there");
    assert_eq!(
        (done.status, done.runs, done.history[0].duration_ms),
        (Status::Done, 1, 20)
    );
    let failed = table
        .end("soon", made(Outcome::Error), NOW.after(20), 0)
        .expect("there");
    assert_eq!((failed.status, failed.failures), (Status::Failed, 1));
}

#[test]
fn what_comes_again_keeps_its_rhythm_and_makes_nothing_up() {
    let mut table = Table::default();
    table
        .insert(task("e", When::Every { interval_ms: 100 }))
        .expect("there is room");
    table.begin(NOW, 1);
    let task = table
        .end("e", made(Outcome::Error), NOW.after(30), 0)
        .expect("there");
    assert_eq!(
        (task.status, task.next_run),
        (Status::Scheduled, Some(NOW.after(100)))
    );
    table.begin(NOW.after(100), 1);
    let task = table
        .end("e", made(Outcome::Ok), NOW.after(450), 0)
        .expect("there");
    assert_eq!(task.next_run, Some(NOW.after(500)));
}

#[test]
fn a_run_that_failed_is_tried_again_as_often_as_wanted() {
    let mut table = Table::default();
    let wanted = Task {
        retries: 2,
        ..task("r", When::Now)
    };
    table.insert(wanted).expect("there is room");
    let mut now = NOW;
    for wait in [1_000, 2_000] {
        assert_eq!(table.begin(now, 1).len(), 1);
        let task = table
            .end("r", made(Outcome::Error), now, 255)
            .expect("there");
        assert_eq!(
            (task.status, task.next_run),
            (Status::Waiting, Some(now.after(wait)))
        );
        assert!(table.begin(now, 1).is_empty());
        now = now.after(wait);
    }
    table.begin(now, 1);
    let task = table
        .end("r", made(Outcome::Error), now, 255)
        .expect("there");
    assert_eq!(
        (task.status, task.runs, task.failures),
        (Status::Failed, 3, 3)
    );
    // One whose tool may not be called twice is not.
    let wanted = Task {
        retries: 2,
        ..task_that_failed()
    };
    table.insert(wanted).expect("there is room");
    table.begin(now, 1);
    let never = Made {
        may_retry: false,
        ..made(Outcome::Error)
    };
    assert_eq!(
        table.end("once", never, now, 0).expect("there").status,
        Status::Failed
    );
}

fn task_that_failed() -> Task {
    task("once", When::Now)
}

#[test]
fn who_calls_off_what_runs_ends_it() {
    let mut table = Table::default();
    table
        .insert(task("e", When::Every { interval_ms: 100 }))
        .expect("there is room");
    let due = table.begin(NOW, 1);
    let task = table.cancel("e").expect("it runs");
    assert!(due[0].cancel.is_cancelled());
    assert_eq!(task.status, Status::Cancelled);
    assert_eq!(
        table.cancel("e").expect_err("over"),
        ScheduleError::Conflict("it is over already")
    );
    assert_eq!(
        table.retry("e", NOW).expect_err("it still ends"),
        ScheduleError::Conflict("it runs")
    );
    let task = table
        .end("e", made(Outcome::Cancelled), NOW, 0)
        .expect("there");
    assert_eq!(
        (task.status, task.next_run, task.failures),
        (Status::Cancelled, None, 0)
    );
    assert_eq!(table.next(), None);
    table.retry("e", NOW.after(7)).expect("it was called off");
    assert_eq!(table.next(), Some(NOW.after(7)));
    assert_eq!(
        table.cancel("no").expect_err("none"),
        ScheduleError::NotFound
    );
}

#[test]
fn after_a_restart_what_ran_has_failed_and_what_was_missed_comes_at_once() {
    let mut table = Table::default();
    let now = NOW.after(1_050);
    let ran = |id: &str, when| Task {
        status: Status::Running,
        started: Some(NOW),
        next_run: None,
        ..task(id, when)
    };
    let once = table.restore(ran("once", When::Now), now);
    assert_eq!((once.status, once.next_run), (Status::Failed, None));
    assert_eq!(once.history[0].error.as_deref(), Some(INTERRUPTED));
    let again = table.restore(ran("again", When::Every { interval_ms: 100 }), now);
    assert_eq!(
        (again.status, again.next_run),
        (Status::Scheduled, Some(NOW.after(1_100)))
    );
    let missed = When::At { time: NOW.after(3) };
    table.restore(task("missed", missed), now);
    assert_eq!(ids(&table.begin(now, 9)), ["missed"]);
}

#[test]
fn there_is_room_for_so_many_and_what_is_over_makes_some() {
    let mut table = Table::default();
    let later = When::At { time: NOW.after(1) };
    for number in 0..MAX_PER_PRINCIPAL {
        table
            .insert(task(&number.to_string(), later))
            .expect("there is room");
    }
    assert_eq!(
        table.insert(task("x", later)).expect_err("full"),
        ScheduleError::Full
    );
    table.cancel("7").expect("it waits");
    assert_eq!(
        table.insert(task("x", later)).expect("room").as_deref(),
        Some("7")
    );
    let mut other = task("other", later);
    other.owner.principal = "other".into();
    assert_eq!(table.insert(other), Ok(None));
}
