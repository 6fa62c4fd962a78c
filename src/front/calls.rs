//! `/api/calls…`: what was called, by whom, and what came of it. Whoever has the scope `read` sees all calls, everyone else
//! their own.

mod live;

pub(super) mod query;

pub(super) mod shown;

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query};
use http::{Response, StatusCode};
use serde_json::json;

use crate::dispatch::CallError;
use crate::front::admin::answer::{bad_request, problem};
use crate::front::admin::order::Order;
use crate::front::calls::query::{Bounds, CallsQuery, is_seen};
use crate::front::calls::shown::{cursor, json};
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response};
use crate::front::http::mcp::busy;
use crate::front::http::routes::Door;
use crate::front::rest::refusal::Refusal;
use crate::front::rest::{self, How};
use crate::ledger::documents::NotKept;
use crate::ledger::ids;
use crate::ledger::record::{Body as Kept, CallRow};
use crate::model::caller::Caller;
use crate::wire::json::Json;

pub(super) use crate::front::calls::live::stream;

/// `GET /api/calls`: the newest calls that are wanted, a page at a time.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<CallsQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(query)) = query else {
        return bad_request("`limit` is a number, the rest are words");
    };
    let (filter, page) = match query.read(&caller) {
        Ok(read) => read,
        Err(message) => return bad_request(&message),
    };
    match front.desk.ledger.calls(&filter, page).await {
        Ok(calls) => {
            let next = cursor(calls.last().map(|call| call.id), calls.len(), page);
            let calls: Vec<_> = calls.iter().map(shown::call).collect();
            json(&json!({ "calls": calls, "next": next }))
        }
        Err(error) => unavailable(&error),
    }
}

/// `GET /api/calls/{id}`: one of them, with its arguments and its result where they are kept.
pub(super) async fn show(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
) -> Response<Body> {
    match find(&front, &caller, id).await {
        Ok((call, body)) => json(&shown::whole_call(&call, body.as_ref())),
        Err(refused) => *refused,
    }
}

/// `POST /api/calls/{id}/replay`: sends the arguments of a call again, as the one who asks for it.
pub(super) async fn replay(
    id: Result<Path<String>, PathRejection>,
    order: Order,
) -> Response<Body> {
    let (front, caller, _) = order.into_parts();
    let (call, body) = match find(&front, &caller, id).await {
        Ok(found) => found,
        Err(refused) => return *refused,
    };
    let Some(arguments) = again(&call, body) else {
        let message = "the arguments of this call were not kept whole: `ledger.bodies` names the tools whose are, `ledger.redact` what is left out";
        return problem(StatusCode::CONFLICT, "body_not_kept", message, None);
    };
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    let viewer = rest::viewer(&caller);
    let catalog = front.desk.registry().settled_view(&viewer).await;
    let now = catalog.find(&call.tool, &caller);
    let now = now.map(|entry| entry.plugin.id().as_str());
    if now.is_some() && now != call.plugin.as_deref() {
        let message = "a tool of another plugin has this name now";
        return problem(StatusCode::CONFLICT, "other_tool", message, None);
    }
    let how = How::replaying(call.id, call.dry_run);
    match rest::ask(&front, (call.tool, how), arguments, caller).await {
        Ok(result) => json_response(StatusCode::OK, Body::of(result.bytes().clone())),
        Err(CallError::Plugin(error)) => Refusal::of_plugin(&error).response(),
        Err(CallError::Fault(fault)) => Refusal::of_fault(&fault).response(),
    }
}

/// The arguments of a call of a tool, if they were kept as they were.
fn again(call: &CallRow, body: Option<Kept>) -> Option<Json> {
    let body = body.filter(|body| !body.redacted && call.method == "tools/call")?;
    // A call without arguments has none to keep.
    let text = body.arguments.unwrap_or_else(|| "{}".to_owned());
    Json::scan(text.into()).ok()
}

/// The call of that name, if the caller may see it.
async fn find(
    front: &HttpFront,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<(CallRow, Option<Kept>), Box<Response<Body>>> {
    let unknown = || {
        let message = "there is no such call, or it is no longer kept";
        Box::new(problem(StatusCode::NOT_FOUND, "not_found", message, None))
    };
    let id = id
        .ok()
        .and_then(|Path(id)| ids::read(&id))
        .ok_or_else(unknown)?;
    let found = front.desk.ledger.call(id).await;
    let found = found.map_err(|error| Box::new(unavailable(&error)))?;
    found
        .filter(|(call, _)| Bounds::of(caller).let_see(call))
        .filter(|(call, _)| call.plugin.as_deref().is_none_or(|id| is_seen(caller, id)))
        .ok_or_else(unknown)
}

/// The ledger does not answer.
pub(super) fn unavailable(error: &NotKept) -> Response<Body> {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "ledger_unavailable",
        &error.to_string(),
        None,
    )
}
