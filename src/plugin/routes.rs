//! HTTP routes of a plugin under `/ext/{id}`: an axum router, and who asks.
//!
//! The only place besides the fronts that knows axum. What an author needs of it is given on from here.
//!
//! ```
//! use toolgate::plugin::Plugin;
//! use toolgate::plugin::routes::{JsonBody, RouteContext, Router, Routes, get};
//!
//! struct Hello;
//!
//! impl Plugin for Hello {
//!     fn routes(&self) -> Option<Routes> {
//!         let greet = |context: RouteContext| async move {
//!             JsonBody(serde_json::json!({ "hello": &*context.caller().principal }))
//!         };
//!         Some(Routes::new(Router::new().route("/greet", get(greet))))
//!     }
//! }
//! ```

mod held;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

pub use axum::Router;
pub use axum::body::Bytes;
use axum::extract::FromRequestParts;
pub use axum::extract::{Extension, Path, Query, State};
pub use axum::response::sse::Event as StreamEvent;
use axum::response::sse::{KeepAlive, Sse};
pub use axum::response::{Html, IntoResponse};
pub use axum::routing::{MethodRouter, any, delete, get, patch, post, put};
use futures::{Stream, StreamExt};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::model::caller::Caller;
use crate::model::plugin_id::PluginId;

pub(crate) use held::{hold, is_stream, until};

/// JSON in a request or an answer of a route.
pub use axum::Json as JsonBody;

/// The body of a request to a route: it has been read already, within the front's bounds.
pub type RequestBody = axum::body::Body;

/// The body of an answer. One that has no known length is a stream: it ends when the client goes, when the plugin stops,
/// and when the gateway is about to stop.
pub type ResponseBody = axum::body::Body;

/// A request to a route. Its path begins behind `/ext/{id}`.
pub type RouteRequest = http::Request<RequestBody>;

/// The answer of a route.
pub type RouteResponse = http::Response<ResponseBody>;

/// How often a stream of events says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The routes of a plugin, below `/ext/{id}`. Need the grant `ROUTES`.
///
/// A request reaches them with a path that begins behind `/ext/{id}`, with its body read (within
/// `server.max_body_bytes`), and with one deadline: `limits.call_timeout_ms` until the head of the answer. What a stream
/// says after that takes as long as it takes.
#[derive(Debug, Clone)]
pub struct Routes {
    router: Router,
    scope: Option<Arc<str>>,
}

/// One request to a route, as the plugin sees it: an argument of any handler.
#[derive(Debug, Clone)]
pub struct RouteContext {
    plugin: PluginId,
    caller: Arc<Caller>,
    ended: CancellationToken,
}

/// Marks the answer to a path that no route of the plugin has.
#[derive(Debug, Clone, Copy)]
struct Unrouted;

impl Routes {
    /// These routes. A fallback of the router has no effect: what no route answers is looked for among the files of the
    /// plugin, and is 404 there.
    pub fn new(router: Router) -> Self {
        Self {
            router,
            scope: None,
        }
    }

    /// The same, for callers with this scope instead of `ext:{id}:routes`.
    #[must_use]
    pub fn for_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The scope that its callers need, if it is not `ext:{id}:routes`.
    pub fn scope(&self) -> Option<&Arc<str>> {
        self.scope.as_ref()
    }

    /// Where a request to `path` is answered, if anywhere.
    pub(crate) async fn answer(&self, request: RouteRequest) -> Option<RouteResponse> {
        use tower::ServiceExt;

        let unrouted = || async { (StatusCode::NOT_FOUND, Extension(Unrouted)) };
        let router = self.router.clone().fallback(unrouted);
        let Ok(response) = router.oneshot(request).await;
        let routed = response.extensions().get::<Unrouted>().is_none();
        routed.then_some(response)
    }
}

impl RouteContext {
    /// A request that `caller` makes to `plugin`; `ended` is cancelled when its answer has been written, or is not wanted
    /// any more.
    pub(crate) fn new(plugin: PluginId, caller: Arc<Caller>, ended: CancellationToken) -> Self {
        Self {
            plugin,
            caller,
            ended,
        }
    }

    /// One without a gateway, for tests of routes. Put it into the extensions of a request.
    pub fn detached() -> Self {
        let plugin = "detached".parse().expect("the name is a plugin id");
        Self::new(
            plugin,
            Arc::new(Caller::anonymous()),
            CancellationToken::new(),
        )
    }

    /// Whose route it is.
    pub fn plugin(&self) -> &PluginId {
        &self.plugin
    }

    /// Who asks.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Whether the answer is no longer wanted: the client has gone, the plugin stops, or the gateway does.
    pub fn is_cancelled(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the answer has been written or is no longer wanted. For work that the handler has started elsewhere;
    /// handlers and streams themselves are dropped.
    pub async fn cancelled(&self) {
        self.ended.cancelled().await;
    }

    /// Answers with a stream of server-sent events, which says every 15 s that it is still there. `events` is polled as
    /// fast as the client reads, and dropped when the answer is no longer wanted: what feeds it needs a bound of its own.
    pub fn stream<S>(&self, events: S) -> RouteResponse
    where
        S: Stream<Item = StreamEvent> + Send + 'static,
    {
        let events = events.map(Ok::<_, Infallible>);
        let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
        let mut response = events.into_response();
        // Proxies that gather answers would keep events back.
        response.headers_mut().insert(
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        );
        response
    }
}

impl<S: Sync> FromRequestParts<S> for RouteContext {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request does not come through a gateway",
        ))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn request(path: &str) -> RouteRequest {
        let mut request = http::Request::get(path)
            .body(RequestBody::empty())
            .expect("a path");
        request.extensions_mut().insert(RouteContext::detached());
        request
    }

    async fn text(response: RouteResponse) -> String {
        let whole = response.into_body().collect().await.expect("it ends");
        String::from_utf8_lossy(&whole.to_bytes()).into_owned()
    }

    #[tokio::test]
    async fn what_no_route_answers_is_left_to_others() {
        let who = |context: RouteContext| async move { context.caller().principal.to_string() };
        let own = Router::new()
            .route("/who", get(who))
            .route("/gone", get(|| async { StatusCode::NOT_FOUND }))
            .fallback(|| async { "caught" });
        let routes = Routes::new(own);
        let answered = routes.answer(request("/who")).await.expect("a route");
        assert_eq!(text(answered).await, "anonymous");
        let gone = routes.answer(request("/gone")).await.expect("a route");
        assert_eq!(gone.status(), StatusCode::NOT_FOUND);
        assert!(routes.answer(request("/else")).await.is_none());
    }

    #[tokio::test]
    async fn events_are_streamed() {
        let events = futures::stream::iter(["a", "b"]);
        let events = events.map(|text| StreamEvent::default().event("said").data(text));
        let response = RouteContext::detached().stream(events);
        assert!(is_stream(&response));
        let expect = "event: said\ndata: a\n\nevent: said\ndata: b\n\n";
        assert_eq!(text(response).await, expect);
    }
}
