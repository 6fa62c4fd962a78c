//! One instance of a pool, from before its start until after its end.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::model::caller::ClientProfile;
use crate::model::fault::Fault;
use crate::runtime::updates::Updates;
use crate::runtime::{Instance, Surface};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::revision::Revision;

/// Whose an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// Everyone's.
    Shared,
    /// One session's, for as long as that lives.
    Session(Arc<str>),
    /// One call's, for as long as that runs; then the next one's of the same principal, who may find what the first left
    /// behind.
    OneCall(Arc<str>),
}

impl Holder {
    pub(super) fn is_one_call(&self) -> bool {
        matches!(self, Self::OneCall(_))
    }
}

/// What an instance knows of the clients it serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Told {
    /// Each request says it: a modern instance.
    OnEachRequest,
    /// It was told at its start: a legacy instance.
    AtStart {
        revision: Revision,
        capabilities: Json,
    },
}

/// How a caller may use an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) holder: Holder,
    pub(super) told: Told,
}

/// What became of a start.
#[derive(Clone)]
pub(super) enum Started {
    Ready(Arc<dyn Instance>),
    Failed(Arc<Fault>),
    /// The start taught something that changes how the next is to be done.
    TryAgain,
}

pub(super) struct Slot {
    /// Which start of the plugin it is, from 1.
    pub(super) number: u64,
    /// When its start began.
    pub(super) begun: Instant,
    /// `None` while it is being started.
    pub(super) started: watch::Sender<Option<Started>>,
    /// Cancelled when it has left the pool.
    pub(super) retired: CancellationToken,
    /// How many calls in a row were not answered in time.
    pub(super) silent: AtomicU32,
    /// How many checks of its health in a row were bad.
    pub(super) bad_checks: AtomicU32,
    /// Why the gateway ended its instance, where it did so because that was of no use any more.
    pub(super) why_ended: OnceLock<Fault>,
    /// The session that has it to itself, once one does.
    pub(super) owner: watch::Sender<Option<Arc<Session>>>,
    /// Who it was started for.
    pub(super) principal: Arc<str>,
    /// The client that its instance is told of at its start.
    pub(super) profile: Arc<ClientProfile>,
    /// Who hears of updates of its resources.
    pub(super) updates: Arc<Updates>,
    held: Mutex<Held>,
}

struct Held {
    wanted: Wanted,
    /// What its instance offers, once it has started.
    surface: Option<Arc<Surface>>,
    /// The same as the instance gave it.
    raw: Option<Arc<Surface>>,
    uses: usize,
    last_used: Instant,
    /// Whether a call has run on it: then it may hold what one caller left behind.
    used: bool,
    /// Whether what it offers came to be by what its callers did.
    moved: bool,
}

impl Slot {
    pub(super) fn new(
        number: u64,
        wanted: Wanted,
        owner: Option<Arc<Session>>,
        (principal, profile): (Arc<str>, Arc<ClientProfile>),
        updates: Updates,
    ) -> Arc<Self> {
        let held = Held {
            wanted,
            surface: None,
            raw: None,
            uses: 0,
            last_used: Instant::now(),
            used: false,
            moved: false,
        };
        Arc::new(Self {
            number,
            begun: Instant::now(),
            started: watch::Sender::new(None),
            retired: CancellationToken::new(),
            silent: AtomicU32::new(0),
            bad_checks: AtomicU32::new(0),
            why_ended: OnceLock::new(),
            owner: watch::Sender::new(owner),
            principal,
            profile,
            updates: Arc::new(updates),
            held: Mutex::new(held),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of this lock panics")
    }

    /// The instance, if it runs.
    pub(super) fn instance(&self) -> Option<Arc<dyn Instance>> {
        match &*self.started.borrow() {
            Some(Started::Ready(instance)) if instance.is_open() => Some(Arc::clone(instance)),
            _ => None,
        }
    }

    /// Waits for what becomes of its start; `None` when nothing does.
    pub(super) async fn outcome(&self) -> Option<Started> {
        let mut started = self.started.subscribe();
        let outcome = started.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }

    /// Whether it failed to start or has ended.
    pub(super) fn is_over(&self) -> bool {
        match &*self.started.borrow() {
            None => false,
            Some(Started::Ready(instance)) => !instance.is_open(),
            Some(Started::Failed(_) | Started::TryAgain) => true,
        }
    }

    /// Whether it is there for `wanted` already.
    pub(super) fn serves(&self, wanted: &Wanted) -> bool {
        let held = self.held();
        let free = !wanted.holder.is_one_call() || (held.uses == 0 && !self.is_at_work());
        held.wanted == *wanted && free && !self.is_over()
    }

    /// Whether its instance may still say something about a call whose caller has gone.
    fn is_at_work(&self) -> bool {
        match &*self.started.borrow() {
            Some(Started::Ready(instance)) => instance.is_at_work(),
            _ => false,
        }
    }

    /// Whether who came for `wanted`, and is counted in, may use it: its start may have made it something else.
    pub(super) fn still_serves(&self, wanted: &Wanted) -> bool {
        let held = self.held();
        held.wanted == *wanted && (!wanted.holder.is_one_call() || held.uses == 1)
    }

    /// Whether it can be given to `wanted` without showing it anything of someone else's.
    pub(super) fn can_become(&self, wanted: &Wanted) -> bool {
        let held = self.held();
        held.wanted.holder.is_one_call()
            && wanted.holder != Holder::Shared
            && held.wanted.told == wanted.told
            && held.uses == 0
            && !held.used
            && !self.is_over()
    }

    pub(super) fn enter(&self, wanted: &Wanted) {
        let mut held = self.held();
        if held.wanted.holder != wanted.holder {
            held.wanted.holder = wanted.holder.clone();
        }
        held.uses += 1;
    }

    /// Makes it what its start has shown that it is. What is no session's keeps none.
    pub(super) fn turn_into(&self, wanted: Wanted) {
        if !matches!(wanted.holder, Holder::Session(_)) {
            self.owner.send_replace(None);
        }
        self.held().wanted = wanted;
    }

    /// What its instance was told, or is told.
    pub(super) fn told(&self) -> Told {
        self.held().wanted.told.clone()
    }

    pub(super) fn is_held_by(&self, holder: &Holder) -> bool {
        self.held().wanted.holder == *holder
    }

    /// Whether what its instance says to have changed may come from what one caller did: it is a session's, or a call
    /// has run on it that it served alone.
    pub(super) fn is_own(&self) -> bool {
        let held = self.held();
        match held.wanted.holder {
            Holder::Shared => false,
            Holder::Session(_) => true,
            Holder::OneCall(_) => held.used,
        }
    }

    /// What its instance offers, where that is for `wanted` alone.
    pub(super) fn own_surface(&self, wanted: &Wanted) -> Option<Arc<Surface>> {
        let held = self.held();
        let is_own = match held.wanted.holder {
            Holder::Shared => false,
            Holder::Session(_) => true,
            Holder::OneCall(_) => held.moved,
        };
        let surface = held.surface.as_ref()?;
        (is_own && held.wanted == *wanted && !self.is_over()).then(|| Arc::clone(surface))
    }

    /// Notes that what its instance offers is not what others of its kind offer.
    pub(super) fn mark_moved(&self) {
        self.held().moved = true;
    }

    pub(super) fn has_moved(&self) -> bool {
        self.held().moved
    }

    /// What its instance offers, once it has started.
    pub(super) fn surface(&self) -> Option<Arc<Surface>> {
        self.held().surface.clone()
    }

    /// Notes what its instance offers: `raw` as it gave it.
    pub(super) fn set_surface(&self, surface: Arc<Surface>, raw: &Arc<Surface>) {
        let mut held = self.held();
        held.surface = Some(surface);
        held.raw = Some(Arc::clone(raw));
    }

    /// Whether what the instance gave as `raw` was noted.
    pub(super) fn has_taken_in(&self, raw: &Arc<Surface>) -> bool {
        let held = self.held();
        held.raw
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, raw))
    }

    /// Gives it to a session for good, if it is nobody's.
    pub(super) fn belong_to(&self, session: &Arc<Session>) {
        let taken = self.owner.send_if_modified(|owner| {
            let free = owner.is_none();
            owner.get_or_insert_with(|| Arc::clone(session));
            free
        });
        if let (true, Some(instance)) = (taken, self.instance()) {
            instance.adopt(session);
        }
    }

    pub(super) fn leave(&self) {
        let mut held = self.held();
        held.uses -= 1;
        held.last_used = Instant::now();
    }

    /// Whether a session has it to itself.
    pub(super) fn is_owned(&self) -> bool {
        matches!(self.held().wanted.holder, Holder::Session(_)) || self.owner.borrow().is_some()
    }

    /// Lets a check call a tool on it; `None` where that could get into the way of a call. Says whether the check is counted
    /// in, so that nobody else uses it meanwhile. That is no use of it: it does not keep it from being idle.
    pub(super) fn borrow_for_check(&self) -> Option<bool> {
        let mut held = self.held();
        match held.wanted.holder {
            Holder::Shared => Some(false),
            Holder::Session(_) => (held.uses == 0).then_some(false),
            Holder::OneCall(_) => (held.uses == 0 && !self.is_at_work()).then(|| {
                held.uses += 1;
                true
            }),
        }
    }

    /// The check is over.
    pub(super) fn end_check(&self) {
        self.held().uses -= 1;
    }

    /// Notes that a call runs on it.
    pub(super) fn mark_used(&self) {
        self.held().used = true;
    }

    pub(super) fn uses(&self) -> usize {
        self.held().uses
    }

    pub(super) fn last_used(&self) -> Instant {
        self.held().last_used
    }

    /// Whether it runs, and nobody has used it for `bound`.
    pub(super) fn idle_for(&self, bound: Duration) -> bool {
        let held = self.held();
        held.uses == 0 && self.started.borrow().is_some() && held.last_used.elapsed() >= bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_out_to_be_everyones_keeps_no_session() {
        let profile = Arc::new(ClientProfile::bare());
        let session = Session::new("s".into(), "me".into(), Arc::clone(&profile));
        let wanted = Wanted {
            holder: Holder::Session("s".into()),
            told: Told::AtStart {
                revision: profile.revision,
                capabilities: profile.capabilities.clone(),
            },
        };
        let owner = Some(Arc::clone(&session));
        let slot = Slot::new(1, wanted, owner, ("me".into(), profile), Updates::default());
        slot.turn_into(Wanted {
            holder: Holder::Shared,
            told: Told::OnEachRequest,
        });
        assert!(slot.owner.borrow().is_none());
        assert_eq!(Arc::strong_count(&session), 1);
    }
}
