//! `subscriptions/listen`: what a modern client is told of outside of its calls (MCP 2026-07-28, subscriptions). The same
//! over HTTP, where it is a stream of its own, and on a pipe.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::dispatch::watching::Watched;
use crate::front::desk::{Desk, undeclared};
use crate::front::rounds::{Tasks, Watcher};
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::{Deaf, Hearer};
use crate::registry::Viewer;
use crate::registry::changes::Changes;
use crate::registry::pool::Who;
use crate::runtime::CallContext;
use crate::session::outbox::Outbox;
use crate::session::table::new_id;
use crate::session::{InFlight, Session};
use crate::wire::error::{INVALID_PARAMS, RpcError};
use crate::wire::json::Json;
use crate::wire::list::Topic;
use crate::wire::message::{Id, Params, write_notification};
use crate::wire::meta::{SUBSCRIPTION_ID, TASKS};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most resources, and the most tasks, that one subscription watches.
const MAX_WATCHED: usize = 1_000;

/// How long the plugins may take to say that they will tell of resources. What is not watched by then is not granted.
const PLACING: Duration = Duration::from_secs(3);

/// What is told of a task that is another than it was.
const TASK_CHANGED: &str = "notifications/tasks";

/// An open subscription. Dropping it ends it.
pub(crate) struct Subscription {
    id: Id,
    topics: Vec<Topic>,
    changes: Changes,
    updates: Arc<Updates>,
    _watched: Vec<Watched>,
    _within: Within,
    tasks: WatchedTasks,
    /// Messages that are to be sent before anything else.
    ready: Vec<Bytes>,
}

/// The sessions that the resources of one subscription are watched in.
struct Within {
    /// Its own, which ends with it.
    own: Arc<Session>,
    /// The one that the client names, which is in use meanwhile.
    named: Option<Arc<Session>>,
    _in_use: Option<InFlight>,
}

/// The tasks of the gateway that one subscription hears of.
struct WatchedTasks {
    tasks: Arc<Tasks>,
    caller: Arc<Caller>,
    watcher: Arc<Watcher>,
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
        let uris = strings(&filter, "resourceSubscriptions")?.unwrap_or_default();
        let task_ids = strings(&filter, "taskIds")?;
        if task_ids.is_some() && !profile.declares(TASKS) {
            return Err(undeclared(TASKS));
        }
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
        let within = Within::new(desk, params, caller, &profile)?;
        let watched = within.watch(desk, &uris, &updates, caller).await;
        let mut granted: Map<String, Value> = topics
            .iter()
            .map(|topic| (topic.filter().to_owned(), true.into()))
            .collect();
        if !uris.is_empty() {
            let kept = uris.iter().filter(|uri| watched.contains_key(uri.as_str()));
            let kept: Vec<&String> = kept.collect();
            granted.insert("resourceSubscriptions".to_owned(), json!(kept));
        }
        let tasks = WatchedTasks {
            tasks: Arc::clone(&desk.tasks),
            caller: Arc::clone(caller),
            watcher: Arc::default(),
        };
        if let Some(mut ids) = task_ids {
            ids.retain(|id| tasks.watch(id));
            granted.insert("taskIds".to_owned(), json!(ids));
        }
        let mut acknowledged = about(&id);
        acknowledged
            .members
            .set("notifications", Json::of(&granted));
        Ok(Self {
            ready: vec![text(&Method::ListenAcknowledged, &acknowledged)],
            _watched: watched.into_values().collect(),
            _within: within,
            id,
            topics,
            changes,
            updates,
            tasks,
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
                number = self.tasks.watcher.next() => {
                    self.ready.extend(self.tasks.told(number, &self.id));
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

impl Within {
    fn new(
        desk: &Desk,
        params: &Params,
        caller: &Arc<Caller>,
        profile: &Arc<ClientProfile>,
    ) -> Result<Self, RpcError> {
        let named = desk
            .dispatcher
            .named_session(params, &context(desk, caller, profile))
            .map_err(|fault| RpcError::new(INVALID_PARAMS, fault.to_string()))?;
        let number = Id::number(desk.dispatcher.next_call());
        let in_use = named.as_ref().and_then(|named| named.begin(&number));
        let own = Session::new(new_id(), Arc::clone(&caller.principal), Arc::clone(profile));
        // A client of a subscription hears nothing else than what it asked for.
        own.reach_by(drop);
        Ok(Self {
            own,
            named,
            _in_use: in_use,
        })
    }

    /// Watches those of the resources that plugins will tell of in time; the others are given up.
    async fn watch<'a>(
        &self,
        desk: &Desk,
        uris: &'a [String],
        updates: &Arc<Updates>,
        caller: &Arc<Caller>,
    ) -> HashMap<&'a str, Watched> {
        let placing = uris.iter().map(|uri| async move {
            let mut context = context(desk, caller, &self.own.profile);
            context.session = Some(Arc::clone(&self.own));
            let hearer = Arc::clone(updates) as Arc<dyn Hearer>;
            let named = self.named.as_ref();
            let watched = desk.dispatcher.watch(uri, hearer, named, context);
            Some((uri.as_str(), watched.await.ok()?.0))
        });
        let mut placing: FuturesUnordered<_> = placing.collect();
        let over = tokio::time::sleep(PLACING);
        tokio::pin!(over);
        let mut watched = HashMap::new();
        loop {
            tokio::select! {
                biased;
                placed = placing.next() => match placed {
                    Some(placed) => watched.extend(placed),
                    None => return watched,
                },
                () = &mut over => return watched,
            }
        }
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.own.end();
    }
}

impl WatchedTasks {
    /// Hears of a task of ours from here on; `false` where there is none of that id for this caller.
    fn watch(&self, id: &str) -> bool {
        let task = self.tasks.find(id, &self.caller);
        task.is_some_and(|task| task.watch_task(&self.watcher))
    }

    /// What is told of a task as it is now (`notifications/tasks`). Nothing, when it has been forgotten meanwhile.
    fn told(&self, number: u128, id: &Id) -> Option<Bytes> {
        let state = self.tasks.at(number, &self.caller)?.task()?;
        let mut params = b"{".to_vec();
        params.extend_from_slice(&state);
        params.push(b'}');
        let mut params = Params::from(Json::assembled(params));
        params.meta.set(SUBSCRIPTION_ID, id.json().clone());
        Some(text(&Method::of(TASK_CHANGED), &params))
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

/// The names that stand in the filter under `key`, each once; `None` where it has no such member.
fn strings(filter: &Map<String, Value>, key: &str) -> Result<Option<Vec<String>>, RpcError> {
    let invalid = |what: &str| {
        let message = format!("Invalid params: `/params/notifications/{key}` must be {what}");
        RpcError::new(INVALID_PARAMS, message)
    };
    let Some(names) = filter.get(key) else {
        return Ok(None);
    };
    let names: Result<Vec<String>, _> = serde_json::from_value(names.clone());
    let mut names = names.map_err(|_| invalid("an array of strings"))?;
    names.sort();
    names.dedup();
    if names.len() > MAX_WATCHED {
        return Err(invalid(&format!("at most {MAX_WATCHED} strings")));
    }
    Ok(Some(names))
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
