//! The bus over Redis Streams: one stream of all events, a consumer group per group, one stream of dead letters.
//!
//! ```text
//! {prefix}:events   id, topic, source, payload            XADD MAXLEN ~, XREADGROUP by each group
//! {prefix}:dead     the same, group, deliveries, error
//! ```
//!
//! All topics share one stream, because patterns choose among topics that nobody knows beforehand; a group acknowledges at
//! once what its pattern does not choose. One task does all of the work, over two connections: one waits for what is new,
//! the other carries everything else.

mod entry;

mod group;

mod groups;

mod link;

mod reader;

mod reply;

mod writer;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::redis::cmd;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::events::bus::{Away, Bus, Dead, Status, Subscriber, TooLarge, weigh};
use crate::events::config::{EventsConfig, RedisUrl};
use crate::events::counts::Counts;
use crate::events::interest::Interest;
use crate::events::mint::Mint;
use crate::events::outbox::Outbox;
use crate::events::redis::group::RedisGroup;
use crate::events::redis::link::Link;
use crate::events::subscription::Subscription;
use crate::events::tail::{Tail, Tails};
use crate::model::event::{Event, EventId};
use crate::model::topic::{Pattern, Topic};
use crate::wire::json::Json;

/// How many entries are looked through for recent events, at the most, and how many at once.
const MAX_LOOK: usize = 10_000;
const LOOK: usize = 500;

/// How long the last events may take to get out at the end.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// The bus over Redis Streams.
pub struct Redis {
    link: Link,
    keys: Keys,
    rules: Rules,
    mint: Mint,
    interest: Arc<Interest>,
    tails: Tails,
    counts: Arc<Counts>,
    outbox: Outbox,
    groups: Mutex<Vec<Arc<RedisGroup>>>,
    /// Rung when there is a group more.
    joined: Notify,
}

/// The names of the streams.
pub(super) struct Keys {
    events: String,
    dead: String,
}

/// What the settings say about deliveries.
#[derive(Debug, Clone, Copy)]
struct Rules {
    keep: usize,
    redeliver: Duration,
    max_deliveries: u32,
}

impl Redis {
    /// A bus that connects once it is run.
    pub fn new(url: &RedisUrl, config: &EventsConfig) -> Self {
        Self {
            link: Link::new(url),
            keys: Keys {
                events: format!("{}:events", config.prefix),
                dead: format!("{}:dead", config.prefix),
            },
            rules: Rules {
                keep: config.keep,
                redeliver: Duration::from_millis(config.redeliver_ms),
                max_deliveries: config.max_deliveries,
            },
            mint: Mint::new(),
            interest: Interest::new(),
            tails: Tails::new(),
            counts: Arc::default(),
            outbox: Outbox::new(config.outbox),
            groups: Mutex::default(),
            joined: Notify::new(),
        }
    }

    fn groups(&self) -> MutexGuard<'_, Vec<Arc<RedisGroup>>> {
        self.groups.lock().expect("no holder of this lock panics")
    }

    /// Everything in the background, until the last events are out.
    async fn work(&self, stop: &CancellationToken) {
        let forever = async {
            tokio::join!(self.read(), self.serve_groups());
        };
        tokio::select! {
            () = forever => {}
            () = self.write(stop) => {}
        }
        let left = self.outbox.len();
        if left > 0 {
            tracing::warn!(left, "Did not publish {left} events: Redis is away");
        }
    }
}

impl Bus for Redis {
    fn publish(&self, topic: Topic, source: Arc<str>, payload: Json) -> Result<EventId, TooLarge> {
        weigh(&payload)?;
        let id = self.mint.next();
        // The message that it came in may be much larger.
        let payload = payload.detached();
        let dropped = self.outbox.put(Arc::new(Event {
            id,
            topic,
            source,
            payload,
        }));
        self.counts.published.add(1);
        self.counts.dropped.add(dropped);
        Ok(id)
    }

    fn subscribe(&self, subscriber: Subscriber) -> Subscription {
        let asked = self.interest.ask(&subscriber.pattern);
        let mut groups = self.groups();
        let known = groups.iter().find(|group| group.is(&subscriber));
        let group = known.cloned().unwrap_or_else(|| {
            let group = RedisGroup::new(subscriber, self.rules.max_deliveries, &self.counts);
            groups.push(Arc::clone(&group));
            group
        });
        group.enter();
        drop(groups);
        self.joined.notify_one();
        // The group is made before anything is written that is published from now on.
        self.outbox.bell.notify_one();
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
        Box::pin(async move {
            let mut found = Vec::new();
            let mut end = "+".to_owned();
            for _ in 0..MAX_LOOK / LOOK {
                let look = cmd("XREVRANGE")
                    .arg(&self.keys.events)
                    .arg(&end)
                    .arg("-")
                    .arg("COUNT")
                    .arg(LOOK)
                    .to_owned();
                let entries = reply::entries(self.link.ask(&look).await.map_err(away)?);
                let Some((last, _)) = entries.last() else {
                    break;
                };
                end = format!("({last}");
                let is_last = entries.len() < LOOK;
                for (_, fields) in &entries {
                    let event = fields.as_ref().and_then(entry::event);
                    found.extend(event.filter(|event| pattern.chooses(event.topic.as_str())));
                    if found.len() == limit {
                        return Ok(found);
                    }
                }
                if is_last {
                    break;
                }
            }
            Ok(found)
        })
    }

    fn dead(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Dead>, Away>> {
        Box::pin(async move {
            let look = cmd("XREVRANGE")
                .arg(&self.keys.dead)
                .arg("+")
                .arg("-")
                .arg("COUNT")
                .arg(limit)
                .to_owned();
            let entries = reply::entries(self.link.ask(&look).await.map_err(away)?);
            let letters = entries.iter().filter_map(|(_, fields)| fields.as_ref());
            Ok(letters.filter_map(entry::dead).collect())
        })
    }

    fn status(&self) -> Status {
        let counts = &self.counts;
        let error = self.link.error();
        let groups = self.groups();
        Status {
            backend: "redis",
            healthy: error.is_none(),
            published: counts.published.get(),
            delivered: counts.delivered.get(),
            redelivered: counts.redelivered.get(),
            dead: counts.dead.get(),
            outbox: self.outbox.len(),
            dropped: counts.dropped.get(),
            subscriptions: groups.iter().map(|group| group.status()).collect(),
            error,
        }
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.work(&stop).await })
    }
}

fn away(error: ::redis::RedisError) -> Away {
    Away(link::words(&error))
}
