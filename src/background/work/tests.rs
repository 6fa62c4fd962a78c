//! Background work under a paused clock.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// What the work comes to at each time, the last one for ever; and when each began, in milliseconds.
type Script = (Vec<Result<bool, String>>, Duration);

fn scripted((script, takes): Script) -> (Job, Arc<Mutex<Vec<u64>>>) {
    let begun = Arc::new(Mutex::new(Vec::new()));
    let (seen, count, start) = (Arc::clone(&begun), AtomicU64::new(0), Instant::now());
    let job: Job = Arc::new(move || {
        let at = u64::try_from(start.elapsed().as_millis()).expect("small");
        seen.lock().expect("fine").push(at);
        let turn = count.fetch_add(1, Ordering::SeqCst) as usize;
        let outcome = script[turn.min(script.len() - 1)].clone();
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            outcome
        })
    });
    (job, begun)
}

fn waits(begun: &Mutex<Vec<u64>>, takes: u64) -> Vec<u64> {
    let begun = begun.lock().expect("fine");
    begun
        .windows(2)
        .map(|pair| pair[1] - pair[0] - takes)
        .collect()
}

/// O12: intervals grow, then are short again after it ran well for a while.
#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_is_started_after_waits_that_grow() {
    let failing = Err("no".to_owned());
    let (job, begun) = scripted((vec![failing], Duration::ZERO));
    let supervisor = Supervisor::new();
    let work = Work::new("w", Rhythm::Steady, job);
    work.begin("p", &supervisor, None);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let waited = waits(&begun, 0);
    for (at, wait) in waited.iter().enumerate() {
        let whole = (1000 << at.min(10)).min(60_000);
        assert!((whole / 2..=whole + 1).contains(wait), "{at}: {waited:?}");
    }
    let seen = work.seen();
    assert_eq!((seen.doing, seen.runs), (Doing::Backoff, seen.failures));
    assert_eq!(seen.last_error.as_deref(), Some("no"));
    assert!(seen.next_run.is_some());
    assert!(supervisor.stop(Duration::from_secs(1)).await.is_empty());
    assert_eq!(work.seen().doing, Doing::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ran_well_is_started_soon_again() {
    let (job, begun) = scripted((vec![Ok(true)], Duration::from_secs(20)));
    let supervisor = Supervisor::new();
    let work = Work::new("w", Rhythm::Steady, job);
    work.begin("p", &supervisor, None);
    tokio::time::sleep(Duration::from_secs(200)).await;
    let waited = waits(&begun, 20_000);
    assert!(waited.len() > 5, "{waited:?}");
    assert!(
        waited.iter().all(|wait| (500..=1_001).contains(wait)),
        "{waited:?}"
    );
    supervisor.stop(Duration::from_secs(1)).await;
}

/// O7: periodic work; O12: its interval grows while it fails and is the usual one again after a success.
#[tokio::test(start_paused = true)]
async fn periodic_work_waits_longer_while_it_fails() {
    let no = || Err("no".to_owned());
    let script = vec![Ok(true), no(), no(), no(), Ok(true), Ok(true)];
    let (job, begun) = scripted((script, Duration::ZERO));
    let supervisor = Supervisor::new();
    let work = Work::new("tick", Rhythm::Every(Duration::from_secs(2)), job);
    work.begin("p", &supervisor, None);
    assert!(begun.lock().expect("fine").is_empty(), "first it waits");
    tokio::time::sleep(Duration::from_secs(45)).await;
    let waited = waits(&begun, 0);
    assert_eq!(waited[0], 2_000);
    for (at, whole) in [(1, 4_000), (2, 8_000), (3, 16_000)] {
        assert!((whole / 2..=whole + 1).contains(&waited[at]), "{waited:?}");
    }
    assert_eq!(waited[4], 2_000, "{waited:?}");
    let seen = work.seen();
    assert_eq!((seen.failures, seen.last_error), (3, None));
    supervisor.stop(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_stopped_started_and_run_by_hand() {
    let (job, begun) = scripted((vec![Ok(true)], Duration::from_secs(1)));
    let supervisor = Supervisor::new();
    let work = Work::new("tick", Rhythm::Every(Duration::from_secs(60)), job);
    work.begin("p", &supervisor, None);
    let count = || begun.lock().expect("fine").len();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(work.run_now());
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!((count(), work.seen().doing), (1, Doing::Running));
    assert!(!work.run_now(), "it runs");
    assert!(work.stop());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((count(), work.seen().doing), (1, Doing::Stopped));
    assert!(work.seen().next_run.is_none());
    assert!(work.start());
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(count(), 2);
    supervisor.stop(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_and_nothing_to_do_is_not_counted() {
    let supervisor = Supervisor::new();
    let job: Job = Arc::new(|| panic!("at once"));
    let work = Work::new("w", Rhythm::Steady, job);
    work.begin("p", &supervisor, None);
    let idle: Job = Arc::new(|| Box::pin(std::future::ready(Ok(false))));
    let nothing = Work::new("n", Rhythm::Every(Duration::from_secs(1)), idle);
    nothing.begin("p", &supervisor, None);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(work.seen().last_error.as_deref(), Some("it panicked"));
    assert_eq!(nothing.seen().runs, 0);
    supervisor.stop(Duration::from_secs(1)).await;
}
