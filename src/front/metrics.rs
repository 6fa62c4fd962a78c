//! `GET /metrics`: all numbers in the text that Prometheus reads.

use std::sync::Arc;

use axum::extract::Extension;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::front::http::body::Body;
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::metrics::page::CONTENT_TYPE as TEXT;
use crate::model::caller::{Caller, READ};

/// `GET /metrics`. Needs the scope `read`: it names all plugins and tools.
pub(super) async fn text(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    if let Err(refused) = need(&caller, READ) {
        return *refused;
    }
    let mut response = Response::new(Body::of(front.desk.dispatcher.metrics().text()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
