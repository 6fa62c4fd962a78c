//! One request below `/ext/{id}`: who answers it, and what is said when nobody does.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, LOCATION, ORIGIN,
};
use http::request::Parts;
use http::{Method, Response, StatusCode, Uri};

use crate::dispatch::serving::{Served, label, scope_of};
use crate::front::admin::answer::refused as fault;
use crate::front::auth::Unknown;
use crate::front::ext::PAGES;
use crate::front::ext::answer::{missing_scope, not_allowed, nothing, refused};
use crate::front::ext::path::Place;
use crate::front::ext::{arguments, media, static_files};
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, read};
use crate::front::http::mcp::{busy, is_json};
use crate::front::rest::context;
use crate::front::rest::how::DRY_RUN;
use crate::front::rest::refusal::Refusal;
use crate::manifest::Grant;
use crate::manifest::host::Route;
use crate::manifest::route_table::Found;
use crate::manifest::runtime::RuntimeKind;
use crate::model::caller::Caller;
use crate::plugin::routes::{RequestBody, until};
use crate::registry::life::State;
use crate::registry::plugin::{Plugin, Source};
use crate::runtime::CallContext;
use crate::wire::json::Json;

/// An answer instead of what was wanted.
type Refused = Box<Response<Body>>;

/// A request whose body has been read, for one plugin.
struct Asked {
    plugin: Arc<Plugin>,
    parts: Parts,
    /// The path behind `/ext/{id}`.
    rest: String,
    body: Bytes,
    context: CallContext,
    label: String,
}

/// Answers a request to a plugin. Dropping the future gives it up.
pub(super) async fn answer(
    front: &Arc<HttpFront>,
    caller: Option<Arc<Caller>>,
    request: Request,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let Place { id, rest } = Place::of(&path);
    let plugin = match find(front, caller.as_deref(), id) {
        Ok(plugin) => plugin,
        // What there is, is nobody's business.
        Err(_) if caller.is_none() => return front.callers.unauthorized(Unknown::Missing),
        Err(refused) => return *refused,
    };
    if rest.is_empty() {
        if caller.is_none() && !static_files::are_public(&plugin) {
            return front.callers.unauthorized(Unknown::Missing);
        }
        return with_slash(&path, request.uri());
    }
    let (parts, body) = request.into_parts();
    let Some(caller) = caller else {
        // Only files may be for everyone.
        return match static_files::are_public(&plugin) {
            true => {
                let answer = static_files::answer(front, &plugin, &parts, rest).await;
                apart(answer, &plugin)
            }
            false => front.callers.unauthorized(Unknown::Missing),
        };
    };
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    let (max, within) = (front.config.max_body_bytes, front.config.body_timeout_ms);
    let body = match read(body, max, Duration::from_millis(within)).await {
        Ok(body) => body,
        Err(unreadable) => return unreadable.response(max),
    };
    let asked = Asked {
        label: label(parts.method.as_str(), &path),
        context: context(front.desk.dispatcher.next_call(), caller),
        rest: rest.to_owned(),
        plugin,
        parts,
        body,
    };
    let answer = match asked.by_routes(front).await {
        Ok(answer) => answer,
        Err(None) => asked.by_files(front).await,
        Err(Some(refused)) => *refused,
    };
    apart(answer, &asked.plugin)
}

/// Pages of plugins that did not come along have an origin of their own: they share neither the token nor the rights of the
/// page for operators, which comes from the same address. All policies of an answer hold together.
fn apart(mut answer: Response<Body>, plugin: &Plugin) -> Response<Body> {
    if plugin.source != Source::Builtin {
        let headers = answer.headers_mut();
        headers
            .entry(CONTENT_SECURITY_POLICY)
            .or_insert(HeaderValue::from_static(PAGES));
        let sandbox = HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups");
        headers.append(CONTENT_SECURITY_POLICY, sandbox);
    }
    answer
}

/// The plugin of that id that is there for the caller.
fn find(front: &HttpFront, caller: Option<&Caller>, id: &str) -> Result<Arc<Plugin>, Refused> {
    let mut named = front.desk.registry().named(id);
    named.retain(|plugin| caller.is_none_or(|caller| caller.sees(plugin.id())));
    // Of plugins of several kinds under one id it is the one that may answer.
    named.sort_by_key(|plugin| !(plugin.may(Grant::Routes) || plugin.may(Grant::Static)));
    let gone = |why: &str| Box::new(nothing(Some(why)));
    let Some(plugin) = named.into_iter().next() else {
        return Err(gone("there is no such plugin"));
    };
    match (plugin.closed(), plugin.life.state()) {
        (None, _) => Ok(plugin),
        (Some(why), State::Unavailable) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let message = format!("plugin `{id}` is not there: {why}");
            Err(Box::new(refused(status, "unavailable", &message)))
        }
        (Some(why), _) => Err(gone(&format!("plugin `{id}`: {why}"))),
    }
}

/// Relative links on a page count from its directory.
fn with_slash(path: &str, uri: &Uri) -> Response<Body> {
    let query = uri.query().map(|query| format!("?{query}"));
    let place = format!("{path}/{}", query.unwrap_or_default());
    let mut response = nothing(None);
    if let Ok(place) = HeaderValue::from_str(&place) {
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// Whether a browser says that a page of another site has it ask this, without the origin that would have been checked:
/// an image or a link may have effects here (Fetch Metadata).
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site == "cross-site") && !headers.contains_key(ORIGIN)
}

impl Asked {
    /// Has a route of the plugin answer. `Err(None)` where none is for the path.
    async fn by_routes(&self, front: &HttpFront) -> Result<Response<Body>, Option<Refused>> {
        if !self.plugin.may(Grant::Routes) {
            return Err(None);
        }
        if is_from_elsewhere(&self.parts.headers) {
            let message = "a page of another site asked for it";
            let status = StatusCode::FORBIDDEN;
            return Err(Some(Box::new(refused(status, "cross_site", message))));
        }
        // A wish to change nothing must not get lost.
        if self.parts.headers.contains_key(DRY_RUN) {
            let message = "routes of plugins make no dry runs; `POST /api/tools/{name}` does";
            let status = StatusCode::BAD_REQUEST;
            return Err(Some(Box::new(refused(status, "bad_request", message))));
        }
        let found = self.plugin.routes.find(&self.parts.method, &self.rest);
        if let Found::Route(index, params) = found {
            let route = &self.plugin.manifest.routes[index];
            return Ok(self.by_tool(front, route, params).await);
        }
        if self.plugin.runtime == RuntimeKind::InProcess {
            match self.by_router(front).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(scope) => return Ok(self.by_public_files(front, &scope).await),
            }
        }
        match found {
            Found::OtherMethods(methods) => Err(Some(Box::new(not_allowed(&methods)))),
            Found::NotText => {
                let message = "the path holds something that is no text";
                Err(Some(Box::new(refused(
                    StatusCode::BAD_REQUEST,
                    "bad_request",
                    message,
                ))))
            }
            Found::Nothing | Found::Route(..) => Err(None),
        }
    }

    async fn by_tool(
        &self,
        front: &HttpFront,
        route: &Route,
        params: Vec<(String, String)>,
    ) -> Response<Body> {
        let scope = route.scope.clone();
        let scope = scope.unwrap_or_else(|| scope_of(&self.plugin));
        if !self.context.caller.may(&scope) {
            return missing_scope(&scope);
        }
        let body = match self.json() {
            Ok(body) => body,
            Err(refused) => return *refused,
        };
        let dispatcher = &front.desk.dispatcher;
        let own = dispatcher.tool_of_plugin(&self.plugin, &route.tool, &self.context);
        let entry = match own.await {
            Ok(entry) => entry,
            Err(failed) => return fault(&failed),
        };
        let schema = entry.input_schema();
        let arguments = arguments::gather(schema, &self.parts.uri, body.as_ref(), params);
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(why) => return refused(StatusCode::BAD_REQUEST, "bad_request", &why),
        };
        let called = dispatcher.call_own(
            &self.plugin,
            &route.tool,
            arguments,
            &self.label,
            &self.context,
        );
        media::answer(called.await, route)
    }

    /// The body as JSON; `None` where there is none.
    fn json(&self) -> Result<Option<Json>, Refused> {
        if self.body.is_empty() {
            return Ok(None);
        }
        if !is_json(&self.parts.headers) {
            let message = "send the arguments with `Content-Type: application/json`";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Box::new(refused(status, "unsupported_media_type", message)));
        }
        Json::scan(self.body.clone())
            .map(Some)
            .map_err(|error| Box::new(Refusal::of_text(&error).response()))
    }

    /// Has the plugin's own router answer; `None` where none of its routes is for the path. `Err` is the scope that the
    /// caller lacks.
    async fn by_router(&self, front: &HttpFront) -> Result<Option<Response<Body>>, String> {
        let query = self.parts.uri.query().map(|query| format!("?{query}"));
        let uri = format!("{}{}", self.rest, query.unwrap_or_default());
        let Ok(uri) = uri.parse::<Uri>() else {
            return Ok(None);
        };
        let mut request = http::Request::new(RequestBody::from(self.body.clone()));
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.parts.headers.clone();
        // Who asks is known; the credential itself is not the plugin's business.
        request.headers_mut().remove(AUTHORIZATION);
        let dispatcher = &front.desk.dispatcher;
        let served = dispatcher.serve(&self.plugin, &self.label, request, &self.context);
        match served.await {
            Ok(Served::Answer(response)) => {
                let response = until(response, front.draining.clone());
                Ok(Some(response.map(Body::Routed)))
            }
            Ok(Served::Nothing) => Ok(None),
            Ok(Served::Denied(scope)) => Err(scope),
            Err(failed) => Ok(Some(fault(&failed))),
        }
    }

    /// For a caller that may not use the routes: a file that is for everyone, if the path means one.
    async fn by_public_files(&self, front: &HttpFront, scope: &str) -> Response<Body> {
        if self.is_read() && static_files::are_public(&self.plugin) {
            let file = static_files::answer(front, &self.plugin, &self.parts, &self.rest).await;
            if file.status() != StatusCode::NOT_FOUND {
                return file;
            }
        }
        missing_scope(scope)
    }

    fn is_read(&self) -> bool {
        self.parts.method == Method::GET || self.parts.method == Method::HEAD
    }

    /// Looks among the files. Where there is nothing it says what the plugin asked for and may not do.
    async fn by_files(&self, front: &HttpFront) -> Response<Body> {
        let caller = &self.context.caller;
        let plugin = &self.plugin;
        if plugin.may(Grant::Static) && plugin.manifest.static_files.is_some() {
            let scope = scope_of(plugin);
            if !caller.may(&scope) && !static_files::are_public(plugin) {
                return missing_scope(&scope);
            }
            if self.is_read() || plugin.routes.is_empty() {
                return static_files::answer(front, plugin, &self.parts, &self.rest).await;
            }
        }
        let denied = plugin.denied();
        let mut http = [Grant::Routes, Grant::Static].into_iter();
        let denied = http.find_map(|grant| Some((grant, denied.get(&grant)?)));
        let why = denied.map(|(grant, why)| format!("{grant}: {why}"));
        nothing(why.as_deref())
    }
}
