//! Tools over plain HTTP, for scripts: listing them, looking at one, calling one.
//!
//! A call is answered 200 with the tool's result, to the byte, also when that says `isError`: the tool has answered, and
//! nobody needs to look into its words for that. Every other status is the gateway's own, or stands for a JSON-RPC error
//! of the plugin.

pub(super) mod how;

mod listing;

pub(super) mod refusal;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query};
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::dispatch::CallError;
use crate::dispatch::subject::Subject;
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response, problem, read};
use crate::front::http::mcp::{busy, is_json};
use crate::front::http::routes::Door;
pub(super) use crate::front::rest::how::How;
use crate::front::rest::refusal::Refusal;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::Deaf;
use crate::model::fault::Fault;
use crate::registry::Viewer;
use crate::runtime::CallContext;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::Revision;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    /// Also the tools that are not listed.
    #[serde(default)]
    all: bool,
}

/// `GET /api/tools`: the tools that the caller may see, in the order of `tools/list`.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(ListQuery { all })) = query else {
        return bad_request("the parameter `all` is `true` or `false`");
    };
    let catalog = front.desk.registry().settled_view(&viewer(&caller)).await;
    let what = if all { "all tools" } else { "tools" };
    let list = catalog.kept(what, &caller, || listing::list(&catalog, &caller, all));
    json_response(StatusCode::OK, Body::of(list))
}

/// `GET /api/tools/{name}`: one of them.
pub(super) async fn show(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    name: Result<Path<String>, PathRejection>,
) -> Response<Body> {
    let Ok(Path(name)) = name else {
        return not_a_name();
    };
    let catalog = front.desk.registry().settled_view(&viewer(&caller)).await;
    match catalog.find(&name, &caller) {
        Some(entry) => json_response(StatusCode::OK, Body::of(listing::one(entry))),
        None => Refusal::of_fault(&unknown(&front, name, &caller)).response(),
    }
}

/// `POST /api/tools/{name}`: calls it with the object in the body. Dropping the future cancels the call.
pub(super) async fn call(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    name: Result<Path<String>, PathRejection>,
    how: Result<How, Response<Body>>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let Ok(Path(name)) = name else {
        return not_a_name();
    };
    let how = match how {
        Ok(how) => how,
        Err(refused) => return refused,
    };
    if !is_json(&headers) {
        let message = "send the arguments with `Content-Type: application/json`";
        return problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        );
    }
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    let arguments = match arguments(&front, body).await {
        Ok(arguments) => arguments,
        Err(refused) => return refused,
    };
    match ask(&front, (name, how), arguments, caller).await {
        Ok(result) => json_response(StatusCode::OK, Body::of(result.bytes().clone())),
        Err(CallError::Plugin(error)) => Refusal::of_plugin(&error).response(),
        Err(CallError::Fault(fault)) => Refusal::of_fault(&fault).response(),
    }
}

/// Calls the tool listed as `name`. Gives its result to the byte.
pub(super) async fn ask(
    front: &HttpFront,
    (name, how): (String, How),
    arguments: Json,
    caller: Arc<Caller>,
) -> Result<Json, CallError> {
    let mut params = Params::default();
    let replay_of = how.replay_of;
    how.say(&mut params);
    params.members.set("name", Json::of(name.as_str()));
    params.members.set("arguments", arguments);
    let dispatcher = &front.desk.dispatcher;
    let context = context(dispatcher.next_call(), caller);
    let subject = Subject::Tool(name);
    let called = dispatcher.request_again(Method::ToolsCall, &subject, params, context, replay_of);
    Ok(called.await?.result)
}

/// Scripts see what the gateway offers in general.
pub(super) fn viewer(caller: &Arc<Caller>) -> Viewer {
    Viewer::bare(Arc::clone(caller))
}

fn unknown(front: &HttpFront, name: String, caller: &Caller) -> Fault {
    let dispatcher = &front.desk.dispatcher;
    dispatcher.unknown(&Subject::Tool(name), caller)
}

/// What surrounds the call: there is no session, and nobody who could be told or asked anything while it runs. Legacy
/// words have nothing that the gateway would add to a result.
pub(in crate::front) fn context(id: u64, caller: Arc<Caller>) -> CallContext {
    let profile = ClientProfile {
        revision: Revision::NEWEST_LEGACY,
        ..ClientProfile::bare()
    };
    CallContext {
        id,
        caller,
        profile: Arc::new(profile),
        session: None,
        log_level: None,
        timeout: None,
        cancel: CancellationToken::new(),
        farewell: None,
        client: Arc::new(Deaf),
    }
}

/// Reads the arguments, within the bounds of the server.
async fn arguments(front: &HttpFront, body: axum::body::Body) -> Result<Json, Response<Body>> {
    let max = front.config.max_body_bytes;
    let within = Duration::from_millis(front.config.body_timeout_ms);
    let text = read(body, max, within)
        .await
        .map_err(|unreadable| unreadable.response(max))?;
    let arguments = Json::scan(text).map_err(|error| Refusal::of_text(&error).response())?;
    if !arguments.is_object() {
        return Err(bad_request("the body must be a JSON object, the arguments"));
    }
    Ok(arguments)
}

fn bad_request(message: &str) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, "bad_request", message)
}

fn not_a_name() -> Response<Body> {
    bad_request("the name in the path is not UTF-8")
}
