//! `toolgate ps`: the instances of plugins that run in the gateway.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::gateway::At;
use crate::cli::plugins::{ask, text};
use crate::cli::{Context, failure, output};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

const HEADINGS: [&str; 8] = [
    "PLUGIN",
    "INSTANCE",
    "PID",
    "SESSION",
    "AGE",
    "MEMORY",
    "PROCESSES",
    "CALLS",
];

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let answer = match ask(context, &arguments.at, "ps", None) {
        Ok(answer) => answer,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    if arguments.json {
        output::say_json(&answer);
        return ExitCode::SUCCESS;
    }
    let instances = answer["instances"].as_array();
    let rows: Vec<_> = instances.into_iter().flatten().map(cells).collect();
    output::table(&HEADINGS, &rows);
    ExitCode::SUCCESS
}

/// The cells of one instance; what does not apply to it is a dash.
fn cells(instance: &Value) -> Vec<String> {
    let cell = |key: &str| match text(instance, key) {
        text if text.is_empty() => "-".to_owned(),
        text => text,
    };
    let memory = instance["memory_bytes"].as_u64();
    vec![
        cell("plugin"),
        cell("instance"),
        cell("pid"),
        cell("session"),
        output::span(instance["age_seconds"].as_f64().unwrap_or_default()),
        memory.map_or_else(|| "-".to_owned(), output::bytes),
        cell("processes"),
        cell("calls"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_apply_is_a_dash() {
        let child = json!({
            "plugin": "p", "instance": 2, "pid": 71, "session": "abcdefgh", "age_seconds": 61.2,
            "memory_bytes": 5_242_880, "processes": 3, "calls": 1,
        });
        assert_eq!(
            cells(&child),
            ["p", "2", "71", "abcdefgh", "61 s", "5.0 MiB", "3", "1"]
        );
        let own = json!({
            "plugin": "q", "instance": 1, "pid": null, "session": null, "age_seconds": 0.4,
            "memory_bytes": null, "processes": null, "calls": 0,
        });
        assert_eq!(cells(&own), ["q", "1", "-", "-", "0 s", "-", "-", "0"]);
    }
}
