//! Jank's `plugin.json`: a program in the plugin's folder.

use crate::manifest::document::Node;
use crate::manifest::import::carry::Carry;

/// Where its plugins keep the script that builds them.
const BUILD_SCRIPT: &str = "scripts/build.sh";

const KNOWN: [&str; 14] = [
    "id",
    "name",
    "version",
    "description",
    "author",
    "repository",
    "type",
    "binary",
    "auto_start",
    "start_timeout",
    "min_port",
    "max_port",
    "auto_mtls",
    "managed",
];

/// Our own manifests may be called `plugin.json` too; they have a `runtime`.
pub(crate) fn is_one(document: &Node) -> bool {
    let has = |key: &str| document.get(key).is_some();
    !has("runtime") && (has("binary") || has("auto_start") || has("type"))
}

pub(crate) fn import(carry: &mut Carry<'_>, beside: &dyn Fn(&str) -> bool) {
    carry.id(&["id"]);
    carry.wording(&["name", "description"]);
    match carry.has(&["version"]) {
        true => carry.version(&["version"]),
        false => carry.missing(&["version"]),
    }
    kind(carry);
    let load = match carry.flag(&["auto_start"]) {
        Some(true) => "eager",
        Some(false) | None => "manual",
    };
    carry.put_text(&["load"], load, &["auto_start"]);
    start_timeout(carry);
    binary(carry, beside);
    if beside(BUILD_SCRIPT) {
        let command = vec![format!("./{BUILD_SCRIPT}")];
        carry.put_texts(&["build", "command"], command, &[]);
    }
    for key in ["min_port", "max_port", "auto_mtls", "managed"] {
        if carry.has(&[key]) {
            let message = format!(
                "`{key}` is about how Jank reaches its plugins: here they are spoken to over standard streams"
            );
            carry.note(&[key], message, None);
        }
    }
    carry.note_unknown(&[], &KNOWN);
}

fn kind(carry: &mut Carry<'_>) {
    if !carry.has(&["type"]) {
        return carry.note(&["type"], "it says no `type` and is taken as `tool`", None);
    }
    let Some(kind) = carry.text(&["type"]) else {
        return;
    };
    match kind {
        "provider" | "filter" | "handler" | "notifier" | "tool" => {
            carry.put_text(&["kind"], kind, &["type"]);
        }
        other => {
            let message = format!("the type `{other}` is not a kind here and is taken as `tool`");
            carry.note(&["type"], message, Some("set `kind`"));
        }
    }
}

/// There in milliseconds as well.
fn start_timeout(carry: &mut Carry<'_>) {
    match carry.whole(&["start_timeout"]) {
        None => {}
        Some(ms) => match u64::try_from(ms) {
            Ok(0) => {}
            Ok(ms) => carry.put_number(&["limits", "start_timeout_ms"], ms, &["start_timeout"]),
            Err(_) => carry.problem(&["start_timeout"], "expected milliseconds", None),
        },
    }
}

/// A bare name is a file of the folder, in `bin/` where builds put it; never a program of the machine.
fn binary(carry: &mut Carry<'_>, beside: &dyn Fn(&str) -> bool) {
    let at = ["binary"];
    if !carry.has(&at) {
        let message = "it names no `binary`, so there is nothing to start".to_owned();
        return carry.cannot_run(&at, message, &["./bin/plugin"]);
    }
    let Some(binary) = carry.text(&at) else {
        return;
    };
    if binary.trim().is_empty() {
        return carry.problem(&at, "the program's name is empty", None);
    }
    let is_path = binary.contains(['/', '\\']);
    let program = match is_path {
        true => binary.to_owned(),
        false if beside(binary) => format!("./{binary}"),
        false => format!("./bin/{binary}"),
    };
    carry.put_text(&["runtime"], "mcp_stdio", &at);
    carry.put_texts(&["mcp_stdio", "command"], vec![program.clone()], &at);
    let message = format!(
        "`{program}` is started as a program that speaks MCP on its standard streams; one that waits for gRPC calls of Jank will not answer"
    );
    let mend = "let its `main` serve MCP over stdio instead of go-plugin, and build it again";
    carry.note(&at, message, Some(mend));
}
