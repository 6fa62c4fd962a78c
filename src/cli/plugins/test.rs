//! `toolgate plugins test`: tries a plugin as every plugin is tried.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::plugins::build::echo;
use crate::cli::{Context, failure, output, tokio_runtime};
use crate::runtime::process::become_subreaper;
use crate::testing::contract::{Bench, check};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of the plugin.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    if let Err(code) = context.start_log("off") {
        return code;
    }
    let runtime = match tokio_runtime(None) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    become_subreaper();
    let bench = Bench {
        env: context.env.clone(),
        in_process: context.in_process.clone(),
        helper: context.helper(),
        echo: Some(echo()),
    };
    runtime.block_on(async {
        let report = tokio::select! {
            report = check(&arguments.folder, &bench) => report,
            _ = tokio::signal::ctrl_c() => return failure("interrupted"),
        };
        match arguments.json {
            true => output::say(&format!("{:#}", report.json())),
            false => output::say(&report.to_string()),
        }
        match report.is_ok() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    })
}
