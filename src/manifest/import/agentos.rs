//! AgentOS' `manifest.json`: a Python class by its dotted path.

use crate::manifest::document::{Node, Value};
use crate::manifest::import::carry::Carry;

const KNOWN: [&str; 11] = [
    "name",
    "version",
    "description",
    "plugin_type",
    "entry_point",
    "dependencies",
    "priority",
    "author",
    "license",
    "config_schema",
    "tags",
];

/// Many programs have a `manifest.json`. Browser and desktop extensions say which version of manifests theirs is.
pub(crate) fn is_one(document: &Node) -> bool {
    let has = |key: &str| document.get(key).is_some();
    let theirs = ["manifest_version", "dxt_version", "start_url", "runtime"];
    let text = |key: &str| document.get(key).and_then(Node::as_str).is_some();
    !theirs.into_iter().any(has)
        && (text("plugin_type") || (text("entry_point") && text("name") && has("version")))
}

pub(crate) fn import(carry: &mut Carry<'_>) {
    if let Some(id) = carry.id(&["name"])
        && let Some(name) = carry.text(&["name"])
        && name != id.as_str()
    {
        carry.put_text(&["name"], name.replace("${", "$${"), &["name"]);
    }
    match carry.has(&["version"]) {
        true => carry.version(&["version"]),
        false => carry.missing(&["version"]),
    }
    carry.wording(&["description"]);
    kind(carry);
    carry.depends_on(&["dependencies"]);
    if let Some(priority) = carry.whole(&["priority"]) {
        carry.put(&["priority"], Value::Number(priority.into()), &["priority"]);
    }
    if carry.table(&["config_schema"]).is_some() {
        carry.put_same(&["config_schema"], &["config_schema"]);
    }
    entry_point(carry);
    carry.note_unknown(&[], &KNOWN);
}

fn kind(carry: &mut Carry<'_>) {
    let at = ["plugin_type"];
    let Some(kind) = carry.text(&at) else {
        return;
    };
    let (native, why) = match kind {
        "tool" | "provider" | "filter" | "handler" | "notifier" => (kind, None),
        "middleware" | "guardrail" | "interceptor" => ("filter", Some("every call passes it")),
        "agent" | "workflow" | "orchestrator" => ("handler", Some("it takes over work")),
        "hook" | "observer" | "logger" | "monitor" => ("notifier", Some("it is told of events")),
        "memory" | "storage" | "model" | "llm" | "backend" => {
            ("provider", Some("others make use of it"))
        }
        _ => ("tool", Some("nothing nearer is known")),
    };
    if let Some(why) = why {
        let message =
            format!("the type `{kind}` is not a kind here and is taken as `{native}`: {why}");
        carry.note(
            &at,
            message,
            Some("set `kind` when another one fits better"),
        );
    }
    carry.put_text(&["kind"], native, &at);
}

fn entry_point(carry: &mut Carry<'_>) {
    let at = ["entry_point"];
    if !carry.has(&at) {
        let message =
            "it names no `entry_point`, and nothing says which program runs it".to_owned();
        return carry.cannot_run(&at, message, &["python3", "-m", "plugin"]);
    }
    let Some(entry) = carry.text(&at) else {
        return;
    };
    let module = entry
        .rsplit_once(['.', ':'])
        .map_or(entry, |(module, _)| module);
    let message =
        format!("`{entry}` is a Python class for AgentOS itself and cannot run in the gateway");
    carry.cannot_run(&at, message, &["python3", "-m", module]);
}
