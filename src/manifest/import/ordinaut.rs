//! Ordinaut's `extension.json`: id, name, version, description, module, enabled, eager, grants.

use crate::manifest::document::Node;
use crate::manifest::import::carry::Carry;

const KNOWN: [&str; 8] = [
    "id",
    "name",
    "version",
    "description",
    "module",
    "enabled",
    "eager",
    "grants",
];

/// Its grants, which are ours too.
const GRANTS: [&str; 6] = [
    "ROUTES",
    "TOOLS",
    "EVENTS_PUB",
    "EVENTS_SUB",
    "BACKGROUND_TASKS",
    "STATIC",
];

/// Browsers and wikis have an `extension.json` too; theirs say `manifest_version`.
pub(crate) fn is_one(document: &Node) -> bool {
    let has = |key: &str| document.get(key).is_some();
    has("module") || has("grants") || has("eager") || (has("id") && !has("manifest_version"))
}

pub(crate) fn import(carry: &mut Carry<'_>) {
    carry.id(&["id"]);
    carry.wording(&["name", "description"]);
    carry.version(&["version"]);
    load(carry);
    grants(carry);
    module(carry);
    carry.note_unknown(&[], &KNOWN);
}

/// An extension that is not eager is loaded when something of it is first used.
fn load(carry: &mut Carry<'_>) {
    let (enabled, eager) = (carry.flag(&["enabled"]), carry.flag(&["eager"]));
    if enabled == Some(false) {
        let message = "only the operator can switch a plugin off: it is started by hand instead (`load = \"manual\"`)";
        let mend = "set `enabled = false` under `[plugins.ID]` of the configuration";
        carry.note(&["enabled"], message, Some(mend));
        carry.put_text(&["load"], "manual", &["enabled"]);
    } else {
        let load = if eager == Some(true) { "eager" } else { "lazy" };
        carry.put_text(&["load"], load, &["eager"]);
    }
}

/// There a manifest grants, here it asks.
fn grants(carry: &mut Carry<'_>) {
    let given = carry.texts(&["grants"]).unwrap_or_default();
    let mut requests = Vec::new();
    for (index, (grant, _)) in given.iter().enumerate() {
        let grant = grant.to_ascii_uppercase();
        if GRANTS.contains(&grant.as_str()) {
            if !requests.contains(&grant) {
                requests.push(grant);
            }
        } else {
            let message = format!("there is no grant `{grant}`: it is not asked for");
            carry.note(&["grants", &index.to_string()], message, None);
        }
    }
    if requests.iter().any(|grant| grant != "TOOLS") {
        let message = "these grants are only asked for here: without the operator's word a folder gets `TOOLS`";
        let mend = "grant them with `grants = [...]` under `[plugins.ID]` of the configuration";
        carry.note(&["grants"], message, Some(mend));
    }
    carry.put_texts(&["requests"], requests, &["grants"]);
    if given
        .iter()
        .any(|(grant, _)| grant.eq_ignore_ascii_case("STATIC"))
    {
        carry.put_text(&["static", "dir"], "static", &["grants"]);
    }
}

fn module(carry: &mut Carry<'_>) {
    if !carry.has(&["module"]) {
        let message = "it names no `module`, and nothing says which program runs it".to_owned();
        return carry.cannot_run(&["module"], message, &["python3", "extension.py"]);
    }
    let Some(module) = carry.text(&["module"]) else {
        return;
    };
    let message =
        format!("`{module}` is Python code for Ordinaut itself and cannot run in the gateway");
    carry.cannot_run(&["module"], message, &["python3", module]);
}
