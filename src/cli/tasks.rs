//! `toolgate tasks`: tools that the gateway that runs is to run now, at a time, or again and again.

use std::process::ExitCode;

use http::Method;
use serde_json::{Value, json};

use crate::cli::gateway::{At, ask_json};
use crate::cli::plugins::text;
use crate::cli::{Context, failure, output};

/// How much of an error is shown on a line.
const ERROR: usize = 60;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the tasks, the newest first.
    List {
        /// Only those in this status: scheduled, running, waiting, done, failed, cancelled.
        #[arg(long)]
        status: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Makes a task; prints its id.
    Create(Create),
    /// Shows a task with its last runs, as JSON.
    Show(Target),
    /// Calls a task off; what runs is cancelled.
    Cancel(Target),
    /// Has a task that failed or was called off go on.
    Retry(Target),
    /// Has a task run now.
    Run(Target),
    /// Takes a task out, with its runs.
    Remove(Target),
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// The tool, as `tools list` shows it.
    tool: String,
    /// The arguments, a JSON object.
    #[arg(default_value = "{}")]
    arguments: String,
    /// What it is called; the tool's name when left out.
    #[arg(long)]
    name: Option<String>,
    /// Once, at this time: `2027-01-31T09:00:00Z`.
    #[arg(long, value_name = "TIME", conflicts_with = "every_ms")]
    at_time: Option<String>,
    /// Again and again, so many milliseconds from the beginning of one run to that of the next.
    #[arg(long, value_name = "MILLISECONDS")]
    every_ms: Option<u64>,
    /// Milliseconds that one run may take.
    #[arg(long, value_name = "MILLISECONDS")]
    timeout_ms: Option<u64>,
    /// How often a run that failed is tried again, of tools for which that does no harm.
    #[arg(long, default_value_t = 0)]
    retries: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The task.
    id: String,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(context: &Context<'_>, command: &Command) -> ExitCode {
    match command {
        Command::List { status, json, at } => list(context, status.as_deref(), *json, at),
        Command::Create(create) => make(context, create),
        Command::Show(target) => show(context, target),
        Command::Cancel(target) => act(context, target, "cancel"),
        Command::Retry(target) => act(context, target, "retry"),
        Command::Run(target) => act(context, target, "run"),
        Command::Remove(target) => remove(context, target),
    }
}

fn list(context: &Context<'_>, status: Option<&str>, json: bool, at: &At) -> ExitCode {
    let mut path = "/api/tasks?limit=1000".to_owned();
    if let Some(status) = status {
        if !status.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return failure(&format!("`{status}` is no status"));
        }
        path.push_str(&format!("&status={status}"));
    }
    let answer = match ask_json(context, at, Method::GET, &path, None) {
        Ok(answer) => answer,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    if json {
        output::say_json(&answer);
        return ExitCode::SUCCESS;
    }
    let rows: Vec<_> = answer["tasks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(cells)
        .collect();
    let headings = [
        "ID",
        "NAME",
        "TOOL",
        "STATUS",
        "NEXT",
        "RUNS",
        "FAILURES",
        "LAST ERROR",
    ];
    output::table(&headings, &rows);
    ExitCode::SUCCESS
}

fn cells(task: &Value) -> Vec<String> {
    let mut cells: Vec<String> = [
        "id", "name", "tool", "status", "next_run", "runs", "failures",
    ]
    .iter()
    .map(|key| output::one_line(&text(task, key), ERROR))
    .collect();
    cells.push(output::one_line(&text(&task["last_run"], "error"), ERROR));
    cells
}

fn make(context: &Context<'_>, create: &Create) -> ExitCode {
    let arguments: Value = match serde_json::from_str(&create.arguments) {
        Ok(arguments) => arguments,
        Err(err) => return failure(&format!("the arguments are no JSON: {err}")),
    };
    let schedule = match (&create.at_time, create.every_ms) {
        (Some(time), _) => json!({ "kind": "at", "time": time }),
        (None, Some(interval_ms)) => json!({ "kind": "every", "interval_ms": interval_ms }),
        (None, None) => json!({ "kind": "now" }),
    };
    let body = json!({
        "name": create.name,
        "tool": create.tool,
        "arguments": arguments,
        "schedule": schedule,
        "timeout_ms": create.timeout_ms,
        "retries": create.retries,
    });
    match ask_json(context, &create.at, Method::POST, "/api/tasks", Some(&body)) {
        Ok(task) => {
            output::say(&text(&task, "id"));
            ExitCode::SUCCESS
        }
        Err(unanswered) => failure(&unanswered.message()),
    }
}

fn show(context: &Context<'_>, target: &Target) -> ExitCode {
    let done = path(target, "").and_then(|path| {
        let asked = ask_json(context, &target.at, Method::GET, &path, None);
        asked.map_err(|unanswered| unanswered.message())
    });
    match done {
        Ok(task) => {
            output::say_json(&task);
            ExitCode::SUCCESS
        }
        Err(why) => failure(&why),
    }
}

fn act(context: &Context<'_>, target: &Target, order: &str) -> ExitCode {
    let done = path(target, &format!("/{order}")).and_then(|path| {
        let asked = ask_json(context, &target.at, Method::POST, &path, Some(&json!({})));
        asked.map_err(|unanswered| unanswered.message())
    });
    match done {
        Ok(task) => {
            output::say(&format!("{}: {}", target.id, text(&task, "status")));
            ExitCode::SUCCESS
        }
        Err(why) => failure(&why),
    }
}

fn remove(context: &Context<'_>, target: &Target) -> ExitCode {
    let done = path(target, "").and_then(|path| {
        let asked = ask_json(context, &target.at, Method::DELETE, &path, None);
        asked.map_err(|unanswered| unanswered.message())
    });
    match done {
        Ok(_) => {
            output::say(&format!("{}: removed", target.id));
            ExitCode::SUCCESS
        }
        Err(why) => failure(&why),
    }
}

/// Where a task is; ids have nothing that would have to be escaped.
fn path(target: &Target, rest: &str) -> Result<String, String> {
    let id = &target.id;
    match !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        true => Ok(format!("/api/tasks/{id}{rest}")),
        false => Err(format!("`{id}` is no id of a task")),
    }
}
