//! `toolgate token`: what callers show to be let in.

use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::cli::output;

/// How many random bytes a token holds.
const TOKEN_BYTES: usize = 32;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a token and prints it once, with the lines for `toolgate.toml`. Only its digest is stored.
    New {
        /// The name of whoever will use it; sessions belong to it.
        #[arg(long, default_value = "me")]
        name: String,
        /// A plugin it may see; give it several times for several. Without it, all.
        #[arg(long = "plugin", value_name = "ID")]
        plugins: Vec<String>,
        /// What it may do besides calling, such as `admin`; give it several times for several.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
}

pub(super) fn run(command: &Command) -> ExitCode {
    let Command::New {
        name,
        plugins,
        scopes,
    } = command;
    let mut bits = [0; TOKEN_BYTES];
    getrandom::fill(&mut bits).expect("the system has a random generator");
    let token = format!("tg_{}", URL_SAFE_NO_PAD.encode(bits));
    let digest: String = Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    output::say(&format!("Token, shown only now: {token}"));
    output::say("");
    output::say("Lines for toolgate.toml:");
    output::say("[[auth.tokens]]");
    output::say(&format!("name = {name:?}"));
    output::say(&format!("sha256 = \"{digest}\""));
    if !plugins.is_empty() {
        output::say(&format!("plugins = {plugins:?}"));
    }
    if !scopes.is_empty() {
        output::say(&format!("scopes = {scopes:?}"));
    }
    ExitCode::SUCCESS
}
