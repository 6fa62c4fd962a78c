//! `/api/background`: the background work of plugins is shown, stopped and started.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path};
use http::{Response, StatusCode};
use serde_json::json;

use crate::dispatch::background::{BackgroundInfo, Order as Wish};
use crate::front::admin::answer::{bad_request, problem, refused};
use crate::front::admin::order::Order;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::model::caller::{Caller, READ};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;

/// `GET /api/background`: what plugins do in the background, of those that the caller may see.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    if let Err(refused) = need(&caller, READ) {
        return *refused;
    }
    let mut all = front.desk.dispatcher.background();
    all.retain(|one| caller.sees(&one.plugin));
    answer(&json!({ "background": all }))
}

/// `POST /api/background/{plugin}/{name}/{start|stop|run}`.
pub(super) async fn act(
    path: Result<Path<(String, String, String)>, PathRejection>,
    order: Order,
) -> Response<Body> {
    let Ok(Path((plugin, name, wish))) = path else {
        return bad_request("the path is not UTF-8");
    };
    let wish = match &*wish {
        "start" => Wish::Start,
        "stop" => Wish::Stop,
        "run" => Wish::Run,
        _ => return bad_request("the path ends with `start`, `stop` or `run`"),
    };
    let id = plugin.parse::<PluginId>().ok();
    let id = id.filter(|id| order.caller.sees(id));
    let done: Result<BackgroundInfo, Fault> = match &id {
        Some(id) => order
            .front
            .desk
            .dispatcher
            .order_background(id, &name, wish),
        None => {
            let message = format!("there is no plugin `{plugin}`");
            Err(Fault::new(FaultKind::NotFound, message))
        }
    };
    match done {
        Ok(info) => answer(&info),
        Err(fault) if fault.reason == "conflict" => {
            problem(StatusCode::CONFLICT, fault.reason, &fault.message, None)
        }
        Err(fault) => refused(&fault),
    }
}

fn answer<T: serde::Serialize>(data: &T) -> Response<Body> {
    json_response(StatusCode::OK, Body::of(Json::of(data).bytes().clone()))
}
