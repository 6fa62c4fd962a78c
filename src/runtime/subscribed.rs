//! What a modern server is asked to tell of: changes of its lists, and updates of the resources somebody watches (MCP
//! 2026-07-28, subscriptions).
//!
//! There is one subscription to a server at a time. When other resources are watched it is replaced: the old one ends
//! when the server has acknowledged the new one, so nothing is missed in between. A server that refuses what it is asked
//! for is asked again when something else is wanted, never before.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::runtime::client::Peer;
use crate::wire::list::Topic;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::meta::SUBSCRIPTION_ID;

/// The most resources that are watched in one server.
const MAX_WATCHED: usize = 10_000;

/// How long a server may take to acknowledge a subscription before the one that it replaces is ended all the same.
const MAX_OVERLAP: Duration = Duration::from_secs(30);

/// How long who no longer watches a resource waits until the server has taken that in.
const MAX_SETTLING: Duration = Duration::from_secs(1);

/// What one server is asked to tell of.
#[derive(Debug)]
pub(crate) struct Subscribed(watch::Sender<State>);

/// How one subscription came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server ended it, or what is in between did. It can be asked again, and not before that time if it said so.
    Over(Option<Duration>),
    /// The server will not have it.
    Refused,
}

/// Why a resource is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwatched {
    /// Too many are watched.
    TooMany,
    /// The server refuses the subscription.
    Refused,
}

#[derive(Debug, Default)]
struct State {
    /// The resources that are watched.
    uris: BTreeMap<Arc<str>, Wanted>,
    /// Counts the changes of `uris`.
    wanted: u64,
    /// What the server was last asked for.
    sent: Option<u64>,
    /// The id of that request.
    asked: Option<u64>,
    /// What it has last acknowledged.
    acknowledged: Option<u64>,
    /// The resources that it grants by that.
    granted: HashSet<String>,
    /// What it has last refused.
    refused: Option<u64>,
    /// The id of the subscription that it has last acknowledged.
    newest: Option<u64>,
    /// The resources of which that one has told, while another is being replaced by it.
    told: Option<HashSet<String>>,
    /// Whether one is being replaced: until the old one has ended, both tell.
    overlaps: bool,
}

#[derive(Debug)]
struct Wanted {
    /// How many want it.
    count: usize,
    /// The change with which the first of them came.
    since: u64,
}

/// A subscription that is being heard.
type Standing<'a> = Fuse<BoxFuture<'a, End>>;

impl Default for Subscribed {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Subscribed {
    /// Holds one subscription to `peer`, which `listen` asks for and hears, and replaces it whenever something else is
    /// wanted. Comes back when it is over, with the time to wait before the next; never of a server that refuses it.
    pub(crate) async fn hold<'a>(
        &self,
        peer: &Peer,
        listen: impl Fn(Params) -> BoxFuture<'a, End>,
    ) -> Option<Duration> {
        let subscribe = || match self.next(peer) {
            Some(params) => listen(params).fuse(),
            None => {
                // There is nothing to hear, until somebody watches a resource.
                self.acknowledged(None);
                Fuse::terminated()
            }
        };
        let mut current = subscribe();
        loop {
            tokio::select! {
                biased;
                end = &mut current => match end {
                    End::Over(wait) => return wait,
                    // What has ended is silent from then on.
                    End::Refused => self.refuse(),
                },
                () = self.is_outdated() => {
                    self.quietly(|state| state.overlaps = true);
                    let replaced = self.replace(current, subscribe()).await;
                    self.0.send_modify(|state| state.overlaps = false);
                    match replaced {
                        Ok(standing) => current = standing,
                        Err(wait) => return wait,
                    }
                }
            }
        }
    }

    /// Replaces `current` by `next` as soon as the server has acknowledged that. Gives what stands then, or how long to
    /// wait where one of them is over.
    async fn replace<'a>(
        &self,
        mut current: Standing<'a>,
        mut next: Standing<'a>,
    ) -> Result<Standing<'a>, Option<Duration>> {
        tokio::select! {
            // The new one is heard first: see `is_news_of_stream`.
            biased;
            end = &mut next => match end {
                End::Over(wait) => return Err(wait),
                End::Refused => {
                    self.refuse();
                    return Ok(current);
                }
            },
            () = self.is_acknowledged() => {
                // What has come on the old one already is heard. Its end is of no interest any more.
                let _ = current.now_or_never();
            }
            End::Over(wait) = &mut current => return Err(wait),
            () = tokio::time::sleep(MAX_OVERLAP) => {}
        }
        self.quietly(|state| state.told = None);
        Ok(next)
    }

    /// The params of the next `subscriptions/listen`; `None` when there is nothing that `peer` could tell of.
    fn next(&self, peer: &Peer) -> Option<Params> {
        let mut filter: Map<String, Value> = Topic::ALL
            .into_iter()
            .filter(|topic| peer.tells_of(*topic))
            .map(|topic| (topic.filter().to_owned(), true.into()))
            .collect();
        self.0.send_modify(|state| {
            state.sent = Some(state.wanted);
            state.asked = None;
            state.told = Some(HashSet::new());
            if !state.uris.is_empty() {
                let uris: Vec<&str> = state.uris.keys().map(|uri| &**uri).collect();
                filter.insert("resourceSubscriptions".to_owned(), json!(uris));
            }
        });
        (!filter.is_empty()).then(|| Params::of(&json!({ "notifications": filter })))
    }

    /// The server is being asked for what `hold` wants, by the request of that id.
    pub(crate) fn asked(&self, id: u64) {
        self.quietly(|state| state.asked = Some(id));
    }

    /// The server has acknowledged a subscription, as the params of its message say.
    pub(crate) fn acknowledged(&self, params: Option<&Params>) {
        let id = params.and_then(subscription);
        let granted = params.map(granted).unwrap_or_default();
        self.0.send_modify(|state| {
            // One of before has nothing to say about what it was asked for since.
            if id.is_none() || id == state.asked {
                state.acknowledged = state.sent;
                state.granted = granted;
                state.newest = id.or(state.newest);
                state.told.iter_mut().for_each(HashSet::clear);
            }
        });
    }

    fn refuse(&self) {
        self.0.send_modify(|state| state.refused = state.sent);
    }

    /// Whether what a subscription tells is news, where everything comes in one order: not when another has taken its
    /// place.
    pub(crate) fn is_news(&self, params: &Params) -> bool {
        let id = subscription(params);
        // Ids count upwards.
        id.is_none() || id >= self.0.borrow().newest
    }

    /// Whether what a subscription tells is news, where each comes in an order of its own: not when the one that has
    /// taken its place has told the same. To be asked once for each message.
    pub(crate) fn is_news_of_stream(&self, params: &Params) -> bool {
        let id = subscription(params);
        let uri = params.members.string("uri").unwrap_or_default();
        let mut news = true;
        self.quietly(|state| {
            let Some(told) = &mut state.told else { return };
            if id.is_some() && id < state.newest {
                news = !told.contains(&*uri);
            } else if told.len() < MAX_WATCHED {
                told.insert(uri.into_owned());
            }
        });
        news
    }

    /// Changes what nobody waits for.
    fn quietly(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            change(state);
            false
        });
    }

    /// Waits until the server has acknowledged what it was last asked for.
    async fn is_acknowledged(&self) {
        let mut state = self.0.subscribe();
        let done = state.wait_for(|state| state.sent.is_some() && state.acknowledged == state.sent);
        // The sender lives as long as this.
        done.await.ok();
    }

    /// Waits until the server is to be asked for something else.
    async fn is_outdated(&self) {
        let mut state = self.0.subscribe();
        state
            .wait_for(|state| state.sent != Some(state.wanted))
            .await
            .ok();
    }

    /// Watches `uri`, and waits until the server has acknowledged that: it may grant less than it is asked for. One who no
    /// longer waits does not watch.
    pub(crate) async fn add(&self, uri: &str) -> Result<(), Unwatched> {
        let mut since = None;
        self.0.send_modify(|state| {
            if let Some(wanted) = state.uris.get_mut(uri) {
                wanted.count += 1;
                since = Some(wanted.since);
            } else if state.uris.len() < MAX_WATCHED {
                state.wanted += 1;
                since = Some(state.wanted);
                let wanted = Wanted {
                    count: 1,
                    since: state.wanted,
                };
                state.uris.insert(uri.into(), wanted);
            }
        });
        let since = since.ok_or(Unwatched::TooMany)?;
        let mut adding = Adding {
            subscribed: self,
            uri,
            done: false,
        };
        let has = |known: Option<u64>| known.is_some_and(|known| known >= since);
        let mut state = self.0.subscribe();
        let decided = state.wait_for(|state| has(state.acknowledged) || has(state.refused));
        // The sender lives as long as this.
        adding.done = decided
            .await
            .is_ok_and(|state| has(state.acknowledged) && state.granted.contains(uri));
        if adding.done {
            Ok(())
        } else {
            Err(Unwatched::Refused)
        }
    }

    /// Watches `uri` once less, and waits until the server has taken that in: from then on it tells nothing of before, and
    /// nothing twice. Gives up waiting after a while.
    pub(crate) async fn leave(&self, uri: &str) {
        self.remove(uri);
        let mut state = self.0.subscribe();
        let settled = state.wait_for(|state| {
            let wanted = Some(state.wanted);
            !state.overlaps && (state.acknowledged == wanted || state.refused == wanted)
        });
        tokio::time::timeout(MAX_SETTLING, settled).await.ok();
    }

    /// Watches `uri` once less.
    fn remove(&self, uri: &str) {
        self.0.send_if_modified(|state| {
            let Some(wanted) = state.uris.get_mut(uri) else {
                return false;
            };
            wanted.count -= 1;
            let last = wanted.count == 0;
            if last {
                state.uris.remove(uri);
                state.wanted += 1;
            }
            last
        });
    }
}

/// The id of the subscription that a message belongs to.
fn subscription(params: &Params) -> Option<u64> {
    params.meta.get(SUBSCRIPTION_ID)?.parse().ok()
}

/// The resources that an acknowledgement grants (MCP 2026-07-28, subscriptions).
fn granted(params: &Params) -> HashSet<String> {
    let filter = params.members.get("notifications").and_then(Members::of);
    let uris = filter
        .as_ref()
        .and_then(|filter| filter.get("resourceSubscriptions"));
    uris.and_then(|uris| uris.parse().ok()).unwrap_or_default()
}

/// Somebody who waits until a resource is watched.
struct Adding<'a> {
    subscribed: &'a Subscribed,
    uri: &'a str,
    done: bool,
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.subscribed.remove(self.uri);
        }
    }
}

#[cfg(test)]
mod tests;
