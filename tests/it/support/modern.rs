//! Requests as clients of revision 2026-07-28 send them.

use serde_json::{Value, json};

use crate::support::Request;

pub(crate) const VERSION: &str = "2026-07-28";

/// The message, with the `_meta` that every request has.
pub(crate) fn message(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let own = params["_meta"].as_object().cloned().unwrap_or_default();
    params["_meta"] = meta;
    for (key, value) in own {
        params["_meta"][key] = value;
    }
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// The request for a message, with all its headers.
pub(crate) fn request_of(message: &Value) -> Request {
    let method = message["method"].as_str().unwrap_or_default();
    let request = Request::message(message.to_string())
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", method);
    let params = &message["params"];
    match params["name"].as_str().or(params["taskId"].as_str()) {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

pub(crate) fn request(method: &str, params: Value) -> Request {
    request_of(&message(1, method, params))
}

pub(crate) fn call(tool: &str, arguments: Value) -> Request {
    request(
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}
