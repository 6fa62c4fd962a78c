//! A server that stands in for one that is not here: answers as it is told, and keeps what it was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The method and the path, such as `GET /api/v1/query`.
    pub(crate) line: String,
    /// The query, its names and values decoded.
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: http::HeaderMap,
    /// The body, if it is JSON.
    pub(crate) body: Option<Value>,
}

impl Asked {
    /// A value of the query, or nothing.
    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// What it says.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// A status, and JSON or a text.
    Whole(u16, Value),
    /// JSON, a line each; then the end.
    Lines(Vec<Value>),
    /// JSON, a line each; then nothing more, and no end.
    OpenLines(Vec<Value>),
    /// Nothing, ever.
    Nothing,
}

type Answers = dyn Fn(&Asked) -> Said + Send + Sync;

/// The server. It ends when it is dropped.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: AbortHandle,
}

impl StandIn {
    /// A server that answers what `answers` says: a status, and JSON or a text.
    pub(crate) async fn start(
        answers: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let whole = move |asked: &Asked| {
            let (status, said) = answers(asked);
            Said::Whole(status, said)
        };
        Self::saying(whole).await
    }

    /// A server that also answers bit by bit, or not at all.
    pub(crate) async fn saying(answers: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (kept, answers) = (
            Arc::clone(&asked),
            Arc::<Answers>::from(Box::new(answers) as Box<Answers>),
        );
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, &kept, &*answers));
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    served.await.ok();
                });
            }
        });
        Self {
            address,
            asked,
            serving: serving.abort_handle(),
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked since it was asked this the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().expect("no holder panics"))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    kept: &Mutex<Vec<Asked>>,
    answers: &Answers,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let asked = Asked {
        line: format!("{} {}", head.method, head.uri.path()),
        query: query.into_owned().collect(),
        headers: head.headers,
        body: serde_json::from_slice(&body.unwrap_or_default()).ok(),
    };
    let said = answers(&asked);
    kept.lock().expect("no holder panics").push(asked);
    let (status, kind, body) = match said {
        Said::Whole(status, Value::String(text)) => (status, "text/plain", whole(text)),
        Said::Whole(status, json) => (status, "application/json", whole(json.to_string())),
        Said::Lines(lines) => (200, "application/json", whole(written(&lines))),
        Said::OpenLines(lines) => {
            let lines = Frame::data(Bytes::from(written(&lines)));
            let open = futures::stream::once(async { Ok(lines) }).chain(futures::stream::pending());
            (
                200,
                "application/json",
                BodyExt::boxed(StreamBody::new(open)),
            )
        }
        Said::Nothing => std::future::pending().await,
    };
    let answer = Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("content-type", kind);
    Ok(answer.body(body).expect("a response"))
}

fn whole(text: String) -> BoxBody<Bytes, Infallible> {
    BodyExt::boxed(Full::new(Bytes::from(text)))
}

fn written(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
