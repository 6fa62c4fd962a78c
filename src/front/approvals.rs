//! `/api/approvals`: the calls that wait for a person, and what was decided about them.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query};
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::dispatch::approval::record::{Approval, Decision};
use crate::dispatch::approval::table::Undecided;
use crate::front::admin::answer::{bad_request, problem, refused};
use crate::front::admin::order::Order;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::model::caller::{Caller, READ};
use crate::model::fault::{Fault, FaultKind};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The longest reason, in characters.
const MAX_REASON: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    /// Only those that stand there.
    status: Option<String>,
}

/// `GET /api/approvals`: the newest first. Who may not see what others do sees those of its own calls.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(ListQuery { status })) = query else {
        return bad_request("`status` is a word");
    };
    let sees_others = need(&caller, READ).is_ok();
    let mut all = front.desk.dispatcher.approvals().all().await;
    all.retain(|approval| {
        let is_wanted = status
            .as_deref()
            .is_none_or(|word| word == approval.status.as_str());
        let is_own = *approval.principal == *caller.principal;
        is_wanted && sees(&caller, approval) && (sees_others || is_own)
    });
    let told = json!({ "approvals": all, "next": null });
    json_response(StatusCode::OK, Body::of(Json::of(&told).bytes().clone()))
}

/// `POST /api/approvals/{id}/approve`.
pub(super) async fn approve(
    id: Result<Path<String>, PathRejection>,
    order: Order,
) -> Response<Body> {
    decide(id, order, true).await
}

/// `POST /api/approvals/{id}/decline`.
pub(super) async fn decline(
    id: Result<Path<String>, PathRejection>,
    order: Order,
) -> Response<Body> {
    decide(id, order, false).await
}

async fn decide(
    id: Result<Path<String>, PathRejection>,
    order: Order,
    approve: bool,
) -> Response<Body> {
    let Ok(Path(id)) = id else {
        return bad_request("the id in the path is not UTF-8");
    };
    let (front, caller, body) = order.into_parts();
    let reason = match reason(&body) {
        Ok(reason) => reason,
        Err(message) => return bad_request(&message),
    };
    let approvals = front.desk.dispatcher.approvals();
    let Some(known) = approvals.get(&id).filter(|known| sees(&caller, known)) else {
        return unknown(&id);
    };
    // Where nobody has a credential everyone is the operator.
    let is_own = front.callers.are_named() && *known.principal == *caller.principal;
    if approve && is_own && !approvals.may_approve_own() {
        let message = "who calls does not approve the call: another operator has to, or `policy.approval.self_approve` allows it";
        return problem(StatusCode::FORBIDDEN, "own_approval", message, None);
    }
    let decision = Decision {
        approve,
        by: caller.principal.to_string(),
        reason,
    };
    let (desk, of) = (Arc::clone(&front.desk), id.clone());
    // To its end, also when the caller goes away meanwhile.
    let work = async move { desk.dispatcher.approvals().decide(&of, &decision).await };
    let decided = front.desk.supervisor.spawn_request(work).await;
    match decided.unwrap_or(Err(Undecided::NotKept)) {
        Ok(approval) => json_response(
            StatusCode::OK,
            Body::of(Json::of(&approval).bytes().clone()),
        ),
        Err(Undecided::Unknown) => unknown(&id),
        Err(Undecided::Not(status)) => {
            let message = format!(
                "approval `{id}` is not pending any more: {}",
                status.as_str()
            );
            problem(StatusCode::CONFLICT, "not_pending", &message, None)
        }
        Err(Undecided::NotKept) => {
            let message = "the decision could not be kept, so it was not made";
            problem(StatusCode::SERVICE_UNAVAILABLE, "not_kept", message, None)
        }
    }
}

fn reason(body: &Json) -> Result<Option<String>, String> {
    let body = Members::of(body).unwrap_or_default();
    let Some(reason) = body.get("reason").filter(|reason| !reason.is_null()) else {
        return Ok(None);
    };
    match reason.string() {
        Some(reason) if reason.chars().count() <= MAX_REASON => Ok(Some(reason.into_owned())),
        _ => Err(format!(
            "`/reason` must be a string of at most {MAX_REASON} characters"
        )),
    }
}

fn sees(caller: &Caller, approval: &Approval) -> bool {
    approval.plugin.parse().is_ok_and(|id| caller.sees(&id))
}

fn unknown(id: &str) -> Response<Body> {
    let message = format!("there is no approval `{id}`; it may be over");
    refused(&Fault::new(FaultKind::NotFound, message))
}
