//! The table of routes beside the MCP endpoint.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::routing::{MethodRouter, any, get, post, put};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Method, Response, StatusCode, Uri};

use crate::front::admin::answer;
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, problem};
use crate::front::http::mcp::is_json;
use crate::front::{
    admin, approvals, auth, background, calls, events, ext, health, incidents, metrics, openapi,
    overview, recorded, rest, settings, tasks_of_users, toggles,
};

/// The plugin that is a page for operators.
const PAGE: &str = "webui";

/// State of the routes: the front they belong to.
pub(in crate::front) type Front = Weak<HttpFront>;

/// The front that a request came in by.
pub(in crate::front) struct Door(pub(in crate::front) Arc<HttpFront>);

/// Each path, with what answers it by method. What is here stands in the OpenAPI document too.
fn rows() -> Vec<(&'static str, MethodRouter<Front>)> {
    vec![
        ("/api/tools", get(rest::list)),
        ("/api/tools/{name}", get(rest::show).post(rest::call)),
        ("/api/plugins", get(toggles::list)),
        ("/api/plugins/{name}/toggle", put(toggles::toggle)),
        ("/api/approvals", get(approvals::list)),
        ("/api/approvals/{id}/approve", post(approvals::approve)),
        ("/api/approvals/{id}/decline", post(approvals::decline)),
        ("/api/v1/plugin/list", get(admin::list)),
        ("/api/v1/plugin/get", get(admin::get)),
        ("/api/v1/plugin/report", get(admin::report)),
        ("/api/v1/plugin/ps", get(admin::ps)),
        ("/api/v1/plugin/why", get(admin::why)),
        ("/api/v1/plugin/logs", get(admin::logs)),
        ("/api/v1/plugin/execute", post(admin::execute)),
        ("/api/v1/plugin/register", post(admin::register)),
        ("/api/v1/plugin/unregister", post(admin::unregister)),
        ("/api/v1/plugin/build", post(admin::build)),
        ("/api/v1/plugin/start", post(admin::start)),
        ("/api/v1/plugin/stop", post(admin::stop)),
        ("/api/v1/plugin/reload", post(admin::reload)),
        ("/api/background", get(background::list)),
        (
            "/api/background/{plugin}/{name}/{order}",
            post(background::act),
        ),
        (
            "/api/tasks",
            get(tasks_of_users::list).post(tasks_of_users::create),
        ),
        ("/api/tasks/stream", get(tasks_of_users::stream)),
        (
            "/api/tasks/{id}",
            get(tasks_of_users::show).delete(tasks_of_users::remove),
        ),
        ("/api/tasks/{id}/{order}", post(tasks_of_users::act)),
        ("/api/config", get(settings::all)),
        ("/api/config/{id}", get(settings::one).put(settings::change)),
        ("/api/calls", get(calls::list)),
        ("/api/calls/stream", get(calls::stream)),
        ("/api/calls/{id}", get(calls::show)),
        ("/api/calls/{id}/replay", post(calls::replay)),
        ("/api/incidents", get(incidents::list).post(incidents::open)),
        ("/api/incidents/{id}", get(incidents::show)),
        ("/api/incidents/{id}/close", post(incidents::close)),
        ("/api/incidents/{id}/notes", post(incidents::note)),
        ("/api/ledger", get(recorded::status)),
        ("/api/life", get(recorded::life)),
        ("/api/denials", get(recorded::denials)),
        ("/api/events", get(events::recent)),
        ("/api/events/stream", get(events::stream)),
        ("/api/events/status", get(events::status)),
        ("/api/events/dead", get(events::dead)),
        ("/api/events/{topic}", post(events::publish)),
        ("/ext/status", get(ext::status)),
        ("/ext/{id}/health", get(ext::health)),
        ("/ext/{id}", any(ext::any)),
        ("/ext/{id}/", any(ext::any)),
        ("/ext/{id}/{*path}", any(ext::any)),
        (auth::METADATA_PATHS[0], get(auth::metadata)),
        (auth::METADATA_PATHS[1], get(auth::metadata)),
        (auth::METADATA_PATHS[2], get(auth::metadata)),
        ("/openapi.json", get(openapi::document)),
        ("/health", get(health::summary)),
        ("/livez", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(metrics::text)),
        ("/api/overview", get(overview::show)),
        ("/api/overview/stream", get(overview::stream)),
    ]
}

/// The pattern of each path.
pub(super) fn patterns() -> impl Iterator<Item = &'static str> {
    rows().into_iter().map(|(path, _)| path)
}

/// All routes.
pub(super) fn table(front: Front) -> Router {
    let empty = Router::new();
    let routes = rows()
        .into_iter()
        .fold(empty, |routes, (path, row)| routes.route(path, row));
    // A page of another site can have a browser post forms and plain text without asking (S04). What plugins take is for
    // them to say.
    let routes = routes.route_layer(axum::middleware::from_fn(json_only));
    routes
        .route("/", get(home))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(front)
}

impl FromRequestParts<Front> for Door {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, front: &Front) -> Result<Self, Infallible> {
        Ok(Self(
            front.upgrade().expect("a front outlives its requests"),
        ))
    }
}

/// Refuses changes whose body is of another type than JSON.
async fn json_only(request: Request, next: Next) -> Response<axum::body::Body> {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let is_typed = request.headers().contains_key(CONTENT_TYPE);
    let is_of_plugin = request.uri().path().starts_with("/ext/");
    if changes && is_typed && !is_of_plugin && !is_json(request.headers()) {
        let message = "send `Content-Type: application/json`";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let refusal = answer::problem(status, "unsupported_media_type", message, None);
        return refusal.map(axum::body::Body::new);
    }
    next.run(request).await
}

/// `GET /`: a browser is shown the page for operators, where there is one. To programs there is nothing.
async fn home(Door(front): Door, headers: HeaderMap, uri: Uri) -> Response<Body> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let is_browser = accept.is_some_and(|accept| accept.contains("text/html"));
    let page = front.desk.registry().named(PAGE);
    if !is_browser || page.iter().all(|page| page.closed().is_some()) {
        return not_found(uri).await;
    }
    let mut response = Response::new(Body::of(""));
    *response.status_mut() = StatusCode::SEE_OTHER;
    let place = HeaderValue::from_static("/ext/webui/");
    response.headers_mut().insert(LOCATION, place);
    response
}

async fn not_found(uri: Uri) -> Response<Body> {
    let message = format!(
        "there is nothing at `{}`; `/openapi.json` names what there is",
        uri.path()
    );
    problem(StatusCode::NOT_FOUND, "not_found", &message)
}

/// The table adds the `Allow` header.
async fn not_allowed(method: Method, uri: Uri) -> Response<Body> {
    let message = format!("`{}` cannot be asked `{method}`", uri.path());
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        &message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described() {
        let described: Vec<String> = openapi::fixed_paths();
        let paths: Vec<&str> = rows().iter().map(|(path, _)| *path).collect();
        assert_eq!(described, paths);
    }
}
