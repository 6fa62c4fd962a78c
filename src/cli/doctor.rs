//! `toolgate doctor`: looks at all that an operator can get wrong, and says how it is mended.

mod commands;

mod configuration;

mod dependencies;

mod directories;

mod finding;

mod grants;

mod interpreters;

mod issuer;

mod limits;

mod listening;

mod places;

mod programs;

mod remotes;

mod running;

mod sandbox;

mod script;

mod secrets;

mod tokens;

mod variables;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::app::{Runtimes, launcher};
use crate::background::Supervisor;
use crate::cli::doctor::finding::{Finding, Mark};
use crate::cli::gateway::At;
use crate::cli::{Context, output, tokio_runtime, trial};
use crate::config::load::{Loaded, survey};
use crate::config::resolve::{Resolution, ResolvedPlugin};
use crate::manifest::problem::Problems;
use crate::runtime::process::Launcher;
use crate::telemetry::Log;

/// How long what was started may take to end.
const LAST_TASKS: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// What is looked at.
struct Ground<'a> {
    context: &'a Context<'a>,
    at: &'a At,
    loaded: Loaded,
    resolution: Resolution,
    /// What would stop the start.
    problems: Problems,
    launcher: Launcher,
    runtimes: Runtimes,
    log: Log,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let log = match context.start_log("off") {
        Ok(log) => log,
        Err(code) => return code,
    };
    let runtime = match tokio_runtime(None) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let (loaded, resolution, problems) = survey(
        context.config.as_deref(),
        &context.env,
        &context.manifests(),
    );
    let launcher = launcher(&context.env, None);
    let ground = Ground {
        context,
        at: &arguments.at,
        loaded,
        resolution,
        problems,
        runtimes: Runtimes::new(context.in_process.clone(), launcher.clone()),
        launcher,
        log,
    };
    let findings = runtime.block_on(look(&ground));
    let count = |mark| {
        findings
            .iter()
            .filter(|finding| finding.mark == mark)
            .count()
    };
    let (problems, warnings) = (count(Mark::Problem), count(Mark::Warn));
    if arguments.json {
        let report = json!({ "findings": findings, "problems": problems, "warnings": warnings });
        output::say_json(&report);
    } else {
        findings
            .iter()
            .for_each(|finding| output::say(&finding.to_string()));
        output::say("");
        output::say(&format!("{problems} problems, {warnings} warnings"));
    }
    match problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Looks at everything. What has to be waited for is waited for at the same time.
async fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let supervisor = Supervisor::new();
    let (remotes, issuer, listening, running, programs, sandbox, refused) = tokio::join!(
        remotes::look(ground),
        issuer::look(ground),
        listening::look(ground),
        running::look(ground),
        programs::look(ground, &supervisor),
        sandbox::look(ground, &supervisor),
        refused(ground),
    );
    supervisor.stop(LAST_TASKS).await;
    [
        configuration::look(ground),
        refused,
        secrets::look(ground),
        directories::look(ground),
        commands::look(ground),
        variables::look(ground),
        dependencies::look(ground),
        grants::look(ground),
        remotes,
        issuer,
        tokens::look(ground),
        listening,
        running,
        programs,
        sandbox,
        limits::look(ground),
        places::look(ground),
    ]
    .concat()
}

/// Plugins that come along and do not start with their settings.
async fn refused(ground: &Ground<'_>) -> Vec<Finding> {
    let (context, resolution) = (ground.context, ground.resolution.clone());
    let refused = trial::problems(context, &ground.loaded, resolution, &ground.log).await;
    let refused = refused.iter();
    refused
        .map(|problem| Finding::of(Mark::Problem, "settings", problem))
        .collect()
}

impl Ground<'_> {
    /// The plugins that are to run.
    fn enabled(&self) -> impl Iterator<Item = &ResolvedPlugin> {
        let plugins = self.resolution.plugins.iter();
        plugins.filter(|plugin| plugin.enabled)
    }

    /// Where programs are looked for.
    fn path(&self) -> &str {
        self.launcher.base.get("PATH").map_or("", String::as_str)
    }
}
