//! Resources that are watched for clients. A watch outlives the instance it began on: the next one is told of it, also one
//! of the plugin that took the place of the first. While no such plugin is there the watch waits for one to come.

mod wish;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dispatch::audit::Record;
use crate::dispatch::subject::Subject;
use crate::dispatch::watching::wish::{Placed, Wish};
use crate::dispatch::{CallError, Dispatcher, bridge, cancelled, is_unknown, shutting_down};
use crate::manifest::Handles;
use crate::model::answer::Answer;
use crate::model::client::Hearer;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::plugin::Plugin;
use crate::runtime::CallContext;
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Reply};
use crate::wire::method::Method;

/// The most resources that one session watches.
const MAX_PER_SESSION: usize = 1_000;

/// How long to wait before a plugin that ended is asked again to tell of a resource; doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest such wait.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What sessions watch, by session and URI.
#[derive(Default)]
pub(super) struct Watching(Mutex<HashMap<Arc<str>, HashMap<String, OfSession>>>);

/// What one session watches.
struct OfSession {
    /// Tells this watch from a later one of the same resource.
    number: u64,
    watched: Watched,
    /// Ends the task that waits for the end of the session.
    _until: DropGuard,
}

/// A resource is watched until this is dropped.
pub struct Watched {
    wish: Arc<Wish>,
    _until: DropGuard,
}

impl Watching {
    fn sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<String, OfSession>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Dispatcher {
    /// Watches a resource for `hearer`, in the session of `context`: all that is watched in one session shares the
    /// instances that serve that alone. In place of it stands `handle` where the plugin takes handles. The result is the
    /// plugin's. It counts as a call while it is being set up, and ends with the session.
    pub async fn watch(
        self: &Arc<Self>,
        uri: &str,
        hearer: Arc<dyn Hearer>,
        handle: Option<&Arc<Session>>,
        context: CallContext,
    ) -> Result<(Watched, Reply), CallError> {
        let subject = Subject::Resource(uri.to_owned());
        let method = Method::ResourcesSubscribe;
        let mut record = Record::open(&self.audit, &method, uri, &context);
        let placed = self
            .place(&subject, &hearer, handle, &context, &mut record)
            .await;
        record.close(placed.as_ref().map(|(_, _, outcome)| outcome));
        let (wish, placed, outcome) = placed?;
        match outcome {
            Outcome::Error(error) => Err(CallError::Plugin(error)),
            Outcome::Result(reply) => {
                let ended = CancellationToken::new();
                let until = ended.clone().drop_guard();
                let wish = Arc::new(wish.lasting(ended));
                wish.put(Some(placed));
                let (dispatcher, kept) = (Arc::clone(self), Arc::clone(&wish));
                let name = format!("{} watch", wish.id);
                self.supervisor.spawn(name, |stop| async move {
                    dispatcher.keep(&kept, stop).await;
                });
                let watched = Watched {
                    wish,
                    _until: until,
                };
                Ok((watched, reply))
            }
        }
    }

    /// Watches a resource for the session of the call until it is told not to, or ends.
    pub async fn subscribe(
        self: &Arc<Self>,
        uri: &str,
        context: CallContext,
    ) -> Result<Reply, CallError> {
        let Some(session) = context.session.clone() else {
            let message = "only a session can watch resources";
            return Err(Fault::new(FaultKind::Denied, message).into());
        };
        let watched = self
            .watching
            .sessions()
            .get(&session.id)
            .map_or(0, HashMap::len);
        if watched >= MAX_PER_SESSION {
            let message = format!("a session watches at most {MAX_PER_SESSION} resources");
            return Err(Fault::new(FaultKind::Busy, message)
                .because("overloaded")
                .into());
        }
        let hearer = Arc::clone(&session) as Arc<dyn Hearer>;
        let number = self.next_call();
        let (watched, reply) = self.watch(uri, hearer, None, context).await?;
        let ended = CancellationToken::new();
        let until = ended.clone().drop_guard();
        let (dispatcher, name) = (Arc::clone(self), uri.to_owned());
        let id = Arc::clone(&session.id);
        let of_session = OfSession {
            number,
            watched,
            _until: until,
        };
        let mut sessions = self.watching.sessions();
        let known = sessions.entry(id).or_default();
        // One that took its place has ended by that.
        drop(known.insert(name.clone(), of_session));
        drop(sessions);
        self.supervisor.spawn("session watch", |stop| async move {
            tokio::select! {
                () = session.ended().cancelled() => {}
                () = ended.cancelled() => {}
                () = stop.cancelled() => {}
            }
            dispatcher.forget(&session.id, &name, number);
        });
        Ok(reply)
    }

    /// Ends that. The result is the plugin's, where it was watching.
    pub async fn unsubscribe(&self, uri: &str, context: CallContext) -> Result<Reply, CallError> {
        let nothing = Reply {
            result: Json::literal("{}"),
            result_type: None,
        };
        let Some(session) = &context.session else {
            return Ok(nothing);
        };
        let known = {
            let mut sessions = self.watching.sessions();
            let watched = sessions.get_mut(&session.id);
            watched.and_then(|watched| watched.remove(uri))
        };
        let Some(OfSession { watched, .. }) = known else {
            return Ok(nothing);
        };
        let wish = Arc::clone(&watched.wish);
        let Some(placed) = wish.take() else {
            return Ok(nothing);
        };
        let subject = Subject::Resource(uri.to_owned());
        let method = Method::ResourcesUnsubscribe;
        let mut record = Record::open(&self.audit, &method, uri, &context);
        if let Some(plugin) = placed.plugin.upgrade() {
            record.found(&plugin);
        }
        let answer = wish.leave(placed, &context).await;
        drop(watched);
        let outcome = match answer {
            Some(answer) => bridge::to_client(answer, &subject, context.era()),
            None => Ok(Outcome::Result(nothing)),
        };
        record.close(outcome.as_ref());
        match outcome? {
            Outcome::Result(reply) => Ok(reply),
            Outcome::Error(error) => Err(CallError::Plugin(error)),
        }
    }

    fn forget(&self, session: &Arc<str>, uri: &str, number: u64) {
        let mut sessions = self.watching.sessions();
        let Some(watched) = sessions.get_mut(session) else {
            return;
        };
        if watched.get(uri).is_some_and(|known| known.number == number) {
            watched.remove(uri);
        }
        if watched.is_empty() {
            sessions.remove(session);
        }
    }

    async fn place(
        &self,
        subject: &Subject,
        hearer: &Arc<dyn Hearer>,
        handle: Option<&Arc<Session>>,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<(Wish, Placed, Outcome), Fault> {
        let addresses = self.find(subject, context).await?;
        let count = addresses.len();
        for (at, address) in addresses.into_iter().enumerate() {
            record.found(&address.plugin);
            let takes_it = address.plugin.manifest.handles != Handles::Off;
            let session = handle.filter(|_| takes_it).or(context.session.as_ref());
            let within = CallContext {
                session: session.cloned(),
                ..context.clone()
            };
            let wish = Wish::new(&address, subject, hearer, within);
            let placing = self.place_on(&address.plugin, &wish);
            let (placed, answer) = tokio::select! {
                biased;
                placed = placing => placed?,
                () = context.cancel.cancelled() => return Err(cancelled()),
                () = self.closing.cancelled() => return Err(shutting_down()),
            };
            if at + 1 == count || !is_unknown(&answer, subject) {
                let outcome = bridge::to_client(answer, subject, context.era())?;
                return Ok((wish, placed, outcome));
            }
        }
        Err(self.unknown(subject, &context.caller))
    }

    /// Asks the plugin, or the one that takes its place meanwhile.
    async fn place_on(&self, plugin: &Arc<Plugin>, wish: &Wish) -> Result<(Placed, Answer), Fault> {
        let placed = wish.place(plugin).await;
        match self.registry.present(plugin) {
            Some(next) if placed.is_err() && !Arc::ptr_eq(&next, plugin) => wish.place(&next).await,
            _ => placed,
        }
    }

    /// Sees to it that the resource stays watched, whatever becomes of instances and of their plugin, until nobody wants
    /// that any more.
    async fn keep(&self, wish: &Wish, stop: CancellationToken) {
        let unwanted = async {
            tokio::select! {
                () = wish.context.cancel.cancelled() => {}
                () = stop.cancelled() => {}
                () = self.closing.cancelled() => {}
                () = wish.session_ended() => {}
            }
        };
        tokio::pin!(unwanted);
        loop {
            let Some(ended) = wish.instance_ended() else {
                return;
            };
            tokio::select! {
                () = &mut unwanted => {
                    if let Some(placed) = wish.take() {
                        wish.leave(placed, &wish.parting()).await;
                    }
                    return;
                }
                () = ended.cancelled() => {}
            }
            // Nothing of it is held while the next one is waited for.
            let Some(Placed { plugin, .. }) = wish.take() else {
                return;
            };
            tokio::select! {
                () = &mut unwanted => return,
                placed = self.place_again(wish, plugin) => wish.put(Some(placed)),
            }
            wish.tell();
        }
    }

    /// Asks until the resource is watched: one that has taken the place of `last` at once, the same after a pause. Waits
    /// for as long as the caller does.
    async fn place_again(&self, wish: &Wish, mut last: Weak<Plugin>) -> Placed {
        let mut pause = PAUSE;
        loop {
            let plugin = tokio::select! {
                biased;
                plugin = self.registry.another(wish.kind, &wish.id, &last) => {
                    pause = PAUSE;
                    plugin
                }
                plugin = same_after(pause, &last) => {
                    pause = (pause * 2).min(MAX_PAUSE);
                    plugin
                }
            };
            last = Arc::downgrade(&plugin);
            // One that refuses does not watch: it is asked again, as one that does not start is.
            if let Ok((placed, answer)) = wish.place(&plugin).await
                && matches!(answer.outcome, Outcome::Result(_))
            {
                return placed;
            }
        }
    }
}

/// The plugin after this time, if it is there then. Else this does not end.
async fn same_after(pause: Duration, plugin: &Weak<Plugin>) -> Arc<Plugin> {
    tokio::time::sleep(pause).await;
    match plugin.upgrade() {
        Some(plugin) if !plugin.has_left() => plugin,
        _ => std::future::pending().await,
    }
}
