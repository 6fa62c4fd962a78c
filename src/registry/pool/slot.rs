//! One instance of a pool, from before its start until after its end.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::model::fault::Fault;
use crate::runtime::Instance;
use crate::session::Session;

/// Whose an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// Everyone's.
    Shared,
    /// One session's, for as long as that lives.
    Session(Arc<str>),
    /// One call's, for as long as that runs; then the next one's.
    OneCall,
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
    /// `None` while it is being started.
    pub(super) started: watch::Sender<Option<Started>>,
    /// Cancelled when it has left the pool.
    pub(super) retired: CancellationToken,
    /// How many calls in a row were not answered in time.
    pub(super) silent: AtomicU32,
    /// The session that has it to itself, once one does.
    pub(super) owner: watch::Sender<Option<Arc<Session>>>,
    held: Mutex<Held>,
}

struct Held {
    holder: Holder,
    uses: usize,
    last_used: Instant,
    /// Whether a call has run on it: then it may hold what one caller left behind.
    used: bool,
}

impl Slot {
    pub(super) fn new(holder: Holder, owner: Option<Arc<Session>>) -> Arc<Self> {
        let held = Held {
            holder,
            uses: 0,
            last_used: Instant::now(),
            used: false,
        };
        Arc::new(Self {
            started: watch::Sender::new(None),
            retired: CancellationToken::new(),
            silent: AtomicU32::new(0),
            owner: watch::Sender::new(owner),
            held: Mutex::new(held),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of this lock panics")
    }

    /// The instance, if it runs.
    pub(super) fn instance(&self) -> Option<Arc<dyn Instance>> {
        match &*self.started.borrow() {
            Some(Started::Ready(instance)) if !instance.ended().is_cancelled() => {
                Some(Arc::clone(instance))
            }
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
            Some(Started::Ready(instance)) => instance.ended().is_cancelled(),
            Some(Started::Failed(_) | Started::TryAgain) => true,
        }
    }

    /// Whether it is there for `wanted` already.
    pub(super) fn serves(&self, wanted: &Holder) -> bool {
        let held = self.held();
        let free = *wanted != Holder::OneCall || held.uses == 0;
        held.holder == *wanted && free && !self.is_over()
    }

    /// Whether it can be given to `wanted` without showing it anything of someone else's.
    pub(super) fn can_become(&self, wanted: &Holder) -> bool {
        let held = self.held();
        held.holder == Holder::OneCall
            && *wanted != Holder::OneCall
            && held.uses == 0
            && !held.used
            && !self.is_over()
    }

    pub(super) fn enter(&self, holder: &Holder) {
        let mut held = self.held();
        held.holder = holder.clone();
        held.uses += 1;
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

    /// Makes it everyone's: it keeps nothing between calls.
    pub(super) fn share(&self) {
        self.held().holder = Holder::Shared;
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
