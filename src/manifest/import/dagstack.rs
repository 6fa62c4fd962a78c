//! dagstack's `dagstack.toml`, in all its spellings: the keys at the top or in `[plugin]`; the runtime's settings at the
//! top or in a section; one runtime or a list; `core_version` or `dagstack_version`.

mod remote;

mod resources;

use crate::manifest::core_version::CoreVersion;
use crate::manifest::document::Value;
use crate::manifest::import::carry::Carry;
use crate::manifest::problem::nearest;
use crate::manifest::runtime::RuntimeKind;

const KNOWN: [&str; 33] = [
    "schema_version",
    "name",
    "kind",
    "kind_api_version",
    "core_version",
    "dagstack_version",
    "runtime",
    "entry_point",
    "version",
    "description",
    "authors",
    "author",
    "license",
    "priority",
    "depends_on",
    "tryfirst",
    "trylast",
    "execution_model",
    "supports_languages",
    "fallback",
    "resources",
    "unit_of_work",
    "mcp_stdio",
    "mcp_http",
    "metadata",
    "command",
    "env",
    "startup_timeout_sec",
    "teardown_timeout_sec",
    "url",
    "endpoint",
    "auth",
    "timeout_sec",
];

/// What `tryfirst` adds to a priority and `trylast` takes away: more than anybody's own priority.
const AHEAD: i64 = 10_000;

pub(crate) fn import(carry: &mut Carry<'_>) {
    if !carry.has(&["name"]) {
        carry.descend("plugin");
    }
    schema_version(carry);
    if let Some(id) = carry.id(&["name"])
        && let Some(name) = carry.text(&["name"])
        && name != id.as_str()
    {
        carry.put_text(&["name"], name.replace("${", "$${"), &["name"]);
    }
    carry.version(&["version"]);
    carry.wording(&["description"]);
    kind(carry);
    core_version(carry);
    priority(carry);
    carry.depends_on(&["depends_on"]);
    runtimes(carry);
    resources::carry_over(carry);
    timeouts(carry);
    left_behind(carry);
    if let Some(table) = carry.table(&["metadata"]) {
        for key in table.keys() {
            carry.put_same(&["metadata", key], &["metadata", key]);
        }
    }
    carry.note_unknown(&[], &KNOWN);
}

fn schema_version(carry: &mut Carry<'_>) {
    if let Some(text) = carry.text(&["schema_version"])
        && text.split('.').next() != Some("1")
    {
        let message = format!("manifests of schema version `{text}` are not known: `1` is");
        carry.problem(&["schema_version"], message, None);
    }
}

fn kind(carry: &mut Carry<'_>) {
    let at = ["kind"];
    if !carry.has(&at) {
        return carry.missing(&at);
    }
    let Some(kind) = carry.text(&at) else {
        return;
    };
    let native = match kind {
        "tool" | "provider" | "filter" | "handler" | "notifier" => kind,
        "orchestrator" => "handler",
        _ => "provider",
    };
    if native != kind {
        let message = format!("the kind `{kind}` does not exist here: it is taken as `{native}`");
        let mend = "set `kind` when another one fits better; only a `tool` is meant for clients";
        carry.note(&at, message, Some(mend));
    }
    carry.put_text(&at, native, &at);
}

/// The host is toolgate now, so the range is about toolgate.
fn core_version(carry: &mut Carry<'_>) {
    let Some(at) = carry.first(&[&["core_version"], &["dagstack_version"]]) else {
        return;
    };
    let Some(text) = carry.text(at).filter(|text| !text.trim().is_empty()) else {
        return;
    };
    let range: CoreVersion = match text.parse() {
        Ok(range) => range,
        Err(error) => return carry.problem(at, format!("{error}"), None),
    };
    let this = env!("CARGO_PKG_VERSION").parse::<semver::Version>();
    if this.is_ok_and(|this| !range.fits(&this)) {
        let message = format!(
            "the range `{text}` leaves this toolgate out, whose version is {}",
            env!("CARGO_PKG_VERSION")
        );
        let mend = "set `toolgate` to a range that fits once the plugin was seen to work, here or under `[plugins.ID]` of the configuration";
        carry.note(at, message, Some(mend));
    }
    carry.put_text(&["toolgate"], text, at);
}

fn priority(carry: &mut Carry<'_>) {
    let mut priority = carry.whole(&["priority"]);
    if priority.is_some_and(|priority| priority < 0) {
        carry.problem(&["priority"], "expected 0 or more", None);
    }
    let (first, last) = (carry.flag(&["tryfirst"]), carry.flag(&["trylast"]));
    let (first, last) = (first == Some(true), last == Some(true));
    if first && last {
        let message = "`tryfirst` and `trylast` exclude each other";
        return carry.problem(&["trylast"], message, Some("take one of them out"));
    }
    if first || last {
        let (key, ahead) = if first {
            ("tryfirst", AHEAD)
        } else {
            ("trylast", -AHEAD)
        };
        let sum = priority.unwrap_or(0).saturating_add(ahead);
        carry.note(&[key], format!("`{key}` becomes the priority {sum}"), None);
        priority = Some(sum);
    }
    if let Some(priority) = priority {
        carry.put(&["priority"], Value::Number(priority.into()), &["priority"]);
    }
}

fn runtimes(carry: &mut Carry<'_>) {
    let wanted = wanted(carry);
    let wants = |kind| wanted.contains(&kind);
    let has_url = remote::url(carry, wants(RuntimeKind::McpHttp));
    let has_command = wants(RuntimeKind::McpStdio) && command(carry);
    let usable: Vec<String> = wanted
        .iter()
        .filter(|kind| match kind {
            RuntimeKind::InProcess => false,
            RuntimeKind::McpStdio => has_command,
            RuntimeKind::McpHttp => has_url,
        })
        .map(ToString::to_string)
        .collect();
    let has_child = has_command || (usable.is_empty() && !wants(RuntimeKind::McpHttp));
    for path in [&["env"][..], &["mcp_stdio", "env"]] {
        environment(carry, path, has_child);
    }
    if usable.is_empty() {
        if wanted.iter().any(|kind| *kind != RuntimeKind::McpHttp) {
            nothing_to_run(carry);
        }
        return;
    }
    if wants(RuntimeKind::InProcess) {
        let message =
            "code that runs inside dagstack cannot run here: the plugin's other runtime is used";
        carry.note(&["runtime"], message, None);
    }
    match <[String; 1]>::try_from(usable) {
        Ok([one]) => carry.put_text(&["runtime"], one, &["runtime"]),
        Err(several) => carry.put_texts(&["runtime"], several, &["runtime"]),
    }
}

/// The runtimes it names, in its order.
fn wanted(carry: &mut Carry<'_>) -> Vec<RuntimeKind> {
    let at = ["runtime"];
    let words: Vec<&str> = match carry.node(&at).map(|node| &node.value) {
        None => {
            carry.missing(&at);
            return Vec::new();
        }
        Some(Value::Array(_)) => {
            let texts = carry.texts(&at).unwrap_or_default();
            if texts.is_empty() {
                carry.problem(&at, "at least one runtime is needed", None);
            }
            texts.into_iter().map(|(text, _)| text).collect()
        }
        Some(_) => carry.text(&at).into_iter().collect(),
    };
    let kinds = [
        RuntimeKind::InProcess,
        RuntimeKind::McpStdio,
        RuntimeKind::McpHttp,
    ];
    let mut wanted = Vec::new();
    for word in words {
        match kinds.into_iter().find(|kind| kind.as_str() == word) {
            Some(kind) if wanted.contains(&kind) => {}
            Some(kind) => wanted.push(kind),
            None => {
                let near = nearest(word, kinds.map(RuntimeKind::as_str));
                let hint = near.map(|near| format!("; did you mean `{near}`?"));
                let hint = hint.unwrap_or_default();
                let message = format!("`{word}` is not a runtime{hint}");
                carry.problem(&at, message, Some("in_process, mcp_stdio and mcp_http are"));
            }
        }
    }
    wanted
}

/// Carries the command of `mcp_stdio`; false when there is none.
fn command(carry: &mut Carry<'_>) -> bool {
    if let Some(cwd) = carry.text(&["mcp_stdio", "cwd"]) {
        carry.put_text(&["mcp_stdio", "cwd"], cwd, &["mcp_stdio", "cwd"]);
    }
    let known = [
        "command",
        "env",
        "cwd",
        "startup_timeout_sec",
        "teardown_timeout_sec",
    ];
    carry.note_unknown(&["mcp_stdio"], &known);
    if let Some(at) = carry.first(&[&["mcp_stdio", "command"], &["command"]]) {
        if let Some(texts) = carry.texts(at) {
            let words = texts.into_iter().map(|(text, _)| text.to_owned()).collect();
            carry.put_texts(&["mcp_stdio", "command"], words, at);
        }
        return true;
    }
    let at = ["entry_point"];
    match carry.text(&at).and_then(command_line) {
        Some(words) => {
            let message = "the `entry_point` is taken as the command line";
            carry.note(&at, message, None);
            carry.put_texts(&["mcp_stdio", "command"], words, &at);
            true
        }
        None => false,
    }
}

/// Reads the environment, and carries it where there is a child process to have it.
fn environment(carry: &mut Carry<'_>, path: &[&str], has_child: bool) {
    let Some(table) = carry.table(path) else {
        return;
    };
    for name in table.keys() {
        let at: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        carry.secret(&at);
        if let Some(text) = carry.text(&at).filter(|_| has_child) {
            carry.put_text(&["mcp_stdio", "env", name], text, &at);
        }
    }
}

/// The words of a command line, unless the text names a class (`module:Class`) or is no command line.
fn command_line(text: &str) -> Option<Vec<String>> {
    let is_class = text.split_once(':').is_some_and(|(module, class)| {
        let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        !class.is_empty() && module.chars().all(name) && class.chars().all(name)
    });
    if is_class {
        return None;
    }
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (quote.is_none() && !words.is_empty()).then_some(words)
}

fn nothing_to_run(carry: &mut Carry<'_>) {
    let at = ["entry_point"];
    let Some(entry) = carry.text(&at) else {
        let message = "nothing says which program runs it".to_owned();
        return carry.cannot_run(&["runtime"], message, &["python3", "-m", "plugin"]);
    };
    let module = entry.split(':').next().unwrap_or(entry);
    let message = format!("`{entry}` is code for dagstack itself and cannot run in the gateway");
    carry.cannot_run(&at, message, &["python3", "-m", module]);
}

fn timeouts(carry: &mut Carry<'_>) {
    for path in [
        &["startup_timeout_sec"][..],
        &["mcp_stdio", "startup_timeout_sec"],
    ] {
        if let Some(ms) = carry.seconds(path) {
            carry.put_number(&["limits", "start_timeout_ms"], ms, path);
        }
    }
    for path in [
        &["teardown_timeout_sec"][..],
        &["mcp_stdio", "teardown_timeout_sec"],
    ] {
        if carry.seconds(path).is_some() {
            let message = "how long a plugin may take to stop is the gateway's own setting";
            carry.note(path, message, None);
        }
    }
}

/// What has no counterpart.
fn left_behind(carry: &mut Carry<'_>) {
    for (key, message) in [
        (
            "execution_model",
            "how work is spread over threads is the plugin's own business in its process",
        ),
        (
            "supports_languages",
            "plugins are not chosen by language here",
        ),
        (
            "unit_of_work",
            "work is not cut into units that are kept and resumed here",
        ),
    ] {
        if carry.has(&[key]) {
            carry.note(
                &[key],
                format!("`{key}` is not carried over: {message}"),
                None,
            );
        }
    }
    if carry.flag(&["fallback"]) == Some(true) {
        let message = "`fallback` is not carried over: no plugin steps in for another here";
        carry.note(&["fallback"], message, Some("give it a low `priority`"));
    }
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn an_entry_point_is_a_command_line_or_a_class() {
        for (text, expect) in [
            ("python -m x.server", Some(vec!["python", "-m", "x.server"])),
            ("'my prog' \"a b\"c ''", Some(vec!["my prog", "a bc", ""])),
            ("./bin/run", Some(vec!["./bin/run"])),
            ("plugin:Class", None),
            ("a.b:C.d", None),
            ("'open", None),
            ("  ", None),
        ] {
            let expect = expect.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(command_line(text), expect, "{text}");
        }
    }
}
