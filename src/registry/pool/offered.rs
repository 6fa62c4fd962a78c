//! What a plugin offers, and to which clients: servers may list other things for clients that can do other things.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::registry::pool::slot::Told;
use crate::runtime::{Announced, Listing, Surface};
use crate::wire::list::ListKind;

/// The most kinds of clients that are told apart.
const MAX_KINDS: usize = 32;

/// What one plugin offers. Outlives its instances.
pub(super) struct Offered {
    /// What its manifest declares.
    declared: Arc<Surface>,
    known: Mutex<Known>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    /// To clients in general, and which kind of clients that was found out for.
    general: Option<(Told, Arc<Surface>)>,
    by_kind: HashMap<Told, Arc<Surface>>,
}

impl Offered {
    pub(super) fn new(declared: Arc<Surface>) -> Self {
        Self {
            declared,
            known: Mutex::default(),
            changes: watch::Sender::default(),
        }
    }

    /// Takes over what `other` knows, as far as nothing is known here.
    pub(super) fn learn_from(&self, other: &Self) {
        let theirs = other.known();
        let mut known = self.known();
        for (told, surface) in &theirs.by_kind {
            known
                .by_kind
                .entry(told.clone())
                .or_insert_with(|| Arc::clone(surface));
        }
        if known.general.is_none() {
            known.general.clone_from(&theirs.general);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no holder of this lock panics")
    }

    /// Counts the changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Notes that something has changed.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// To clients in general.
    pub(super) fn general(&self) -> Option<Arc<Surface>> {
        self.known()
            .general
            .as_ref()
            .map(|(_, surface)| Arc::clone(surface))
    }

    /// To clients that an instance was told of in this way.
    pub(super) fn to(&self, told: &Told) -> Option<Arc<Surface>> {
        self.known().by_kind.get(told).cloned()
    }

    /// An instance that was told `told` offers this at its start. Gives back the same with the lists that are known
    /// already in place of equal ones, so that clients are not told of changes that are none.
    pub(super) fn found(&self, told: &Told, surface: &Arc<Surface>) -> Arc<Surface> {
        let mut known = self.known();
        let before = known.by_kind.get(told).or_else(|| known.general());
        let surface = shared(surface, before.unwrap_or(&self.declared));
        let changed = known.put(told, &surface);
        drop(known);
        if changed {
            self.changed();
        }
        surface
    }

    /// What instances that were told `told` offer is now another thing.
    pub(super) fn now(&self, told: &Told, surface: &Arc<Surface>) {
        self.known().put(told, surface);
        self.changed();
    }
}

impl Known {
    fn general(&self) -> Option<&Arc<Surface>> {
        self.general.as_ref().map(|(_, surface)| surface)
    }

    /// Whether that changed something.
    fn put(&mut self, told: &Told, surface: &Arc<Surface>) -> bool {
        if self.by_kind.len() >= MAX_KINDS && !self.by_kind.contains_key(told) {
            self.by_kind.clear();
        }
        let before = self.by_kind.insert(told.clone(), Arc::clone(surface));
        let is_general = self.general.as_ref().is_none_or(|(of, _)| of == told);
        if is_general {
            self.general = Some((told.clone(), Arc::clone(surface)));
        }
        before.is_none_or(|before| !Arc::ptr_eq(&before, surface))
    }
}

/// `surface` with the lists of `known` in place of equal ones.
fn shared(surface: &Arc<Surface>, known: &Arc<Surface>) -> Arc<Surface> {
    if **surface == **known {
        return Arc::clone(known);
    }
    Arc::new(Surface::clone(surface).sharing(known))
}

/// What an instance offers after it has said that it went from `before` to `now`, where `shared` stood for `before`:
/// lists that did not change stay the shared ones.
pub(super) fn moved(before: &Surface, now: &Surface, shared: &Surface) -> Arc<Surface> {
    let mut moved = now.clone();
    for kind in ListKind::ALL {
        let list = match Arc::ptr_eq(before.list(kind), now.list(kind)) {
            true => Arc::clone(shared.list(kind)),
            false => Arc::new(Listing {
                announced: Announced(true),
                ..Listing::clone(now.list(kind))
            }),
        };
        moved.set(kind, list);
    }
    Arc::new(moved)
}

#[cfg(test)]
impl crate::registry::pool::Pool {
    /// Offers lists of its own, without an instance.
    pub(crate) fn pretend_to_offer(&self) {
        let told = Told::OnEachRequest;
        let mut surface = Surface::default();
        ListKind::ALL
            .into_iter()
            .for_each(|kind| surface.set(kind, Arc::default()));
        self.offered.now(&told, &Arc::new(surface));
    }
}
