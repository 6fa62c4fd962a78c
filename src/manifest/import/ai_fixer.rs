//! What ai-fixer's code says about one tool (`PluginSpec`), as JSON: a plugin with this one tool.

use crate::manifest::document::{Node, Table, Value};
use crate::manifest::import::carry::Carry;

const KNOWN: [&str; 10] = [
    "name",
    "description",
    "category",
    "parameters",
    "input_schema",
    "requires_approval",
    "timeout_seconds",
    "resource_type",
    "risk_level",
    "blast_radius",
];

pub(crate) fn import(carry: &mut Carry<'_>) {
    let name = carry.id(&["name"]).and_then(|_| carry.text(&["name"]));
    carry.version(&["version"]);
    carry.wording(&["description"]);
    // Its tools are known by their own names.
    carry.put_text(&["prefix"], "", &["name"]);
    if let Some(name) = name {
        let tool = tool(carry, name);
        carry.put(&["tools"], Value::Array(vec![tool]), &["name"]);
        let message =
            format!("`{name}` is Python code for ai-fixer itself and cannot run in the gateway");
        carry.cannot_run(&["name"], message, &["python3", &format!("{name}.py")]);
    }
    for key in ["resource_type", "risk_level", "blast_radius"] {
        if carry.has(&[key]) {
            let message =
                format!("`{key}` has no place in a manifest and is only kept as metadata");
            let mend =
                "where a person must agree to each call, set `requires_approval` of the tool";
            carry.note(&[key], message, Some(mend));
        }
    }
    carry.note_unknown(&[], &KNOWN);
}

fn tool(carry: &mut Carry<'_>, name: &str) -> Node {
    let place = carry
        .node(&["name"])
        .map(|node| node.place.clone())
        .unwrap_or_default();
    let mut tool = Node::new(place, Value::Table(Table::new()));
    tool.put("name", Value::String(name.to_owned()));
    if let Some(text) = carry.text(&["description"]) {
        tool.put("description", Value::String(text.replace("${", "$${")));
    }
    match carry.text(&["category"]) {
        Some(category @ ("diagnostic" | "remediation")) => {
            tool.put("category", Value::String(category.to_owned()));
        }
        Some(other) => {
            let message = format!("the category `{other}` is not one here and is left out");
            carry.note(
                &["category"],
                message,
                Some("write `diagnostic` or `remediation`"),
            );
        }
        None => {}
    }
    if let Some(approval) = carry.flag(&["requires_approval"]) {
        tool.put("requires_approval", Value::Bool(approval));
    }
    if let Some(ms) = carry.seconds(&["timeout_seconds"]) {
        tool.put("timeout_ms", Value::Number(ms.into()));
    }
    if let Some(path) = carry.first(&[&["input_schema"], &["parameters"]])
        && let Some(schema) = carry.table(path)
    {
        tool.put("input_schema", Value::Table(schema.clone()));
    }
    tool
}
