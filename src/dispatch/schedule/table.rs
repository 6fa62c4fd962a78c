//! The tasks there are and when each is due. A pure machine: it is told the time and what happened.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::background::backoff::{Backoff, Bounds};
use crate::dispatch::schedule::ScheduleError;
use crate::dispatch::schedule::task::{Moment, Outcome, Run, Status, Task, When};

/// The most tasks there are.
pub(super) const MAX_TASKS: usize = 1_000;

/// The most tasks of one principal.
pub(super) const MAX_PER_PRINCIPAL: usize = 100;

/// The waits before a run that failed is tried again.
const RETRIES: Bounds = Bounds {
    initial: std::time::Duration::from_secs(1),
    max: std::time::Duration::from_secs(300),
};

/// What a run was cut off by, where the gateway ended.
pub(super) const INTERRUPTED: &str = "interrupted: the gateway ended while it ran";

/// The tasks.
#[derive(Debug, Default)]
pub(super) struct Table {
    tasks: HashMap<String, Arc<Task>>,
    due: BTreeSet<(Moment, String)>,
    running: HashMap<String, CancellationToken>,
}

/// A run that is to be made.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) task: Arc<Task>,
    /// Cancelled when it is called off.
    pub(super) cancel: CancellationToken,
}

/// What a run came to, as its maker says.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) outcome: Outcome,
    pub(super) result: Option<crate::wire::json::Json>,
    pub(super) error: Option<String>,
    pub(super) call: u64,
    /// Whether it may be tried again.
    pub(super) may_retry: bool,
}

type Change = Result<Arc<Task>, ScheduleError>;

impl Table {
    pub(super) fn get(&self, id: &str) -> Option<Arc<Task>> {
        self.tasks.get(id).cloned()
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<Arc<Task>> {
        let mut all: Vec<_> = self.tasks.values().cloned().collect();
        all.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        all
    }

    /// Takes a new one in. Where there is no room one that is over goes; which that was.
    pub(super) fn insert(&mut self, task: Task) -> Result<Option<String>, ScheduleError> {
        let principal = &task.owner.principal;
        let own = || {
            self.tasks
                .values()
                .filter(|other| other.owner.principal == *principal)
        };
        let is_full = self.tasks.len() >= MAX_TASKS;
        let over = (is_full || own().count() >= MAX_PER_PRINCIPAL).then(|| {
            let over = own().filter(|other| other.status.is_over());
            over.min_by_key(|other| other.created)
                .map(|other| other.id.clone())
        });
        let gone = match over {
            None => None,
            Some(Some(id)) => {
                self.take(&id);
                Some(id)
            }
            Some(None) => return Err(ScheduleError::Full),
        };
        self.put(task);
        Ok(gone)
    }

    /// Plans the first run of one that was taken in.
    pub(super) fn plan(&mut self, id: &str, first: Moment) -> Change {
        let mut task = self.copy(id)?;
        task.next_run = Some(first);
        Ok(self.put(task))
    }

    /// Takes in one that was kept over a restart.
    pub(super) fn restore(&mut self, mut task: Task, now: Moment) -> Arc<Task> {
        if task.status == Status::Running {
            let number = task.runs + 1;
            let started = task.started.take().unwrap_or(task.created);
            task.keep(Run {
                number,
                started,
                finished: now,
                outcome: Outcome::Error,
                duration_ms: now.0.saturating_sub(started.0),
                result: None,
                error: Some(INTERRUPTED.to_owned()),
                call: None,
            });
            // What it has done is not known, so only what would have come anyway comes.
            plan_next(&mut task, now, Status::Failed);
        } else if task.status == Status::Scheduled && task.next_run.is_none() {
            // It was kept, and not again once it was planned.
            task.next_run = Some(now);
        }
        self.put(task)
    }

    /// Begins what is due, `room` runs at the most.
    pub(super) fn begin(&mut self, now: Moment, room: usize) -> Vec<Due> {
        let mut begun = Vec::new();
        while begun.len() < room
            && let Some((at, _)) = self.due.first()
            && *at <= now
            && let Some((_, id)) = self.due.pop_first()
        {
            let Some(task) = self.tasks.get(&id) else {
                continue;
            };
            let mut task = Task::clone(task);
            task.status = Status::Running;
            task.started = Some(now);
            task.next_run = None;
            let cancel = CancellationToken::new();
            self.running.insert(id, cancel.clone());
            let task = self.put(task);
            begun.push(Due { task, cancel });
        }
        begun
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A run has come to its end. `None` where its task is gone.
    pub(super) fn end(
        &mut self,
        id: &str,
        made: Made,
        now: Moment,
        share: u8,
    ) -> Option<Arc<Task>> {
        self.running.remove(id);
        let mut task = Task::clone(self.tasks.get(id)?);
        let was_cancelled = task.status == Status::Cancelled;
        let started = task.started.take().unwrap_or(now);
        let number = task.runs + 1;
        task.keep(Run {
            number,
            started,
            finished: now,
            outcome: made.outcome,
            duration_ms: now.0.saturating_sub(started.0),
            result: made.result,
            error: made.error,
            call: Some(made.call),
        });
        let failed = made.outcome != Outcome::Ok;
        if was_cancelled {
            // Whoever called it off has said all there is to say.
        } else if failed && made.may_retry && task.attempt < task.retries {
            task.attempt += 1;
            task.status = Status::Waiting;
            task.next_run = Some(now.after(wait_before(task.attempt, share)));
        } else {
            let ended = if failed { Status::Failed } else { Status::Done };
            plan_next(&mut task, now, ended);
        }
        Some(self.put(task))
    }

    /// Calls a task off: what runs is told to end, and nothing comes any more.
    pub(super) fn cancel(&mut self, id: &str) -> Change {
        let mut task = self.copy(id)?;
        if task.status.is_over() {
            return Err(ScheduleError::Conflict("it is over already"));
        }
        if let Some(cancel) = self.running.get(id) {
            cancel.cancel();
        }
        self.unplan(&task);
        task.status = Status::Cancelled;
        task.next_run = None;
        Ok(self.put(task))
    }

    /// Has a task that failed or was called off go on: at once, and as it was planned.
    pub(super) fn retry(&mut self, id: &str, now: Moment) -> Change {
        let task = self.copy(id)?;
        match task.status {
            Status::Failed | Status::Cancelled => self.run(id, now),
            _ => Err(ScheduleError::Conflict(
                "it has neither failed nor been called off",
            )),
        }
    }

    /// Has a task run now, in place of the next time.
    pub(super) fn run(&mut self, id: &str, now: Moment) -> Change {
        let mut task = self.copy(id)?;
        if self.running.contains_key(id) {
            return Err(ScheduleError::Conflict("it runs"));
        }
        self.unplan(&task);
        task.status = Status::Scheduled;
        task.attempt = 0;
        task.planned = Some(now);
        task.next_run = Some(now);
        Ok(self.put(task))
    }

    /// Takes a task out; what runs of it is told to end.
    pub(super) fn take(&mut self, id: &str) -> Option<Arc<Task>> {
        let task = self.tasks.remove(id)?;
        self.unplan(&task);
        if let Some(cancel) = self.running.get(id) {
            cancel.cancel();
        }
        Some(task)
    }

    fn copy(&self, id: &str) -> Result<Task, ScheduleError> {
        let task = self.tasks.get(id).ok_or(ScheduleError::NotFound)?;
        Ok(Task::clone(task))
    }

    fn unplan(&mut self, task: &Task) {
        if let Some(at) = task.next_run {
            self.due.remove(&(at, task.id.clone()));
        }
    }

    fn put(&mut self, task: Task) -> Arc<Task> {
        if let Some(at) = task.next_run {
            self.due.insert((at, task.id.clone()));
        }
        let task = Arc::new(task);
        self.tasks.insert(task.id.clone(), Arc::clone(&task));
        task
    }
}

/// When a new task is run first.
pub(super) fn first_run(schedule: When, now: Moment) -> Moment {
    match schedule {
        When::Now | When::Every { .. } => now,
        When::At { time } => time.max(now),
    }
}

/// What comes after a run that is not tried again: the next time of one that comes again, else `ended`.
fn plan_next(task: &mut Task, now: Moment, ended: Status) {
    task.attempt = 0;
    let When::Every { interval_ms } = task.schedule else {
        task.status = ended;
        task.next_run = None;
        return;
    };
    let interval = interval_ms.max(1);
    let planned = task.planned.unwrap_or(now);
    // Times that are over are not made up for.
    let missed = now.0.saturating_sub(planned.0) / interval;
    let next = planned.after(interval.saturating_mul(missed + 1));
    task.planned = Some(next);
    task.next_run = Some(next);
    task.status = Status::Scheduled;
}

/// Milliseconds before the attempt after `failed` ones.
fn wait_before(failed: u32, share: u8) -> u64 {
    let mut backoff = Backoff::new(RETRIES);
    let wait = (0..failed).map(|_| backoff.failed(share)).last();
    wait.map_or(0, |wait| {
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests;
