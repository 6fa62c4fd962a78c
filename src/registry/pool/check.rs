//! Asking the instances of a plugin how they are, and ending one that is not well.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::manifest::Isolation;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::health::ask::by_tool;
use crate::registry::life_events::LifeKind;
use crate::registry::pool::Pool;
use crate::registry::pool::slot::Slot;
use crate::runtime::Instance;
use crate::wire::revision::Era;

/// The reason of calls whose instance was ended because it was not well.
pub const UNHEALTHY: &str = "unhealthy";

impl Pool {
    /// Asks all instances that run at once how they are. Good where all are that said something; `None` where none did
    /// that counts. One that belongs to no session and was bad `health.unhealthy_after` times in a row is ended, as if it
    /// had crashed; not so the way to a remote server, which is not ours to start again.
    pub async fn check(self: &Arc<Self>) -> Option<Result<(), Fault>> {
        let slots = self.state().slots.clone();
        let checks = slots.iter().filter_map(|slot| {
            let instance = slot.instance()?;
            Some(self.check_one(slot, instance))
        });
        let checked = futures::future::join_all(checks).await;
        let mut counted = checked.into_iter().flatten();
        let first = counted.next()?;
        Some(counted.fold(first, Result::and))
    }

    /// Asks one instance. What it says counts unless
    /// - it ended or left meanwhile: that is told elsewhere;
    /// - nobody was asked, because the server wants to be left alone;
    /// - it was silent, and a call was in flight on it at any time during the check. It may do one thing at a time: then it
    ///   is the call's deadline that says how long it may be silent, and calls that pass it in a row have the instance
    ///   asked and ended as well (`pool/lease.rs`).
    async fn check_one(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        instance: Arc<dyn Instance>,
    ) -> Option<Result<(), Fault>> {
        let (began, was_busy) = (Instant::now(), slot.uses() > 0);
        let checked = self.ask(slot, &*instance).await;
        if slot.retired.is_cancelled() || !instance.is_open() {
            return None;
        }
        let Err(fault) = checked else {
            slot.bad_checks.store(0, Ordering::Relaxed);
            return Some(Ok(()));
        };
        let silent = matches!(fault.kind, FaultKind::Timeout | FaultKind::Busy);
        let is_busy = was_busy || slot.uses() > 0 || slot.last_used() >= began;
        if fault.retry_after.is_some() || (silent && is_busy) {
            return None;
        }
        let n_bad = slot.bad_checks.fetch_add(1, Ordering::Relaxed) + 1;
        let is_ill = n_bad >= self.manifest.health.unhealthy_after;
        if is_ill && self.runtime.is_ours() && !slot.is_owned() {
            let id = &self.manifest.id;
            let message = format!(
                "plugin `{id}` was ended: it was not well at {n_bad} checks in a row: {fault}"
            );
            let why = Fault::new(FaultKind::Unavailable, message).because(UNHEALTHY);
            self.put_down(slot, &instance, &why);
        }
        Some(Err(fault))
    }

    async fn ask(&self, slot: &Arc<Slot>, instance: &dyn Instance) -> Result<(), Fault> {
        let health = &self.manifest.health;
        let deadline = Duration::from_millis(health.timeout_ms);
        let Some(tool) = &health.tool else {
            return instance.probe(deadline).await;
        };
        let state = self.state();
        let borrowed = Borrowed::take(slot);
        drop(state);
        let Some(borrowed) = borrowed else {
            // Whoever has it to itself would miss what it says meanwhile.
            return instance.probe(deadline).await;
        };
        let asked = by_tool(&self.manifest.id, tool, instance, deadline).await;
        if asked
            .as_ref()
            .is_err_and(|fault| fault.kind == FaultKind::Timeout)
        {
            // It may still be at it.
            slot.mark_used();
        }
        drop(borrowed);
        asked
    }

    /// Ends an instance that is of no use any more, unless it has left already. Calls that run on it are told `why`. It counts
    /// as a crash; for a remote server its breaker counts.
    pub(super) fn put_down(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        instance: &Arc<dyn Instance>,
        why: &Fault,
    ) {
        if !self.take_out(slot, instance) {
            return;
        }
        let id = &self.manifest.id;
        tracing::warn!(plugin.id = %id, reason = why.reason, "Ends an instance: {why}");
        // Nobody else sets it: it is taken out once.
        drop(slot.why_ended.set(why.again()));
        slot.retired.cancel();
        if self.runtime.is_ours() {
            self.crashed(instance, why);
        }
        let (pool, instance) = (Arc::clone(self), Arc::clone(instance));
        self.supervisor.spawn(format!("{id} stop"), |_| async move {
            pool.end(&instance).await;
        });
    }

    /// Counts an end that nobody asked for, and starts another instance where that is for all.
    pub(super) fn crashed(self: &Arc<Self>, instance: &Arc<dyn Instance>, why: &Fault) {
        {
            let mut state = self.state();
            let within = Duration::from_millis(self.manifest.restart.within_ms);
            state.note_failure(why.again(), false, within);
            self.count_failure(&mut state);
            let others = state.slots.iter().any(|slot| slot.instance().is_some());
            let spent = !others && self.is_spent(&state);
            self.life.crashed(why, spent);
        }
        self.happened(LifeKind::Failed, Some(&why.message));
        if self.isolation == Isolation::Shared || instance.era() == Era::Modern {
            self.retry();
        }
    }

    /// Takes a slot out whose instance is about to be stopped, which [`Pool::stop`] waits for. `false` where somebody else
    /// has.
    pub(super) fn take_out(&self, slot: &Arc<Slot>, instance: &Arc<dyn Instance>) -> bool {
        let mut state = self.state();
        let before = state.slots.len();
        state.slots.retain(|known| !Arc::ptr_eq(known, slot));
        let was_there = state.slots.len() < before;
        if was_there {
            state.leaving.push(Arc::clone(instance));
        }
        was_there
    }
}

/// An instance that a check calls a tool of. One that serves one call at a time serves nobody else meanwhile.
struct Borrowed<'a> {
    slot: &'a Slot,
    counted: bool,
}

impl<'a> Borrowed<'a> {
    /// Under the lock of the pool. `None` for one that is somebody's and at work.
    fn take(slot: &'a Slot) -> Option<Self> {
        let counted = slot.borrow_for_check()?;
        Some(Self { slot, counted })
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if self.counted {
            self.slot.end_check();
        }
    }
}
