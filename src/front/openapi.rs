//! `/openapi.json`: what can be called over plain HTTP, in the words of OpenAPI 3.1.

mod control;

mod events;

mod ext;

mod fixed;

mod ledger;

mod operation;

mod work;

mod rules;

use std::sync::Arc;

use axum::extract::Extension;
use http::{Response, StatusCode};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::openapi::operation::ToolPath;
use crate::model::caller::Caller;
use crate::registry::catalog::Catalog;
use crate::wire::json::Json;

#[derive(Serialize)]
struct Document<'a> {
    openapi: &'static str,
    info: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Value>,
    paths: IndexMap<String, PathItem<'a>>,
    components: Value,
}

/// What can be done at one path.
#[derive(Serialize)]
#[serde(untagged)]
enum PathItem<'a> {
    Route(Value),
    Tool(Box<ToolPath<'a>>),
}

/// `GET /openapi.json`: the routes, and one operation per tool that the caller may see.
pub(super) async fn document(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let catalog = front
        .desk
        .registry()
        .settled_view(&crate::front::rest::viewer(&caller))
        .await;
    let document = catalog.kept("openapi", &caller, || {
        let secured = front.callers.are_named();
        write(&catalog, &caller, front.desk.version, secured)
    });
    json_response(StatusCode::OK, Body::of(document))
}

/// The paths of the routes that are always there.
#[cfg(test)]
pub(super) fn fixed_paths() -> Vec<String> {
    fixed::paths()
        .into_iter()
        .map(|(path, _)| path.to_owned())
        .collect()
}

/// The document. `secured` says that callers need a token.
fn write(catalog: &Catalog, caller: &Caller, version: &str, secured: bool) -> Vec<u8> {
    let routes = fixed::paths().into_iter();
    let mut paths: IndexMap<_, _> = routes
        .map(|(path, route)| (path.to_owned(), PathItem::Route(route)))
        .collect();
    for entry in catalog.entries(caller) {
        let item = PathItem::Tool(Box::new(ToolPath::of(entry)));
        paths.insert(format!("/api/tools/{}", entry.name), item);
    }
    let document = Document {
        openapi: "3.1.0",
        info: json!({
            "title": "toolgate",
            "version": version,
            "summary": "The tools of this gateway over plain HTTP.",
        }),
        security: secured.then(|| json!([{ "token": [] }])),
        paths,
        components: fixed::components(secured),
    };
    Json::of(&document).bytes().to_vec()
}
