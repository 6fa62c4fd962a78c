//! An MCP server behind a pipe, as an instance: the handshake is done, its surface is kept up to date.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::manifest::limits::Limits;
use crate::manifest::{Era as EraChoice, Manifest};
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::runtime::client::{Peer, open};
use crate::runtime::follow::follow;
use crate::runtime::lines::Lines;
use crate::runtime::link::{Link, ask};
use crate::runtime::subscribed::End;
use crate::runtime::surface::Reader;
use crate::runtime::{CallContext, Host, Milestone, Request, Surface};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::list::ListKind;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// A changed list is read again at most this often.
const LIST_PAUSE: Duration = Duration::from_secs(1);

/// The longest wait before a plugin that ends its subscriptions is asked for another. It doubles up to that.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// How long the plugin may take to change its log level.
const LEVEL_DEADLINE: Duration = Duration::from_secs(2);

/// An MCP server on the other end of a pipe.
pub(crate) struct Server {
    pub(crate) lines: Arc<Lines>,
    pub(crate) peer: Peer,
    host: Host,
    limits: Limits,
    surface: watch::Sender<Arc<Surface>>,
    log_level: Mutex<Option<LogLevel>>,
}

impl Server {
    /// Shakes hands and reads the surface.
    pub(crate) async fn open(
        lines: Arc<Lines>,
        manifest: &Arc<Manifest>,
        era: EraChoice,
        host: Host,
    ) -> Result<Arc<Self>, Fault> {
        let limits = manifest.limits.clone();
        let deadline = Duration::from_millis(limits.start_timeout_ms);
        let peer = open(&*lines, era, &host, deadline).await?;
        if peer.era() == Era::Modern {
            lines.modern();
        }
        // Only the handshake has to do with it; the lines know whom they serve.
        let host = Host {
            session: None,
            ..host
        };
        let reader = Reader {
            link: &*lines,
            peer: &peer,
            host: &host,
            limits: &limits,
        };
        (host.reached)(Milestone::Loaded);
        let first = reader.surface().await?;
        (host.reached)(Milestone::Initialized);
        let server = Arc::new(Self {
            lines,
            peer,
            host,
            limits,
            surface: watch::Sender::new(Arc::new(first)),
            log_level: Mutex::new(None),
        });
        let watching = Arc::clone(&server);
        let name = format!("{} lists", manifest.id);
        server.host.supervisor.spawn(name, move |stop| async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = watching.lines.ended.cancelled() => {}
                () = watching.listen() => {}
                () = watching.follow() => {}
            }
        });
        Ok(server)
    }

    /// Asks a modern server to tell of changes and updates; a legacy one does so unasked. Never comes back.
    async fn listen(&self) {
        if self.peer.era() == Era::Legacy {
            return std::future::pending().await;
        }
        let mut pause = LIST_PAUSE;
        loop {
            let began = Instant::now();
            let listen = |params| self.subscription(params).boxed();
            let asked_for = self.lines.subscribed.hold(&self.peer, listen).await;
            if began.elapsed() >= MAX_PAUSE {
                pause = LIST_PAUSE;
            }
            tokio::time::sleep(pause.max(asked_for.unwrap_or_default())).await;
            pause = (pause * 2).min(MAX_PAUSE);
            // What changed meanwhile must not be missed. The lists are read behind the next request to listen.
            self.lines.changed.mark_all();
        }
    }

    /// One subscription, from its request to its end.
    async fn subscription(&self, params: Params) -> End {
        let params = self.peer.outgoing(params, None, &self.host);
        match self.lines.request(&Method::Listen, params, None).await {
            Ok(Outcome::Error(error)) => {
                tracing::debug!(plugin.id = %self.host.plugin, "Has no subscriptions: {}", error.message);
                End::Refused
            }
            Ok(Outcome::Result(_)) | Err(_) => End::Over(None),
        }
    }

    /// Reads lists again whenever they may be others.
    async fn follow(&self) {
        let reader = Reader {
            link: &*self.lines,
            peer: &self.peer,
            host: &self.host,
            limits: &self.limits,
        };
        let reader = &reader;
        let again = |known: Arc<Surface>, kinds: Vec<ListKind>| async move {
            reader.again(&known, &kinds).await
        };
        let (plugin, changed) = (&self.host.plugin, &self.lines.changed);
        follow(plugin, changed, &self.surface, LIST_PAUSE, again).await;
    }

    /// Waits until lists that it says are others now have been read; `false` where there are none.
    pub(crate) fn catch_up(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.lines.changed.caught_up())
    }

    pub(crate) fn surface(&self) -> watch::Receiver<Arc<Surface>> {
        self.surface.subscribe()
    }

    /// From now on all its callers belong to this session.
    pub(crate) fn adopt(&self, session: &Arc<Session>) {
        if self.peer.era() == Era::Legacy {
            self.lines.serve(Some(Arc::clone(session)));
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.lines.is_open()
    }

    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.lines.ended
    }

    pub(crate) fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            if let Some(watched) = self.peer.watch(&request, &self.lines.subscribed).await {
                return watched;
            }
            self.follow_log_level(context).await;
            if request.method == Method::SetLevel {
                return Ok(Answer::result(Json::literal("{}"), Era::Legacy));
            }
            let params = self
                .peer
                .outgoing(request.params, Some(context), &self.host);
            let outcome = self
                .lines
                .request(&request.method, params, Some(context))
                .await?;
            self.peer.answer(outcome)
        })
    }

    /// Passes on what a client tells.
    pub(crate) fn tell<'a>(&'a self, method: &'a Method, params: Params) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let params = self.peer.outgoing(params, None, &self.host);
            // One that has ended need not know.
            self.lines.notify(method, params).await.ok();
        })
    }

    /// Tells a legacy server from which level on the caller wants log messages.
    async fn follow_log_level(&self, context: &CallContext) {
        let Some(level) = context.log_level.filter(|_| self.peer.era() == Era::Legacy) else {
            return;
        };
        let known = self
            .log_level
            .lock()
            .expect("no holder of this lock panics")
            .replace(level);
        if known == Some(level) || !self.peer.has("logging") {
            return;
        }
        let params = Params::of(&json!({ "level": level.as_str() }));
        if let Err(fault) = ask(&*self.lines, &Method::SetLevel, params, LEVEL_DEADLINE).await {
            tracing::debug!(plugin.id = %self.lines.plugin, "Could not set the log level: {fault}");
        }
    }

    pub(crate) fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), Fault>> {
        let method = match self.peer.era() {
            Era::Legacy => &Method::Ping,
            Era::Modern => &Method::Discover,
        };
        Box::pin(async move {
            let params = self.peer.outgoing(Params::default(), None, &self.host);
            ask(&*self.lines, method, params, deadline).await.map(drop)
        })
    }
}

#[cfg(test)]
mod tests;
