//! How plugins come to life and are spoken to.
//!
//! The two seams of the gateway: a [`Runtime`] starts instances of plugins, an [`Instance`] answers requests. They sit
//! at the level of calls. Handshakes, eras, reconnects and sessions upstream stay inside a runtime.

pub mod in_process;

pub mod rmcp_host;

mod own_thread;

pub mod build;

pub mod link;

pub mod mcp_http;

pub mod mcp_stdio;

pub mod process;

pub mod updates;

pub(crate) mod temp_dir;

pub(crate) mod client;

pub(crate) mod changed;

pub(crate) mod subscribed;

pub(crate) mod questions;

mod follow;

pub(crate) mod given_up;

pub(crate) mod lines;

pub(crate) mod server;

pub(crate) mod surface;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::background::work::Work;
use crate::manifest::{Grant, Isolation, Manifest};
use crate::metrics::Metrics;
use crate::model::answer::Answer;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::{Client, Farewell};
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::plugin::routes::{RouteRequest, RouteResponse, Routes};
use crate::plugin::{Supply, Way, Weight};
use crate::runtime::process::Usage;
use crate::runtime::updates::Updates;
use crate::session::Session;
use crate::wire::cache::CacheHints;
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::list::{ListKind, Topic};
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// A way to run plugins.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Brings one instance of `plugin` to life: it answers requests and its surface is known. Bounded by the plugin's
    /// start deadline; when it fails nothing of the attempt is left behind.
    async fn start(&self, plugin: Arc<Manifest>, host: Host) -> Result<Arc<dyn Instance>, Fault>;

    /// Whether `plugin` can run here at all; the reason why not, for people. Looks, and starts nothing.
    fn available(&self, plugin: &Manifest) -> Result<(), String> {
        let _ = plugin;
        Ok(())
    }

    /// Whether what answers is started here, as opposed to a server that only the way to it is.
    fn is_ours(&self) -> bool {
        true
    }

    /// How instances of `plugin` belong to client sessions where its manifest does not say.
    fn isolation(&self, plugin: &Manifest) -> Isolation {
        let _ = plugin;
        Isolation::Session
    }
}

/// What the gateway gives an instance.
#[derive(Clone)]
pub struct Host {
    /// Whose instance it is.
    pub plugin: PluginId,
    /// Owns the instance's tasks. Stopped with the instance.
    pub supervisor: Supervisor,
    /// The client that the instance is told of at its start: the one it serves, or a bare one.
    pub profile: Arc<ClientProfile>,
    /// The era that a plugin which speaks both is to speak.
    pub prefer: Era,
    /// Who hears of updates of its resources.
    pub updates: Arc<Updates>,
    /// The session that it serves alone, if it does.
    pub session: Option<Arc<Session>>,
    /// What the plugin may do.
    pub grants: Arc<BTreeSet<Grant>>,
    /// The plugin's own folder, if it has one.
    pub folder: Option<PathBuf>,
    /// Who hands it other plugins, if anyone does.
    pub(crate) supply: Option<Arc<dyn Supply>>,
    /// Where it may count, if anywhere.
    pub metrics: Option<Arc<Metrics>>,
    /// The way to the bus, if there is one.
    pub(crate) events: Option<Way>,
    /// The version of the gateway, for handshakes.
    pub version: &'static str,
    /// Hears how far the start has come.
    pub reached: Reached,
}

/// Hears how far a start has come.
pub type Reached = Arc<dyn Fn(Milestone) + Send + Sync>;

/// How far a start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// The plugin is there: it was made, or its process or server has shaken hands.
    Loaded,
    /// It has its configuration, and what it offers is known.
    Initialized,
}

/// The reason of a plugin that needs a runtime which is not there.
pub const RUNTIME_MISSING: &str = "runtime_missing";

/// One running plugin, or one upstream session of it.
pub trait Instance: Send + Sync {
    /// What it offers, now and after each change.
    fn surface(&self) -> watch::Receiver<Arc<Surface>>;

    /// Asks it something. Dropping the future abandons the request and tells the plugin.
    fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>>;

    /// What a call of a tool would do, where the tool says that of its calls. Changes nothing. Nothing but the caller
    /// bounds how long it takes.
    fn weigh(&self, request: &Request) -> BoxFuture<'_, Option<Weight>> {
        let _ = request;
        Box::pin(std::future::ready(None))
    }

    /// Has its own routes answer an HTTP request, whose path begins behind `/ext/{id}`; `None` where none of them does.
    /// Dropping the future abandons the request. A stream that was answered ends with the instance.
    fn serve<'a>(
        &'a self,
        request: RouteRequest,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Option<RouteResponse>, Fault>> {
        let _ = (request, context);
        Box::pin(std::future::ready(Ok(None)))
    }

    /// What it says of its HTTP routes, where they are not all in its manifest; `None` where it has none.
    fn routes(&self) -> Option<Routes> {
        None
    }

    /// The files that are compiled in with it.
    fn files(&self) -> Option<&'static include_dir::Dir<'static>> {
        None
    }

    /// Waits until lists that the plugin says are others now have been read; `false` where there are none.
    fn catch_up(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    /// Passes on what the client that it serves alone tells: that its roots are others now, and the like. Bounded by
    /// what it takes to send it.
    fn tell<'a>(&'a self, method: &'a Method, params: Params) -> BoxFuture<'a, ()> {
        let _ = (method, params);
        Box::pin(std::future::ready(()))
    }

    /// Asks whether it is there: a ping, or what serves for one. Bounded by `deadline`.
    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), Fault>>;

    /// Whether it takes requests: not from the moment on at which it is known to be about to end.
    fn is_open(&self) -> bool {
        !self.ended().is_cancelled()
    }

    /// Whether it may still be at work for a caller that has gone, and say something about that.
    fn is_at_work(&self) -> bool {
        false
    }

    /// When something useful last came from it; `None` where that is not known.
    fn last_heard(&self) -> Option<Instant> {
        None
    }

    /// Cancelled when it has come to an end by itself: the process died, the session is lost.
    fn ended(&self) -> &CancellationToken;

    /// Why it ended: exit code and last words, for people. `None` while it runs.
    fn last_words(&self) -> Option<String>;

    /// Stops it: tasks, processes, connections. Idempotent, bounded; it has stopped whatever went wrong meanwhile, which
    /// is what is given back.
    fn stop(&self) -> BoxFuture<'_, Option<Fault>>;

    /// The era it speaks. Modern instances keep no state between calls and are shared.
    fn era(&self) -> Era;

    /// One that was started for nobody in particular serves this session alone from now on.
    fn adopt(&self, session: &Arc<Session>) {
        let _ = session;
    }

    /// Its background work, where that is done in this process.
    fn background(&self) -> Vec<Arc<Work>> {
        Vec::new()
    }

    /// Takes other settings while it runs. `false` says that it does not do that: it has to be started anew. A fault says
    /// that it did not want them, and goes on with those it had. Bounded.
    fn reconfigure(&self, config: serde_json::Value) -> BoxFuture<'_, Result<bool, Fault>> {
        let _ = config;
        Box::pin(std::future::ready(Ok(false)))
    }

    /// The process it runs in, if it has one of its own.
    fn pid(&self) -> Option<u32> {
        None
    }

    /// The last lines that it wrote beside the protocol, the oldest first, where it has some way to.
    fn log_lines(&self) -> Vec<LogLine> {
        Vec::new()
    }

    /// What its processes use, if it has some of its own. Does not look: says what was seen last.
    fn usage(&self) -> Option<Usage> {
        None
    }
}

/// A line that a plugin wrote beside the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read.
    pub time: SystemTime,
    /// Where it came from: `stderr`.
    pub stream: &'static str,
    /// The line, without its end and with control characters escaped.
    pub text: String,
}

/// A request to an instance.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// As the client sent them, the name already the plugin's own.
    pub params: Params,
}

/// What surrounds one call.
#[derive(Clone)]
pub struct CallContext {
    /// Unique in this process.
    pub id: u64,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// With what kind of client.
    pub profile: Arc<ClientProfile>,
    /// The session it belongs to, if any.
    pub session: Option<Arc<Session>>,
    /// From which level on the client wants log messages of this call; `None` is: none for a modern client, the
    /// plugin's choice for a legacy one.
    pub log_level: Option<LogLevel>,
    /// How long the call may take; `None` leaves it to the plugin's limits.
    pub timeout: Option<Duration>,
    /// Cancelled when the caller no longer wants the answer.
    pub cancel: CancellationToken,
    /// What it says then, where it can say something.
    pub farewell: Option<Farewell>,
    /// The way back to the client.
    pub client: Arc<dyn Client>,
}

/// What a plugin offers, as raw definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surface {
    /// Its lists, each in its own order.
    lists: [Arc<Listing>; 4],
    /// What it says it can do, an object; `None` where nobody said anything.
    pub capabilities: Option<Json>,
    /// What it says about its use.
    pub instructions: Option<String>,
    /// What else it said when hands were shaken: `_meta`, members that are not known here.
    pub greeting: Members,
}

/// One list of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// What is listed, in the plugin's order.
    pub definitions: Vec<Definition>,
    /// What was left out, and why: bounds, malformed definitions.
    pub omitted: Vec<Omitted>,
    /// How long and by whom the plugin lets the list be kept; `None` where it does not say.
    pub hints: Option<CacheHints>,
    /// What else stood in the result: `_meta`, members that are not known here. Of the first page.
    pub rest: Members,
    /// Whether the plugin said that it is another one now.
    pub announced: Announced,
}

/// Whether a plugin said that a list is another one now. Makes no difference between two lists.
#[derive(Debug, Clone, Copy, Default, Eq)]
pub struct Announced(pub bool);

impl PartialEq for Announced {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// One tool, prompt, resource or template as its plugin defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What tells it from others: its name, URI or URI template in the plugin.
    pub name: Arc<str>,
    /// All members of the definition.
    pub members: Members,
}

/// Something a plugin offered that is not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omitted {
    /// Its name, or a description where it has none.
    pub name: String,
    /// Why, in a sentence.
    pub reason: String,
}

impl Host {
    /// A host that starts an instance of `plugin` for nobody in particular.
    pub fn of(plugin: PluginId, supervisor: Supervisor, version: &'static str) -> Self {
        Self {
            plugin,
            supervisor,
            profile: Arc::new(ClientProfile::bare()),
            prefer: Era::Modern,
            updates: Arc::default(),
            session: None,
            grants: Arc::default(),
            folder: None,
            supply: None,
            metrics: Some(Arc::default()),
            events: None,
            version,
            reached: Arc::new(|_| {}),
        }
    }
}

impl Surface {
    /// One of its lists.
    pub fn list(&self, kind: ListKind) -> &Arc<Listing> {
        &self.lists[kind as usize]
    }

    /// Puts another list in its place.
    pub fn set(&mut self, kind: ListKind, list: Arc<Listing>) {
        self.lists[kind as usize] = list;
    }

    /// The same, with the lists of `known` in place of equal ones.
    #[must_use]
    pub fn sharing(mut self, known: &Self) -> Self {
        for kind in ListKind::ALL {
            if self.list(kind) == known.list(kind) {
                self.set(kind, Arc::clone(known.list(kind)));
            }
        }
        self
    }

    /// Whether both have the same lists about `topic`: not only equal ones.
    pub fn shares(&self, other: &Self, topic: Topic) -> bool {
        let same = |kind: &ListKind| Arc::ptr_eq(self.list(*kind), other.list(*kind));
        topic.lists().iter().all(same)
    }

    /// Whether it has nothing about `topic`.
    pub fn is_empty(&self, topic: Topic) -> bool {
        let mut lists = topic.lists().iter();
        lists.all(|kind| self.list(*kind).definitions.is_empty())
    }

    /// Whether it declares an extension that `method` must belong to: their names end alike, as `example.com/charts` and
    /// `charts/draw` do.
    pub fn declares_for(&self, method: &str) -> bool {
        let family = method.split('/').next().unwrap_or(method);
        let known = self.capabilities.as_ref().and_then(Members::of);
        let known = known.unwrap_or_default();
        let groups = ["extensions", "experimental"].into_iter();
        let groups = groups.filter_map(|group| known.get(group).and_then(Members::of));
        groups.into_iter().any(|group| {
            let mut names = group.iter().map(|(name, _)| name);
            names.any(|name| name.rsplit(|byte| *byte == b'/').next() == Some(family.as_bytes()))
        })
    }

    /// Whether the plugin says that it has the capability `name`.
    pub fn has(&self, name: &str) -> bool {
        let known = self.capabilities.as_ref().and_then(Members::of);
        known.is_some_and(|known| known.get(name).is_some())
    }
}

impl CallContext {
    /// The era of the client that calls.
    pub fn era(&self) -> Era {
        self.profile.era()
    }
}
