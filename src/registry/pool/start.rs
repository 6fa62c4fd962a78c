//! Bringing an instance to life, and seeing it to its end.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::manifest::Load;
use crate::model::fault::Fault;
use crate::registry::life_events::LifeKind;
use crate::registry::pool::offered::moved;
use crate::registry::pool::slot::{Slot, Started};
use crate::registry::pool::speech::Asker;
use crate::registry::pool::{BLOCKED, Failure, Pool, State};
use crate::runtime::{Host, Instance, Surface};
use crate::wire::revision::Era;

/// An instance that has run for so long is well: what failed before it no longer counts for the next wait.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

impl Pool {
    /// Starts the instance of `slot` in a task of its own and watches over it until it ends.
    pub(super) fn start(self: &Arc<Self>, slot: Arc<Slot>, prefer: Era) {
        let pool = Arc::clone(self);
        let name = format!("{} instance", self.manifest.id);
        self.supervisor.spawn(name, move |stop| async move {
            let (life, began) = (Arc::clone(&pool.life), Mutex::new(Instant::now()));
            let reached = move |milestone| {
                let mut began = began.lock().expect("no holder of this lock panics");
                let since = std::mem::replace(&mut *began, Instant::now());
                life.reached(milestone, since.elapsed());
            };
            let host = Host {
                reached: Arc::new(reached),
                plugin: pool.manifest.id.clone(),
                supervisor: pool.supervisor.child(),
                profile: Arc::clone(&slot.profile),
                folder: None,
                session: slot.owner.borrow().clone(),
                grants: Arc::clone(&pool.grants),
                prefer,
                updates: Arc::clone(&slot.updates),
                supply: pool.supply(),
                metrics: pool.metrics(),
                events: pool.events(),
                version: pool.version,
            };
            let started = tokio::select! {
                started = pool.runtime.start(pool.manifest_for_start(), host) => started,
                () = slot.retired.cancelled() => return pool.given_up(&slot),
                () = stop.cancelled() => Err(pool.stopping()),
            };
            match started {
                Ok(instance) => pool.watch(slot, instance, prefer).await,
                Err(fault) => pool.failed(&slot, fault),
            }
        });
    }

    /// A start that nobody wants any more. That is no failure.
    fn given_up(&self, slot: &Arc<Slot>) {
        self.state().slots.retain(|known| !Arc::ptr_eq(known, slot));
        let fault = Arc::new(self.stopping());
        slot.started.send_replace(Some(Started::Failed(fault)));
    }

    fn failed(self: &Arc<Self>, slot: &Arc<Slot>, fault: Fault) {
        let id = &self.manifest.id;
        let try_again = fault.reason == "probe_failed";
        if try_again {
            tracing::debug!(plugin.id = %id, "Starts `{id}` again without asking for its era: {fault}");
        } else {
            tracing::warn!(plugin.id = %id, reason = fault.reason, "Could not start `{id}`: {fault}");
        }
        let mut state = self.state();
        state.slots.retain(|known| !Arc::ptr_eq(known, slot));
        state.note_failure(
            fault.again(),
            try_again,
            Duration::from_millis(self.manifest.restart.within_ms),
        );
        if !try_again {
            self.count_failure(&mut state);
            let running = state.slots.iter().any(|slot| slot.instance().is_some());
            self.life.failed(&fault, running);
        }
        drop(state);
        if !try_again {
            self.happened(LifeKind::Failed, Some(&fault.message));
        }
        if self.surface().is_none() {
            self.retry();
        }
        let outcome = if try_again {
            Started::TryAgain
        } else {
            Started::Failed(Arc::new(fault))
        };
        slot.started.send_replace(Some(outcome));
    }

    /// Tries again by itself, within the budget, to start a plugin that starts with the gateway: one of which it is not
    /// known what it offers, since nobody can call what is not listed, or one that all clients share.
    pub(super) fn retry(self: &Arc<Self>) {
        let wanted = self.manifest.load == Load::Eager && self.manifest.restart.max > 0;
        if !wanted {
            return;
        }
        let wait = {
            let mut state = self.state();
            if std::mem::replace(&mut state.retrying, true) {
                return;
            }
            let initial = Duration::from_millis(self.manifest.restart.backoff_initial_ms);
            let told = state
                .last_failure
                .as_ref()
                .and_then(|fault| fault.retry_after);
            initial.max(state.backoff).max(told.unwrap_or_default())
        };
        let pool = Arc::clone(self);
        let name = format!("{} retry", self.manifest.id);
        self.supervisor.spawn(name, move |stop| async move {
            let mut wait = wait;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => return,
                }
                let started = tokio::select! {
                    started = pool.warm() => started,
                    () = stop.cancelled() => return,
                };
                match started {
                    Ok(()) => break,
                    Err(fault) if matches!(fault.reason, "shutting_down" | BLOCKED) => break,
                    Err(fault) => wait = fault.retry_after.unwrap_or(wait),
                }
            }
            pool.state().retrying = false;
        });
    }

    async fn watch(self: Arc<Self>, slot: Arc<Slot>, instance: Arc<dyn Instance>, asked: Era) {
        let mut surface = instance.surface();
        let mut offers = surface.borrow_and_update().clone();
        let gone = {
            let mut state = self.state();
            state.speech.learn(asked, instance.era());
            let owner = slot.owner.borrow().clone();
            let asker = Asker {
                session: owner.as_ref(),
                principal: &slot.principal,
                profile: &slot.profile,
            };
            let is = self.wanted_in(instance.era(), asker);
            if is.told != slot.told() {
                slot.turn_into(is);
            }
            state.failures.retain(|failure| !failure.may_be_ours);
            // Whoever stops the pool either sees the instance, or has said so before.
            let gone = state.stopped || slot.retired.is_cancelled();
            if !gone {
                self.life.started();
                slot.set_surface(self.offered.found(&slot.told(), &offers), &offers);
                let ready = Started::Ready(Arc::clone(&instance));
                slot.started.send_replace(Some(ready));
            }
            gone
        };
        if gone {
            self.given_up(&slot);
            return drop(instance.stop().await);
        }
        let owner = slot.owner.borrow().clone();
        if let Some(session) = owner {
            instance.adopt(&session);
        }
        let started = Instant::now();
        let well = tokio::time::sleep(HEALTHY_AFTER);
        tokio::pin!(well);
        let mut is_well = false;
        tracing::info!(plugin.id = %self.manifest.id, era = instance.era().as_str(), process.pid = instance.pid(), "Started `{}`", self.manifest.id);
        self.happened(LifeKind::Started, None);
        let session_ended = async {
            let mut owner = slot.owner.subscribe();
            let session = match owner.wait_for(Option::is_some).await {
                Ok(owner) => owner.clone(),
                Err(_) => None,
            };
            match session.filter(|_| instance.era() == Era::Legacy) {
                Some(session) => session.ended().cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(session_ended);
        loop {
            tokio::select! {
                () = slot.retired.cancelled() => return self.left(&slot),
                () = &mut well, if !is_well => {
                    is_well = true;
                    self.state().failed_in_a_row = 0;
                }
                () = &mut session_ended => {
                    if self.take_out(&slot, &instance) {
                        self.happened(LifeKind::Stopped, None);
                        self.end(&instance).await;
                    }
                    return;
                }
                () = instance.ended().cancelled() => return self.ended(&slot, &instance, started).await,
                changed = surface.changed() => match changed {
                    Ok(()) => {
                        let now = surface.borrow_and_update().clone();
                        self.moved(&slot, &offers, &now);
                        offers = now;
                    }
                    Err(_) => return self.ended(&slot, &instance, started).await,
                },
            }
        }
    }

    /// An instance came to an end that nobody asked for.
    async fn ended(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        instance: &Arc<dyn Instance>,
        started: Instant,
    ) {
        if !self.take_out(slot, instance) {
            // Whoever took it out deals with its end.
            return self.left(slot);
        }
        let words = instance
            .last_words()
            .unwrap_or_else(|| "it gave no reason".to_owned());
        let id = &self.manifest.id;
        tracing::warn!(plugin.id = %id, "`{id}` ended by itself: {words}");
        let fault = Fault::new(
            crate::model::fault::FaultKind::Unavailable,
            format!("plugin `{id}` ended: {words}"),
        );
        self.left(slot);
        if started.elapsed() >= HEALTHY_AFTER {
            self.state().failed_in_a_row = 0;
        }
        self.crashed(instance, &fault.because("upstream_exited"));
        // Ends what it left behind.
        self.end(instance).await;
    }

    /// Whoever was offered what this instance had come to offer is offered what others are again.
    fn left(&self, slot: &Slot) {
        if slot.has_moved() {
            self.offered.changed();
        }
    }

    /// An instance says that it offers something else now: to those alone whose doing that may be, or to all it was
    /// started for.
    fn moved(&self, slot: &Slot, before: &Surface, now: &Arc<Surface>) {
        let shared = slot.surface().unwrap_or_default();
        let surface = moved(before, now, &shared);
        slot.set_surface(Arc::clone(&surface), now);
        match slot.is_own() {
            true => {
                slot.mark_moved();
                self.offered.changed();
            }
            false => self.offered.now(&slot.told(), &surface),
        }
    }
}

impl State {
    pub(super) fn note_failure(&mut self, fault: Fault, may_be_ours: bool, within: Duration) {
        let at = Instant::now();
        self.failures
            .retain(|failure| at.duration_since(failure.at) < within);
        self.failures.push_back(Failure { at, may_be_ours });
        self.last_failure = Some(fault);
    }
}
