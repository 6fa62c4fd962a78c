//! What surrounds a pool: who hears of what happens to its instances, and who hands them what they require.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use crate::manifest::Grant;
use crate::metrics::Metrics;
use crate::plugin::{Supply, Way};
use crate::registry::life_events::{LifeEvent, LifeKind};
use crate::registry::pool::Pool;
use crate::registry::surroundings::Surroundings;

/// The surroundings of one pool; none until its plugin is registered.
#[derive(Default)]
pub(super) struct Surrounded {
    surroundings: OnceLock<Arc<Surroundings>>,
    grants: OnceLock<BTreeSet<Grant>>,
}

impl Pool {
    /// Says what surrounds it. Only the first ones count; what starts earlier is handed nothing.
    pub fn live_in(&self, surroundings: &Arc<Surroundings>) {
        self.surrounded
            .surroundings
            .get_or_init(|| Arc::clone(surroundings));
    }

    /// Says what is granted to it. Only the first time counts.
    pub fn grant(&self, grants: &BTreeSet<Grant>) {
        self.surrounded.grants.get_or_init(|| grants.clone());
    }

    pub(super) fn supply(&self) -> Option<Arc<dyn Supply>> {
        self.surrounded.surroundings.get()?.supply()
    }

    pub(super) fn events(&self) -> Option<Way> {
        let grants = self.surrounded.grants.get();
        let is_granted = |grant| grants.is_some_and(|grants| grants.contains(&grant));
        Some(Way {
            hub: self.surrounded.surroundings.get()?.hub()?,
            may_publish: is_granted(Grant::EventsPub),
            may_hear: is_granted(Grant::EventsSub),
        })
    }

    pub(super) fn metrics(&self) -> Option<Arc<Metrics>> {
        Some(Arc::clone(&self.surrounded.surroundings.get()?.metrics))
    }

    /// Tells that all instances of it were stopped.
    pub fn tell_stopped(&self) {
        self.happened(LifeKind::Stopped, None);
    }

    /// Tells what happened to an instance of it, and why.
    pub(super) fn happened(&self, kind: LifeKind, why: Option<&str>) {
        let Some(surroundings) = self.surrounded.surroundings.get() else {
            return;
        };
        let event = LifeEvent::new(&self.manifest.id, kind).in_state(self.life.state().as_str());
        surroundings.life.tell(match why {
            Some(why) => event.because(why),
            None => event,
        });
    }
}
