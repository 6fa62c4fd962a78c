//! What a modern server is asked to tell of: changes of its lists, and updates of the resources somebody watches (MCP
//! 2026-07-28, subscriptions).
//!
//! There is one subscription to a server at a time. When other resources are watched it is replaced: the old one ends
//! when the server has acknowledged the new one, so nothing is missed in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::runtime::client::Peer;
use crate::wire::json::Json;
use crate::wire::list::Topic;
use crate::wire::message::Params;

/// The most resources that are watched in one server.
const MAX_WATCHED: usize = 10_000;

/// What one server is asked to tell of.
#[derive(Debug)]
pub(crate) struct Subscribed(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    /// The resources that are watched, and how many want that.
    uris: BTreeMap<Arc<str>, usize>,
    /// Counts the changes of `uris`.
    wanted: u64,
    /// What the server was last asked for.
    sent: Option<u64>,
    /// What it has last acknowledged.
    acknowledged: Option<u64>,
    /// The subscription that it has last acknowledged.
    current: Option<Json>,
}

impl Default for Subscribed {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Subscribed {
    /// The params of the next `subscriptions/listen`; `None` when there is nothing that `peer` could tell of.
    pub(crate) fn next(&self, peer: &Peer) -> Option<Params> {
        let mut filter: Map<String, Value> = Topic::ALL
            .into_iter()
            .filter(|topic| peer.tells_of(*topic))
            .map(|topic| (topic.filter().to_owned(), true.into()))
            .collect();
        self.0.send_modify(|state| {
            state.sent = Some(state.wanted);
            if !state.uris.is_empty() {
                let uris: Vec<&str> = state.uris.keys().map(|uri| &**uri).collect();
                filter.insert("resourceSubscriptions".to_owned(), json!(uris));
            }
        });
        (!filter.is_empty()).then(|| Params::of(&json!({ "notifications": filter })))
    }

    /// The server has acknowledged what it was last asked for, by a message of the subscription `current`.
    pub(crate) fn acknowledged(&self, current: Option<&Json>) {
        self.0.send_modify(|state| {
            state.acknowledged = state.sent;
            state.current = current.map(Json::detached);
        });
    }

    /// Whether a message of the subscription `id` counts: while one takes the place of another both may tell the same.
    pub(crate) fn is_current(&self, id: Option<&Json>) -> bool {
        let state = self.0.borrow();
        match (id, &state.current) {
            (Some(id), Some(current)) => id == current,
            _ => true,
        }
    }

    /// Waits until the server has acknowledged what it was last asked for.
    pub(crate) async fn is_acknowledged(&self) {
        let mut state = self.0.subscribe();
        let done = state.wait_for(|state| state.sent.is_some() && state.acknowledged == state.sent);
        // The sender lives as long as this.
        done.await.ok();
    }

    /// Waits until the server is to be asked for something else.
    pub(crate) async fn is_outdated(&self) {
        let mut state = self.0.subscribe();
        state
            .wait_for(|state| state.sent != Some(state.wanted))
            .await
            .ok();
    }

    /// Watches `uri`, and waits until the server has acknowledged that. `false` when too many are watched.
    pub(crate) async fn add(&self, uri: &str) -> bool {
        let mut version = None;
        self.0.send_modify(|state| {
            if let Some(count) = state.uris.get_mut(uri) {
                *count += 1;
            } else if state.uris.len() < MAX_WATCHED {
                state.uris.insert(uri.into(), 1);
                state.wanted += 1;
            } else {
                return;
            }
            version = Some(state.wanted);
        });
        let Some(version) = version else { return false };
        let mut state = self.0.subscribe();
        let done = state.wait_for(|state| state.acknowledged.is_some_and(|known| known >= version));
        done.await.is_ok()
    }

    /// Watches `uri` once less.
    pub(crate) fn remove(&self, uri: &str) {
        self.0.send_if_modified(|state| {
            let Some(count) = state.uris.get_mut(uri) else {
                return false;
            };
            *count -= 1;
            let last = *count == 0;
            if last {
                state.uris.remove(uri);
                state.wanted += 1;
            }
            last
        });
    }
}
