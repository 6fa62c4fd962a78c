//! `toolgate reload`: the gateway that runs reads its configuration and its plugins again.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::gateway::At;
use crate::cli::plugins::ask;
use crate::cli::{Context, failure, output};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What was done, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Exit code 1 when anything stayed as it was that should be another.
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let done = match ask(context, &arguments.at, "reload", Some(&json!({}))) {
        Ok(done) => done,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    if arguments.json {
        output::say_json(&done);
    } else {
        say(&done);
    }
    match names(&done, "failed").is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn say(done: &Value) {
    for word in ["added", "changed", "removed"] {
        for id in names(done, word) {
            output::say(&format!("{word} {}", id.as_str().unwrap_or_default()));
        }
    }
    output::say(&format!("{} unchanged", done["unchanged"]));
    for failed in names(done, "failed") {
        let text = |key: &str| failed[key].as_str().unwrap_or_default().to_owned();
        output::complain(&format!(
            "{} stays as it was: {}",
            text("id"),
            text("error")
        ));
    }
    for note in names(done, "notes") {
        output::complain(&format!("note: {}", note.as_str().unwrap_or_default()));
    }
    for section in names(done, "needs_restart") {
        let section = section.as_str().unwrap_or_default();
        output::complain(&format!(
            "`{section}` counts from the next start of the gateway"
        ));
    }
}

fn names<'a>(done: &'a Value, key: &str) -> &'a [Value] {
    done[key].as_array().map(Vec::as_slice).unwrap_or_default()
}
