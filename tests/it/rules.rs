//! What the gateway does to calls of tools beside carrying them: defaults, dry runs, approvals, results that say they
//! failed, attempts; and tools that are switched off.

mod approvals;

mod dry_runs;

mod elicited;

mod residue;

mod results;

mod switches;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use toolgate::plugin::{Plugin, ToolContext, ToolError};
use toolgate::wire::json::Json;

use crate::support::{Request, plugin};

/// A tool that notes what it is called with, and answers one thing after the other. Clones are the same tool.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    arguments: Vec<String>,
    metas: Vec<String>,
    answers: VecDeque<Value>,
}

impl Script {
    /// One that gives these as its structured content; an empty object when there are no more.
    fn of(answers: impl IntoIterator<Item = Value>) -> Self {
        let script = Self::default();
        script.told().answers.extend(answers);
        script
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// What it was called with, one text for each call.
    fn arguments(&self) -> Vec<String> {
        self.told().arguments.clone()
    }

    fn metas(&self) -> Vec<String> {
        self.told().metas.clone()
    }

    /// A plugin with the one tool `do`, of this schema.
    fn plugin(&self, schema: &Value) -> impl Plugin {
        let script = self.clone();
        let definition = Json::of(&json!({ "name": "do", "inputSchema": schema }));
        plugin(move |tools| {
            let script = script.clone();
            tools.raw(
                definition.clone(),
                move |arguments, context: ToolContext| {
                    let mut told = script.told();
                    told.arguments.push(arguments.as_str().to_owned());
                    told.metas
                        .push(context.meta().to_json().as_str().to_owned());
                    let answer = told.answers.pop_front().unwrap_or(json!({}));
                    let result = Json::of(&json!({ "content": [], "structuredContent": answer }));
                    std::future::ready(Ok::<_, ToolError>(result))
                },
            );
        })
    }
}

fn any() -> Value {
    json!({ "type": "object" })
}

fn get(path: &str) -> Request {
    Request::new("GET", path)
}

fn put(path: &str, body: &Value) -> Request {
    Request::new("PUT", path).body_of(body)
}

fn post(path: &str, body: &Value) -> Request {
    Request::new("POST", path).body_of(body)
}
