//! One piece of background work: done again and again, supervised, seen, stopped and started by its owner.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::background::backoff::{Backoff, Bounds, random_share};

/// The waits of work that runs on and has ended.
const WORKER_WAITS: Bounds = Bounds {
    initial: Duration::from_secs(1),
    max: Duration::from_secs(60),
};

/// Up to here waits of periodic work grow when it fails, unless its interval is longer.
const PERIODIC_MAX: Duration = Duration::from_secs(300);

/// Work that has run for so long is well: what failed before it no longer counts for the next wait.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// The longest error that is kept, in characters.
const MAX_ERROR: usize = 500;

/// What is done each time. `Ok(false)` says that there was nothing to be done: it is not counted. `Err` is a sentence for
/// people.
pub type Job = Arc<dyn Fn() -> BoxFuture<'static, Result<bool, String>> + Send + Sync>;

/// When it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// It is meant to run on. When it ends or fails it is started again, after waits that grow.
    Steady,
    /// Again so long after the end of the last time; later when that failed.
    Every(Duration),
}

/// What it does at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It runs.
    Running,
    /// It waits for its time.
    Waiting,
    /// It has failed, and waits longer.
    Backoff,
    /// It was stopped, or has come to its end with its owner.
    Stopped,
}

/// What is known of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it does.
    pub doing: Doing,
    /// How often it was begun.
    pub runs: u64,
    /// How often it failed; for work that is meant to run on also how often it ended.
    pub failures: u64,
    /// What was wrong last. Kept until it goes well.
    pub last_error: Option<String>,
    /// When it was begun last.
    pub last_run: Option<SystemTime>,
    /// When it is begun next, where that is known.
    pub next_run: Option<SystemTime>,
}

/// One piece of background work.
pub struct Work {
    /// Its name, unique with its owner.
    pub name: String,
    /// When it is done.
    pub rhythm: Rhythm,
    job: Job,
    state: Mutex<State>,
    told: Notify,
    ended: CancellationToken,
}

struct State {
    wanted: bool,
    at_once: bool,
    seen: Seen,
    next: Option<Instant>,
}

/// How one time came to its end.
enum Ended {
    Done(Result<bool, String>),
    /// It was stopped in the middle.
    Stopped,
    /// Its owner ends.
    Over,
}

impl Work {
    /// Work that is not begun yet.
    pub fn new(name: impl Into<String>, rhythm: Rhythm, job: Job) -> Arc<Self> {
        let seen = Seen {
            doing: Doing::Waiting,
            runs: 0,
            failures: 0,
            last_error: None,
            last_run: None,
            next_run: None,
        };
        Arc::new(Self {
            name: name.into(),
            rhythm,
            job,
            state: Mutex::new(State {
                wanted: true,
                at_once: false,
                seen,
                next: None,
            }),
            told: Notify::new(),
            ended: CancellationToken::new(),
        })
    }

    /// Begins it in a task of `supervisor`, on `home` where that is given. It ends with the supervisor.
    pub fn begin(
        self: &Arc<Self>,
        owner: &str,
        supervisor: &Supervisor,
        home: Option<&tokio::runtime::Handle>,
    ) {
        let name = format!("{owner} background {}", self.name);
        let (work, owner) = (Arc::clone(self), owner.to_owned());
        let live = |stop: CancellationToken| async move {
            let _ended = work.ended.clone().drop_guard();
            work.live(&owner, &stop).await;
            work.state().seen.doing = Doing::Stopped;
        };
        drop(match home {
            Some(home) => supervisor.spawn_on(home, name, live),
            None => supervisor.spawn(name, live),
        });
    }

    /// Has it done again, if it was stopped; whether it was.
    pub fn start(&self) -> bool {
        let was_wanted = std::mem::replace(&mut self.state().wanted, true);
        self.told.notify_one();
        !was_wanted
    }

    /// Stops it until it is started; whether it was to be done. What runs is abandoned.
    pub fn stop(&self) -> bool {
        let was_wanted = std::mem::replace(&mut self.state().wanted, false);
        self.told.notify_one();
        was_wanted
    }

    /// Has it done now, unless it runs; whether it did not.
    pub fn run_now(&self) -> bool {
        let mut state = self.state();
        if state.seen.doing == Doing::Running || self.ended.is_cancelled() {
            return false;
        }
        state.at_once = true;
        drop(state);
        self.told.notify_one();
        true
    }

    /// Whether it was stopped by hand.
    pub fn is_stopped(&self) -> bool {
        !self.state().wanted
    }

    /// Cancelled when it has come to its end with its owner.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// What is known of it.
    pub fn seen(&self) -> Seen {
        let state = self.state();
        let mut seen = state.seen.clone();
        let now = (SystemTime::now(), Instant::now());
        seen.next_run = state
            .next
            .map(|next| now.0 + next.saturating_duration_since(now.1));
        seen
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    async fn live(&self, owner: &str, stop: &CancellationToken) {
        let mut backoff = Backoff::new(match self.rhythm {
            Rhythm::Steady => WORKER_WAITS,
            Rhythm::Every(interval) => Bounds {
                initial: interval.saturating_mul(2),
                max: interval.max(PERIODIC_MAX),
            },
        });
        let usual = match self.rhythm {
            Rhythm::Steady => Duration::ZERO,
            Rhythm::Every(interval) => interval,
        };
        let mut wait = usual;
        while self.pause(wait, stop).await {
            let begun = Instant::now();
            let ended = match self.once(stop).await {
                Ended::Over => return,
                Ended::Stopped => {
                    wait = usual;
                    continue;
                }
                Ended::Done(ended) => ended,
            };
            let was_well = match self.rhythm {
                Rhythm::Steady => begun.elapsed() >= WELL_AFTER,
                Rhythm::Every(_) => ended.is_ok(),
            };
            if was_well {
                backoff.succeeded();
            }
            let ended = match (self.rhythm, ended) {
                (Rhythm::Steady, Ok(_)) => Err("it ended".to_owned()),
                (_, ended) => ended,
            };
            wait = match ended {
                Ok(counts) => {
                    self.note_done(counts);
                    usual
                }
                Err(why) => {
                    let first = backoff.failed_in_a_row() == 0;
                    let wait = backoff.failed(random_share()).max(usual);
                    self.note_failed(owner, &why, first, wait);
                    wait
                }
            };
        }
    }

    /// Waits for the next time; `false` when there is none, because its owner ends.
    async fn pause(&self, wait: Duration, stop: &CancellationToken) -> bool {
        let mut next = Instant::now() + wait;
        let mut was_stopped = false;
        loop {
            let wanted = {
                let mut state = self.state();
                let wanted = state.wanted;
                if std::mem::take(&mut state.at_once) {
                    return true;
                }
                if wanted && was_stopped {
                    next = match self.rhythm {
                        Rhythm::Steady => Instant::now(),
                        Rhythm::Every(interval) => Instant::now() + interval,
                    };
                    state.seen.last_error = None;
                }
                was_stopped = !wanted;
                state.next = wanted.then_some(next);
                state.seen.doing = match (wanted, &state.seen.last_error) {
                    (false, _) => Doing::Stopped,
                    (true, Some(_)) => Doing::Backoff,
                    (true, None) => Doing::Waiting,
                };
                wanted
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = self.told.notified() => {}
                () = tokio::time::sleep_until(next), if wanted => return true,
            }
        }
    }

    /// Does it once.
    async fn once(&self, stop: &CancellationToken) -> Ended {
        {
            let mut state = self.state();
            state.seen.doing = Doing::Running;
            state.seen.runs += 1;
            state.seen.last_run = Some(SystemTime::now());
            state.next = None;
        }
        let work = AssertUnwindSafe(async { (self.job)().await }).catch_unwind();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Over,
                () = self.told.notified() => {
                    if !self.state().wanted {
                        return Ended::Stopped;
                    }
                }
                done = &mut work => {
                    let panicked = |_| Err("it panicked".to_owned());
                    return Ended::Done(done.unwrap_or_else(panicked));
                }
            }
        }
    }

    fn note_done(&self, counts: bool) {
        let mut state = self.state();
        if counts {
            state.seen.last_error = None;
        } else {
            state.seen.runs -= 1;
        }
    }

    /// Failures in a row are told once.
    fn note_failed(&self, owner: &str, why: &str, first: bool, wait: Duration) {
        let why: String = why.chars().take(MAX_ERROR).collect();
        let (name, ms) = (&self.name, wait.as_millis());
        if first {
            tracing::warn!(plugin.id = %owner, "The background work `{name}` of `{owner}` failed, next in {ms} ms: {why}");
        } else {
            tracing::debug!(plugin.id = %owner, "The background work `{name}` of `{owner}` failed again, next in {ms} ms: {why}");
        }
        let mut state = self.state();
        state.seen.failures += 1;
        state.seen.last_error = Some(why);
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work")
            .field("name", &self.name)
            .field("rhythm", &self.rhythm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
