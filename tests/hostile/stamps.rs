//! The tool `stamp`, which is no tool for clients: a filter that changes what it is shown. It leaves a mark where others
//! see that it was there, and in which order.

use serde_json::{Value, json};

const MARK: &str = "child";

/// What the filter answers about what it is shown.
pub(crate) fn stamp(shown: &str) -> Value {
    let mut shown: Value = serde_json::from_str(shown).unwrap_or_default();
    if let Some(result) = shown.get_mut("result") {
        mark(&mut result["structuredContent"], "out");
        return json!({ "result": result });
    }
    mark(&mut shown["arguments"], "in");
    json!({ "arguments": shown["arguments"] })
}

fn mark(object: &mut Value, key: &str) {
    match object[key].as_array_mut() {
        Some(marks) => marks.push(MARK.into()),
        None => object[key] = json!([MARK]),
    }
}
