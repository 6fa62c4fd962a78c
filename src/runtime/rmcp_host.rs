//! Servers written with rmcp, hosted in this process.
//!
//! They are served over an in-memory pipe of JSON lines, on a thread of their own, and spoken to like any MCP server
//! behind a pipe: their messages reach the caller as the bytes rmcp wrote.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rmcp::{ServerHandler, ServiceExt};
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::manifest::Manifest;
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::client::PROBE_FAILED;
use crate::runtime::lines::{Lines, Why};
use crate::runtime::own_thread::OwnThread;
use crate::runtime::server::Server;
use crate::runtime::{CallContext, Host, Instance, Request, Surface};
use crate::session::Session;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// How many bytes one direction of the pipe holds before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;

/// How long a server may take to end once its pipe is closed.
const END_GRACE: Duration = Duration::from_secs(3);

/// How long it may take after it was told to drop everything.
const STOP_BOUND: Duration = Duration::from_secs(2);

/// Makes one server per instance and serves it.
#[derive(Clone)]
pub struct Hosted(Arc<dyn Fn(Pipe) -> BoxFuture<'static, String> + Send + Sync>);

/// One end of two pipes, one to read from and one to write to. Two, because each must be seen to end by itself.
type Pipe = (DuplexStream, DuplexStream);

/// A server that is being served.
struct Served {
    /// Our end of the pipe. The server ends when it is closed.
    pipe: Pipe,
    /// Ends the server, unless it blocks its thread.
    stop: CancellationToken,
    thread: OwnThread,
}

/// One such server as an instance.
struct Guest {
    plugin: PluginId,
    server: Arc<Server>,
    host: Host,
    stop: CancellationToken,
    thread: OwnThread,
}

/// Hosts the servers that `make` makes, one per instance.
pub fn host<S: ServerHandler>(make: impl Fn() -> S + Send + Sync + 'static) -> Hosted {
    Hosted(Arc::new(move |pipe| {
        let server = make();
        Box::pin(async move {
            let running = match server.serve(pipe).await {
                Ok(running) => running,
                Err(err) => return err.to_string(),
            };
            match running.waiting().await {
                Ok(reason) => format!("{reason:?}"),
                Err(err) => err.to_string(),
            }
        })
    }))
}

impl Hosted {
    /// Makes a server and serves it on a thread of its own.
    fn serve(&self, plugin: &PluginId) -> Result<Served, Fault> {
        let (to_server, its_input) = tokio::io::duplex(PIPE_BYTES);
        let (its_output, from_server) = tokio::io::duplex(PIPE_BYTES);
        let stop = CancellationToken::new();
        let (serve, stopped, id) = (Arc::clone(&self.0), stop.clone(), plugin.clone());
        let work = async move {
            tokio::select! {
                biased;
                () = stopped.cancelled() => {}
                // The server is made on its thread, too: making it may block.
                why = async { serve((its_input, its_output)).await } => {
                    tracing::debug!(plugin.id = %id, "The server of `{id}` ended: {why}");
                }
            }
        };
        let thread = OwnThread::start(format!("plugin {plugin}"), work).map_err(|err| {
            Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{plugin}` got no thread"),
            )
            .caused_by(err)
        })?;
        let pipe = (from_server, to_server);
        Ok(Served { pipe, stop, thread })
    }

    /// Starts an instance of it. Bounded by the plugin's start deadline.
    pub(crate) async fn start(
        &self,
        manifest: Arc<Manifest>,
        host: Host,
    ) -> Result<Arc<dyn Instance>, Fault> {
        let bound = Duration::from_millis(manifest.limits.start_timeout_ms);
        let host = Host {
            supervisor: host.supervisor.child(),
            ..host
        };
        let served = self.serve(&manifest.id)?;
        // Whatever happens from here on: without an instance there is no server.
        let given_up = served.stop.clone().drop_guard();
        let why = why_ended(manifest.id.clone(), served.thread.clone());
        let lines = Lines::start(
            manifest.id.clone(),
            served.pipe,
            manifest.limits.max_message_bytes,
            &host,
            why,
        );
        let opening = Server::open(lines, &manifest, manifest.era, host.clone());
        let server = tokio::time::timeout(bound, opening)
            .await
            .unwrap_or_else(|_| Err(late(&manifest.id, bound)))
            // It would not fare better without the question: it is our own library that answers it.
            .map_err(|fault| match fault.reason {
                PROBE_FAILED => fault.because("start_failed"),
                _ => fault,
            })?;
        let stop = given_up.disarm();
        let host = Host {
            session: None,
            ..host
        };
        Ok(Arc::new(Guest {
            plugin: manifest.id.clone(),
            server,
            host,
            stop,
            thread: served.thread,
        }))
    }
}

fn why_ended(plugin: PluginId, thread: OwnThread) -> Why {
    Box::new(move || {
        Box::pin(async move {
            thread.wait(END_GRACE).await;
            let why = thread.panic().map(|why| format!(": it panicked: {why}"));
            let message = format!(
                "the server of plugin `{plugin}` has ended{}",
                why.unwrap_or_default()
            );
            Fault::new(FaultKind::Unavailable, message).because("upstream_exited")
        })
    })
}

fn late(plugin: &PluginId, bound: Duration) -> Fault {
    let message = format!(
        "plugin `{plugin}` did not start within {} ms",
        bound.as_millis()
    );
    Fault::new(FaultKind::Unavailable, message).because("start_timeout")
}

impl Instance for Guest {
    fn surface(&self) -> watch::Receiver<Arc<Surface>> {
        self.server.surface()
    }

    fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        self.server.request(request, context)
    }

    fn catch_up(&self) -> BoxFuture<'_, bool> {
        self.server.catch_up()
    }

    fn tell<'a>(&'a self, method: &'a Method, params: Params) -> BoxFuture<'a, ()> {
        self.server.tell(method, params)
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), Fault>> {
        self.server.probe(deadline)
    }

    fn is_open(&self) -> bool {
        self.server.is_open()
    }

    fn is_at_work(&self) -> bool {
        self.server.lines.is_at_work()
    }

    fn ended(&self) -> &CancellationToken {
        self.server.ended()
    }

    fn last_words(&self) -> Option<String> {
        let why = || {
            self.thread
                .panic()
                .unwrap_or("it closed its pipe")
                .to_owned()
        };
        self.server.ended().is_cancelled().then(why)
    }

    fn stop(&self) -> BoxFuture<'_, Option<Fault>> {
        Box::pin(async move {
            self.server.lines.close();
            if !self.thread.wait(END_GRACE).await {
                self.stop.cancel();
                if !self.thread.wait(STOP_BOUND).await {
                    let id = &self.plugin;
                    tracing::warn!(plugin.id = %id, "Left the thread of `{id}` behind: it is blocked");
                }
            }
            self.host.supervisor.stopping().cancel();
            None
        })
    }

    fn era(&self) -> Era {
        self.server.peer.era()
    }

    fn adopt(&self, session: &Arc<Session>) {
        self.server.adopt(session);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
