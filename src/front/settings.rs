//! `/api/config`: the settings of plugins are shown, secrets masked, and changed while the gateway runs.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path};
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::control::error::ControlError;
use crate::front::admin::answer::{bad_request, failed};
use crate::front::admin::order::Order;
use crate::front::admin::sees;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::model::caller::{Caller, READ};
use crate::wire::json::Json;

/// `GET /api/config`: those of the gateway and of all plugins that the caller may see.
pub(super) async fn all(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    if let Err(refused) = need(&caller, READ) {
        return *refused;
    }
    answer(front.desk.control.settings(|id| caller.sees(id)).await)
}

/// `GET /api/config/{id}`: those of one plugin.
pub(super) async fn one(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
) -> Response<Body> {
    if let Err(refused) = need(&caller, READ) {
        return *refused;
    }
    let Ok(Path(id)) = id else {
        return bad_request("the path is not UTF-8");
    };
    if !sees(&caller, &id) {
        return failed(&ControlError::not_found(&id));
    }
    answer(front.desk.control.settings_of(&id).await)
}

/// `PUT /api/config/{id}`: changes settings of one plugin.
pub(super) async fn change(
    id: Result<Path<String>, PathRejection>,
    order: Order,
) -> Response<Body> {
    let Ok(Path(id)) = id else {
        return bad_request("the path is not UTF-8");
    };
    if !sees(&order.caller, &id) {
        return failed(&ControlError::not_found(&id));
    }
    let Ok(changes) = order.body.parse::<Map<String, Value>>() else {
        return bad_request("the body must be an object: the settings by their keys");
    };
    let changed =
        order.finish(|control| async move { control.change_settings(&id, changes).await });
    match changed.await {
        Ok(done) => answer(done),
        Err(refused) => *refused,
    }
}

fn answer<T: serde::Serialize>(done: Result<T, ControlError>) -> Response<Body> {
    match done {
        Ok(data) => json_response(StatusCode::OK, Body::of(Json::of(&data).bytes().clone())),
        Err(error) => failed(&error),
    }
}
