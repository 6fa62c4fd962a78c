//! `/api/plugins`: each tool as one element, also those that are switched off; and the switch.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::front::admin::answer::{bad_request, problem, refused};
use crate::front::admin::order::Order;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::rest;
use crate::model::caller::Caller;
use crate::model::category::Category;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Entry;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// One tool, in the words of those who call every tool a plugin.
#[derive(Serialize)]
struct Element<'a> {
    name: &'a str,
    description: String,
    category: Category,
    /// The schema of its arguments.
    parameters: &'a Json,
    plugin: &'a PluginId,
    enabled: bool,
    requires_approval: bool,
}

impl<'a> Element<'a> {
    fn of(entry: &'a Entry, enabled: bool) -> Self {
        let members = Members::of(&entry.definition).unwrap_or_default();
        let description = members.string("description").unwrap_or_default();
        Self {
            name: &entry.name,
            description: description.into_owned(),
            // What is not known to change nothing may change something.
            category: entry.category.unwrap_or(Category::Remediation),
            parameters: entry.input_schema(),
            plugin: entry.plugin.id(),
            enabled,
            requires_approval: entry.conduct.requires_approval,
        }
    }
}

/// `GET /api/plugins`: the tools that the caller may see, then those that are switched off.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let viewer = rest::viewer(&caller);
    let catalog = front.desk.registry().settled_view(&viewer).await;
    let on = catalog
        .entries(&caller)
        .map(|entry| Element::of(entry, true));
    let off = catalog.switched_off(&caller);
    let off = off.map(|entry| Element::of(entry, false));
    let all: Vec<Element<'_>> = on.chain(off).collect();
    json_response(StatusCode::OK, Body::of(Json::of(&all).bytes().clone()))
}

/// `PUT /api/plugins/{name}/toggle`: switches a tool on or off, or over where the body does not say which. It stays so
/// over a restart.
pub(super) async fn toggle(
    name: Result<Path<String>, PathRejection>,
    order: Order,
) -> Response<Body> {
    let Ok(Path(name)) = name else {
        return bad_request("the name in the path is not UTF-8");
    };
    let (front, caller, body) = order.into_parts();
    let body = Members::of(&body).unwrap_or_default();
    if let Some((name, _)) = body.iter().find(|(name, _)| *name != b"enabled") {
        let name = String::from_utf8_lossy(name);
        return bad_request(&format!(
            "`/{name}` is not known; the body is `{{\"enabled\": true}}`"
        ));
    }
    let wanted = match body.get("enabled").map(Json::as_str) {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return bad_request("`/enabled` must be `true` or `false`"),
    };
    let desk = &front.desk;
    let viewer = rest::viewer(&caller);
    let catalog = desk.registry().settled_view(&viewer).await;
    let mut off = catalog.switched_off(&caller);
    let known = match catalog.find(&name, &caller) {
        Some(entry) => Some((entry, true)),
        None => off
            .find(|entry| *entry.name == *name)
            .map(|entry| (entry, false)),
    };
    let Some((entry, is_on)) = known else {
        let message = format!(
            "there is no tool `{name}` that could be switched; `GET /api/plugins` names those there are"
        );
        return refused(&Fault::new(FaultKind::NotFound, message));
    };
    let on = wanted.unwrap_or(!is_on);
    let entry = Arc::clone(entry);
    let (desk, by) = (Arc::clone(desk), Arc::clone(&caller.principal));
    let supervisor = desk.supervisor.clone();
    // To its end, also when the caller goes away meanwhile.
    let switched = supervisor.spawn_request(async move { desk.switch(&entry, on, &by).await });
    if !matches!(switched.await, Ok(Ok(()))) {
        let message = "it could not be kept, so it was not done";
        return problem(StatusCode::SERVICE_UNAVAILABLE, "not_kept", message, None);
    }
    let told = json!({ "name": name, "enabled": on });
    json_response(StatusCode::OK, Body::of(Json::of(&told).bytes().clone()))
}
