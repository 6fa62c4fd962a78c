//! Servers written with rmcp, hosted in this process.
//!
//! They are served over an in-memory pipe of JSON lines, on a thread of their own, and spoken to like any MCP server
//! behind a pipe: their messages reach the caller as the bytes rmcp wrote.

use std::sync::Arc;

use futures::future::BoxFuture;
use rmcp::{ServerHandler, ServiceExt};
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use crate::manifest::Manifest;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::own_thread::OwnThread;
use crate::runtime::{Host, Instance};

/// How many bytes one direction of the pipe holds before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;

/// Makes one server per instance and serves it.
#[derive(Clone)]
pub struct Hosted(Arc<dyn Fn(DuplexStream) -> BoxFuture<'static, String> + Send + Sync>);

/// A server that is being served.
pub(crate) struct Served {
    /// Our end of the pipe. The server ends when it is closed.
    pub(crate) pipe: DuplexStream,
    /// Ends the server, whatever it does.
    pub(crate) stop: CancellationToken,
    /// The thread it runs on.
    pub(crate) thread: OwnThread,
}

/// Hosts the servers that `make` makes, one per instance.
pub fn host<S: ServerHandler>(make: impl Fn() -> S + Send + Sync + 'static) -> Hosted {
    Hosted(Arc::new(move |pipe| {
        let server = make();
        Box::pin(async move {
            let served = async {
                Ok::<_, String>(
                    server
                        .serve(pipe)
                        .await
                        .map_err(|err| err.to_string())?
                        .waiting()
                        .await,
                )
            };
            match served.await {
                Ok(Ok(reason)) => format!("{reason:?}"),
                Ok(Err(err)) => err.to_string(),
                Err(err) => err,
            }
        })
    }))
}

impl Hosted {
    /// Makes a server and serves it on a thread of its own.
    pub(crate) fn serve(&self, plugin: &PluginId) -> Result<Served, Fault> {
        let (pipe, theirs) = tokio::io::duplex(PIPE_BYTES);
        let stop = CancellationToken::new();
        let (serve, stopped, id) = (Arc::clone(&self.0), stop.clone(), plugin.clone());
        let work = async move {
            tokio::select! {
                biased;
                () = stopped.cancelled() => {}
                why = async { serve(theirs).await } => {
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
        Ok(Served { pipe, stop, thread })
    }

    /// Starts an instance of it.
    pub(crate) async fn start(
        &self,
        manifest: Arc<Manifest>,
        host: Host,
    ) -> Result<Arc<dyn Instance>, Fault> {
        let _ = host;
        let served = self.serve(&manifest.id)?;
        served.stop.cancel();
        Err(Fault::new(
            FaultKind::Unavailable,
            "rmcp servers cannot be hosted yet",
        ))
    }
}
