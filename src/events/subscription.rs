//! What a subscriber holds: the events of its group, one after the other, each to be acknowledged.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::events::interest::Asked;
use crate::model::event::Event;

/// The events of a group. Others of the same group get the rest of them.
pub struct Subscription {
    group: Arc<dyn Group>,
    _asked: Asked,
}

/// One delivery of an event. Dropped without a word it counts as not acknowledged.
#[must_use = "an event that is not acknowledged comes again"]
pub struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// Which delivery of it this is to the group, from 1 on.
    pub attempt: u32,
    number: u64,
    group: Arc<dyn Group>,
    settled: bool,
}

/// An event that was taken, and the number under which it is settled.
pub(super) struct Taken {
    pub(super) number: u64,
    pub(super) event: Arc<Event>,
    pub(super) attempt: u32,
}

/// A group as a backend has it.
pub(super) trait Group: Send + Sync {
    /// Waits for the next event. Dropping the future takes none.
    fn take(&self) -> BoxFuture<'_, Taken>;

    /// What became of a delivery. Never waits.
    fn settle(&self, number: u64, outcome: Result<(), String>);

    /// A subscription of it is no longer there.
    fn leave(&self);
}

impl Subscription {
    pub(super) fn new(group: Arc<dyn Group>, asked: Asked) -> Self {
        Self {
            group,
            _asked: asked,
        }
    }

    /// Waits for the next event. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Delivery {
        let Taken {
            number,
            event,
            attempt,
        } = self.group.take().await;
        Delivery {
            event,
            attempt,
            number,
            group: Arc::clone(&self.group),
            settled: false,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.group.leave();
    }
}

impl Delivery {
    /// The event is done with.
    pub fn ack(mut self) {
        self.settled = true;
        self.group.settle(self.number, Ok(()));
    }

    /// It could not be done with; it comes again, unless this was the last time.
    pub fn nack(mut self, why: impl Into<String>) {
        self.settled = true;
        self.group.settle(self.number, Err(why.into()));
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.settled {
            let why = "it was given up while it was handled".to_owned();
            self.group.settle(self.number, Err(why));
        }
    }
}
