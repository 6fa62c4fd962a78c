//! The way back from a call to the client that made it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use futures::future::BoxFuture;

use crate::wire::error::{METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::meta::PER_HOP;
use crate::wire::method::Method;

/// Reaches the client of one call while the call runs.
pub trait Client: Send + Sync {
    /// Tells the client something about this call: progress, a log message. Never waits; what a full buffer cannot take
    /// is dropped and counted.
    fn notify(&self, method: &Method, params: &Params);

    /// Asks the client: elicitation, sampling, roots. The answer is the result or the client's error. A client that did
    /// not offer this is not asked. Dropping the future takes the question back.
    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>>;

    /// The same for a question that may be taken back in words: `farewell` holds them by the time the future is dropped.
    fn ask_until(
        &self,
        method: Method,
        params: Params,
        farewell: Farewell,
    ) -> BoxFuture<'_, Result<Json, RpcError>> {
        let _ = farewell;
        self.ask(method, params)
    }

    /// What the call's deadline is moved by; `None` where nothing moves it.
    fn pulse(&self) -> Option<&Pulse> {
        None
    }

    /// Whether the client may stop waiting for the answer of the call before that is there, and come back for it.
    fn may_stop_waiting(&self) -> bool {
        false
    }

    /// Whether the answer of the call may be questions of a modern plugin, for the client to answer and to call again.
    /// Once that was said it stays so; where the client has stopped waiting the questions are asked on the way.
    fn takes_questions(&self) -> bool {
        true
    }
}

/// What was said when a request was taken back. Clones are one.
#[derive(Clone, Default)]
pub struct Farewell(Arc<Said>);

#[derive(Default)]
struct Said {
    params: OnceLock<Params>,
    /// Is told at once, in the order of what else is told.
    then: Mutex<Option<Then>>,
}

type Then = Box<dyn FnOnce(&Farewell) + Send>;

impl Farewell {
    /// This was said; only the first time counts.
    pub fn say(&self, params: &Params) {
        if self.0.params.set(params.clone()).is_err() {
            return;
        }
        let then = self
            .0
            .then
            .lock()
            .expect("no holder of this lock panics")
            .take();
        if let Some(then) = then {
            then(self);
        }
    }

    /// Does something at the moment at which it is said; at once, if that has happened.
    pub fn then(&self, work: impl FnOnce(&Self) + Send + 'static) {
        let mut then = self.0.then.lock().expect("no holder of this lock panics");
        if self.0.params.get().is_none() {
            *then = Some(Box::new(work));
            return;
        }
        drop(then);
        work(self);
    }

    /// The params that take back the request that the other side knows as `id`: what was said, if anything was.
    pub fn params(said: Option<&Self>, id: u64) -> Params {
        let said = said.and_then(|said| said.0.params.get().cloned());
        let mut params = said.unwrap_or_default();
        PER_HOP.iter().for_each(|key| drop(params.meta.remove(key)));
        params.members.set("requestId", Json::of(&id));
        params
    }
}

impl std::fmt::Debug for Farewell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Farewell").field(&self.0.params).finish()
    }
}

/// Hears what plugins tell outside of any call: a session, an open subscription.
pub trait Hearer: Send + Sync {
    /// Is told something. Never waits; what a full buffer cannot take is dropped and counted.
    fn hear(&self, method: &Method, params: &Params);
}

/// Signs of life of one call: when it last got on, and whether it waits for its client or its client for it.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Beats>);

#[derive(Debug, Default, Clone, Copy)]
struct Beats {
    last: Option<Instant>,
    asking: usize,
    unwaited: bool,
}

/// A question while its answer is waited for. Dropping it ends that.
#[derive(Debug)]
pub struct Asking<'a> {
    pulse: &'a Pulse,
    now: fn() -> Instant,
}

impl Pulse {
    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// The call got on: progress was reported, an answer came.
    pub fn beat(&self, now: Instant) {
        self.beats().last = Some(now);
    }

    /// The call waits for its client until the guard is dropped; that counts as a beat, at the time that `now` tells.
    pub fn asking(&self, now: fn() -> Instant) -> Asking<'_> {
        self.beats().asking += 1;
        Asking { pulse: self, now }
    }

    /// The client has stopped waiting for the answer of the call: it may take its time from here on.
    pub fn take_your_time(&self) {
        self.beats().unwaited = true;
    }

    /// When the last beat was, and whether none is needed: the call waits for its client, or its client does not wait
    /// for it.
    pub fn read(&self) -> (Option<Instant>, bool) {
        let beats = *self.beats();
        (beats.last, beats.asking > 0 || beats.unwaited)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut beats = self.pulse.beats();
        beats.asking -= 1;
        beats.last = Some((self.now)());
    }
}

/// A client that hears nothing and answers nothing: scripts over plain HTTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deaf;

impl Client for Deaf {
    fn notify(&self, _: &Method, _: &Params) {}

    fn ask(&self, method: Method, _: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        let error = RpcError::new(
            METHOD_NOT_FOUND,
            format!("this client cannot be asked `{method}`"),
        );
        Box::pin(std::future::ready(Err(error)))
    }
}
