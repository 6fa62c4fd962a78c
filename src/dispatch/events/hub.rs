//! What stands between plugins in this process and the bus. It does not keep the gateway alive.

use std::sync::{Arc, Weak};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Dispatcher;
use crate::dispatch::events::source_of;
use crate::events::bus::{Bus, Subscriber};
use crate::events::subscription::Subscription;
use crate::events::tail::Next;
use crate::model::event::{Event, EventId};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::model::topic::{Pattern, Topic};
use crate::plugin::{Hub, Wish};
use crate::wire::json::Json;

/// The bus as plugins in this process reach it.
struct Door {
    dispatcher: Weak<Dispatcher>,
    /// Where the gateway's own work runs; plugins may ask from threads of their own, which end with them.
    home: Option<runtime::Handle>,
}

impl Dispatcher {
    /// Lets plugins publish and hear from now on.
    pub fn carry_events(self: &Arc<Self>) {
        let door = Door {
            dispatcher: Arc::downgrade(self),
            home: runtime::Handle::try_current().ok(),
        };
        self.registry.surroundings().carried_by(Arc::new(door));
    }
}

impl Door {
    fn dispatcher(&self) -> Result<Arc<Dispatcher>, Fault> {
        self.dispatcher.upgrade().ok_or_else(|| {
            Fault::new(FaultKind::Unavailable, "the gateway has stopped").because("shutting_down")
        })
    }
}

impl Hub for Door {
    fn publish(&self, owner: &PluginId, topic: Topic, payload: Json) -> Result<EventId, Fault> {
        let dispatcher = self.dispatcher()?;
        dispatcher.events.publish(topic, source_of(owner), payload)
    }

    fn subscribe(&self, wish: Wish) -> Result<(), Fault> {
        let dispatcher = self.dispatcher()?;
        let home = self
            .home
            .clone()
            .or_else(|| runtime::Handle::try_current().ok());
        let Some(home) = home else {
            return Err(Fault::new(FaultKind::Unavailable, "there is no runtime"));
        };
        let stop = dispatcher.supervisor.stopping().clone();
        let bus = Arc::clone(&dispatcher.events.bus);
        let work = serve(bus, wish, stop);
        dispatcher.supervisor.spawn_request_on(&home, work);
        Ok(())
    }

    fn tail(&self, pattern: Pattern) -> Result<BoxStream<'static, Arc<Event>>, Fault> {
        let tail = self.dispatcher()?.events.bus.tail(pattern);
        let events = stream::unfold(tail, |mut tail| async move {
            loop {
                match tail.next().await {
                    Next::Event(event) => return Some((event, tail)),
                    Next::Missed(_) => {}
                    Next::End => return None,
                }
            }
        });
        Ok(Box::pin(events))
    }

    fn recent(
        &self,
        pattern: Pattern,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Arc<Event>>, Fault>> {
        let dispatcher = self.dispatcher();
        Box::pin(async move {
            let bus = Arc::clone(&dispatcher?.events.bus);
            let recent = bus.recent(&pattern, limit).await;
            recent.map_err(|away| {
                Fault::new(FaultKind::Unavailable, away.to_string()).because("events_unavailable")
            })
        })
    }
}

/// Has the events of one wish handled, until the plugin or the gateway ends.
fn serve(bus: Arc<dyn Bus>, wish: Wish, stop: CancellationToken) -> BoxFuture<'static, ()> {
    // Subscribed at once: what is published from now on is heard.
    match wish.group.clone() {
        Some(group) => {
            let subscription = bus.subscribe(Subscriber {
                group,
                pattern: wish.pattern.clone(),
                plugin: Some(wish.owner.clone()),
            });
            Box::pin(handle_all(subscription, wish, stop))
        }
        None => {
            let mut tail = bus.tail(wish.pattern.clone());
            Box::pin(async move {
                let mut is_well = true;
                loop {
                    let event = tokio::select! {
                        biased;
                        () = wish.until.cancelled() => return,
                        () = stop.cancelled() => return,
                        next = tail.next() => match next {
                            Next::Event(event) => event,
                            Next::Missed(_) => continue,
                            Next::End => return,
                        },
                    };
                    let handled = (wish.handle)(event).await;
                    is_well = note(&wish, is_well, handled.as_ref().err());
                }
            })
        }
    }
}

async fn handle_all(mut subscription: Subscription, wish: Wish, stop: CancellationToken) {
    let mut is_well = true;
    loop {
        let delivery = tokio::select! {
            biased;
            () = wish.until.cancelled() => return,
            () = stop.cancelled() => return,
            delivery = subscription.next() => delivery,
        };
        let handled = (wish.handle)(Arc::clone(&delivery.event)).await;
        is_well = note(&wish, is_well, handled.as_ref().err());
        match handled {
            Ok(()) => delivery.ack(),
            Err(why) => delivery.nack(why),
        }
    }
}

/// Logs the first failure after a success; whether this was none.
fn note(wish: &Wish, was_well: bool, failure: Option<&String>) -> bool {
    let Some(why) = failure else { return true };
    if was_well && !wish.until.is_cancelled() {
        let (id, pattern) = (&wish.owner, &wish.pattern);
        tracing::warn!(plugin.id = %id, "`{id}` could not handle an event of `{pattern}`: {why}");
    }
    false
}
