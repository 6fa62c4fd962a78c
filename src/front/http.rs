//! The HTTP front: one listener, one table of routes, the same checks before each of them.

mod accept;

pub(super) mod body;

mod connection;

mod guard;

mod legacy;

pub(in crate::front) mod listen;

pub(super) mod mcp;

mod modern;

mod round;

pub(super) mod routes;

pub(in crate::front) mod stream;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION, CONNECTION,
    HeaderValue, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::dispatch::measured::SESSIONS;
use crate::front::auth::{Callers, METADATA_PATHS, Unknown};
use crate::front::config::ServerConfig;
use crate::front::denied::{Asked, to};
use crate::front::desk::Desk;
use crate::front::ext::may_be_public;
use crate::front::http::body::Body;
use crate::front::http::guard::{Guard, Origin, only};
use crate::front::scope::narrowed;
use crate::metrics::calls::in_us;
use crate::metrics::page::Page;
use crate::metrics::requests::Requests;
use crate::model::caller::Caller;
use crate::session::table::Sessions;
use crate::wire::header::MCP_PARAM_PREFIX;

pub use accept::listen;

/// The path of the MCP endpoint.
pub(super) const MCP_PATH: &str = "/mcp";

/// The other one.
pub(super) const MCP_ALIAS: &str = "/ext/mcp_http/mcp";

/// The paths that need no credential: without one they tell nothing but whether the gateway is there.
const OPEN_PATHS: [&str; 4] = ["/", "/livez", "/readyz", "/health"];

/// The headers a browser may send and see, once its origin is allowed.
const CORS_REQUEST_HEADERS: &str = "authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id, x-scopes, toolgate-incident";
const CORS_RESPONSE_HEADERS: &str = "mcp-session-id, www-authenticate, retry-after";

/// How often a drain looks whether the last call is over.
const DRAIN_TICK: Duration = Duration::from_millis(10);

/// How long calls may take to end after they were told to.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The HTTP front.
pub struct HttpFront {
    pub(super) desk: Arc<Desk>,
    pub(super) callers: Callers,
    pub(super) config: ServerConfig,
    guard: Guard,
    sessions: Sessions,
    routes: axum::Router,
    /// Calls that run.
    active: AtomicUsize,
    /// Cancelled when no new calls are taken: the gateway is about to stop.
    pub(super) draining: CancellationToken,
    /// Cancelled when connections are to end.
    closing: CancellationToken,
}

/// A call while it runs, from the reading of its request to the end of its answer.
pub(crate) struct Active(Arc<HttpFront>);

impl HttpFront {
    /// A front for `desk`. `address` is the one it listens on.
    pub fn new(
        desk: Arc<Desk>,
        callers: Callers,
        config: ServerConfig,
        address: SocketAddr,
    ) -> Arc<Self> {
        let bounds = config.sessions.bounds(callers.are_named());
        let metrics = desk.dispatcher.metrics();
        let paths = [MCP_PATH, MCP_ALIAS].into_iter().chain(routes::patterns());
        metrics.requests.get_or_init(|| Requests::new(paths));
        callers.serve_at(&config, address);
        let mut hosts = config.allowed_hosts.clone();
        hosts.extend(config.public_host());
        let registry = Arc::clone(desk.registry());
        let front = Arc::new_cyclic(|front: &Weak<Self>| Self {
            routes: routes::table(front.clone()),
            guard: Guard::new(address, &hosts, &config.allowed_origins),
            sessions: Sessions::new(bounds),
            desk,
            callers,
            config,
            active: AtomicUsize::new(0),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
        });
        let counted = Arc::downgrade(&front);
        let sessions = move || counted.upgrade().map_or(0, |front| front.sessions.len());
        registry.surroundings().sessions_counted_by(sessions);
        let measured = Arc::downgrade(&front);
        front.desk.dispatcher.metrics().read_from(move |page| {
            if let Some(front) = measured.upgrade() {
                front.measure(page);
            }
        });
        front
    }

    fn measure(&self, page: &mut Page) {
        let kind = [("kind", "http")];
        page.level("toolgate_sessions", SESSIONS, &kind, self.sessions.len());
        let help = "Calls over HTTP that run";
        page.level("toolgate_http_calls_in_flight", help, &[], self.active());
    }

    /// The sessions of its clients.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// How many calls run.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::Acquire)
    }

    /// Cancelled when the gateway is about to stop.
    pub(in crate::front) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Whether the gateway is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Takes no new calls, ends open streams, and waits for the calls that run; those that are not over within the
    /// configured time are ended. Says how many those were.
    pub async fn drain(&self) -> usize {
        self.draining.cancel();
        self.desk.rounds.close();
        self.desk.tasks.close();
        self.desk.schedule.close();
        let bound = Duration::from_millis(self.config.drain_ms);
        tokio::time::timeout(bound, self.quiet()).await.ok();
        let left = self.active();
        if left > 0 {
            self.desk.dispatcher.close();
            tokio::time::timeout(LAST_WORDS, self.quiet()).await.ok();
        }
        self.sessions.close_all();
        self.closing.cancel();
        left
    }

    async fn quiet(&self) {
        while self.active() > 0 {
            tokio::time::sleep(DRAIN_TICK).await;
        }
    }

    /// Answers one request.
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Body> {
        let asked = Asked {
            verb: request.method().clone(),
            uri: request.uri().clone(),
            peer,
        };
        // Of a body with both chunks and a length the length is gone by now. Whoever forwarded it may have gone by that,
        // so what follows may be anyone's: the connection ends with the answer (RFC 9112 section 6.1).
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let metrics = Arc::clone(self.desk.dispatcher.metrics());
        let requests = metrics.requests.get();
        let route = requests.map(|requests| requests.route(request.uri().path()));
        let (begun, method) = (Instant::now(), request.method().clone());
        let mut response = self.guarded(request).await;
        if let (Some(requests), Some(route)) = (requests, route) {
            let (status, took_us) = (response.status().as_u16(), in_us(begun.elapsed()));
            requests.add(route, method.as_str(), status, took_us);
        }
        if is_chunked {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        asked.note(&response, &self.desk.ledger);
        response
    }

    async fn guarded(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let origin = match self.guard.check(&request) {
            Ok(origin) => origin,
            Err(refused) => return refused.response(),
        };
        let allowed = match origin {
            Origin::Allowed(origin) => Some(origin),
            Origin::Local | Origin::Absent => None,
        };
        let at_alias = request.uri().path() == MCP_ALIAS;
        let mut response = match (&allowed, request.method()) {
            (_, &Method::OPTIONS) => preflight(allowed.is_some(), request.headers()),
            _ => self.route(request).await,
        };
        self.callers.point_to_metadata(&mut response, at_alias);
        if let Some(origin) = allowed {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(CORS_RESPONSE_HEADERS),
            );
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        response
    }

    async fn route(self: &Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let is_mcp = path == MCP_PATH || path == MCP_ALIAS;
        let is_open = OPEN_PATHS.contains(&path)
            || METADATA_PATHS.contains(&path)
            || (!is_mcp && may_be_public(request.method(), path));
        let caller = match self.caller(request.headers()) {
            Err(Unknown::Unverified) => Box::pin(self.verified(request.headers())).await,
            found => found,
        };
        let caller: Arc<Caller> = match caller {
            Ok(caller) => narrowed(&caller, request.headers(), self.is_local()),
            Err(_) if is_open => return self.other(request).await,
            Err(why) => return self.callers.unauthorized(why),
        };
        let principal = Arc::clone(&caller.principal);
        let mut response = if is_mcp {
            self.mcp(request, caller).await
        } else {
            request.extensions_mut().insert(caller);
            self.other(request).await
        };
        to(&mut response, &principal);
        response
    }

    /// Whose request it is, as far as that can be said at once.
    fn caller(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Unknown> {
        self.callers.find(authorization(headers)?)
    }

    /// Whose request it is that shows a token which is not known yet.
    async fn verified(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Unknown> {
        self.callers.verify(authorization(headers)?).await
    }

    async fn other(&self, request: Request<Incoming>) -> Response<Body> {
        use tower::ServiceExt;

        let Ok(response) = self.routes.clone().oneshot(request).await;
        response.map(Body::Routed)
    }

    /// Whether only this machine can ask, and nobody needs a credential: what a request says of its own scopes is believed.
    fn is_local(&self) -> bool {
        !self.callers.are_named() && self.guard.is_loopback()
    }

    /// Counts a call in, unless the gateway is about to stop.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Active> {
        let active = self.enter_anyway();
        (!self.is_draining()).then_some(active)
    }

    /// Counts in what belongs to a call that runs.
    pub(super) fn enter_anyway(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Ordering::AcqRel);
        Active(Arc::clone(self))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The answer to a browser that asks what a page may send. Arguments that are mirrored into headers have any name.
fn preflight(allowed: bool, asked: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allowed {
        let headers = response.headers_mut();
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, DELETE"),
        );
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(CORS_REQUEST_HEADERS),
        );
        let asked = asked
            .get(ACCESS_CONTROL_REQUEST_HEADERS)
            .and_then(|names| names.to_str().ok())
            .unwrap_or("");
        let mirrored = asked.split(',').map(str::trim).filter(|name| {
            name.get(..MCP_PARAM_PREFIX.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(MCP_PARAM_PREFIX))
        });
        for name in mirrored {
            if let Ok(name) = HeaderValue::from_str(name) {
                headers.append(ACCESS_CONTROL_ALLOW_HEADERS, name);
            }
        }
    }
    response
}

/// The one credential that a request shows. Of two it is not clear whose request it is.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Unknown> {
    let value = only(headers, AUTHORIZATION.as_str());
    let value = value.map_err(|()| Unknown::Invalid("there is more than one"))?;
    Ok(value.and_then(|value| value.to_str().ok()))
}
