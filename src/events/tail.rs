//! Events as they are published, to look at.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::events::interest::{Asked, Interest};
use crate::model::event::Event;
use crate::model::topic::Pattern;

/// How many events are kept for one that is slow.
const MAX_KEPT: usize = 512;

/// What is published from a moment on. Best effort: who is too slow misses some, and learns how many.
pub struct Tail {
    events: broadcast::Receiver<Arc<Event>>,
    pattern: Pattern,
    _asked: Asked,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(Arc<Event>),
    /// So many events were missed, of whatever topics.
    Missed(u64),
    /// The bus is gone.
    End,
}

/// Tells all tails.
pub(super) struct Tails(broadcast::Sender<Arc<Event>>);

impl Tail {
    /// Waits for what comes next. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Next {
        loop {
            match self.events.recv().await {
                Ok(event) if self.pattern.chooses(event.topic.as_str()) => {
                    return Next::Event(event);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => return Next::Missed(missed),
                Err(RecvError::Closed) => return Next::End,
            }
        }
    }
}

impl Tails {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(MAX_KEPT))
    }

    pub(super) fn tell(&self, event: &Arc<Event>) {
        // Nobody looking is no failure.
        self.0.send(Arc::clone(event)).ok();
    }

    pub(super) fn open(&self, pattern: Pattern, interest: &Arc<Interest>) -> Tail {
        Tail {
            events: self.0.subscribe(),
            _asked: interest.ask(&pattern),
            pattern,
        }
    }
}
