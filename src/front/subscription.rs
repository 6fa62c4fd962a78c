//! `subscriptions/listen`: what a modern client is told of outside of its calls (MCP 2026-07-28, subscriptions). The same
//! over HTTP, where it is a stream of its own, and on a pipe.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::dispatch::watching::Watched;
use crate::front::desk::Desk;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::{Deaf, Hearer};
use crate::registry::Viewer;
use crate::registry::changes::Changes;
use crate::registry::pool::Who;
use crate::runtime::CallContext;
use crate::session::outbox::Outbox;
use crate::wire::error::{INVALID_PARAMS, RpcError};
use crate::wire::json::Json;
use crate::wire::list::Topic;
use crate::wire::message::{Id, Params, write_notification};
use crate::wire::meta::SUBSCRIPTION_ID;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most resources that one subscription watches.
const MAX_WATCHED: usize = 1_000;

/// An open subscription. Dropping it ends it.
pub(crate) struct Subscription {
    id: Id,
    topics: Vec<Topic>,
    changes: Changes,
    updates: Arc<Updates>,
    _watched: Vec<Watched>,
    /// Messages that are to be sent before anything else.
    ready: Vec<Bytes>,
}

/// Takes updates of resources for one subscription.
struct Updates {
    id: Id,
    outbox: Outbox,
}

impl Subscription {
    /// Opens it: what the client is told first is that, and what of its filter is granted.
    pub(crate) async fn open(
        desk: &Desk,
        id: Id,
        params: &Params,
        caller: &Arc<Caller>,
        profile: Arc<ClientProfile>,
    ) -> Result<Self, RpcError> {
        let filter = params.members.get("notifications");
        let filter = filter.and_then(|filter| filter.parse::<Map<String, Value>>().ok());
        let Some(filter) = filter else {
            let message = "Invalid params: `/params/notifications` must be an object";
            return Err(RpcError::new(INVALID_PARAMS, message));
        };
        let uris = resources(&filter)?;
        let offered = desk.registry().catalog().capabilities(caller, Era::Modern);
        let wanted = |topic: &Topic| {
            filter.get(topic.filter()) == Some(&Value::Bool(true))
                && offered.get(topic.capability()).is_some()
        };
        let topics: Vec<Topic> = Topic::ALL.into_iter().filter(wanted).collect();
        let viewer = Viewer {
            caller: Arc::clone(caller),
            who: Who {
                principal: Arc::clone(&caller.principal),
                profile: Arc::clone(&profile),
                session: None,
            },
        };
        let changes = desk.registry().changes(viewer);
        let updates = Arc::new(Updates {
            id: id.clone(),
            outbox: Outbox::default(),
        });
        let watches = uris.iter().map(|uri| async {
            let context = context(desk, caller, &profile);
            let hearer = Arc::clone(&updates) as Arc<dyn Hearer>;
            desk.dispatcher.watch(uri, hearer, context).await.ok()
        });
        let watched = join_all(watches).await;
        let mut granted: Map<String, Value> = topics
            .iter()
            .map(|topic| (topic.filter().to_owned(), true.into()))
            .collect();
        if !uris.is_empty() {
            let kept = uris.iter().zip(&watched);
            let kept = kept.filter_map(|(uri, watched)| watched.is_some().then_some(uri));
            let kept: Vec<&String> = kept.collect();
            granted.insert("resourceSubscriptions".to_owned(), json!(kept));
        }
        let mut acknowledged = about(&id);
        acknowledged
            .members
            .set("notifications", Json::of(&granted));
        Ok(Self {
            ready: vec![text(&Method::ListenAcknowledged, &acknowledged)],
            _watched: watched.into_iter().flatten().map(|(it, _)| it).collect(),
            id,
            topics,
            changes,
            updates,
        })
    }

    /// The next message for the client. None is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Bytes {
        loop {
            if !self.ready.is_empty() {
                return self.ready.remove(0);
            }
            let changed = async {
                match self.topics.is_empty() {
                    true => std::future::pending().await,
                    false => self.changes.next().await,
                }
            };
            tokio::select! {
                biased;
                update = self.updates.outbox.next() => {
                    // It is never closed.
                    self.ready.extend(update);
                }
                changed = changed => {
                    let told = changed.iter().filter(|topic| self.topics.contains(topic));
                    let about = about(&self.id);
                    self.ready.extend(told.map(|topic| text(&topic.changed(), &about)));
                }
            }
        }
    }

    /// The result that ends it.
    pub(crate) fn result(&self) -> Json {
        Json::of(&json!({
            "resultType": "complete",
            "_meta": { SUBSCRIPTION_ID: self.id.json() },
        }))
    }
}

impl Hearer for Updates {
    fn hear(&self, method: &Method, params: &Params) {
        let mut params = params.clone();
        params.meta.set(SUBSCRIPTION_ID, self.id.json().clone());
        if !self.outbox.push(text(method, &params)) {
            tracing::debug!("Dropped an update for a client that does not read");
        }
    }
}

/// The resources that the filter names.
fn resources(filter: &Map<String, Value>) -> Result<Vec<String>, RpcError> {
    let invalid = |what: &str| {
        let pointer = "/params/notifications/resourceSubscriptions";
        let message = format!("Invalid params: `{pointer}` must be {what}");
        RpcError::new(INVALID_PARAMS, message)
    };
    let Some(uris) = filter.get("resourceSubscriptions") else {
        return Ok(Vec::new());
    };
    let uris: Result<Vec<String>, _> = serde_json::from_value(uris.clone());
    let mut uris = uris.map_err(|_| invalid("an array of strings"))?;
    uris.sort();
    uris.dedup();
    if uris.len() > MAX_WATCHED {
        return Err(invalid(&format!("at most {MAX_WATCHED} URIs")));
    }
    Ok(uris)
}

fn context(desk: &Desk, caller: &Arc<Caller>, profile: &Arc<ClientProfile>) -> CallContext {
    CallContext {
        id: desk.dispatcher.next_call(),
        caller: Arc::clone(caller),
        profile: Arc::clone(profile),
        session: None,
        log_level: None,
        timeout: None,
        cancel: CancellationToken::new(),
        farewell: None,
        client: Arc::new(Deaf),
    }
}

/// Params that every message of a subscription carries.
fn about(id: &Id) -> Params {
    let mut params = Params::default();
    params.meta.set(SUBSCRIPTION_ID, id.json().clone());
    params
}

fn text(method: &Method, params: &Params) -> Bytes {
    let mut out = Vec::with_capacity(160);
    write_notification(&mut out, method, params);
    out.into()
}
