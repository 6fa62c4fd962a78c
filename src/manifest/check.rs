//! Whether the parts of a manifest agree with each other.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::path::{Component, Path};

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::manifest::Manifest;
use crate::manifest::decode::{Report, path};
use crate::manifest::limits::{Limits, Restart};
use crate::manifest::runtime::{McpHttp, McpStdio, RuntimeKind};
use crate::model::topic::Pattern;

/// The longest time that can be configured: 30 days, in milliseconds.
pub const MAX_MS: u64 = 2_592_000_000;

/// Headers the gateway itself sets on requests to a remote server.
const OWN_HEADERS: [&str; 12] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
];

/// Notes everything that is wrong with `manifest` beyond the types of its values.
pub fn check(manifest: &Manifest, report: &mut Report<'_>) {
    check_identity(manifest, report);
    check_runtimes(manifest, report);
    check_tools(manifest, report);
    check_host(manifest, report);
    check_limits(&manifest.limits, report);
    check_restart(&manifest.restart, report);
    check_upkeep(manifest, report);
    crate::manifest::kinds::check(manifest, report);
}

/// Whether `name` can be the listed name of a tool: `[A-Za-z0-9_.-]{1,64}`.
pub fn is_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && has_name_characters(name)
}

fn has_name_characters(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn check_identity(manifest: &Manifest, report: &mut Report<'_>) {
    if let Err(error) = semver::Version::parse(&manifest.version) {
        report.add(
            &path(["version"]),
            format!("not a version such as `1.2.0` (SemVer): {error}"),
        );
    }
    if let Some(prefix) = &manifest.prefix
        && (prefix.len() > 63 || !has_name_characters(prefix))
    {
        report.add(
            &path(["prefix"]),
            "a prefix has at most 63 characters `A-Z a-z 0-9 _ . -`",
        );
    }
    for (index, id) in manifest.depends_on.iter().enumerate() {
        if *id == manifest.id {
            report.add(
                &["depends_on".into(), index.to_string()],
                "a plugin cannot depend on itself",
            );
        }
    }
    no_doubles(report, "depends_on", "", manifest.depends_on.iter());
}

fn check_runtimes(manifest: &Manifest, report: &mut Report<'_>) {
    let kinds = manifest.runtimes();
    // A runtime that could not be read says nothing about the sections that are needed.
    let unread = report.blames(&path(["runtime"]));
    let needed = if unread { &[] } else { kinds };
    if kinds.is_empty() {
        report.add(
            &path(["runtime"]),
            "at least one runtime is needed: in_process, mcp_stdio or mcp_http",
        );
    }
    no_doubles(report, "runtime", "", kinds.iter());
    for kind in needed {
        let present = match kind {
            RuntimeKind::InProcess => manifest.in_process.is_some(),
            RuntimeKind::McpStdio => manifest.mcp_stdio.is_some(),
            RuntimeKind::McpHttp => manifest.mcp_http.is_some(),
        };
        let needs = match kind {
            RuntimeKind::InProcess => "entry",
            RuntimeKind::McpStdio => "command",
            RuntimeKind::McpHttp => "url",
        };
        if !present {
            report.add(
                &path([kind.as_str()]),
                format!("runtime `{kind}` needs a section `[{kind}]` with `{needs}`"),
            );
        }
    }
    if let Some(section) = &manifest.in_process
        && section
            .entry
            .strip_prefix("builtin:")
            .is_none_or(str::is_empty)
    {
        report.add(&path(["in_process", "entry"]), "expected `builtin:NAME`");
    }
    if let Some(section) = &manifest.mcp_stdio {
        check_stdio(section, report);
    }
    if let Some(section) = &manifest.mcp_http {
        check_http(section, report);
    }
}

fn check_stdio(section: &McpStdio, report: &mut Report<'_>) {
    check_command(report, "mcp_stdio", &section.command);
    for (name, value) in &section.env {
        let at = path(["mcp_stdio", "env", name]);
        if !is_variable_name(name) {
            report.add(&at, "a variable's name cannot be empty or hold `=`");
        } else if value.expose().contains('\0') {
            report.add(&at, "a variable's value cannot hold a NUL character");
        }
    }
    for (index, name) in section.env_passthrough.iter().enumerate() {
        if !is_variable_name(name) {
            let at = [
                "mcp_stdio".into(),
                "env_passthrough".into(),
                index.to_string(),
            ];
            report.add(&at, "a variable's name cannot be empty or hold `=`");
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

fn check_command(report: &mut Report<'_>, section: &str, command: &[String]) {
    let at = path([section, "command"]);
    match command.first() {
        None => report.add(
            &at,
            "the command is empty: expected a program and its arguments",
        ),
        Some(program) if program.trim().is_empty() => {
            report.add(&at, "the program's name is empty")
        }
        Some(_) if command.iter().any(|word| word.contains('\0')) => {
            report.add(&at, "a command cannot hold a NUL character");
        }
        Some(_) => {}
    }
}

fn check_http(section: &McpHttp, report: &mut Report<'_>) {
    let at = |key: &str| path(["mcp_http", key]);
    for (name, value) in &section.headers {
        let at = path(["mcp_http", "headers", name]);
        if HeaderName::try_from(name.as_str()).is_err() {
            report.add(&at, "not a header name");
        } else if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            report.add(&at, format!("the gateway sets `{name}` itself"));
        } else if HeaderValue::try_from(value.expose()).is_err() {
            report.add(
                &at,
                "a header's value cannot hold line breaks or control characters",
            );
        }
    }
    let mut names: Vec<String> = section
        .headers
        .keys()
        .map(|name| name.to_ascii_lowercase())
        .collect();
    if section.bearer_token.is_some() {
        names.push("authorization".into());
    }
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        report.add(
            &at("headers"),
            format!("the header `{}` would be sent twice", twice[0]),
        );
    }
    if let Some(token) = &section.bearer_token
        && (token.expose().trim().is_empty() || HeaderValue::try_from(token.expose()).is_err())
    {
        report.add(
            &at("bearer_token"),
            "the token is empty or holds characters that cannot be sent",
        );
    }
    let carries_secrets = section.bearer_token.is_some() || !section.headers.is_empty();
    if !section.url.is_encrypted()
        && !section.url.is_loopback()
        && carries_secrets
        && !section.allow_plain_http
    {
        let mend =
            "use `https://`, or set `allow_plain_http = true` when the network between is trusted";
        report.add_with_mend(
            &at("url"),
            "headers or a token would travel unencrypted to another machine",
            mend,
        );
    }
    in_range(
        report,
        &at("connect_timeout_ms"),
        section.connect_timeout_ms,
        1,
        600_000,
    );
}

fn check_tools(manifest: &Manifest, report: &mut Report<'_>) {
    for (index, tool) in manifest.tools.iter().enumerate() {
        let at = |key: &str| vec!["tools".into(), index.to_string(), key.into()];
        if !is_tool_name(&tool.name) {
            report.add(
                &at("name"),
                "a tool's name has 1 to 64 characters `A-Z a-z 0-9 _ . -`",
            );
        }
        if let Some(ms) = tool.timeout_ms {
            in_range(report, &at("timeout_ms"), ms, 1, MAX_MS);
        }
        is_object_schema(report, &at("input_schema"), tool.input_schema.as_ref());
        is_object_schema(report, &at("output_schema"), tool.output_schema.as_ref());
    }
    no_doubles(
        report,
        "tools",
        "name",
        manifest.tools.iter().map(|tool| &tool.name),
    );
    let mut targets = BTreeSet::new();
    for (tool, target) in &manifest.expose.rename {
        let at = path(["expose", "rename", tool]);
        if !is_tool_name(target) {
            report.add(&at, "a new name has 1 to 64 characters `A-Z a-z 0-9 _ . -`");
        } else if !targets.insert(target) {
            report.add(&at, format!("two tools would be called `{target}`"));
        }
    }
}

fn is_object_schema(report: &mut Report<'_>, at: &[String], schema: Option<&Map<String, Value>>) {
    if schema.is_some_and(|schema| schema.get("type").and_then(Value::as_str) != Some("object")) {
        report.add(at, "the schema must say `type = \"object\"`");
    }
}

fn check_host(manifest: &Manifest, report: &mut Report<'_>) {
    crate::manifest::route_table::check(&manifest.routes, report);
    if let Some(files) = &manifest.static_files {
        if !stays_inside(&files.dir) {
            report.add(
                &path(["static", "dir"]),
                "the directory must lie inside the plugin's folder",
            );
        }
        if Path::new(&files.index).components().count() != 1
            || !stays_inside(Path::new(&files.index))
        {
            report.add(&path(["static", "index"]), "expected the name of a file");
        }
    }
    for (index, job) in manifest.background.iter().enumerate() {
        let at = ["background".into(), index.to_string(), "interval_ms".into()];
        in_range(report, &at, job.interval_ms, 100, MAX_MS);
    }
    no_doubles(
        report,
        "background",
        "name",
        manifest.background.iter().map(|job| &job.name),
    );
    for (index, subscription) in manifest.events.subscribe.iter().enumerate() {
        if let Err(error) = subscription.topic.parse::<Pattern>() {
            let at = [
                "events".into(),
                "subscribe".into(),
                index.to_string(),
                "topic".into(),
            ];
            report.add(&at, error.to_string());
        }
    }
}

fn stays_inside(dir: &Path) -> bool {
    dir.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn check_limits(limits: &Limits, report: &mut Report<'_>) {
    let rows: [(&str, u64, u64, u64); 17] = [
        ("max_instances", limits.max_instances.into(), 1, 10_000),
        (
            "max_concurrent_calls",
            limits.max_concurrent_calls.into(),
            1,
            1_000_000,
        ),
        ("max_queue", limits.max_queue.into(), 0, 1_000_000),
        ("call_timeout_ms", limits.call_timeout_ms, 1, MAX_MS),
        ("max_call_ms", limits.max_call_ms, 1, MAX_MS),
        ("start_timeout_ms", limits.start_timeout_ms, 1, MAX_MS),
        ("idle_timeout_ms", limits.idle_timeout_ms, 0, MAX_MS),
        (
            "max_message_bytes",
            limits.max_message_bytes as u64,
            1024,
            1 << 30,
        ),
        ("max_tools", limits.max_tools as u64, 1, 100_000),
        ("max_list_pages", limits.max_list_pages as u64, 1, 100_000),
        (
            "max_description_bytes",
            limits.max_description_bytes as u64,
            1,
            1 << 24,
        ),
        (
            "stderr_buffer_bytes",
            limits.stderr_buffer_bytes as u64,
            0,
            1 << 24,
        ),
        ("memory_bytes", limits.memory_bytes, 0, 1 << 50),
        ("processes", limits.processes.into(), 0, 1_000_000),
        ("open_files", limits.open_files.into(), 0, 1_000_000),
        ("cpu_seconds", limits.cpu_seconds, 0, 1_000_000_000),
        ("nice", limits.nice.into(), 0, 19),
    ];
    for (key, value, low, high) in rows {
        in_range(report, &path(["limits", key]), value, low, high);
    }
    if limits.call_timeout_ms > limits.max_call_ms {
        report.add(
            &path(["limits", "call_timeout_ms"]),
            "longer than `max_call_ms`",
        );
    }
}

fn check_restart(restart: &Restart, report: &mut Report<'_>) {
    let at = |key: &str| path(["restart", key]);
    in_range(report, &at("max"), restart.max.into(), 0, 10_000);
    in_range(report, &at("within_ms"), restart.within_ms, 1, MAX_MS);
    in_range(
        report,
        &at("backoff_initial_ms"),
        restart.backoff_initial_ms,
        1,
        MAX_MS,
    );
    in_range(
        report,
        &at("backoff_max_ms"),
        restart.backoff_max_ms,
        1,
        MAX_MS,
    );
}

fn check_upkeep(manifest: &Manifest, report: &mut Report<'_>) {
    let (health, breaker) = (&manifest.health, &manifest.breaker);
    let rows = [
        ("health", "interval_ms", health.interval_ms, 100, MAX_MS),
        ("health", "timeout_ms", health.timeout_ms, 1, MAX_MS),
        (
            "health",
            "unhealthy_after",
            health.unhealthy_after.into(),
            1,
            10_000,
        ),
        (
            "health",
            "healthy_after",
            health.healthy_after.into(),
            1,
            10_000,
        ),
        (
            "retry",
            "max_attempts",
            manifest.retry.max_attempts.into(),
            1,
            10,
        ),
        ("retry", "initial_ms", manifest.retry.initial_ms, 1, MAX_MS),
        ("breaker", "failures", breaker.failures.into(), 1, 10_000),
        ("breaker", "open_ms", breaker.open_ms, 1, MAX_MS),
        ("breaker", "max_open_ms", breaker.max_open_ms, 1, MAX_MS),
    ];
    for (table, key, value, low, high) in rows {
        in_range(report, &path([table, key]), value, low, high);
    }
    if let Some(build) = &manifest.build {
        check_command(report, "build", &build.command);
        in_range(
            report,
            &path(["build", "timeout_ms"]),
            build.timeout_ms,
            1,
            MAX_MS,
        );
        for (index, output) in build.outputs.iter().enumerate() {
            if output.as_os_str().is_empty() || !stays_inside(output) {
                let at = ["build".into(), "outputs".into(), index.to_string()];
                report.add(&at, "a path inside the plugin's folder is expected");
            }
        }
        for (index, name) in build.env_passthrough.iter().enumerate() {
            if !is_variable_name(name) {
                let at = ["build".into(), "env_passthrough".into(), index.to_string()];
                report.add(&at, "a variable's name cannot be empty or hold `=`");
            }
        }
    }
}

/// Notes a number outside `low..=high`.
pub fn in_range(report: &mut Report<'_>, at: &[String], value: u64, low: u64, high: u64) {
    if !(low..=high).contains(&value) {
        report.add(
            at,
            format!("the number is out of range: {low} to {high} is allowed"),
        );
    }
}

/// Notes items of the list `key` that are there a second time. `part` is the key inside an item, or empty.
fn no_doubles<T: Eq + Hash>(
    report: &mut Report<'_>,
    key: &str,
    part: &str,
    items: impl Iterator<Item = T>,
) {
    let mut seen = std::collections::HashSet::new();
    for (index, item) in items.enumerate() {
        if !seen.insert(item) {
            let mut at = vec![key.to_owned(), index.to_string()];
            at.extend((!part.is_empty()).then(|| part.to_owned()));
            report.add(&at, "this is there a second time");
        }
    }
}
