//! Runs tasks at their time: one task of the supervisor waits for the next, and each run has one of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::background::backoff::random_share;
use crate::dispatch::CallError;
use crate::dispatch::errand::params;
use crate::dispatch::schedule::Schedule;
use crate::dispatch::schedule::table::{Due, Made};
use crate::dispatch::schedule::task::{Outcome, Task, bounded};
use crate::dispatch::subject::Subject;
use crate::model::fault::FaultKind;
use crate::plugin::first_text;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::method::Method;

/// How many runs go on at one time.
const AT_ONCE: usize = 32;

/// The longest wait without a look at the clock: it may be set, or the machine may sleep.
const LOOK: Duration = Duration::from_secs(30);

/// How long to wait before a store that did not answer is asked again.
const LOAD_AGAIN: Duration = Duration::from_secs(5);

impl Schedule {
    /// Takes in what was kept, then runs what is due until `stop`.
    pub(super) async fn live(self: Arc<Self>, stop: CancellationToken) {
        while !self.load().await {
            tokio::select! {
                () = tokio::time::sleep(LOAD_AGAIN) => {}
                () = stop.cancelled() => return,
            }
        }
        loop {
            let now = self.now();
            if self.is_closed() {
                return;
            }
            let (due, next) = {
                let mut table = self.table();
                let room = AT_ONCE.saturating_sub(table.running());
                (table.begin(now, room), table.next())
            };
            for one in due {
                self.changed(&one.task);
                let schedule = Arc::clone(&self);
                drop(self.supervisor.spawn_request(schedule.make(one)));
            }
            let has_room = self.table().running() < AT_ONCE;
            let wait = next.filter(|_| has_room).map_or(LOOK, |next| {
                Duration::from_millis(next.0.saturating_sub(now.0)).min(LOOK)
            });
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Takes in what was kept; `false` where the store does not answer.
    async fn load(&self) -> bool {
        match self.store.load().await {
            Ok(kept) => {
                let now = self.now();
                let restored = {
                    let mut table = self.table();
                    let restore = kept.into_iter().map(|task| table.restore(task, now));
                    restore.collect::<Vec<_>>()
                };
                for task in restored {
                    self.note(&task.id).await;
                }
                self.loaded.cancel();
                true
            }
            Err(err) => {
                tracing::warn!("Tasks of users are not run yet: {err}");
                false
            }
        }
    }

    /// Makes one run.
    async fn make(self: Arc<Self>, due: Due) {
        let id = due.task.id.clone();
        // So that it shows after a restart that it was at work.
        self.note(&id).await;
        let made = self.call(&due.task, &due.cancel).await;
        let Some(made) = made else {
            return;
        };
        let now = self.now();
        let ended = self.table().end(&id, made, now, random_share());
        if let Some(task) = ended {
            self.changed(&task);
            self.note(&id).await;
        }
        self.nudge.notify_one();
    }

    /// Calls the tool, the way of every call. `None` where the gateway ends meanwhile: the run shows as cut off then.
    async fn call(&self, task: &Task, cancel: &CancellationToken) -> Option<Made> {
        let dispatcher = self.dispatcher.upgrade()?;
        let caller = Arc::new(task.owner.caller());
        let timeout = task.timeout_ms.map(Duration::from_millis);
        let context = dispatcher.errand(Arc::clone(&caller), timeout, cancel.clone());
        let number = context.id;
        let may_retry = task.retries > 0 && self.may_repeat(&task.tool, &caller);
        let params = params(&task.tool, task.arguments.clone());
        let subject = Subject::Tool(task.tool.clone());
        let called = dispatcher.request(Method::ToolsCall, &subject, params, context);
        let (outcome, result, error) = match Box::pin(called).await {
            Ok(reply) => match failure_of(&reply.result) {
                None => (Outcome::Ok, Some(bounded(&reply.result)), None),
                Some(why) => (Outcome::Error, Some(bounded(&reply.result)), Some(why)),
            },
            Err(CallError::Plugin(error)) => (Outcome::Error, None, Some(error.message)),
            Err(CallError::Fault(fault)) if fault.reason == "shutting_down" => return None,
            Err(CallError::Fault(fault)) => match fault.kind {
                FaultKind::Cancelled => (Outcome::Cancelled, None, Some(fault.message)),
                _ => (Outcome::Error, None, Some(fault.message)),
            },
        };
        Some(Made {
            outcome,
            result,
            error,
            call: number,
            may_retry,
        })
    }
}

/// What a tool says that failed.
fn failure_of(result: &Json) -> Option<String> {
    let members = Members::of(result)?;
    members
        .get("isError")
        .filter(|is_error| is_error.is_true())?;
    Some(first_text(&members).unwrap_or_else(|| "the tool does not say why".to_owned()))
}
