//! Plugins of other kinds than tools: what passes through filters, what notifiers hear, what providers are handed to.

mod filters;

mod notifiers;

mod providers;

use serde_json::{Value, json};
use toolgate::plugin::{Plugin, ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;

use crate::support::plugin;

/// Adds a tool whose answer `work` makes of its arguments, both as values.
fn add(
    tools: &mut Tools,
    name: &str,
    work: impl Fn(Value) -> Value + Clone + Send + Sync + 'static,
) {
    let definition = Json::of(&json!({ "name": name, "inputSchema": { "type": "object" } }));
    tools.raw(definition, move |arguments, _: ToolContext| {
        let said = arguments.parse().map(&work);
        let said = said.map(|said| Json::of(&json!({ "content": [], "structuredContent": said })));
        std::future::ready(said.map_err(ToolError::from))
    });
}

/// A filter that leaves `mark` in arguments, under `in`, and in results, under `out`.
fn stamper(mark: &'static str) -> impl Plugin {
    plugin(move |tools| {
        add(tools, "filter_arguments", move |mut shown| {
            stamp(&mut shown["arguments"], "in", mark);
            json!({ "arguments": shown["arguments"] })
        });
        add(tools, "filter_result", move |mut shown| {
            stamp(&mut shown["result"]["structuredContent"], "out", mark);
            json!({ "result": shown["result"] })
        });
    })
}

/// A filter that always says the same on the way in.
fn saying(answer: Value) -> impl Plugin {
    plugin(move |tools| {
        let answer = answer.clone();
        add(tools, "filter_arguments", move |_| answer.clone());
    })
}

fn stamp(object: &mut Value, key: &str, mark: &str) {
    match object[key].as_array_mut() {
        Some(marks) => marks.push(mark.into()),
        None => object[key] = json!([mark]),
    }
}
