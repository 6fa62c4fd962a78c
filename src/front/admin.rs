//! `/api/v1/plugin/…`: plugins are listed, registered, started, stopped and called over plain HTTP.
//!
//! Every answer is an object with `code`: 0 and `data` when it went well, else the HTTP status, and `message` and `error`
//! that say why. Who changes something needs the scope `admin`, where credentials are configured; without any, only this
//! machine can ask.

pub(in crate::front) mod answer;

pub(in crate::front) mod order;

pub(in crate::front) mod query;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query};
use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::control::Control;
use crate::control::error::ControlError;
use crate::control::info::PluginInfo;
use crate::front::admin::answer::{bad_request, data, failed, refused, result};
use crate::front::admin::order::Order;
use crate::front::admin::query::{ListQuery, Page, Target, Wanted, read_body};
use crate::front::http::body::Body;
use crate::front::http::mcp::busy;
use crate::front::http::routes::Door;
use crate::front::rest;
use crate::front::scope::need;
use crate::model::caller::{ADMIN, Caller};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;

/// An answer instead of what was wanted.
pub(in crate::front) type Refused = Box<Response<Body>>;

/// `GET /api/v1/plugin/list`: all plugins, or one page of those in a state.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(query)) = query else {
        return bad_request("`page_no` and `page_size` are numbers, `status` is a word");
    };
    let mut listing = match front.desk.control.list().await {
        Ok(listing) => listing,
        Err(error) => return failed(&error),
    };
    let seen = |info: &PluginInfo| match info.id.parse::<PluginId>() {
        Ok(id) => caller.sees(&id),
        Err(_) => caller.plugins.is_none(),
    };
    listing.registered.retain(seen);
    listing.unregistered.retain(seen);
    if need(&caller, ADMIN).is_err() {
        listing.for_users();
    }
    match query.page() {
        Err(message) => bad_request(&message),
        Ok(None) => data(&listing),
        Ok(Some(wanted)) => {
            let all = listing.registered.into_iter().chain(listing.unregistered);
            data(&Page::of(all, &wanted))
        }
    }
}

#[derive(Deserialize)]
pub(super) struct GetQuery {
    /// Which plugin.
    id: String,
}

/// `GET /api/v1/plugin/get?id=`: one plugin, in the registry or not.
pub(super) async fn get(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<GetQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(GetQuery { id })) = query else {
        return bad_request("name the plugin: `?id=`");
    };
    if !sees(&caller, &id) {
        return failed(&ControlError::not_found(&id));
    }
    let found = front.desk.control.get(&id).await;
    let found = match need(&caller, ADMIN) {
        Ok(()) => found,
        Err(_) => found.and_then(|info| info.for_user().ok_or(ControlError::not_found(&id))),
    };
    answer(found)
}

/// `GET /api/v1/plugin/report`: how the plugins do, also those that were never started.
pub(super) async fn report(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let mut report = front.desk.control.report();
    report.plugins.retain(|plugin| sees(&caller, &plugin.id));
    if need(&caller, ADMIN).is_err() {
        report.for_users();
    }
    data(&report)
}

/// `GET /api/v1/plugin/ps`: the instances that run.
pub(super) async fn ps(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let mut instances = front.desk.control.instances();
    instances.retain(|instance| sees(&caller, &instance.plugin));
    data(&serde_json::json!({ "instances": instances }))
}

#[derive(Deserialize)]
pub(super) struct WhyQuery {
    /// The name as a client would call it.
    tool: String,
}

/// `GET /api/v1/plugin/why?tool=`: why a tool is listed, or why not. A plugin that a call would start is started.
pub(super) async fn why(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(WhyQuery { tool })) = query else {
        return bad_request("name the tool: `?tool=`");
    };
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    data(&front.desk.control.why(&tool, &rest::viewer(&caller)).await)
}

#[derive(Deserialize)]
pub(super) struct LogsQuery {
    /// Which plugin.
    id: String,
    /// How many lines, 1 to 1000.
    limit: Option<usize>,
}

/// `GET /api/v1/plugin/logs?id=&limit=`: the last lines that a plugin wrote beside the protocol, the oldest first. They may
/// say anything, so they are for who has the scope `admin`.
pub(super) async fn logs(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<LogsQuery>, QueryRejection>,
) -> Response<Body> {
    let query = query.map(|Query(LogsQuery { id, limit })| (id, limit.unwrap_or(100)));
    let Ok((id, limit @ 1..=1_000)) = query else {
        return bad_request("name the plugin: `?id=`; `limit` is a number from 1 to 1000");
    };
    if let Err(refused) = need(&caller, ADMIN) {
        return *refused;
    }
    if !sees(&caller, &id) {
        return failed(&ControlError::not_found(&id));
    }
    let lines = front.desk.control.logs(&id, limit);
    answer(lines.map(|lines| serde_json::json!({ "lines": lines })))
}

pub(in crate::front) fn sees(caller: &Caller, id: &str) -> bool {
    id.parse().is_ok_and(|id| caller.sees(&id))
}

/// `POST /api/v1/plugin/execute`: calls a tool by the plugin's id and the tool's own name.
pub(super) async fn execute(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    how: Result<rest::How, Response<Body>>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    let how = match how {
        Ok(how) => how,
        Err(refused) => return refused,
    };
    let Wanted {
        id,
        method,
        arguments,
    } = match read_body(&front, &headers, body).await.and_then(Wanted::of) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let viewer = rest::viewer(&caller);
    let catalog = front.desk.registry().settled_view(&viewer).await;
    // One that is there and not for this caller is refused where all calls are.
    let plugin = id.parse::<PluginId>().ok();
    let plugin = plugin.filter(|plugin| caller.sees(plugin));
    let entry = plugin.and_then(|plugin| catalog.tool_of(&plugin, &method));
    let name = entry.map(|entry| entry.name.to_string());
    let Some(name) = name else {
        let message = match sees(&caller, &id) && !front.desk.registry().named(&id).is_empty() {
            true => format!("plugin `{id}` lists no tool `{method}`"),
            false => format!("there is no plugin `{id}`"),
        };
        return refused(&Fault::new(FaultKind::NotFound, message));
    };
    let called = rest::ask(&front, (name, how), arguments, caller).await;
    result(called)
}

/// `POST /api/v1/plugin/register`.
pub(super) async fn register(order: Order) -> Response<Body> {
    let act = |control: Arc<Control>, target: Target| async move {
        control.register(&target.id, target.rebuild).await
    };
    order.about_a_plugin(act).await
}

/// `POST /api/v1/plugin/build`: builds a plugin from source; `rebuild` also where nothing is missing.
pub(super) async fn build(order: Order) -> Response<Body> {
    let act = |control: Arc<Control>, target: Target| async move {
        control.build(&target.id, target.rebuild).await
    };
    order.about_a_plugin(act).await
}

/// `POST /api/v1/plugin/unregister`.
pub(super) async fn unregister(order: Order) -> Response<Body> {
    let act =
        |control: Arc<Control>, target: Target| async move { control.unregister(&target.id).await };
    order.about_a_plugin(act).await
}

/// `POST /api/v1/plugin/start`.
pub(super) async fn start(order: Order) -> Response<Body> {
    let act =
        |control: Arc<Control>, target: Target| async move { control.start(&target.id).await };
    order.about_a_plugin(act).await
}

/// `POST /api/v1/plugin/stop`.
pub(super) async fn stop(order: Order) -> Response<Body> {
    let act = |control: Arc<Control>, target: Target| async move { control.stop(&target.id).await };
    order.about_a_plugin(act).await
}

/// `POST /api/v1/plugin/reload`: reads the configuration and the plugin directories again.
pub(super) async fn reload(order: Order) -> Response<Body> {
    let act = |control: Arc<Control>| async move { control.reload().await };
    order.carry_out(act).await
}

fn answer<T: serde::Serialize>(done: Result<T, ControlError>) -> Response<Body> {
    match done {
        Ok(done) => data(&done),
        Err(error) => failed(&error),
    }
}

/// Bodies are read as text with a scan, so that numbers and unknown members stay what they are.
fn scanned(text: Bytes) -> Result<Json, Refused> {
    let text = match text.is_empty() {
        true => Bytes::from_static(b"{}"),
        false => text,
    };
    match Json::scan(text) {
        Ok(body) if body.is_object() => Ok(body),
        Ok(_) => Err(Box::new(bad_request("the body must be a JSON object"))),
        Err(error) => Err(Box::new(answer::problem(
            StatusCode::BAD_REQUEST,
            "invalid_json",
            &format!("the body is not JSON: {error}"),
            None,
        ))),
    }
}
