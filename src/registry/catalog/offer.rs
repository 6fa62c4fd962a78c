//! What one plugin offers at one moment, from which the catalog is made.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::registry::plugin::Plugin;
use crate::runtime::Surface;

/// What all plugins offer, in their order.
pub type Offers = Vec<Offer>;

/// What one plugin offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The plugin.
    pub plugin: Arc<Plugin>,
    /// What instances of it have said that they offer, if any has.
    pub known: Option<Arc<Surface>>,
    /// Why nothing of it is listed, if so.
    pub closed: Option<Arc<str>>,
    /// How often tools of it were switched on or off.
    pub switched: u64,
}

impl Offer {
    /// What `plugin` offers where its instances have said `known`.
    pub fn of(plugin: &Arc<Plugin>, known: Option<Arc<Surface>>) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            known,
            closed: plugin.closed().map(Arc::from),
            switched: plugin.switched.load(Ordering::Acquire),
        }
    }

    /// What is listed of it: what is known, or else what its manifest declares; nothing where it is closed.
    pub fn listed(&self) -> Option<&Arc<Surface>> {
        let surface = self.known.as_ref().unwrap_or(self.plugin.declared());
        self.is_open().then_some(surface)
    }

    /// Whether clients are offered anything of it.
    pub fn is_open(&self) -> bool {
        self.closed.is_none() && self.plugin.withheld().is_none()
    }

    /// Whether both are the same, not only equal.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same = match (&self.known, &other.known) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same && self.closed == other.closed
            && self.switched == other.switched
            && Arc::ptr_eq(&self.plugin, &other.plugin)
    }
}
