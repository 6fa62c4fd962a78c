//! How a plugin tells of changes outside of any call.

use std::sync::Arc;

/// Passes on what a plugin tells. Never waits.
pub(crate) trait Announce: Send + Sync {
    /// A resource has changed.
    fn updated(&self, uri: &str);

    /// What the plugin offers is another thing now.
    fn lists_changed(&self);
}

/// The handle of a plugin to tell clients of changes. Clones are the same handle. Had from [`Tools`], [`Prompts`] and
/// [`Resources`] while the plugin adds what it offers; what these are used for without a gateway, in tests, tells nobody.
///
/// [`Tools`]: crate::plugin::Tools
/// [`Prompts`]: crate::plugin::Prompts
/// [`Resources`]: crate::plugin::Resources
#[derive(Clone, Default)]
pub struct Notifier(Option<Arc<dyn Announce>>);

/// Hands out the notifier, and knows whether it has.
#[derive(Default)]
pub(crate) struct Teller {
    notifier: Notifier,
    taken: bool,
}

impl Notifier {
    pub(crate) fn new(announce: Arc<dyn Announce>) -> Self {
        Self(Some(announce))
    }

    /// The contents of the resource `uri` have changed. Those who watch it, or a resource that it is below, are told;
    /// never waits.
    pub fn updated(&self, uri: &str) {
        if let Some(announce) = &self.0 {
            announce.updated(uri);
        }
    }

    /// What the plugin offers is another thing now: `tools`, `prompts` and `resources` are called again, soon and where
    /// the plugin runs, and clients are told of the lists that have changed. Several calls in a short time may be one. Must
    /// not be called from those three. When one of them panics then, everything stays as it was.
    pub fn lists_changed(&self) {
        if let Some(announce) = &self.0 {
            announce.lists_changed();
        }
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifier")
    }
}

impl Teller {
    pub(crate) fn of(notifier: &Notifier) -> Self {
        Self {
            notifier: notifier.clone(),
            taken: false,
        }
    }

    pub(crate) fn notifier(&mut self) -> Notifier {
        self.taken = true;
        self.notifier.clone()
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.taken
    }
}
