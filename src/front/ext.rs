//! `/ext/…`: what plugins answer over HTTP themselves, and how they are.
//!
//! Nothing is mounted: which plugin a path belongs to is looked up with each request, so what a plugin answers is there
//! and gone with it. A request is tried in this order: the routes of the manifest, the plugin's own router, its files.

mod answer;

mod arguments;

mod health;

mod media;

mod path;

mod route;

mod static_files;

mod status;

use std::sync::Arc;

use axum::extract::{Extension, Request};
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{Method, Response};

use crate::front::auth::Unknown;
use crate::front::ext::path::Place;
use crate::front::http::body::Body;
use crate::front::http::routes::Door;
use crate::model::caller::Caller;

/// Who asks, if that is known: files may be for everyone.
type Asker = Option<Extension<Arc<Caller>>>;

/// What pages may do that come from here: be made of what comes from here, and be framed by nobody.
const PAGES: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Headers of every answer below `/ext`, unless the plugin has set them.
const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, PAGES),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Whether a request without a credential gets this far: it may be for a file that is for everyone.
pub(in crate::front) fn may_be_public(method: &Method, path: &str) -> bool {
    path.starts_with("/ext/") && (*method == Method::GET || *method == Method::HEAD)
}

/// `GET /ext/status`: every plugin that the caller sees, with what it asked for and may not do.
pub(super) async fn status(Door(front): Door, caller: Asker) -> Response<Body> {
    let Some(Extension(caller)) = caller else {
        return front.callers.unauthorized(Unknown::Missing);
    };
    dressed(status::answer(&front, &caller))
}

/// `GET /ext/{id}/health`: 200 or 503, with how the plugin is.
pub(super) async fn health(Door(front): Door, caller: Asker, request: Request) -> Response<Body> {
    let Some(Extension(caller)) = caller else {
        return front.callers.unauthorized(Unknown::Missing);
    };
    let place = Place::of(request.uri().path());
    dressed(health::answer(&front, &caller, place.id))
}

/// Whatever else there is below `/ext/{id}`.
pub(super) async fn any(Door(front): Door, caller: Asker, request: Request) -> Response<Body> {
    let caller = caller.map(|Extension(caller)| caller);
    dressed(route::answer(&front, caller, request).await)
}

fn dressed(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    }
    response
}
