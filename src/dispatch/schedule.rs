//! Tasks of users: tools that are run now, at a time, or again and again. A run is a call like any other, by the principal
//! who has made the task and with no more than it could do then.
//!
//! They survive a restart: a run that was cut off has failed then, a time that was missed comes at once, and what comes
//! again goes on. Tasks of MCP are something else (`dispatch/tasks.rs`).

mod runner;

mod store;

mod table;

pub mod task;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use serde::Deserialize;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::dispatch::Dispatcher;
use crate::dispatch::schedule::store::Store;
use crate::dispatch::schedule::table::{MAX_PER_PRINCIPAL, Table, first_run};
use crate::dispatch::schedule::task::{Moment, Owner, Status, Task, When};
use crate::dispatch::subject::Subject;
use crate::ledger::documents::Documents;
use crate::model::caller::{ADMIN, Caller};
use crate::plugin::Clock;
use crate::registry::Viewer;
use crate::session::table::new_id;
use crate::wire::json::Json;

/// How many changes are kept for one that is slow to hear of them.
const MAX_CHANGES: usize = 256;

/// The most bytes of a task's arguments.
const MAX_ARGUMENTS: usize = 256 << 10;

/// The longest name of a task, in characters.
const MAX_NAME: usize = 200;

/// The shortest and the longest interval, in milliseconds: a second, and a year.
const INTERVALS: std::ops::RangeInclusive<u64> = 1_000..=31_536_000_000;

/// The most attempts after a run that failed.
const MAX_RETRIES: u32 = 20;

/// The tasks of users.
pub struct Schedule {
    dispatcher: Weak<Dispatcher>,
    supervisor: Supervisor,
    store: Store,
    table: Mutex<Table>,
    clock: Arc<dyn Fn() -> Moment + Send + Sync>,
    /// Told when something is due earlier, or there is room again.
    nudge: Notify,
    changes: broadcast::Sender<Arc<Task>>,
    /// Cancelled once what was kept has been taken in.
    loaded: CancellationToken,
    closed: AtomicBool,
}

/// Why a wish about tasks is not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// There is none of that id, or none that this caller may see.
    #[error("there is no such task")]
    NotFound,
    /// It stands where that cannot be done.
    #[error("{0}")]
    Conflict(&'static str),
    /// What is asked for is not possible; the sentence names the place.
    #[error("{0}")]
    Invalid(String),
    /// There are too many.
    #[error("there are too many tasks; a principal may have {MAX_PER_PRINCIPAL} that are not over")]
    Full,
    /// It could not be kept, and so it was not done.
    #[error("{0}")]
    NotKept(String),
}

/// A task that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What its owner calls it; the tool's name when left out.
    #[serde(default)]
    pub name: Option<String>,
    /// The listed name of the tool.
    pub tool: String,
    /// What it is called with, an object.
    #[serde(default)]
    pub arguments: Option<Json>,
    /// When; now when left out.
    #[serde(default)]
    pub schedule: Option<When>,
    /// Milliseconds that one run may take.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// How often a run that failed is tried again.
    #[serde(default)]
    pub retries: u32,
}

type Change = Result<Arc<Task>, ScheduleError>;

impl Schedule {
    /// The tasks that `documents` keeps. Nothing runs yet.
    pub fn new(
        dispatcher: &Arc<Dispatcher>,
        documents: Arc<dyn Documents>,
        supervisor: Supervisor,
    ) -> Arc<Self> {
        let clock = Arc::new(|| Moment(Clock::default().unix_ms()));
        Self::with_clock(dispatcher, documents, supervisor, clock)
    }

    /// The same by another clock.
    pub(crate) fn with_clock(
        dispatcher: &Arc<Dispatcher>,
        documents: Arc<dyn Documents>,
        supervisor: Supervisor,
        clock: Arc<dyn Fn() -> Moment + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            dispatcher: Arc::downgrade(dispatcher),
            supervisor,
            store: Store::new(documents),
            table: Mutex::default(),
            clock,
            nudge: Notify::new(),
            changes: broadcast::Sender::new(MAX_CHANGES),
            loaded: CancellationToken::new(),
            closed: AtomicBool::new(false),
        })
    }

    /// Begins to run them.
    pub fn begin(self: &Arc<Self>) {
        let schedule = Arc::clone(self);
        self.supervisor
            .spawn("tasks of users", |stop| schedule.live(stop));
    }

    /// Begins no run any more: the gateway is about to stop.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Changes from now on, of everyone's tasks. Who is too slow misses some.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Task>> {
        self.changes.subscribe()
    }

    /// Whether `caller` may see the task: its own, and all of them as `admin`. A credential of the same name with other
    /// rights does not see it: it could have done what it may not do.
    pub fn is_for(task: &Task, caller: &Caller) -> bool {
        let is_own = task.owner.principal == caller.principal && task.owner == Owner::of(caller);
        // Which plugin a task is about is not kept: who may not see all of them sees no one else's.
        is_own || (caller.may(ADMIN) && caller.plugins.is_none())
    }

    /// The tasks that `caller` may see, the newest first.
    pub fn list(&self, caller: &Caller, status: Option<Status>) -> Vec<Arc<Task>> {
        let mut all = self.table().all();
        all.retain(|task| {
            Self::is_for(task, caller) && status.is_none_or(|status| task.status == status)
        });
        all
    }

    /// One of them.
    pub fn get(&self, id: &str, caller: &Caller) -> Change {
        let task = self.table().get(id);
        let task = task.filter(|task| Self::is_for(task, caller));
        task.ok_or(ScheduleError::NotFound)
    }

    /// Makes a task of `caller`. It is kept when this is `Ok`.
    pub async fn create(&self, wanted: Wanted, caller: &Arc<Caller>) -> Change {
        if self.is_closed() {
            return Err(ScheduleError::NotKept("the gateway is stopping".to_owned()));
        }
        self.await_load().await?;
        self.look_at(&wanted, caller).await?;
        let now = self.now();
        let schedule = wanted.schedule.unwrap_or(When::Now);
        let first = first_run(schedule, now);
        let task = Task {
            id: new_id().to_string(),
            name: wanted.name.unwrap_or_else(|| wanted.tool.clone()),
            tool: wanted.tool,
            arguments: wanted
                .arguments
                .map_or_else(|| Json::literal("{}"), |arguments| arguments.detached()),
            schedule,
            status: Status::Scheduled,
            created: now,
            owner: Owner::of(caller),
            timeout_ms: wanted.timeout_ms,
            retries: wanted.retries,
            attempt: 0,
            next_run: None,
            planned: Some(first),
            started: None,
            runs: 0,
            failures: 0,
            history: std::collections::VecDeque::new(),
        };
        let id = task.id.clone();
        // It has its place before it is kept, and begins after that.
        let gone = self.table().insert(task)?;
        if let Some(gone) = gone {
            self.note(&gone).await;
        }
        if let Err(err) = self.store.save(&id, || self.table().get(&id)).await {
            self.table().take(&id);
            return Err(ScheduleError::NotKept(err.to_string()));
        }
        let task = self.table().plan(&id, first)?;
        self.changed(&task);
        self.note(&id).await;
        self.nudge.notify_one();
        Ok(task)
    }

    /// Calls a task off. What runs is cancelled, as by a client that no longer wants its answer.
    pub async fn cancel(&self, id: &str, caller: &Caller) -> Change {
        self.change(id, caller, |table, _| table.cancel(id)).await
    }

    /// Has a task that failed or was called off go on.
    pub async fn retry(&self, id: &str, caller: &Caller) -> Change {
        self.may_start(id, caller)?;
        self.change(id, caller, |table, now| table.retry(id, now))
            .await
    }

    /// Has a task run now.
    pub async fn run(&self, id: &str, caller: &Caller) -> Change {
        self.may_start(id, caller)?;
        self.change(id, caller, |table, now| table.run(id, now))
            .await
    }

    /// A run has the rights of its owner: who may only look begins none that could do more.
    fn may_start(&self, id: &str, caller: &Caller) -> Result<(), ScheduleError> {
        let task = self.get(id, caller)?;
        match caller.read_only && !task.owner.read_only {
            true => Err(ScheduleError::Conflict(
                "a credential that is `read_only` begins no task of somebody who may do more",
            )),
            false => Ok(()),
        }
    }

    /// Takes a task out, with all that is kept of it.
    pub async fn remove(&self, id: &str, caller: &Caller) -> Result<(), ScheduleError> {
        self.get(id, caller)?;
        self.table().take(id);
        let kept = self.store.save(id, || self.table().get(id)).await;
        kept.map_err(|err| ScheduleError::NotKept(err.to_string()))
    }

    async fn change(
        &self,
        id: &str,
        caller: &Caller,
        work: impl FnOnce(&mut Table, Moment) -> Change,
    ) -> Change {
        self.get(id, caller)?;
        let now = self.now();
        let changed = work(&mut self.table(), now)?;
        self.changed(&changed);
        self.note(id).await;
        self.nudge.notify_one();
        Ok(changed)
    }

    /// Whether what is wanted can be run: the tool is listed for the caller, and everything is within its bounds.
    async fn look_at(&self, wanted: &Wanted, caller: &Arc<Caller>) -> Result<(), ScheduleError> {
        let invalid = |message: String| Err(ScheduleError::Invalid(message));
        let arguments = wanted.arguments.as_ref();
        if arguments.is_some_and(|arguments| !arguments.is_object()) {
            return invalid("`/arguments` must be an object".to_owned());
        }
        if arguments.is_some_and(|arguments| arguments.bytes().len() > MAX_ARGUMENTS) {
            return invalid(format!("`/arguments` may have {MAX_ARGUMENTS} bytes"));
        }
        let name = wanted.name.as_deref().unwrap_or("x");
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return invalid(format!("`/name` has 1 to {MAX_NAME} characters"));
        }
        if let Some(When::Every { interval_ms }) = wanted.schedule
            && !INTERVALS.contains(&interval_ms)
        {
            let (least, most) = (INTERVALS.start(), INTERVALS.end());
            return invalid(format!("`/schedule/interval_ms` is {least} to {most}"));
        }
        if wanted.timeout_ms == Some(0) {
            return invalid("`/timeout_ms` is 1 or more".to_owned());
        }
        if wanted.retries > MAX_RETRIES {
            return invalid(format!("`/retries` is {MAX_RETRIES} at the most"));
        }
        let Some(dispatcher) = self.dispatcher.upgrade() else {
            return Err(ScheduleError::NotKept("the gateway is stopping".to_owned()));
        };
        let viewer = Viewer::bare(Arc::clone(caller));
        let catalog = dispatcher.registry().settled_view(&viewer).await;
        if catalog.find(&wanted.tool, caller).is_none() {
            let subject = Subject::Tool(wanted.tool.clone());
            return invalid(dispatcher.unknown(&subject, caller).message);
        }
        if wanted.retries > 0 && !self.may_repeat(&wanted.tool, caller) {
            return invalid(format!(
                "`/retries` must be 0: `{}` may change things, and is not known to be idempotent",
                wanted.tool
            ));
        }
        Ok(())
    }

    /// Whether the tool can be called again after a failure without doing anything twice.
    fn may_repeat(&self, tool: &str, caller: &Caller) -> bool {
        let Some(dispatcher) = self.dispatcher.upgrade() else {
            return false;
        };
        dispatcher.registry().with_catalog(|catalog| {
            let entry = catalog.find(tool, caller);
            entry.is_some_and(|entry| entry.conduct.may_repeat)
        })
    }

    /// Waits until what was kept has been taken in, for a moment.
    async fn await_load(&self) -> Result<(), ScheduleError> {
        const BOUND: std::time::Duration = std::time::Duration::from_secs(10);
        let loaded = tokio::time::timeout(BOUND, self.loaded.cancelled()).await;
        loaded.map_err(|_| {
            ScheduleError::NotKept(
                "tasks cannot be made yet: their store does not answer".to_owned(),
            )
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    fn now(&self) -> Moment {
        (self.clock)()
    }

    fn changed(&self, task: &Arc<Task>) {
        // Nobody listening is no failure.
        self.changes.send(Arc::clone(task)).ok();
    }

    /// Keeps a task as it is now. A store that fails is told of in the log: the task goes on.
    async fn note(&self, id: &str) {
        if let Err(err) = self.store.save(id, || self.table().get(id)).await {
            tracing::warn!("The task `{id}` is not kept as it is: {err}");
        }
    }
}

#[cfg(test)]
mod tests;
