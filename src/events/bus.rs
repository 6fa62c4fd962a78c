//! The contract of the bus: what every backend promises.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::events::subscription::Subscription;
use crate::events::tail::Tail;
use crate::model::event::{Event, EventId};
use crate::model::plugin_id::PluginId;
use crate::model::topic::{Pattern, Topic};
use crate::wire::json::Json;

/// The most bytes of one payload.
pub const MAX_PAYLOAD: usize = 256 << 10;

/// Carries events.
///
/// A **group** gets every event that its pattern chooses, from its first subscription on, at least once: an event that is
/// not acknowledged comes again after `redeliver_ms`, and after `max_deliveries` it goes to the dead letters. All events
/// have ids, by which one that comes twice is known. Subscriptions of one group share its events. Events come in the order
/// of their publication; those that come again come late.
pub trait Bus: Send + Sync {
    /// Publishes an event. Never waits: what cannot be carried on at once waits in an outbox with a bound, whose oldest
    /// events are dropped and counted. `Err` is a payload of more than [`MAX_PAYLOAD`] bytes.
    fn publish(&self, topic: Topic, source: Arc<str>, payload: Json) -> Result<EventId, TooLarge>;

    /// Subscribes. A group outlives its subscriptions, in this process for a while, in Redis for good.
    fn subscribe(&self, subscriber: Subscriber) -> Subscription;

    /// What is published from now on, to look at: who is too slow misses some.
    fn tail(&self, pattern: Pattern) -> Tail;

    /// Whether anyone in this process has asked for `topic` by a pattern that names at least its first word.
    fn asks_for(&self, topic: &str) -> bool;

    /// The events that are kept and chosen by `pattern`, newest first, `limit` at the most.
    fn recent<'a>(
        &'a self,
        pattern: &'a Pattern,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, Away>>;

    /// The dead letters, newest first, `limit` at the most.
    fn dead(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Dead>, Away>>;

    /// How it does.
    fn status(&self) -> Status;

    /// Does the work of the bus until `stop`, and what is left to be done then within a second.
    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

/// Who subscribes.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The group. The same name and pattern are the same group, in every gateway that shares the bus.
    pub group: String,
    /// What it wants to hear.
    pub pattern: Pattern,
    /// The plugin for which that is, if it is for one.
    pub plugin: Option<PluginId>,
}

/// The payload is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payload has {0} bytes, more than {MAX_PAYLOAD}")]
pub struct TooLarge(pub usize);

/// The backend cannot be asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event bus cannot be reached: {0}")]
pub struct Away(pub String);

/// An event that one group could not be brought to acknowledge.
#[derive(Debug, Clone, Serialize)]
pub struct Dead {
    /// The event.
    #[serde(flatten)]
    pub event: Arc<Event>,
    /// Whose it was.
    pub group: String,
    /// How often it was delivered.
    pub deliveries: u32,
    /// What was said the last time.
    pub error: String,
}

/// How the bus does. Numbers count from the start of this process.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// `memory` or `redis`.
    pub backend: &'static str,
    /// Whether the backend answers.
    pub healthy: bool,
    /// Events published here.
    pub published: u64,
    /// Deliveries that were acknowledged.
    pub delivered: u64,
    /// Deliveries that were not the first of their event.
    pub redelivered: u64,
    /// Events that became dead letters.
    pub dead: u64,
    /// Events that wait for the backend.
    pub outbox: usize,
    /// Events that were dropped at a bound.
    pub dropped: u64,
    /// The groups with a subscription here.
    pub subscriptions: Vec<GroupStatus>,
    /// Why it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One group.
#[derive(Debug, Clone, Serialize)]
pub struct GroupStatus {
    /// Its name.
    pub group: String,
    /// What it wants to hear.
    pub topic: Pattern,
    /// For which plugin.
    pub plugin: Option<PluginId>,
    /// Events that are delivered and not acknowledged, or known to wait for that.
    pub pending: usize,
}

pub(super) fn weigh(payload: &Json) -> Result<(), TooLarge> {
    match payload.bytes().len() {
        size if size > MAX_PAYLOAD => Err(TooLarge(size)),
        _ => Ok(()),
    }
}
