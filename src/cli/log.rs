//! `toolgate log`: what was called, from the ledger of the gateway that runs.

use std::process::ExitCode;

use http::Method;
use serde_json::Value;

use crate::cli::gateway::{At, Gateway, Unanswered};
use crate::cli::{Context, failure, output, tokio_runtime};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Calls of this tool, by the name it is listed under.
    #[arg(long)]
    tool: Option<String>,
    /// Calls of this plugin's tools.
    #[arg(long)]
    plugin: Option<String>,
    /// Calls of this principal.
    #[arg(long)]
    principal: Option<String>,
    /// Calls that came to this, such as `timeout`.
    #[arg(long)]
    outcome: Option<String>,
    /// Calls of this incident.
    #[arg(long)]
    incident: Option<String>,
    /// Calls since then: a time such as `2026-01-31T12:00:00Z`, or a span such as `15m`.
    #[arg(long)]
    since: Option<String>,
    /// How many, at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Goes on with calls as they are recorded.
    #[arg(long, short)]
    follow: bool,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let gateway = match Gateway::find(context, &arguments.at) {
        Ok(gateway) => gateway,
        Err(message) => return failure(&message),
    };
    let runtime = match tokio_runtime(Some(1)) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(show(&gateway, arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unanswered) => failure(&unanswered.message()),
    }
}

async fn show(gateway: &Gateway, arguments: &Arguments) -> Result<(), Unanswered> {
    let query = query(arguments);
    let path = format!("/api/calls?limit={}{query}", arguments.limit);
    let page = gateway.whole(Method::GET, &path, None).await?;
    let calls = page["calls"].as_array().cloned().unwrap_or_default();
    calls
        .iter()
        .rev()
        .for_each(|call| say(call, arguments.json));
    if !arguments.follow {
        return Ok(());
    }
    let path = format!("/api/calls/stream?{}", query.trim_start_matches('&'));
    let take = |kind: &str, event: &Value| {
        match kind {
            "call" => say(event, arguments.json),
            "missed" => output::complain(&format!("missed {} calls", event["missed"])),
            _ => {}
        }
        true
    };
    gateway.events(&path, take).await
}

/// What the arguments say, as it goes behind other parts of a query.
fn query(arguments: &Arguments) -> String {
    let words = [
        ("tool", &arguments.tool),
        ("plugin", &arguments.plugin),
        ("principal", &arguments.principal),
        ("outcome", &arguments.outcome),
        ("incident", &arguments.incident),
        ("since", &arguments.since),
    ];
    let mut query = String::new();
    for (name, value) in words {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", quoted(value)));
        }
    }
    query
}

/// A text as it stands in a query (RFC 3986 section 2.1).
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn say(call: &Value, as_json: bool) {
    match as_json {
        true => output::say(&call.to_string()),
        false => output::say(&line(call)),
    }
}

/// A call on one line.
fn line(call: &Value) -> String {
    let text = |key: &str| output::one_line(call[key].as_str().unwrap_or("-"), 64);
    let took = match call["duration_ms"].as_f64() {
        Some(ms) => format!("{ms:.1} ms"),
        None => "-".to_owned(),
    };
    let mut line = format!(
        "{}  {}  {:<18}  {:>10}  {}  by {}",
        text("time"),
        text("id"),
        text("outcome"),
        took,
        text("tool"),
        text("principal"),
    );
    for (key, word) in [
        ("reason", "because of"),
        ("incident", "in"),
        ("replay_of", "replays"),
    ] {
        if call[key].is_string() && call[key] != call["outcome"] {
            line.push_str(&format!("  {word} {}", text(key)));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_is_a_line() {
        let call = json!({
            "time": "2026-01-31T12:00:00.000Z", "id": "0001", "outcome": "unavailable", "duration_ms": 1.25,
            "tool": "shell\n__run", "principal": "ann", "reason": "audit_unavailable", "incident": null,
        });
        let expect = "2026-01-31T12:00:00.000Z  0001  unavailable             1.2 ms  shell __run  by ann  because of audit_unavailable";
        assert_eq!(line(&call), expect);
        let open = json!({ "outcome": "open", "duration_ms": null, "incident": "00ff" });
        assert!(
            line(&open).ends_with("-  -  by -  in 00ff"),
            "{}",
            line(&open)
        );
    }

    #[test]
    fn what_goes_into_a_query_is_quoted() {
        assert_eq!(quoted("a b&é=~"), "a%20b%26%C3%A9%3D~");
        assert_eq!(quoted("fs__read.a-b"), "fs__read.a-b");
        assert_eq!(quoted("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
