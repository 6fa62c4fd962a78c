//! What surrounds a pool: who hears of what happens to its instances, and who hands them what they require.

use std::sync::{Arc, OnceLock};

use crate::metrics::Metrics;
use crate::plugin::Supply;
use crate::registry::life_events::{LifeEvent, LifeKind};
use crate::registry::pool::Pool;
use crate::registry::surroundings::Surroundings;

/// The surroundings of one pool; none until its plugin is registered.
#[derive(Default)]
pub(super) struct Surrounded(OnceLock<Arc<Surroundings>>);

impl Pool {
    /// Says what surrounds it. Only the first ones count; what starts earlier is handed nothing.
    pub fn live_in(&self, surroundings: &Arc<Surroundings>) {
        self.surrounded.0.get_or_init(|| Arc::clone(surroundings));
    }

    pub(super) fn supply(&self) -> Option<Arc<dyn Supply>> {
        self.surrounded.0.get()?.supply()
    }

    pub(super) fn metrics(&self) -> Option<Arc<Metrics>> {
        Some(Arc::clone(&self.surrounded.0.get()?.metrics))
    }

    /// Tells that all instances of it were stopped.
    pub fn tell_stopped(&self) {
        self.happened(LifeKind::Stopped, None);
    }

    /// Tells what happened to an instance of it, and why.
    pub(super) fn happened(&self, kind: LifeKind, why: Option<&str>) {
        let Some(surroundings) = self.surrounded.0.get() else {
            return;
        };
        let event = LifeEvent::new(&self.manifest.id, kind).in_state(self.life.state().as_str());
        surroundings.life.tell(match why {
            Some(why) => event.because(why),
            None => event,
        });
    }
}
