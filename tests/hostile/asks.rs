//! Calls that need an answer of the client first.

use serde_json::{Value, json};

use crate::{Server, members};

/// What the ids of our requests begin with; the id of the call follows.
const ASKED: &str = "asked-";

/// Asks the client by a request of our own: `ask`. What it answers is the answer of the call.
pub(crate) fn ask(server: &Server, id: &str) {
    let params =
        json!({ "message": "Who?", "requestedSchema": { "type": "object", "properties": {} } });
    server.voice.line(
        &json!({
            "jsonrpc": "2.0",
            "id": format!("{ASKED}{id}"),
            "method": "elicitation/create",
            "params": params,
        })
        .to_string(),
    );
}

/// Takes an answer of the client.
pub(crate) fn answered(server: &Server, line: &[u8]) {
    let parts = members(std::str::from_utf8(line).unwrap_or_default());
    let id: Option<String> = parts
        .get("id")
        .and_then(|id| serde_json::from_str(id.get()).ok());
    let Some(id) = id.as_deref().and_then(|id| id.strip_prefix(ASKED)) else {
        return;
    };
    let outcome = parts.get("result").or_else(|| parts.get("error"));
    let outcome = outcome.map_or("null", |outcome| outcome.get());
    let result = format!(r#"{{"content":[],"structuredContent":{outcome}}}"#);
    server.voice.result(id, &result);
}

/// Answers with a question, and the next time with what came back: `ask_back`.
pub(crate) fn ask_back(server: &Server, id: &str, params: &str) {
    let parts = members(params);
    let Some(state) = parts.get("requestState") else {
        let first = r#"{ "resultType":"input_required", "inputRequests":{"who":{"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}}},  "requestState":"my \"state\" \u00e9" , "x":1.50}"#;
        return server.voice.result(id, first);
    };
    let text = |key: &str| -> Value {
        let value = parts.get(key).map_or("null", |value| value.get());
        serde_json::from_str(value).unwrap_or_default()
    };
    let state: Value = serde_json::from_str(state.get()).unwrap_or_default();
    let came = json!({ "state": state, "responses": text("inputResponses") });
    let result = format!(r#"{{"resultType":"complete","content":[],"structuredContent":{came}}}"#);
    server.voice.result(id, &result);
}
