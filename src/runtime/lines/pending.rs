//! The requests that wait for an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::model::client::Client;
use crate::model::fault::{Fault, FaultKind};
use crate::wire::json::Json;
use crate::wire::message::Outcome;

/// How long after its caller gave up a plugin may still say something about a request, if it does not answer it.
const STILL_AT_WORK: Duration = Duration::from_secs(60);

/// The most such requests that are remembered.
const MAX_ABANDONED: usize = 1024;

/// The client behind a request.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: Arc<dyn Client>,
    /// What it marks progress with.
    pub(crate) token: Option<Json>,
}

struct Waiter {
    answer: oneshot::Sender<Result<Outcome, Fault>>,
    caller: Option<Caller>,
}

/// The requests of one pipe that wait.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    requests: HashMap<u64, Waiter>,
    /// Requests whose callers gave up, and since when, while the plugin may still be at work for them.
    abandoned: HashMap<u64, Instant>,
    /// Why the pipe ended, once it has.
    ended: Option<Fault>,
}

impl Pending {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn add(
        &self,
        id: u64,
        caller: Option<Caller>,
    ) -> oneshot::Receiver<Result<Outcome, Fault>> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.ended.is_none() {
            waiting.requests.insert(id, Waiter { answer, caller });
        }
        receiver
    }

    /// Forgets a request. `abandoned` when the plugin may still be at work for it.
    pub(crate) fn remove(&self, id: u64, abandoned: bool) {
        let mut waiting = self.waiting();
        waiting.requests.remove(&id);
        if abandoned {
            let now = Instant::now();
            waiting
                .abandoned
                .retain(|_, since| now.duration_since(*since) < STILL_AT_WORK);
            if waiting.abandoned.len() < MAX_ABANDONED {
                waiting.abandoned.insert(id, now);
            }
        }
    }

    /// Hands an answer to who waits for it; `false` when nobody does.
    pub(crate) fn complete(&self, id: u64, outcome: Result<Outcome, Fault>) -> bool {
        let waiter = {
            let mut waiting = self.waiting();
            waiting.abandoned.remove(&id);
            waiting.requests.remove(&id)
        };
        waiter.is_some_and(|waiter| waiter.answer.send(outcome).is_ok())
    }

    /// Fails the request that waits longest; `false` when none does. For an answer whose id cannot be read.
    pub(crate) fn fail_oldest(&self, fault: Fault) -> bool {
        let oldest = {
            let waiting = self.waiting();
            let oldest = |ours: bool| {
                let of_kind = waiting
                    .requests
                    .iter()
                    .filter(|(_, waiter)| waiter.caller.is_none() == ours);
                of_kind.map(|(id, _)| *id).min()
            };
            // A request of our own may be one that is never answered: a subscription.
            oldest(false).or_else(|| oldest(true))
        };
        oldest.is_some_and(|id| self.complete(id, Err(fault)))
    }

    /// Fails all that wait, and whoever comes later.
    pub(crate) fn fail_all(&self, fault: &Fault) {
        let waiters = {
            let mut waiting = self.waiting();
            waiting.ended.get_or_insert_with(|| fault.again());
            std::mem::take(&mut waiting.requests)
        };
        for waiter in waiters.into_values() {
            // One that is gone does not need to know.
            drop(waiter.answer.send(Err(fault.again())));
        }
    }

    /// Fails all that wait now; the pipe goes on.
    pub(crate) fn fail_waiting(&self, fault: &Fault) {
        let waiters = std::mem::take(&mut self.waiting().requests);
        for waiter in waiters.into_values() {
            drop(waiter.answer.send(Err(fault.again())));
        }
    }

    pub(crate) fn why_ended(&self) -> Fault {
        let ended = self.waiting().ended.as_ref().map(Fault::again);
        ended.unwrap_or_else(|| {
            Fault::new(FaultKind::Unavailable, "the plugin has ended").because("upstream_exited")
        })
    }

    /// The client behind the request `id`, with its progress token.
    pub(crate) fn caller(&self, id: u64) -> Option<Caller> {
        self.waiting()
            .requests
            .get(&id)
            .and_then(|waiter| waiter.caller.clone())
    }

    /// Whether the plugin may still say something about a request whose caller gave up.
    pub(crate) fn is_at_work(&self) -> bool {
        self.waiting().is_at_work()
    }

    /// The one client that something without an address can be for: the only one that waits, or, where all that wait
    /// belong to one session, the one that came last.
    pub(crate) fn addressee(&self, one_session: bool) -> Option<Caller> {
        let waiting = self.waiting();
        let mut callers = waiting
            .requests
            .iter()
            .filter_map(|(id, waiter)| Some((*id, waiter.caller.as_ref()?)));
        if one_session {
            return callers
                .max_by_key(|(id, _)| *id)
                .map(|(_, caller)| caller.clone());
        }
        if waiting.is_at_work() {
            // It may be about a call that its caller gave up, which is none of the next caller's business.
            return None;
        }
        let only = callers.next()?.1.clone();
        callers.next().is_none().then_some(only)
    }
}

impl Waiting {
    fn is_at_work(&self) -> bool {
        let mut abandoned = self.abandoned.values();
        abandoned.any(|since| since.elapsed() < STILL_AT_WORK)
    }
}
