//! A call that goes on as a task: its client comes back by `tasks/get` instead of by a retry (the extension
//! `io.modelcontextprotocol/tasks`).

use std::sync::{Arc, Weak};

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::front::desk::Reply;
use crate::front::rounds::dialogue::{Dialogue, State, is_over};
use crate::front::rounds::places::Slot;
use crate::front::rounds::tasks::{Kept, Tasks, Watcher, name_of};
use crate::model::caller::Caller;
use crate::wire::error::{INTERNAL_ERROR, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::meta::TASKS;
use crate::wire::method::Method;

/// The most bytes of what a task says of itself.
const MAX_MESSAGE_BYTES: usize = 1024;

/// The most subscriptions that hear of one task.
const MAX_WATCHERS: usize = 64;

/// What a call is as a task.
pub(super) struct Task {
    slot: Slot,
    tasks: Arc<Tasks>,
    created: OffsetDateTime,
    updated: OffsetDateTime,
    until: Instant,
    message: Option<String>,
    end: Option<End>,
    /// The room that the result takes.
    kept: Option<Kept>,
    watchers: Vec<Weak<Watcher>>,
}

/// What a task came to.
#[derive(Clone)]
enum End {
    /// The text of the result.
    Completed(Bytes),
    Failed(RpcError),
    Cancelled,
}

impl Dialogue {
    pub(in crate::front::rounds) fn weak(&self) -> &Weak<Self> {
        &self.me
    }

    pub(in crate::front::rounds) fn principal(&self) -> &Arc<str> {
        self.subject.principal()
    }

    /// Whether it is a call of this caller, with the same rights.
    pub(in crate::front::rounds) fn is_of(&self, caller: &Caller) -> bool {
        self.subject.is_of(caller)
    }

    /// When a round that begins now is too long for its client to wait, where the call may become a task.
    pub(in crate::front::rounds) fn task_at(&self) -> Option<Instant> {
        let tasks = self.tasks.as_ref()?;
        Some(Instant::now() + tasks.after)
    }

    /// Goes on as a task: the result that says so. `None`, and nothing happens, where that cannot be: there are too many
    /// tasks, the client did not say in this round that it knows them, the answer is there.
    pub(in crate::front::rounds) fn become_task(&self) -> Option<Bytes> {
        let tasks = self.tasks.as_ref()?;
        let mut state = self.state();
        if state.over || state.no_task || state.reply.is_some() || !state.profile.declares(TASKS) {
            return None;
        }
        let slot = tasks.admit(self)?;
        let now = OffsetDateTime::now_utc();
        let task = Task {
            slot,
            tasks: Arc::clone(tasks),
            created: now,
            updated: now,
            until: Instant::now() + tasks.ttl,
            message: None,
            end: None,
            kept: None,
            watchers: Vec::new(),
        };
        let mut text = br#"{"resultType":"task","#.to_vec();
        task.write("working", &mut text);
        text.push(b'}');
        if let Some(asking) = &mut state.asking {
            asking.slot = None;
        }
        // Progress and log messages belong to requests, and a task is none.
        state.queue.clear();
        state.task = Some(Box::new(task));
        self.pulse.take_your_time();
        self.turned.notify_one();
        Some(Json::assembled(text).bytes().clone())
    }

    /// The task as it is now: the members of its state, as `tasks/get` and `notifications/tasks` tell them. `None` when
    /// it is forgotten.
    pub(crate) fn task(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(512);
        let end = {
            let state = self.state();
            let task = state.task.as_ref()?;
            let questions = state.asking.as_ref().map(|asking| &asking.questions);
            let questions = questions.filter(|questions| !questions.is_empty());
            match (&task.end, questions) {
                (Some(end), _) => task.write(end.status(), &mut out),
                (None, None) => task.write("working", &mut out),
                (None, Some(questions)) => {
                    task.write("input_required", &mut out);
                    out.extend_from_slice(br#","inputRequests":"#);
                    questions.write(&mut out);
                }
            }
            task.end.clone()
        };
        // A large result takes its time, which is not to be spent under the lock.
        match end {
            Some(End::Completed(result)) => {
                out.extend_from_slice(br#","result":"#);
                out.extend_from_slice(&result);
            }
            Some(End::Failed(error)) => {
                out.extend_from_slice(br#","error":"#);
                out.extend_from_slice(Json::of(&error).bytes());
            }
            Some(End::Cancelled) | None => {}
        }
        Some(out)
    }

    /// Hands in answers of the client. Those to other questions than are open are ignored.
    pub(crate) fn update_task(&self, responses: &Members) {
        let mut state = self.state();
        if let Some(asking) = &mut state.asking {
            asking.questions.answer(responses);
        }
        state.task_changed();
    }

    /// Cancels the task, unless it is over already. The plugin is told.
    pub(crate) fn cancel_task(&self) {
        let mut state = self.state();
        if !state.end_task(End::Cancelled, None) {
            return;
        }
        drop(state);
        self.cancel.cancel();
        self.turned.notify_one();
    }

    /// Tells `watcher` of the task from here on, also of how it is now; `false` when too many are told, or it is
    /// forgotten.
    pub(crate) fn watch_task(&self, watcher: &Arc<Watcher>) -> bool {
        let mut state = self.state();
        let Some(task) = &mut state.task else {
            return false;
        };
        task.watchers.retain(|known| known.strong_count() > 0);
        if task.watchers.len() >= MAX_WATCHERS {
            return false;
        }
        task.watchers.push(Arc::downgrade(watcher));
        watcher.tell(task.slot.id);
        true
    }

    /// The work of the task is over.
    pub(super) fn end_task(&self, reply: Reply) {
        let mut kept = None;
        let end = match reply {
            Reply::Result(result) if is_task(&result) => {
                End::failed("the plugin answered with a task of its own, which it did not announce")
            }
            Reply::Result(result) | Reply::Denied(result, _) => {
                kept = self
                    .tasks
                    .as_ref()
                    .and_then(|tasks| tasks.keep(result.len()));
                match kept {
                    // The message that it came in must not be kept with it.
                    Some(_) => End::Completed(Bytes::copy_from_slice(&result)),
                    None => {
                        End::failed("the result could not be kept: too many wait for their clients")
                    }
                }
            }
            Reply::Asks(_) => End::failed("the plugin asked for input in the wrong place"),
            Reply::Error(error) => End::Failed(error),
            Reply::Nothing => End::Cancelled,
        };
        let message = match &end {
            End::Failed(error) => Some(error.message.clone()),
            End::Completed(_) | End::Cancelled => None,
        };
        let mut state = self.state();
        if state.end_task(end, message)
            && let Some(task) = &mut state.task
        {
            task.kept = kept;
        }
        drop(state);
        self.turned.notify_one();
    }
}

impl State {
    /// The state of the task is another now; nothing, where the call is none.
    pub(super) fn task_changed(&mut self) {
        let Some(task) = &mut self.task else { return };
        task.updated = OffsetDateTime::now_utc();
        let number = task.slot.id;
        for watcher in task.watchers.iter().filter_map(Weak::upgrade) {
            watcher.tell(number);
        }
    }

    /// The latest progress is what a task says of itself. Log messages are not for tasks.
    pub(super) fn task_told(&mut self, method: &Method, params: &Params) {
        let Some(task) = &mut self.task else { return };
        let message = params.members.string("message");
        if let (Method::Progress, None, Some(message)) = (method, &task.end, message) {
            task.message = Some(shortened(message.into_owned()));
            self.task_changed();
        }
    }

    /// Notes the end of the task, unless it has ended; whether it had not.
    fn end_task(&mut self, end: End, message: Option<String>) -> bool {
        let Some(task) = self.task.as_mut().filter(|task| task.end.is_none()) else {
            return false;
        };
        task.end = Some(end);
        task.message = message.map(shortened);
        if let Some(mut asking) = self.asking.take() {
            asking.questions.refuse_all(&is_over());
        }
        self.task_changed();
        true
    }
}

impl End {
    fn failed(why: &str) -> Self {
        Self::Failed(RpcError::new(INTERNAL_ERROR, why))
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Task {
    /// When it is forgotten, whatever it has come to.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Writes the members that every task has.
    fn write(&self, status: &str, out: &mut Vec<u8>) {
        let id = name_of(self.slot.id);
        out.extend_from_slice(format!(r#""taskId":"{id}","status":"{status}""#).as_bytes());
        if let Some(message) = &self.message {
            out.extend_from_slice(br#","statusMessage":"#);
            out.extend_from_slice(Json::of(message).bytes());
        }
        let (created, updated) = (timestamp(self.created), timestamp(self.updated));
        let (ttl, poll) = (self.tasks.ttl.as_millis(), self.tasks.poll_interval_ms);
        let rest = format!(
            r#","createdAt":"{created}","lastUpdatedAt":"{updated}","ttlMs":{ttl},"pollIntervalMs":{poll}"#
        );
        out.extend_from_slice(rest.as_bytes());
    }
}

/// Whether a result is the beginning of a task of the plugin's own.
fn is_task(result: &Bytes) -> bool {
    if memchr::memmem::find(result, b"\"task\"").is_none() {
        return false;
    }
    let members = Json::scan(result.clone()).ok();
    let members = members.as_ref().and_then(Members::of).unwrap_or_default();
    members.string("resultType").as_deref() == Some("task")
}

fn shortened(mut text: String) -> String {
    let fits = |at: &usize| text.is_char_boundary(*at);
    let end = (0..=MAX_MESSAGE_BYTES.min(text.len())).rev().find(fits);
    text.truncate(end.unwrap_or(0));
    text
}

/// A time, UTC, as ISO 8601 writes it, to the millisecond.
fn timestamp(time: OffsetDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}
