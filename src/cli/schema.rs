//! `toolgate schema`: the JSON schemas of the files the gateway reads.

use std::process::ExitCode;

use crate::cli::{failure, output};
use crate::config::schema_json;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Subject {
    /// `plugin.toml`.
    Plugin,
    /// `toolgate.toml`.
    Config,
}

pub(super) fn run(of: Subject) -> ExitCode {
    let name = match of {
        Subject::Plugin => "plugin",
        Subject::Config => "config",
    };
    match schema_json(name) {
        Some(schema) => {
            output::say(schema.trim_end());
            ExitCode::SUCCESS
        }
        None => failure(&format!("there is no schema `{name}`")),
    }
}
