//! One call of a modern client over all its rounds: what it is to be told, what it is asked, where its answer waits.

mod task;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::front::desk::Reply;
use crate::front::outgoing::now;
use crate::front::rounds::dialogue::task::Task;
use crate::front::rounds::places::Slot;
use crate::front::rounds::questions::{Answer, Questions};
use crate::front::rounds::queue::{Queue, Wanted};
use crate::front::rounds::round::{Next, Round};
use crate::front::rounds::seal::State as Sealed;
use crate::front::rounds::subject::Subject;
use crate::front::rounds::{Rounds, Tasks};
use crate::model::caller::ClientProfile;
use crate::model::client::{Client, Pulse};
use crate::model::offer;
use crate::wire::error::{INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// One call of a modern client. Between two rounds it is parked: nobody reads, the work goes on.
pub(crate) struct Dialogue {
    me: Weak<Dialogue>,
    rounds: Arc<Rounds>,
    /// What it becomes one of when it takes long, where it may.
    tasks: Option<Arc<Tasks>>,
    subject: Subject,
    /// Of the call.
    cancel: CancellationToken,
    pulse: Pulse,
    state: Mutex<State>,
    /// There is something for the round that is open.
    ready: Notify,
    /// A round has begun or ended, or the call is over.
    turned: Notify,
}

struct State {
    /// Of the client, as it described itself in the latest round.
    profile: Arc<ClientProfile>,
    /// What the latest round wants to be told.
    wanted: Wanted,
    queue: Queue,
    /// What the work came to, until it is fetched.
    reply: Option<Reply>,
    /// Nothing more can come of this call.
    over: bool,
    /// Made when somebody first asks.
    asking: Option<Box<Asking>>,
    /// It has become a task.
    task: Option<Box<Task>>,
    /// It becomes none any more: its answer may be on the way, and may be one that asks for an answer by a retry.
    no_task: bool,
}

#[derive(Default)]
struct Asking {
    questions: Questions,
    /// The place in the table, while there are questions or the call is parked.
    slot: Option<Slot>,
    /// How often the client was asked so far.
    round: u32,
    /// Until when the call is parked, while it is.
    until: Option<Instant>,
}

/// What there is for a round.
pub(super) enum Taken {
    /// This.
    Next(Next),
    /// The client is to be asked.
    Questions,
    Nothing,
}

/// The work of a call, driven apart from its rounds. Whatever becomes of it, the round that waits gets an answer.
struct Driven<'a> {
    dialogue: &'a Dialogue,
    reply: Reply,
}

/// A question while its answer is waited for.
struct Asked<'a> {
    dialogue: &'a Dialogue,
    number: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Dialogue {
    pub(super) fn new(
        (rounds, tasks): (&Arc<Rounds>, Option<Arc<Tasks>>),
        subject: Subject,
        profile: Arc<ClientProfile>,
        wanted: Wanted,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        let state = State {
            profile,
            wanted,
            queue: Queue::default(),
            reply: None,
            over: false,
            asking: None,
            task: None,
            no_task: false,
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            rounds: Arc::clone(rounds),
            tasks,
            subject,
            cancel,
            pulse: Pulse::default(),
            state: Mutex::new(state),
            ready: Notify::new(),
            turned: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The first round.
    pub(crate) fn first(self: &Arc<Self>) -> Round {
        Round::of(self)
    }

    /// Opens the round after `round`, if the call is parked since then: hands in the answers of the client.
    pub(super) fn resume(
        self: &Arc<Self>,
        round: u32,
        profile: &ClientProfile,
        wanted: Wanted,
        responses: &Members,
    ) -> Option<Round> {
        let mut state = self.state();
        let state = &mut *state;
        let asking = state.asking.as_mut()?;
        let is_parked = asking.until.is_some_and(|until| Instant::now() < until);
        if !is_parked || asking.round != round {
            return None;
        }
        asking.until = None;
        asking.questions.answer(responses);
        asking.leave_if_idle();
        state.queue.open(&wanted);
        state.profile = profile.detached().into();
        state.wanted = wanted;
        self.turned.notify_one();
        Some(self.first())
    }

    /// Drives the work of the call until that is over and its answer is fetched, or nobody will.
    pub(crate) async fn drive(self: Arc<Self>, work: impl Future<Output = Reply>) {
        self.drive_work(work).await;
        let is_task = self.state().task.is_some();
        if is_task {
            self.turned_to(State::is_over).await;
        } else if self.is_parked() {
            // A client that was asked in vain has still to come for the answer.
            tokio::select! {
                () = self.turned_to(State::is_over) => {}
                () = self.cancel.cancelled() => self.abandon(),
            }
        }
    }

    async fn drive_work(&self, work: impl Future<Output = Reply>) {
        let mut driven = Driven {
            dialogue: self,
            reply: Reply::Nothing,
        };
        let mut work = pin!(work);
        tokio::select! {
            // Who asked is told when a call is given up, but what it makes of that is not the call's answer.
            biased;
            () = self.turned_to(State::is_given_up) => {}
            reply = &mut work => driven.reply = reply,
        }
    }

    /// Waits until the call has come to that. A client that does not come back in time ends it.
    async fn turned_to(&self, fits: fn(&State) -> bool) {
        loop {
            let turned = self.turned.notified();
            let until = {
                let state = self.state();
                if fits(&state) {
                    return;
                }
                state.until()
            };
            match until {
                None => turned.await,
                Some(until) => tokio::select! {
                    () = turned => {}
                    () = tokio::time::sleep_until(until) => self.expire(until),
                },
            }
        }
    }

    fn expire(&self, until: Instant) {
        let mut state = self.state();
        if state.until() == Some(until) {
            state.end();
            drop(state);
            tracing::debug!("A client did not come back for its call");
            self.cancel.cancel();
        }
    }

    fn is_parked(&self) -> bool {
        self.state().is_parked()
    }

    /// Ends the call for its client, which wants nothing more of it.
    pub(super) fn abandon(&self) {
        self.state().end();
        self.cancel.cancel();
        self.turned.notify_one();
    }

    /// The gateway stops: no client comes back any more.
    pub(super) fn forsake(&self, why: &RpcError) {
        let mut state = self.state();
        if state.is_parked() || state.task.is_some() {
            drop(state);
            self.abandon();
        } else if let Some(asking) = &mut state.asking {
            asking.questions.refuse_all(why);
            asking.leave_if_idle();
        }
    }

    /// Waits until there may be something for the round that is open.
    pub(super) fn ready(&self) -> Notified<'_> {
        self.ready.notified()
    }

    /// The call is over. Gives what its client is still to be told.
    pub(super) fn end(&self) -> Vec<Bytes> {
        let mut state = self.state();
        let left = std::iter::from_fn(|| state.queue.pop()).collect();
        state.end();
        left
    }

    /// Takes what there is for the round that is open. Questions are left until they are `gathered`.
    pub(super) fn take(&self, gathered: bool) -> Taken {
        let mut state = self.state();
        if let Some(message) = state.queue.pop() {
            return Taken::Next(Next::Message(message));
        }
        if let Some(reply) = state.reply.take() {
            state.end();
            self.turned.notify_one();
            return Taken::Next(Next::Answered(reply));
        }
        let state = &mut *state;
        let Some(asking) = &mut state.asking else {
            return Taken::Nothing;
        };
        asking.questions.refuse_what_is_not_offered(&state.profile);
        asking.leave_if_idle();
        match &asking.slot {
            None => Taken::Nothing,
            Some(_) if !gathered => Taken::Questions,
            Some(slot) => {
                let id = slot.id;
                Taken::Next(Next::Parked(self.park(asking, id)))
            }
        }
    }

    /// Ends the round that is open with the result that asks the client. From here on the call is parked.
    fn park(&self, asking: &mut Asking, id: u128) -> Bytes {
        let until = Instant::now() + self.rounds.wait();
        asking.round += 1;
        asking.until = Some(until);
        self.turned.notify_one();
        let parked = Sealed::Parked {
            id,
            round: asking.round,
        };
        let sealed = self.rounds.seal(&parked, &self.subject, until);
        let mut result = Vec::with_capacity(512);
        result.extend_from_slice(br#"{"resultType":"input_required","inputRequests":"#);
        asking.questions.write(&mut result);
        result.extend_from_slice(br#","requestState":""#);
        result.extend_from_slice(sealed.as_bytes());
        result.extend_from_slice(b"\"}");
        Json::assembled(result).bytes().clone()
    }

    /// The reply as its client may see it: the state of a modern plugin is sealed (MCP 2026-07-28, multi round-trip
    /// requests). All else stays as it is.
    pub(crate) fn sealed(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Asks(result) => match self.rounds.wrap(&result, &self.subject) {
                Ok(result) => Reply::Result(result),
                Err(error) => Reply::Error(error),
            },
            reply => reply,
        }
    }

    fn put(&self, method: Method, params: Params) -> Result<Asked<'_>, RpcError> {
        if !self.subject.may_be_parked()
            || !matches!(method, Method::Elicit | Method::Sample | Method::RootsList)
        {
            let text = format!(
                "a client of revision 2026-07-28 cannot be asked `{method}` in the middle of `{}`",
                self.subject.method()
            );
            return Err(RpcError::new(METHOD_NOT_FOUND, text));
        }
        // Large arguments take their time, which is not to be spent under the lock.
        self.subject.digest();
        let mut state = self.state();
        let state = &mut *state;
        if state.over {
            return Err(is_over());
        }
        offer::check(&state.profile, &method, &params)?;
        let asking = state.asking.get_or_insert_default();
        if asking.slot.is_none() && state.task.is_none() {
            asking.slot = Some(self.rounds.admit(&self.me, self.subject.principal())?);
        }
        let (number, answer) = asking.questions.add(method, params)?;
        state.task_changed();
        self.ready.notify_one();
        Ok(Asked {
            dialogue: self,
            number,
            answer,
        })
    }
}

impl State {
    fn is_parked(&self) -> bool {
        self.asking
            .as_ref()
            .is_some_and(|asking| asking.until.is_some())
    }

    /// Until when the client may take to come back, where that is waited for.
    fn until(&self) -> Option<Instant> {
        let parked = || self.asking.as_ref()?.until;
        self.task.as_ref().map(|task| task.until()).or_else(parked)
    }

    /// Nothing more can come of the call: its client has gone away or does not come back.
    fn is_over(&self) -> bool {
        self.over
    }

    /// Nobody wants what the work comes to.
    fn is_given_up(&self) -> bool {
        self.over || self.task.as_ref().is_some_and(|task| task.has_ended())
    }

    fn end(&mut self) {
        self.over = true;
        self.task = None;
        self.reply = None;
        self.queue.clear();
        if let Some(mut asking) = self.asking.take() {
            asking.questions.refuse_all(&is_over());
        }
    }
}

impl Asking {
    /// Gives the place in the table back when nothing is asked in a round that is open.
    fn leave_if_idle(&mut self) {
        if self.until.is_none() && self.questions.is_empty() {
            self.slot = None;
        }
    }
}

impl Client for Dialogue {
    fn notify(&self, method: &Method, params: &Params) {
        if *method == Method::Progress {
            self.pulse.beat(now());
        }
        let mut state = self.state();
        if state.over {
            return;
        }
        if state.task.is_some() {
            return state.task_told(method, params);
        }
        let is_open = !state.is_parked();
        let State { wanted, queue, .. } = &mut *state;
        if !queue.push(method, params, is_open.then_some(&*wanted)) {
            tracing::debug!("Dropped a notification for a client that does not read");
        }
        drop(state);
        self.ready.notify_one();
    }

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        Box::pin(async move {
            let mut asked = self.put(method, params)?;
            let _asking = self.pulse.asking(now);
            (&mut asked.answer).await.unwrap_or_else(|_| Err(is_over()))
        })
    }

    fn pulse(&self) -> Option<&Pulse> {
        Some(&self.pulse)
    }

    fn may_stop_waiting(&self) -> bool {
        self.tasks.is_some()
    }

    fn takes_questions(&self) -> bool {
        let mut state = self.state();
        state.no_task |= state.task.is_none();
        state.no_task
    }
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        let reply = std::mem::replace(&mut self.reply, Reply::Nothing);
        let mut state = self.dialogue.state();
        if state.task.is_some() {
            drop(state);
            self.dialogue.end_task(reply);
        } else if !state.over {
            state.reply = Some(reply);
            self.dialogue.ready.notify_one();
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut state = self.dialogue.state();
        if let Some(asking) = &mut state.asking {
            asking.questions.withdraw(self.number);
            asking.leave_if_idle();
            state.task_changed();
        }
    }
}

fn is_over() -> RpcError {
    RpcError::new(
        INTERNAL_ERROR,
        "the call that the question belongs to is over",
    )
}
