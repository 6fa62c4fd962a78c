//! The resource `http`: the gateway's own client to the outside.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use serde::Serialize;

use crate::model::fault::{Fault, FaultKind};
use crate::wire::json::Json;

/// Sends requests.
pub(crate) trait Fetch: Send + Sync {
    fn fetch(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, Fault>>;
}

/// Sends HTTP requests, each within 30 s, and reads answers of up to 8 MiB. Follows no redirects, keeps no cookies, and
/// does not go to the metadata services of clouds. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient(Arc<dyn Fetch>);

impl HttpClient {
    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self(fetch)
    }

    /// Gets what is at `url`. Any status is an answer.
    pub async fn get(&self, url: &str) -> Result<Response<Bytes>, Fault> {
        self.send(request(Method::GET, url, Bytes::new())?).await
    }

    /// Posts a value as JSON. Any status is an answer.
    pub async fn post(&self, url: &str, body: &impl Serialize) -> Result<Response<Bytes>, Fault> {
        let mut request = request(Method::POST, url, Json::of(body).bytes().clone())?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.send(request).await
    }

    /// Sends any request, its URI a whole one.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        self.0.fetch(request).await
    }
}

fn request(method: Method, url: &str, body: Bytes) -> Result<Request<Bytes>, Fault> {
    let request = Request::builder().method(method).uri(url).body(body);
    request.map_err(|err| Fault::new(FaultKind::BadInput, format!("`{url}` is not a URL: {err}")))
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}
