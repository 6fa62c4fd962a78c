//! What happens to plugins, told to whoever listens: a bounded broadcast. Who is too slow misses some, and learns how many.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::model::plugin_id::PluginId;

/// How many events are kept for one that is slow.
const MAX_KEPT: usize = 256;

/// Something that happened to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeEvent {
    /// Which one.
    pub plugin: PluginId,
    /// What happened.
    pub kind: LifeKind,
    /// The state it is in now, in one word, where that is known.
    pub state: Option<&'static str>,
    /// Why, where something went wrong; a sentence that is safe to show.
    pub error: Option<Arc<str>>,
}

/// What can happen to a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifeKind {
    /// It was registered, or registered anew.
    Loaded,
    /// An instance of it runs.
    Started,
    /// An instance of it was stopped.
    Stopped,
    /// It could not be started, or ended by itself.
    Failed,
    /// It is no longer there.
    Removed,
}

/// The broadcast. Clones are the same one.
#[derive(Debug, Clone)]
pub struct LifeEvents(broadcast::Sender<LifeEvent>);

impl LifeKind {
    /// The name of the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "plugin.loaded",
            Self::Started => "plugin.started",
            Self::Stopped => "plugin.stopped",
            Self::Failed => "plugin.failed",
            Self::Removed => "plugin.removed",
        }
    }
}

impl LifeEvent {
    /// An event that says no more than what happened to whom.
    pub fn new(plugin: &PluginId, kind: LifeKind) -> Self {
        Self {
            plugin: plugin.clone(),
            kind,
            state: None,
            error: None,
        }
    }

    /// The same, with the state that the plugin is in now.
    #[must_use]
    pub fn in_state(mut self, state: &'static str) -> Self {
        self.state = Some(state);
        self
    }

    /// The same, with what went wrong.
    #[must_use]
    pub fn because(mut self, error: impl Into<Arc<str>>) -> Self {
        self.error = Some(error.into());
        self
    }
}

impl Default for LifeEvents {
    fn default() -> Self {
        Self(broadcast::Sender::new(MAX_KEPT))
    }
}

impl LifeEvents {
    /// Tells those who listen at this moment. Never waits.
    pub fn tell(&self, event: LifeEvent) {
        // Nobody listening is no failure.
        self.0.send(event).ok();
    }

    /// The events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<LifeEvent> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_slow_misses_some_and_learns_how_many() {
        let events = LifeEvents::default();
        let id: PluginId = "p".parse().expect("an id");
        events.tell(LifeEvent::new(&id, LifeKind::Loaded));
        let mut slow = events.subscribe();
        for _ in 0..MAX_KEPT + 3 {
            events.tell(LifeEvent::new(&id, LifeKind::Started));
        }
        let missed = slow.recv().await;
        assert_eq!(missed, Err(broadcast::error::RecvError::Lagged(3)));
        let next = slow.recv().await.expect("the rest is kept");
        assert_eq!(next.kind.as_str(), "plugin.started");
    }
}
