//! `toolgate replay`: sends the arguments of a recorded call again.

use std::process::ExitCode;

use http::Method;
use serde_json::{Value, json};

use crate::cli::gateway::{At, Gateway};
use crate::cli::log::quoted;
use crate::cli::{Context, failure, output, tokio_runtime};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The call, as `toolgate log` names it.
    call: String,
    #[command(flatten)]
    at: At,
}

/// Prints the result as JSON. Exit code 1 when the tool failed or was not called.
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let gateway = match Gateway::find(context, &arguments.at) {
        Ok(gateway) => gateway,
        Err(message) => return failure(&message),
    };
    let runtime = match tokio_runtime(Some(1)) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let path = format!("/api/calls/{}/replay", quoted(&arguments.call));
    match runtime.block_on(gateway.whole(Method::POST, &path, Some(&json!({})))) {
        Ok(result) => {
            output::say_json(&result);
            match result["isError"] == Value::Bool(true) {
                true => ExitCode::FAILURE,
                false => ExitCode::SUCCESS,
            }
        }
        Err(unanswered) => failure(&unanswered.message()),
    }
}
