//! The bus within this process. What it holds ends with it.

mod group;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::events::bus::{Away, Bus, Dead, Status, Subscriber, TooLarge, weigh};
use crate::events::config::EventsConfig;
use crate::events::counts::Counts;
use crate::events::interest::Interest;
use crate::events::memory::group::{Bounds, MemoryGroup, Morgue};
use crate::events::mint::Mint;
use crate::events::subscription::Subscription;
use crate::events::tail::{Tail, Tails};
use crate::model::event::{Event, EventId};
use crate::model::topic::{Pattern, Topic};
use crate::wire::json::Json;

/// The most bytes that are kept to be looked at.
const MAX_WEIGHT: usize = 64 << 20;

/// How long a group is there without a subscription.
const LINGER: Duration = Duration::from_secs(600);

/// The bus within this process.
pub struct Memory {
    bounds: Bounds,
    keep: usize,
    mint: Mint,
    interest: Arc<Interest>,
    tails: Tails,
    counts: Arc<Counts>,
    morgue: Arc<Morgue>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Arc<Event>>,
    weight: usize,
    groups: Vec<Arc<MemoryGroup>>,
}

impl Memory {
    /// A bus without events. Nothing connects anywhere.
    pub fn new(config: &EventsConfig) -> Self {
        Self {
            bounds: Bounds {
                queue: config.outbox,
                redeliver: Duration::from_millis(config.redeliver_ms),
                max_deliveries: config.max_deliveries,
            },
            keep: config.keep,
            mint: Mint::new(),
            interest: Interest::new(),
            tails: Tails::new(),
            counts: Arc::default(),
            morgue: Arc::new(Morgue::new(config.keep)),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Bus for Memory {
    fn publish(&self, topic: Topic, source: Arc<str>, payload: Json) -> Result<EventId, TooLarge> {
        weigh(&payload)?;
        // The message that it came in may be much larger.
        let payload = payload.detached();
        let mut state = self.state();
        // Made under the lock, so that the order of the ids is that of the deliveries.
        let event = Arc::new(Event {
            id: self.mint.next(),
            topic,
            source,
            payload,
        });
        self.counts.published.add(1);
        state.keep(&event, self.keep);
        let now = Instant::now();
        state.groups.retain(|group| !group.is_deserted(now, LINGER));
        for group in &state.groups {
            group.put(&event);
        }
        self.tails.tell(&event);
        Ok(event.id)
    }

    fn subscribe(&self, subscriber: Subscriber) -> Subscription {
        let asked = self.interest.ask(&subscriber.pattern);
        let mut state = self.state();
        let known = state.groups.iter().find(|group| group.is(&subscriber));
        let group = known.cloned().unwrap_or_else(|| {
            let counts = Arc::clone(&self.counts);
            let group = MemoryGroup::new(subscriber, self.bounds, counts, Arc::clone(&self.morgue));
            state.groups.push(Arc::clone(&group));
            group
        });
        group.enter();
        Subscription::new(group, asked)
    }

    fn tail(&self, pattern: Pattern) -> Tail {
        self.tails.open(pattern, &self.interest)
    }

    fn asks_for(&self, topic: &str) -> bool {
        self.interest.names(topic)
    }

    fn recent<'a>(
        &'a self,
        pattern: &'a Pattern,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, Away>> {
        let chosen = |event: &&Arc<Event>| pattern.chooses(event.topic.as_str());
        let state = self.state();
        let recent = state.kept.iter().rev().filter(chosen);
        let recent = recent.take(limit).cloned().collect();
        Box::pin(std::future::ready(Ok(recent)))
    }

    fn dead(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Dead>, Away>> {
        Box::pin(std::future::ready(Ok(self.morgue.newest(limit))))
    }

    fn status(&self) -> Status {
        let counts = &self.counts;
        let state = self.state();
        let groups = state
            .groups
            .iter()
            .filter(|group| group.has_subscriptions());
        Status {
            backend: "memory",
            healthy: true,
            published: counts.published.get(),
            delivered: counts.delivered.get(),
            redelivered: counts.redelivered.get(),
            dead: counts.dead.get(),
            outbox: 0,
            dropped: counts.dropped.get(),
            subscriptions: groups.map(|group| group.status()).collect(),
            error: None,
        }
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        // Everything is done by those who publish and those who listen.
        Box::pin(async move { stop.cancelled().await })
    }
}

impl State {
    fn keep(&mut self, event: &Arc<Event>, bound: usize) {
        self.weight += event.weight();
        self.kept.push_back(Arc::clone(event));
        while self.kept.len() > bound || self.weight > MAX_WEIGHT {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            self.weight -= oldest.weight();
        }
    }
}
