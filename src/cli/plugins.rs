//! `toolgate plugins`: which plugins there are, and their life in a gateway that runs.

mod build;

mod local;

mod new;

mod test;

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::gateway::{At, Gateway, Unanswered};
use crate::cli::{Context, check, failure, output, tokio_runtime};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the plugins of the gateway that runs. Where none does, starts them to see what becomes of them.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Says how each plugin of the gateway does: times, failures, what is wrong.
    Report {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Finds every problem of the configuration and the plugins, each with its place and mend.
    Check,
    /// Takes a plugin that was found into the gateway, and starts it.
    Register(Target),
    /// Takes a plugin out of the gateway.
    Unregister(Target),
    /// Starts a plugin that does not run; what failed before is forgotten.
    Start(Target),
    /// Stops a plugin. Its calls may come to their end.
    Stop(Target),
    /// Builds a plugin from source, if something of it is missing.
    Build(build::Arguments),
    /// Writes the skeleton of a new plugin.
    New(new::Arguments),
    /// Tries a plugin: builds, starts, calls, crashes and stops it. Exit code 1 when something fails.
    Test(test::Arguments),
}

/// One plugin of a gateway that runs.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The plugin's id.
    id: String,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(context: &Context<'_>, command: &Command) -> ExitCode {
    match command {
        Command::List { json, at } => list(context, *json, at),
        Command::Report { json, at } => report(context, *json, at),
        Command::Check => check::run(context),
        Command::Register(target) => act(context, "register", target),
        Command::Unregister(target) => act(context, "unregister", target),
        Command::Start(target) => act(context, "start", target),
        Command::Stop(target) => act(context, "stop", target),
        Command::Build(arguments) => build::run(context, arguments),
        Command::New(arguments) => new::run(context, arguments),
        Command::Test(arguments) => test::run(context, arguments),
    }
}

/// Has something done by the gateway that runs, and prints what it says.
pub(super) fn ask(
    context: &Context<'_>,
    at: &At,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Unanswered> {
    let gateway = Gateway::find(context, at).map_err(Unanswered::Refused)?;
    let runtime = tokio_runtime(Some(1))
        .map_err(|_| Unanswered::Refused("the program cannot start".to_owned()))?;
    runtime.block_on(async {
        match body {
            None => gateway.get(path).await,
            Some(body) => gateway.post(path, body).await,
        }
    })
}

fn act(context: &Context<'_>, verb: &str, Target { id, at }: &Target) -> ExitCode {
    match ask(context, at, verb, Some(&json!({ "id": id }))) {
        Ok(info) => {
            let state = info["state"].as_str().unwrap_or("unregistered");
            output::say(&format!("{id}: {state}"));
            ExitCode::SUCCESS
        }
        Err(unanswered) => failure(&unanswered.message()),
    }
}

fn list(context: &Context<'_>, json: bool, at: &At) -> ExitCode {
    let listing = match ask(context, at, "list", None) {
        Ok(listing) => listing,
        Err(Unanswered::Nobody(_)) if !at.is_named() => match local::listing(context) {
            Ok(listing) => listing,
            Err(code) => return code,
        },
        Err(unanswered) => return failure(&unanswered.message()),
    };
    if json {
        output::say_json(&listing);
        return ExitCode::SUCCESS;
    }
    let both = ["registered", "unregistered"];
    let plugins = both.iter().filter_map(|key| listing[key].as_array());
    let plugins: Vec<&Value> = plugins.flatten().collect();
    let rows: Vec<_> = plugins.iter().map(|plugin| cells(plugin)).collect();
    output::table(&HEADINGS, &rows);
    for plugin in plugins.iter().filter(|plugin| plugin["error"].is_string()) {
        let (id, error) = (text(plugin, "id"), text(plugin, "error"));
        output::complain(&format!("{id}: {error}"));
    }
    ExitCode::SUCCESS
}

const HEADINGS: [&str; 7] = [
    "PLUGIN", "VERSION", "KIND", "RUNTIME", "STATE", "TOOLS", "SOURCE",
];

fn cells(plugin: &Value) -> Vec<String> {
    [
        "id", "version", "type", "runtime", "state", "tools", "source",
    ]
    .iter()
    .map(|key| text(plugin, key))
    .collect()
}

fn report(context: &Context<'_>, json: bool, at: &At) -> ExitCode {
    let report = match ask(context, at, "report", None) {
        Ok(report) => report,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    if json {
        output::say_json(&report);
        return ExitCode::SUCCESS;
    }
    let plugins = report["plugins"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let row = |plugin: &Value| {
        let milliseconds = |key: &str| {
            plugin[key]
                .as_f64()
                .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"))
        };
        let uptime = plugin["uptime_seconds"].as_f64().unwrap_or_default();
        vec![
            text(plugin, "id"),
            text(plugin, "status"),
            text(&plugin["health"], "status"),
            milliseconds("load_time_ms"),
            milliseconds("init_time_ms"),
            output::span(uptime),
            text(plugin, "error_count"),
            text(plugin, "restarts"),
            text(plugin, "calls_in_flight"),
            output::one_line(&text(plugin, "error"), ERROR),
        ]
    };
    let rows: Vec<_> = plugins.iter().map(row).collect();
    let headings = [
        "PLUGIN", "STATE", "HEALTH", "LOAD", "INIT", "UPTIME", "ERRORS", "RESTARTS", "CALLS",
        "ERROR",
    ];
    output::table(&headings, &rows);
    let (done, failed) = (&report["reloads"]["done"], &report["reloads"]["failed"]);
    output::say("");
    output::say(&format!(
        "{} plugins; configuration read again {done} times, {failed} times without success",
        plugins.len()
    ));
    if let Some(error) = report["reloads"]["last_error"].as_str() {
        output::complain(&format!("the configuration has a problem:\n{error}"));
    }
    ExitCode::SUCCESS
}

/// How much of an error is shown on a line.
const ERROR: usize = 60;

/// A member as a cell of a table.
pub(super) fn text(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
