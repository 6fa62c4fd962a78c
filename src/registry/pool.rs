//! The instances of one plugin: who may use which, when they are started, when they end.
//!
//! A lease is held for one call. Starting runs in a task of its own, so a caller that gives up does not end what others
//! wait for. All that must agree sits behind one lock, which is never held across an await.

pub(crate) mod budget;

mod ending;

mod check;

mod configured;

mod lease;

mod log;

mod offered;

mod slot;

mod speech;

mod standing;

mod start;

mod surrounded;

pub mod usage;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use crate::background::Supervisor;
use crate::manifest::{Grant, Isolation, Manifest};
use crate::model::caller::ClientProfile;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::life::record::Life;
use crate::registry::pool::budget::NotNow;
pub use crate::registry::pool::check::UNHEALTHY;
pub use crate::registry::pool::configured::Taken;
pub use crate::registry::pool::lease::Lease;
use crate::registry::pool::lease::Reserved;
use crate::registry::pool::offered::Offered;
use crate::registry::pool::slot::{Holder, Slot, Started, Wanted};
use crate::registry::pool::speech::{Asker, Speech};
pub use crate::registry::pool::standing::Standing;
use crate::registry::pool::surrounded::Surrounded;
use crate::runtime::updates::Updates;
use crate::runtime::{CallContext, Instance, LogLine, Runtime, Surface};
use crate::session::Session;

/// The reason of a start that is refused because something is missing.
const BLOCKED: &str = "blocked";

/// How long lists that are others now may take to be read for somebody who waits.
const CATCH_UP: Duration = Duration::from_secs(5);

/// The instances of one plugin.
pub struct Pool {
    manifest: Arc<Manifest>,
    /// The manifest with the settings of the next start, where they are others.
    configured: ArcSwapOption<Manifest>,
    /// Whether what runs has other settings than those.
    behind: AtomicBool,
    grants: Arc<BTreeSet<Grant>>,
    runtime: Arc<dyn Runtime>,
    life: Arc<Life>,
    supervisor: Supervisor,
    isolation: Isolation,
    offered: Offered,
    /// Counts the updates of resources that instances told of.
    updates: Arc<AtomicU64>,
    surrounded: Surrounded,
    state: Mutex<State>,
    /// The last lines of instances that are gone.
    past: Mutex<Vec<LogLine>>,
    version: &'static str,
}

#[derive(Default)]
struct State {
    slots: Vec<Arc<Slot>>,
    /// Instances that have left their slots and are being stopped.
    leaving: Vec<Arc<dyn Instance>>,
    /// Which eras the plugin speaks.
    speech: Speech,
    /// When starts failed or instances ended by themselves, within the time that counts.
    failures: VecDeque<Failure>,
    last_failure: Option<Fault>,
    /// How many starts failed, or came to an early end, since an instance was well for a while.
    failed_in_a_row: u32,
    /// How long nothing is started after the latest of them.
    backoff: Duration,
    stopped: bool,
    /// Whether a task tries to start it again.
    retrying: bool,
    starts: u64,
}

/// A start that failed, or an instance that ended by itself.
struct Failure {
    at: Instant,
    /// The plugin may only have disliked the question for its era: forgotten when it starts without.
    may_be_ours: bool,
}

/// Who wants something of a plugin: a kind of client, and its session if it has one.
#[derive(Debug, Clone)]
pub struct Who {
    /// The name of the credential it comes with.
    pub principal: Arc<str>,
    /// What the client said of itself.
    pub profile: Arc<ClientProfile>,
    /// Its session.
    pub session: Option<Arc<Session>>,
}

impl Pool {
    /// A pool without instances, which tells `life` what becomes of them. `declared` is offered until one says more.
    pub fn new(
        (manifest, declared): (Arc<Manifest>, Arc<Surface>),
        grants: BTreeSet<Grant>,
        (runtime, life): (Arc<dyn Runtime>, Arc<Life>),
        isolation: Isolation,
        supervisor: Supervisor,
        version: &'static str,
    ) -> Arc<Self> {
        let state = State {
            speech: Speech::of(manifest.era),
            ..State::default()
        };
        Arc::new(Self {
            manifest,
            configured: ArcSwapOption::empty(),
            behind: AtomicBool::new(false),
            grants: Arc::new(grants),
            runtime,
            life,
            supervisor,
            isolation,
            offered: Offered::new(declared),
            updates: Arc::default(),
            surrounded: Surrounded::default(),
            state: Mutex::new(state),
            past: Mutex::default(),
            version,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// How many updates of resources its instances have told of, whoever watches.
    pub fn updates(&self) -> u64 {
        self.updates.load(Ordering::SeqCst)
    }

    /// Counts the changes of what the plugin offers to anyone.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.offered.changes()
    }

    /// What the plugin offers, as far as is known: to clients in general. Outlives the instances.
    pub fn surface(&self) -> Option<Arc<Surface>> {
        self.offered.general()
    }

    /// What it offers to `who`: from the instance that serves this session alone, else from one that was told of such a
    /// client, else in general.
    pub fn surface_for(&self, who: &Who) -> Option<Arc<Surface>> {
        self.known_to(who).or_else(|| self.surface())
    }

    /// Whether it is known what it offers to `who`, as opposed to clients in general.
    pub fn is_known_to(&self, who: &Who) -> bool {
        self.known_to(who).is_some()
    }

    fn known_to(&self, who: &Who) -> Option<Arc<Surface>> {
        let state = self.state();
        let wanted = self.wanted(&state, who);
        let own = state
            .slots
            .iter()
            .find_map(|slot| slot.own_surface(&wanted));
        drop(state);
        if own.is_some() {
            return own;
        }
        self.offered.to(&wanted.told)
    }

    /// Like [`Pool::lease`], where an instance is there for this caller already.
    pub fn try_lease(self: &Arc<Self>, context: &CallContext) -> Option<Lease> {
        let state = self.state();
        let wanted = self.wanted_by(&state, Asker::of(context));
        let slot = Arc::clone(state.slots.iter().find(|slot| slot.serves(&wanted))?);
        let instance = slot.instance()?;
        slot.enter(&wanted);
        drop(state);
        slot.mark_used();
        Some(Lease {
            pool: Arc::clone(self),
            slot,
            instance,
        })
    }

    /// An instance for one call: the shared one, the session's own, or one that nobody else uses meanwhile.
    pub async fn lease(self: &Arc<Self>, context: &CallContext) -> Result<Lease, Fault> {
        let lease = self.lease_for(&Who::of(context)).await?;
        lease.slot.mark_used();
        Ok(lease)
    }

    /// The instance that serves `session` alone, if one runs.
    pub fn own(&self, session: &Arc<Session>) -> Option<Arc<dyn Instance>> {
        let state = self.state();
        let mine = Holder::Session(Arc::clone(&session.id));
        let mut slots = state.slots.iter();
        slots.find(|slot| slot.is_held_by(&mine))?.instance()
    }

    /// Waits until lists that its instances say are others now have been taken in; whether there were any.
    pub async fn catch_up(&self) -> bool {
        let slots = self.state().slots.clone();
        let catching = slots.iter().map(|slot| async {
            let Some(instance) = slot.instance() else {
                return false;
            };
            let caught = instance.catch_up().await;
            if caught {
                let mut changes = self.changes();
                let offers = instance.surface();
                let taken_in = || slot.has_taken_in(&offers.borrow());
                while !taken_in() && changes.changed().await.is_ok() {}
            }
            caught
        });
        let caught = futures::future::join_all(catching);
        let caught = tokio::time::timeout(CATCH_UP, caught).await;
        caught.is_ok_and(|caught| caught.contains(&true))
    }

    /// Starts an instance if there is none, so that it is known what the plugin offers. Whoever comes first may have it.
    pub async fn warm(self: &Arc<Self>) -> Result<(), Fault> {
        let nobody = Who::nobody();
        let mut again = false;
        loop {
            let slot = match self.some_slot(&nobody, again) {
                Ok(slot) => slot,
                Err(NotNow::Refused(fault)) => return Err(fault),
                Err(NotNow::Soon(wait)) => {
                    tokio::time::sleep(wait).await;
                    continue;
                }
            };
            match slot.outcome().await {
                Some(Started::Ready(_)) => return Ok(()),
                Some(Started::Failed(fault)) => return Err(fault.again()),
                Some(Started::TryAgain) => again = true,
                None => return Err(self.stopping()),
            }
        }
    }

    /// A slot of whoever, or a new one.
    fn some_slot(self: &Arc<Self>, who: &Who, again: bool) -> Result<Arc<Slot>, NotNow> {
        let mut state = self.state();
        match state.slots.iter().find(|slot| !slot.is_over()) {
            Some(slot) => Ok(Arc::clone(slot)),
            None => self.make(&mut state, who, again),
        }
    }

    /// Starts the instance that would serve `who`, so that it is known what the plugin offers to such a client.
    pub async fn warm_for(self: &Arc<Self>, who: &Who) -> Result<(), Fault> {
        self.lease_for(who).await.map(drop)
    }

    async fn lease_for(self: &Arc<Self>, who: &Who) -> Result<Lease, Fault> {
        let mut again = false;
        loop {
            let (slot, wanted) = match self.reserve(who, again) {
                Ok(reserved) => reserved,
                Err(NotNow::Refused(fault)) => return Err(fault),
                Err(NotNow::Soon(wait)) => {
                    tokio::time::sleep(wait).await;
                    continue;
                }
            };
            let lease = |instance| Lease {
                pool: Arc::clone(self),
                slot: Arc::clone(&slot),
                instance,
            };
            if let Some(instance) = slot.instance() {
                return Ok(lease(instance));
            }
            // Gives the place back if this wait is given up.
            let reserved = Reserved {
                pool: self,
                slot: &slot,
            };
            match slot.outcome().await {
                Some(Started::Ready(instance)) => {
                    let learned = self.wanted(&self.state(), who);
                    if wanted != learned || !slot.still_serves(&learned) {
                        // The start has shown which era the plugin speaks, and that others have to be served apart.
                        continue;
                    }
                    std::mem::forget(reserved);
                    return Ok(lease(instance));
                }
                Some(Started::Failed(fault)) => return Err(fault.again()),
                Some(Started::TryAgain) => again = true,
                None => return Err(self.stopping()),
            }
        }
    }

    /// Finds a slot for a caller or makes one, and counts the caller in.
    fn reserve(self: &Arc<Self>, who: &Who, again: bool) -> Result<(Arc<Slot>, Wanted), NotNow> {
        let mut state = self.state();
        let wanted = self.wanted(&state, who);
        let own = who
            .session
            .as_ref()
            .filter(|_| matches!(wanted.holder, Holder::Session(_)));
        let slot = match state.find(&wanted) {
            Some(slot) => slot,
            None => self.make(&mut state, who, again)?,
        };
        slot.enter(&wanted);
        if let Some(session) = own {
            slot.belong_to(session);
        }
        Ok((slot, wanted))
    }

    /// Makes a slot and starts its instance. `again` is for a start that the one before asked for: the budget does not
    /// refuse it.
    fn make(
        self: &Arc<Self>,
        state: &mut State,
        who: &Who,
        again: bool,
    ) -> Result<Arc<Slot>, NotNow> {
        if state.stopped {
            return Err(self.stopping().into());
        }
        let running = state.slots.iter().any(|slot| !slot.is_over());
        let blocked = match running {
            true => self.life.blocked(),
            false => self.life.refuse(),
        };
        if let Some(why) = blocked {
            let message = format!("plugin `{}`: {why}", self.manifest.id);
            return Err(Fault::new(FaultKind::Unavailable, message)
                .because(BLOCKED)
                .into());
        }
        if !again {
            self.check_budget(state)?;
        }
        let bound = self.manifest.limits.max_instances as usize;
        if state.leaving.len() >= bound {
            // Those that are being stopped are processes too.
            return Err(self.full().into());
        }
        let full = state.slots.len() >= bound;
        let evicted = if full {
            Some(state.evict().ok_or_else(|| self.full())?)
        } else {
            None
        };
        state.starts += 1;
        let prefer = self.preferred(state, who.asker());
        let wanted = self.wanted(state, who);
        let owner = match wanted.holder {
            Holder::Session(_) => who.session.clone(),
            Holder::Shared | Holder::OneCall(_) => None,
        };
        let principal = Arc::clone(&who.principal);
        let updates = Updates::counted(Arc::clone(&self.updates));
        let client = (principal, self.told_profile(&who.profile));
        let slot = Slot::new(state.starts, wanted, owner, client, updates);
        state.slots.push(Arc::clone(&slot));
        if let Some(evicted) = evicted {
            self.retire(state, evicted);
        }
        self.start(Arc::clone(&slot), prefer);
        Ok(slot)
    }

    fn full(&self) -> Fault {
        let (id, bound) = (&self.manifest.id, self.manifest.limits.max_instances);
        let message = format!(
            "plugin `{id}` is at its limit of {bound} instances, all in use (`limits.max_instances`)"
        );
        Fault::new(FaultKind::Busy, message)
            .because("overloaded")
            .retry_after(Duration::from_secs(1))
    }

    fn stopping(&self) -> Fault {
        Fault::new(
            FaultKind::Unavailable,
            format!("plugin `{}` is stopping", self.manifest.id),
        )
        .because("shutting_down")
    }

    /// The runtime's choice of how instances belong to sessions, or the manifest's.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Stops the instances that nobody has used for the plugin's idle time, where it has one.
    pub fn stop_idle(self: &Arc<Self>) {
        if self.manifest.limits.idle_timeout_ms == 0 {
            return;
        }
        let bound = Duration::from_millis(self.manifest.limits.idle_timeout_ms);
        let mut state = self.state();
        let idle: Vec<_> = state
            .slots
            .extract_if(.., |slot| slot.idle_for(bound))
            .collect();
        idle.into_iter()
            .for_each(|slot| self.retire(&mut state, slot));
    }

    /// Takes in what another pool of the same plugin has found out that it offers, so that clients are told only of what
    /// differs.
    pub fn learn_from(&self, other: &Self) {
        self.offered.learn_from(&other.offered);
    }

    fn release(&self, slot: &Arc<Slot>) {
        let _state = self.state();
        slot.leave();
    }
}

impl State {
    /// A slot that `wanted` may use: its own, or a free one that was nobody's yet.
    fn find(&self, wanted: &Wanted) -> Option<Arc<Slot>> {
        let mine = self.slots.iter().find(|slot| slot.serves(wanted));
        mine.or_else(|| self.slots.iter().find(|slot| slot.can_become(wanted)))
            .cloned()
    }

    /// Takes out the instance that has been unused longest, one that belongs to no session if there is one.
    fn evict(&mut self) -> Option<Arc<Slot>> {
        let idle = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.idle_for(Duration::ZERO));
        let at = idle
            .min_by_key(|(_, slot)| (slot.owner.borrow().is_some(), slot.last_used()))
            .map(|(at, _)| at)?;
        Some(self.slots.remove(at))
    }
}
