//! A remote MCP server as an instance: the handshake is done, its surface is kept up to date.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::manifest::limits::Limits;
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::runtime::client::Peer;
use crate::runtime::follow::follow;
use crate::runtime::link::{Link, ask};
use crate::runtime::mcp_http::changes::keep_listening;
use crate::runtime::mcp_http::link::HttpLink;
use crate::runtime::mcp_http::mirror::Mirrors;
use crate::runtime::surface::Reader;
use crate::runtime::{CallContext, Instance, Listing, Milestone, Request, Surface};
use crate::session::Session;
use crate::wire::error::HEADER_MISMATCH;
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::list::{ListKind, Topic};
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// How long the server may take to change its log level.
const LEVEL_DEADLINE: Duration = Duration::from_secs(2);

/// One remote server, in one upstream session where it has sessions.
pub(super) struct Remote {
    link: Arc<HttpLink>,
    peer: Peer,
    limits: Limits,
    surface: watch::Sender<Arc<Surface>>,
    /// The level that the upstream session of that generation was told.
    log_level: Mutex<(u64, Option<LogLevel>)>,
}

impl Remote {
    /// Reads the surface of a server that hands were shaken with, and follows it from then on.
    pub(super) async fn open(
        link: Arc<HttpLink>,
        peer: Peer,
        limits: Limits,
    ) -> Result<Arc<Self>, Fault> {
        (link.host.reached)(Milestone::Loaded);
        let first = read_surface(&link, &peer, &limits, None).await?;
        (link.host.reached)(Milestone::Initialized);
        let remote = Arc::new(Self {
            link,
            peer,
            limits,
            surface: watch::Sender::new(Arc::new(first)),
            log_level: Mutex::default(),
        });
        let plugin = &remote.link.endpoint.upstream.plugin;
        let supervisor = &remote.link.host.supervisor;
        let following = Arc::clone(&remote);
        supervisor.spawn(format!("{plugin} lists"), move |stop| async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = following.link.ended.cancelled() => {}
                () = following.follow() => {}
            }
        });
        let (link, peer) = (Arc::clone(&remote.link), remote.peer.clone());
        supervisor.spawn(format!("{plugin} stream"), move |stop| async move {
            let ended = link.ended.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = ended.cancelled() => {}
                () = keep_listening(link, peer) => {}
            }
        });
        Ok(remote)
    }

    /// Reads lists again whenever they may be others.
    async fn follow(&self) {
        let again = |known: Arc<Surface>, kinds: Vec<ListKind>| async move {
            read_surface(&self.link, &self.peer, &self.limits, Some((&known, &kinds))).await
        };
        let (plugin, changed) = (&self.link.endpoint.upstream.plugin, &self.link.changed);
        follow(plugin, changed, &self.surface, self.link.pace.lists, again).await;
    }

    /// Tells a legacy server from which level on the caller wants log messages, if it was not told before.
    async fn follow_log_level(&self, context: &CallContext) {
        let Some(level) = context.log_level.filter(|_| self.peer.era() == Era::Legacy) else {
            return;
        };
        let wanted = (self.link.head.load().generation, Some(level));
        let known = {
            let mut known = self
                .log_level
                .lock()
                .expect("no holder of this lock panics");
            std::mem::replace(&mut *known, wanted)
        };
        if known == wanted || !self.peer.has("logging") {
            return;
        }
        let params = Params::of(&json!({ "level": level.as_str() }));
        if let Err(fault) = ask(&*self.link, &Method::SetLevel, params, LEVEL_DEADLINE).await {
            let plugin = &self.link.endpoint.upstream.plugin;
            tracing::debug!(plugin.id = %plugin, "Could not set the log level: {fault}");
        }
    }
}

/// Reads what the server offers, without the tools whose annotations are wrong: all of it, or those lists `again`.
async fn read_surface(
    link: &Arc<HttpLink>,
    peer: &Peer,
    limits: &Limits,
    again: Option<(&Surface, &[ListKind])>,
) -> Result<Surface, Fault> {
    let upstream = &link.endpoint.upstream;
    let reader = Reader {
        link: &**link,
        peer,
        host: &link.host,
        limits,
    };
    let found = match again {
        None => reader.surface().await,
        Some((known, kinds)) => reader.again(known, kinds).await,
    };
    let mut found = found.map_err(|fault| upstream.named(fault))?;
    let has_tools = again.is_none_or(|(_, kinds)| kinds.contains(&ListKind::Tools));
    if peer.era() == Era::Modern && has_tools {
        let mut tools = Listing::clone(found.list(ListKind::Tools));
        let mirrors = Mirrors::of(&mut tools, upstream);
        found.set(ListKind::Tools, Arc::new(tools));
        link.mirrors.store(Arc::new(mirrors));
    }
    Ok(found)
}

impl Instance for Remote {
    fn surface(&self) -> watch::Receiver<Arc<Surface>> {
        self.surface.subscribe()
    }

    fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            if let Some(watched) = self.peer.watch(&request, &self.link.subscribed).await {
                return watched;
            }
            self.follow_log_level(context).await;
            if request.method == Method::SetLevel {
                return Ok(Answer::result(Json::literal("{}"), Era::Legacy));
            }
            let host = &self.link.host;
            let params = self.peer.outgoing(request.params, Some(context), host);
            let outcome = self
                .link
                .ask(&request.method, params, Some(context))
                .await?;
            if let Outcome::Error(error) = &outcome
                && error.code == HEADER_MISMATCH
            {
                // Its tools may ask for other headers by now (MCP 2026-07-28, streamable HTTP, client behavior).
                self.link.changed.mark(Topic::Tools);
            }
            let answer = self.peer.answer(outcome);
            answer.map_err(|fault| self.link.endpoint.upstream.named(fault))
        })
    }

    fn catch_up(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.link.changed.caught_up())
    }

    fn tell<'a>(&'a self, method: &'a Method, params: Params) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let params = self.peer.outgoing(params, None, &self.link.host);
            if let Err(fault) = self.link.notify(method, params).await {
                let plugin = &self.link.endpoint.upstream.plugin;
                tracing::debug!(plugin.id = %plugin, "Could not pass on `{method}`: {fault}");
            }
        })
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), Fault>> {
        let method = match self.peer.era() {
            Era::Legacy => &Method::Ping,
            Era::Modern => &Method::Discover,
        };
        Box::pin(async move {
            let host = &self.link.host;
            let params = self.peer.outgoing(Params::default(), None, host);
            let answer = ask(&*self.link, method, params, deadline).await;
            answer
                .map(drop)
                .map_err(|fault| self.link.endpoint.upstream.named(fault))
        })
    }

    fn last_heard(&self) -> Option<Instant> {
        self.link.last_heard()
    }

    fn is_at_work(&self) -> bool {
        self.link.callers.is_at_work()
    }

    fn ended(&self) -> &CancellationToken {
        &self.link.ended
    }

    fn last_words(&self) -> Option<String> {
        self.link.last_words()
    }

    fn stop(&self) -> BoxFuture<'_, Option<Fault>> {
        Box::pin(async move {
            let first = !self.link.closed.is_cancelled();
            // The tasks end first, so that none of them complains about the closing.
            self.link.host.supervisor.stopping().cancel();
            self.link.closed.cancel();
            if first {
                self.link.say_goodbye().await;
            }
            None
        })
    }

    fn era(&self) -> Era {
        self.peer.era()
    }

    fn adopt(&self, session: &Arc<Session>) {
        if self.peer.era() == Era::Legacy {
            self.link.serve(Some(Arc::clone(session)));
        }
    }
}
