//! The requests that wait for an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

use crate::model::client::Client;
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::given_up::GivenUp;
use crate::wire::json::Json;
use crate::wire::message::Outcome;
use crate::wire::revision::Era;

/// The client behind a request.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: Arc<dyn Client>,
    /// What it marks progress with.
    pub(crate) token: Option<Json>,
    /// Its principal, where it wants log messages.
    pub(crate) logs: Option<Arc<str>>,
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
    /// Those whose callers gave up.
    given_up: GivenUp,
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

    /// Forgets a request. A plugin of the era `given_up` may still say something about it.
    pub(crate) fn remove(&self, id: u64, given_up: Option<Era>) {
        let mut waiting = self.waiting();
        let waiter = waiting.requests.remove(&id);
        if let Some(era) = given_up {
            let caller = waiter.and_then(|waiter| waiter.caller);
            let logs = caller.and_then(|caller| caller.logs);
            waiting.given_up.add(id, era, logs);
        }
    }

    /// Hands an answer to who waits for it; `false` when nobody does.
    pub(crate) fn complete(&self, id: u64, outcome: Result<Outcome, Fault>) -> bool {
        let waiter = {
            let mut waiting = self.waiting();
            waiting.given_up.answered(id);
            waiting.requests.remove(&id)
        };
        waiter.is_some_and(|waiter| waiter.answer.send(outcome).is_ok())
    }

    /// The plugin ends a request of our own, a subscription; `false` when none of that id waits.
    pub(crate) fn end_subscription(&self, id: u64) -> bool {
        let ours = |waiter: &Waiter| waiter.caller.is_none();
        let ours = self.waiting().requests.get(&id).is_some_and(ours);
        let fault = || {
            let message = "the plugin ended the subscription";
            Fault::new(FaultKind::Unavailable, message).because("subscription_ended")
        };
        ours && self.complete(id, Err(fault()))
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

    /// Whether the plugin may still be at work for a caller who gave up.
    pub(crate) fn is_at_work(&self) -> bool {
        self.waiting().given_up.is_at_work()
    }

    /// The one client that a log message of a modern plugin can be for: such a plugin only logs where that was asked for.
    pub(crate) fn listener(&self) -> Option<Caller> {
        let waiting = self.waiting();
        let callers = waiting.requests.values();
        let mut listening = callers
            .filter_map(|waiter| waiter.caller.as_ref())
            .filter(|caller| caller.logs.is_some());
        let only = listening.next()?;
        let may_be_anothers = waiting.given_up.may_log_for_another(only.logs.as_deref()?);
        (listening.next().is_none() && !may_be_anothers).then(|| only.clone())
    }

    /// The one client that something without an address can be for.
    pub(crate) fn addressee(&self, one_session: bool) -> Option<Caller> {
        let waiting = self.waiting();
        let callers = waiting
            .requests
            .iter()
            .filter_map(|(id, waiter)| Some((*id, waiter.caller.as_ref()?)));
        waiting.given_up.addressee(callers, one_session).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::Deaf;

    #[tokio::test(start_paused = true)]
    async fn what_a_modern_plugin_logs_late_is_not_the_next_callers() {
        let pending = Pending::default();
        let caller = |logs: Option<&str>| Caller {
            client: Arc::new(Deaf),
            token: None,
            logs: logs.map(Into::into),
        };
        let _first = pending.add(1, Some(caller(Some("ann"))));
        let _second = pending.add(2, Some(caller(None)));
        assert!(pending.listener().is_some());
        pending.remove(1, Some(Era::Modern));
        let _third = pending.add(3, Some(caller(Some("bob"))));
        assert!(pending.listener().is_none());
        pending.remove(3, None);
        let _hers = pending.add(4, Some(caller(Some("ann"))));
        assert!(pending.listener().is_some());
        pending.remove(2, Some(Era::Modern));
        assert!(pending.addressee(false).is_none());
        // It is everyone's all the same.
        assert!(!pending.is_at_work());
        // A late answer is the last word.
        assert!(!pending.complete(1, Err(pending.why_ended())));
        assert!(pending.listener().is_some());
    }
}
