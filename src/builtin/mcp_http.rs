//! `mcp_http`: the tools of the gateway over plain HTTP, for programs that do not speak MCP.

use std::sync::Arc;
use std::sync::OnceLock;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use serde_json::json;

use crate::model::fault::{Fault, FaultKind};
use crate::plugin::routes::{
    Bytes, IntoResponse, JsonBody, Path, RouteContext, RouteResponse, Router, Routes, State,
    StreamEvent, get, post,
};
use crate::plugin::{HookResult, ListedTool, Plugin, PluginContext, PluginRegistry};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The plugin.
#[derive(Default)]
pub(super) struct McpHttp(Arc<OnceLock<PluginRegistry>>);

/// What the routes work with.
type Tools = State<PluginRegistry>;

#[async_trait]
impl Plugin for McpHttp {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        if let Ok(registry) = context.registry() {
            self.0.set(registry.clone()).ok();
        }
        Ok(())
    }

    fn routes(&self) -> Option<Routes> {
        let registry = self.0.get()?.clone();
        let router = Router::new()
            .route("/tools", get(list))
            .route("/tools/{name}/schema", get(schema))
            .route("/tools/{name}", post(call))
            .route("/sessions", get(sessions))
            .route("/stream", get(events))
            .with_state(registry);
        Some(Routes::new(router))
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// `GET tools`: what the caller may call.
async fn list(State(registry): Tools, context: RouteContext) -> RouteResponse {
    let tools = match registry.tools(context.caller()).await {
        Ok(tools) => tools,
        Err(fault) => return refused(None, &fault),
    };
    let tools: Vec<_> = tools.iter().map(described).collect();
    JsonBody(json!({ "tools": tools })).into_response()
}

/// `GET tools/{name}/schema`: what a tool takes and gives.
async fn schema(
    State(registry): Tools,
    context: RouteContext,
    Path(name): Path<String>,
) -> RouteResponse {
    let tools = match registry.tools(context.caller()).await {
        Ok(tools) => tools,
        Err(fault) => return refused(Some(&name), &fault),
    };
    let Some(tool) = tools.iter().find(|tool| *tool.name == *name) else {
        let fault = Fault::new(FaultKind::NotFound, format!("Unknown tool `{name}`"));
        return refused(Some(&name), &fault);
    };
    let members = Members::of(&tool.definition).unwrap_or_default();
    let answer = json!({
        "name": name,
        "input_schema": members.get("inputSchema"),
        "output_schema": members.get("outputSchema"),
    });
    JsonBody(answer).into_response()
}

/// `POST tools/{name}`: calls it; the body is the arguments.
async fn call(
    State(registry): Tools,
    context: RouteContext,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> RouteResponse {
    // Pages of other sites can send forms without asking anyone.
    if !is_json(&headers) && (!body.is_empty() || headers.contains_key(CONTENT_TYPE)) {
        let message = "send the arguments with `Content-Type: application/json`";
        let answer = json!({ "ok": false, "tool": name, "error": message });
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, JsonBody(answer)).into_response();
    }
    let arguments = match body.is_empty() {
        true => Ok(Json::literal("{}")),
        false => Json::scan(body),
    };
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => {
            let message = format!("the body is not JSON: {error}");
            return refused(Some(&name), &Fault::new(FaultKind::BadInput, message));
        }
    };
    let called = registry.call_tool(context.caller(), &name, arguments);
    let result = match called.await {
        Ok(result) => result,
        Err(fault) => return refused(Some(&name), &fault),
    };
    let members = Members::of(&result).unwrap_or_default();
    let failed = members.get("isError").is_some_and(Json::is_true);
    let answer = match failed {
        true => json!({ "ok": false, "tool": name, "error": words(&members) }),
        false => json!({ "ok": true, "tool": name, "result": gist(&members) }),
    };
    JsonBody(answer).into_response()
}

/// `GET sessions`: how many clients have one.
async fn sessions(State(registry): Tools) -> RouteResponse {
    JsonBody(json!({ "sessions": registry.sessions() })).into_response()
}

/// `GET stream`: says when lists have changed.
async fn events(State(registry): Tools, context: RouteContext) -> RouteResponse {
    let said = |name: &str, data: serde_json::Value| {
        StreamEvent::default().event(name).data(data.to_string())
    };
    // From here on no change is missed.
    let changes = registry.list_changes(context.caller());
    let ready = said("ready", json!({ "sessions": registry.sessions() }));
    let changes = changes.map(move |lists| said("changed", json!({ "lists": lists })));
    context.stream(stream::iter([ready]).chain(changes))
}

fn described(tool: &ListedTool) -> serde_json::Value {
    let members = Members::of(&tool.definition).unwrap_or_default();
    json!({
        "name": &*tool.name,
        "plugin": tool.plugin.as_str(),
        "title": members.string("title"),
        "description": members.string("description"),
        "input_schema": members.get("inputSchema"),
    })
}

/// The result for a program: the structured content, else the text, else all parts.
fn gist(result: &Members) -> serde_json::Value {
    if let Some(structured) = result.get("structuredContent") {
        return structured.parse().unwrap_or_default();
    }
    let parts: Vec<serde_json::Value> = parts(result);
    match parts.iter().all(|part| part["text"].is_string()) {
        true => words(result).into(),
        false => parts.into(),
    }
}

fn words(result: &Members) -> String {
    let parts = parts(result);
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect();
    texts.join("\n")
}

fn parts(result: &Members) -> Vec<serde_json::Value> {
    let content = result.get("content");
    content
        .and_then(|content| content.parse().ok())
        .unwrap_or_default()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Nothing came of it.
fn refused(tool: Option<&str>, fault: &Fault) -> RouteResponse {
    let status = match fault.kind {
        FaultKind::NotFound => StatusCode::NOT_FOUND,
        FaultKind::BadInput => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Denied => StatusCode::FORBIDDEN,
        FaultKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        FaultKind::Unavailable | FaultKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Broken => StatusCode::BAD_GATEWAY,
    };
    let mut answer = json!({ "ok": false, "error": fault.to_string(), "reason": fault.reason });
    if let Some(tool) = tool {
        answer["tool"] = tool.into();
    }
    (status, JsonBody(answer)).into_response()
}
