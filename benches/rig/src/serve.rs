//! The accept loop the comparison servers share: hyper, TCP_NODELAY, nothing else.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::Problem;
use crate::args::Args;

/// Where a server listens and with how many worker threads.
pub(crate) struct Place {
    listen: SocketAddr,
    n_threads: usize,
}

impl Place {
    /// From `--listen` (default: a free loopback port) and `--threads` (default: one for each core).
    pub(crate) fn from_args(args: &mut Args) -> Result<Self, Problem> {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            listen: args.get_or("listen", SocketAddr::from(([127, 0, 0, 1], 0)))?,
            n_threads: args.get_or("threads", n_cores)?,
        })
    }

    pub(crate) fn runtime(&self) -> Result<Runtime, Problem> {
        Ok(tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.n_threads)
            .enable_io()
            .build()?)
    }

    /// Serves until the process ends. Says `listening on URL` on stderr first.
    pub(crate) async fn serve<S, H, F, B, E>(
        &self,
        state: Arc<S>,
        handler: H,
    ) -> Result<(), Problem>
    where
        S: Send + Sync + 'static,
        H: Fn(Arc<S>, Request<Incoming>) -> F + Copy + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Problem>,
        E: Into<Problem> + 'static,
    {
        let listener = TcpListener::bind(self.listen).await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let service = service_fn(move |request| handler(Arc::clone(&state), request));
                // A client that goes away ends its connection with an error; the next one is not concerned.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

/// A JSON answer.
pub(crate) fn json(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that is a stream of events, all of them in one piece.
pub(crate) fn event_stream(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = json(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// An answer without a body.
pub(crate) fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The result type of handlers that always have an answer.
pub(crate) type Always = Result<Response<Full<Bytes>>, Infallible>;
