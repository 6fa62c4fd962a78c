//! An MCP server behind a pipe, as an instance: the handshake is done, its surface is kept up to date.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::manifest::limits::Limits;
use crate::manifest::{Era as EraChoice, Manifest};
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::runtime::client::{Peer, open};
use crate::runtime::lines::Lines;
use crate::runtime::link::{Link, ask};
use crate::runtime::{CallContext, Host, Request, Surface, surface};
use crate::session::Session;
use crate::wire::level::LogLevel;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// A changed list is read again at most this often.
const LIST_PAUSE: Duration = Duration::from_secs(1);

/// How long the plugin may take to change its log level.
const LEVEL_DEADLINE: Duration = Duration::from_secs(2);

/// An MCP server on the other end of a pipe.
pub(crate) struct Server {
    pub(crate) lines: Arc<Lines>,
    pub(crate) peer: Peer,
    host: Host,
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
        let deadline = Duration::from_millis(manifest.limits.start_timeout_ms);
        let peer = open(&*lines, era, &host, deadline).await?;
        if peer.era() == Era::Modern {
            lines.serve(None);
        }
        let first = surface::read(&*lines, &peer, &host, &manifest.limits).await?;
        let server = Arc::new(Self {
            lines,
            peer,
            host,
            surface: watch::Sender::new(Arc::new(first)),
            log_level: Mutex::new(None),
        });
        let watching = Arc::clone(&server);
        let limits = manifest.limits.clone();
        server
            .host
            .supervisor
            .spawn(format!("{} lists", manifest.id), move |stop| async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = watching.lines.ended.cancelled() => {}
                    () = watching.listen() => {}
                    () = watching.follow(&limits) => {}
                }
            });
        Ok(server)
    }

    /// Asks a modern server to tell of changes; a legacy one does so unasked. Never comes back.
    async fn listen(&self) {
        while self.peer.era() == Era::Modern && self.peer.tells_of_tools() {
            let params = Params::of(&json!({ "notifications": { "toolsListChanged": true } }));
            let params = self.peer.outgoing(params, None, &self.host);
            match self.lines.request(&Method::Listen, params, None).await {
                // It ends when the server wants it to; what changed meanwhile must not be missed.
                Ok(Outcome::Result(_)) => self.lines.changed.notify_one(),
                Ok(Outcome::Error(_)) => break,
                Err(_) if self.lines.ended.is_cancelled() => break,
                Err(_) => {}
            }
            tokio::time::sleep(LIST_PAUSE).await;
        }
        std::future::pending().await
    }

    /// Reads the surface again whenever the plugin says that it changed.
    async fn follow(&self, limits: &Limits) {
        loop {
            self.lines.changed.notified().await;
            match surface::read(&*self.lines, &self.peer, &self.host, limits).await {
                Ok(now) => {
                    self.surface.send_if_modified(|known| {
                        let differs = **known != now;
                        if differs {
                            *known = Arc::new(now);
                        }
                        differs
                    });
                }
                Err(fault) => {
                    tracing::warn!(plugin.id = %self.lines.plugin, reason = fault.reason, "Kept the old list: {fault}");
                }
            }
            tokio::time::sleep(LIST_PAUSE).await;
        }
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

    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.lines.ended
    }

    pub(crate) fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            self.follow_log_level(context).await;
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
