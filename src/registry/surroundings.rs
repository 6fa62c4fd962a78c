//! What surrounds the plugins of one registry: who hears of their lives, who counts what they do, and who
//! hands them what they require.

use std::sync::{Arc, OnceLock};

use crate::metrics::Metrics;
use crate::plugin::{Hub, Supply};
use crate::registry::life_events::LifeEvents;

/// What surrounds the plugins of one registry.
#[derive(Default)]
pub struct Surroundings {
    /// Told what happens to them.
    pub life: LifeEvents,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    supply: OnceLock<Arc<dyn Supply>>,
    hub: OnceLock<Arc<dyn Hub>>,
    sessions: OnceLock<Count>,
}

/// Counts something that a floor above keeps.
type Count = Box<dyn Fn() -> usize + Send + Sync>;

impl Surroundings {
    /// Says who hands plugins what they require. Only the first one counts. It must not keep the registry alive.
    pub(crate) fn supplied_by(&self, supply: Arc<dyn Supply>) {
        self.supply.get_or_init(|| supply);
    }

    /// Says who counts the sessions of clients. Only the first one counts. It must not keep the registry alive.
    pub fn sessions_counted_by(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        self.sessions.get_or_init(|| Box::new(count));
    }

    /// How many sessions clients have over HTTP.
    pub fn sessions(&self) -> usize {
        self.sessions.get().map_or(0, |count| count())
    }

    /// Who hands plugins what they require, if anyone does.
    pub(crate) fn supply(&self) -> Option<Arc<dyn Supply>> {
        self.supply.get().cloned()
    }

    /// Says who carries events of plugins. Only the first one counts. It must not keep the registry alive.
    pub(crate) fn carried_by(&self, hub: Arc<dyn Hub>) {
        self.hub.get_or_init(|| hub);
    }

    /// Who carries events of plugins, if anyone does.
    pub(crate) fn hub(&self) -> Option<Arc<dyn Hub>> {
        self.hub.get().cloned()
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}
