//! `toolgate approvals`: the calls that wait for a person, and what is decided about them.

use std::process::ExitCode;

use http::Method;
use serde_json::{Value, json};

use crate::cli::gateway::{At, ask_json};
use crate::cli::plugins::text;
use crate::cli::{Context, failure, output};

/// How much of the arguments is shown on a line.
const ARGUMENTS: usize = 60;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the calls that wait, the newest first.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Also those that were decided about.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        at: At,
    },
    /// Lets a call be made: the one that waits, or else the next one that is the same.
    Approve(Decision),
    /// Refuses a call.
    Decline(Decision),
}

#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    /// The id of the approval.
    id: String,
    /// Why; the caller is told when it is declined.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(context: &Context<'_>, command: &Command) -> ExitCode {
    match command {
        Command::List { json, all, at } => list(context, *json, *all, at),
        Command::Approve(decision) => decide(context, "approve", decision),
        Command::Decline(decision) => decide(context, "decline", decision),
    }
}

fn list(context: &Context<'_>, json: bool, all: bool, at: &At) -> ExitCode {
    let path = match all {
        true => "/api/approvals",
        false => "/api/approvals?status=pending",
    };
    let answer = match ask_json(context, at, Method::GET, path, None) {
        Ok(answer) => answer,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    let approvals = &answer["approvals"];
    if json {
        output::say_json(approvals);
        return ExitCode::SUCCESS;
    }
    let row = |approval: &Value| {
        vec![
            text(approval, "id"),
            text(approval, "status"),
            text(approval, "tool"),
            text(approval, "principal"),
            text(approval, "effect"),
            output::one_line(&text(approval, "arguments"), ARGUMENTS),
            text(approval, "expires"),
        ]
    };
    let rows: Vec<_> = approvals
        .as_array()
        .into_iter()
        .flatten()
        .map(row)
        .collect();
    let headings = [
        "ID",
        "STATUS",
        "TOOL",
        "CALLER",
        "EFFECT",
        "ARGUMENTS",
        "EXPIRES",
    ];
    output::table(&headings, &rows);
    ExitCode::SUCCESS
}

fn decide(context: &Context<'_>, verb: &str, Decision { id, reason, at }: &Decision) -> ExitCode {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || !id.bytes().all(safe) {
        return failure("that is no id of an approval; `toolgate approvals list` names them");
    }
    let path = format!("/api/approvals/{id}/{verb}");
    let body = json!({ "reason": reason });
    match ask_json(context, at, Method::POST, &path, Some(&body)) {
        Ok(approval) => {
            let (tool, status) = (text(&approval, "tool"), text(&approval, "status"));
            output::say(&format!("{tool}: {status}"));
            ExitCode::SUCCESS
        }
        Err(unanswered) => failure(&unanswered.message()),
    }
}
