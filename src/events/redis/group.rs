//! One group: a consumer group in Redis, and what of it is here.

mod reclaim;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use redis::{RedisResult, cmd};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::events::bus::{Dead, GroupStatus, Subscriber};
use crate::events::counts::Counts;
use crate::events::redis::link::{Backoff, Link};
use crate::events::redis::reply::Entry;
use crate::events::redis::{Keys, Rules, entry, reply};
use crate::events::subscription::{Group, Taken};
use crate::model::event::Event;

/// How many events of a group are here at one time.
const WINDOW: usize = 64;

/// The longest time between two looks at what was not acknowledged.
const LONGEST_TICK: Duration = Duration::from_secs(5);

/// How many failures are remembered until their events come again.
const MAX_ERRORS: usize = 1024;

/// One group.
pub(super) struct RedisGroup {
    subscriber: Subscriber,
    /// Its name in Redis.
    name: String,
    max_deliveries: u32,
    counts: Arc<Counts>,
    state: Mutex<State>,
    /// Rung when there is something to take.
    bell: Notify,
    /// Rung when there may be something to do in Redis.
    work: Notify,
}

#[derive(Default)]
struct State {
    /// Those that are here, delivered or not, by number.
    held: BTreeMap<u64, Held>,
    /// The numbers of those that wait to be taken.
    ready: VecDeque<u64>,
    taken: u64,
    /// The entries that are done with, to be acknowledged.
    done: Vec<String>,
    /// Those that become dead letters.
    dying: Vec<(String, Dead)>,
    /// What was said about events that will come again.
    errors: BTreeMap<String, String>,
    subscriptions: usize,
    /// How many Redis knows of that are not acknowledged.
    pending: usize,
    /// Whether the group is known to be there, and was ever.
    made: bool,
    was_made: bool,
}

struct Held {
    entry: String,
    event: Arc<Event>,
    attempt: u32,
}

impl RedisGroup {
    pub(super) fn new(
        subscriber: Subscriber,
        max_deliveries: u32,
        counts: &Arc<Counts>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: format!("{}|{}", subscriber.group, subscriber.pattern),
            subscriber,
            max_deliveries,
            counts: Arc::clone(counts),
            state: Mutex::default(),
            bell: Notify::new(),
            work: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    pub(super) fn is(&self, other: &Subscriber) -> bool {
        self.subscriber.group == other.group && self.subscriber.pattern == other.pattern
    }

    pub(super) fn enter(&self) {
        self.state().subscriptions += 1;
        self.work.notify_one();
    }

    pub(super) fn nudge(&self) {
        self.work.notify_one();
    }

    pub(super) fn status(&self) -> GroupStatus {
        let state = self.state();
        GroupStatus {
            group: self.subscriber.group.clone(),
            topic: self.subscriber.pattern.clone(),
            plugin: self.subscriber.plugin.clone(),
            pending: state.pending.max(state.held.len()),
        }
    }

    /// Makes the group, unless it is known to be there: at first for what comes from now on. One that is gone again gets
    /// all that is there: whoever emptied the stream took what was before.
    pub(super) async fn create(&self, link: &Link, keys: &Keys) -> RedisResult<()> {
        let from = {
            let state = self.state();
            match (state.made, state.was_made) {
                (true, _) => return Ok(()),
                (false, true) => "0",
                (false, false) => "$",
            }
        };
        let create = cmd("XGROUP")
            .arg("CREATE")
            .arg(&keys.events)
            .arg(&self.name)
            .arg(from)
            .arg("MKSTREAM")
            .to_owned();
        match link.ask(&create).await {
            Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
            _ => {}
        }
        let mut state = self.state();
        (state.made, state.was_made) = (true, true);
        Ok(())
    }

    /// Does the group's work for ever.
    pub(super) async fn serve(&self, link: &Link, keys: &Keys, rules: &Rules, consumer: &str) {
        let tick = (rules.redeliver / 3).min(LONGEST_TICK);
        let mut next_look = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let looks = Instant::now() >= next_look;
            let done = async {
                self.create(link, keys).await?;
                self.bury(link, keys, rules).await?;
                self.acknowledge(link, keys).await?;
                if looks {
                    self.reclaim(link, keys, rules, consumer).await?;
                }
                self.fetch(link, keys, consumer).await
            };
            match done.await {
                Ok(()) => {
                    backoff.reset();
                    if looks {
                        next_look = Instant::now() + tick;
                    }
                    tokio::select! {
                        () = self.work.notified() => {}
                        () = tokio::time::sleep_until(next_look) => {}
                    }
                }
                Err(error) if error.code() == Some("NOGROUP") => {
                    tracing::warn!(
                        group = self.name,
                        "Redis has lost the events of a group; it is made again"
                    );
                    self.state().made = false;
                    backoff.wait().await;
                }
                Err(_) => backoff.wait().await,
            }
        }
    }

    /// Tells Redis what is done with.
    async fn acknowledge(&self, link: &Link, keys: &Keys) -> RedisResult<()> {
        let done = std::mem::take(&mut self.state().done);
        if done.is_empty() {
            return Ok(());
        }
        let ack = cmd("XACK")
            .arg(&keys.events)
            .arg(&self.name)
            .arg(&done)
            .to_owned();
        let told = link.ask(&ack).await;
        if told.is_err() {
            self.state().done.extend(done);
        }
        told.map(drop)
    }

    /// Moves events to the dead letters.
    async fn bury(&self, link: &Link, keys: &Keys, rules: &Rules) -> RedisResult<()> {
        let dying = std::mem::take(&mut self.state().dying);
        if dying.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for (entry, dead) in &dying {
            pipeline
                .add_command(entry::add_dead(&keys.dead, rules.keep, dead))
                .ignore();
            pipeline
                .cmd("XACK")
                .arg(&keys.events)
                .arg(&self.name)
                .arg(entry)
                .ignore();
        }
        let buried = link.transact(&pipeline).await;
        match &buried {
            Ok(_) => self.counts.dead.add(dying.len() as u64),
            Err(_) => self.state().dying.extend(dying),
        }
        buried.map(drop)
    }

    /// Gets new events, as many as there is room for, while somebody is there to take them.
    async fn fetch(&self, link: &Link, keys: &Keys, consumer: &str) -> RedisResult<()> {
        loop {
            let room = {
                let state = self.state();
                match state.subscriptions {
                    0 => 0,
                    _ => WINDOW.saturating_sub(state.held.len()),
                }
            };
            if room == 0 {
                return Ok(());
            }
            let mut read = cmd("XREADGROUP");
            read.arg("GROUP").arg(&self.name).arg(consumer);
            read.arg("COUNT")
                .arg(room)
                .arg("STREAMS")
                .arg(&keys.events)
                .arg(">");
            let entries = reply::read(link.ask(&read).await?);
            let is_all = entries.len() < room;
            let entries = entries.into_iter().map(|entry| (entry, 1));
            self.hold(entries.collect());
            // Most may have been of no interest.
            self.acknowledge(link, keys).await?;
            if is_all {
                return Ok(());
            }
        }
    }

    /// Takes entries in, each with how often it was delivered.
    fn hold(&self, entries: Vec<(Entry, u32)>) {
        let mut state = self.state();
        for ((entry, fields), attempt) in entries {
            let event = fields.as_ref().and_then(entry::event);
            let chosen =
                event.filter(|event| self.subscriber.pattern.chooses(event.topic.as_str()));
            let Some(event) = chosen else {
                state.done.push(entry);
                continue;
            };
            state.taken += 1;
            let number = state.taken;
            let held = Held {
                entry,
                event,
                attempt,
            };
            state.held.insert(number, held);
            state.ready.push_back(number);
        }
        let any = !state.ready.is_empty();
        drop(state);
        if any {
            self.bell.notify_one();
        }
    }

    fn offer(&self) -> Option<Taken> {
        let mut state = self.state();
        let number = state.ready.pop_front()?;
        let held = state.held.get(&number)?;
        let taken = Taken {
            number,
            event: Arc::clone(&held.event),
            attempt: held.attempt,
        };
        let more = !state.ready.is_empty();
        drop(state);
        if more {
            // Others of the group may sleep.
            self.bell.notify_one();
        }
        if taken.attempt > 1 {
            self.counts.redelivered.add(1);
        }
        Some(taken)
    }
}

impl Group for RedisGroup {
    fn take(&self) -> BoxFuture<'_, Taken> {
        Box::pin(async move {
            loop {
                let rung = self.bell.notified();
                if let Some(taken) = self.offer() {
                    return taken;
                }
                rung.await;
            }
        })
    }

    fn settle(&self, number: u64, outcome: Result<(), String>) {
        let mut state = self.state();
        let Some(held) = state.held.remove(&number) else {
            return;
        };
        match outcome {
            Ok(()) => {
                state.errors.remove(&held.entry);
                state.done.push(held.entry);
                self.counts.delivered.add(1);
            }
            Err(error) if held.attempt >= self.max_deliveries => {
                state.errors.remove(&held.entry);
                let dead = Dead {
                    event: held.event,
                    group: self.subscriber.group.clone(),
                    deliveries: held.attempt,
                    error,
                };
                state.dying.push((held.entry, dead));
            }
            Err(error) => {
                if state.errors.len() == MAX_ERRORS {
                    state.errors.pop_first();
                }
                state.errors.insert(held.entry, error);
            }
        }
        drop(state);
        self.work.notify_one();
    }

    /// What nobody took yet is left to others of the group, after its time.
    fn leave(&self) {
        let mut state = self.state();
        state.subscriptions -= 1;
        if state.subscriptions == 0 {
            for number in std::mem::take(&mut state.ready) {
                state.held.remove(&number);
            }
        }
    }
}
