//! `toolgate token`: what callers show to be let in.

use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::cli::output;
use crate::model::plugin_id::PluginId;
use crate::wire::hex::hex;

/// How many random bytes a token holds.
const TOKEN_BYTES: usize = 32;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a token and prints it once, with the lines for `toolgate.toml`. Only its digest is stored.
    New {
        /// The name of whoever will use it; sessions belong to it.
        #[arg(long, default_value = "me")]
        name: String,
        /// A plugin it may see; give it several times for several, or several with commas between. Without it, all.
        #[arg(
            long = "plugin",
            alias = "plugins",
            value_name = "ID",
            value_delimiter = ','
        )]
        plugins: Vec<PluginId>,
        /// What it may do besides calling: `admin`, `read`, `ext:ID:routes`; with `ext:ID:tools` it may call the tools of
        /// the plugins that are named, and no others. Give it several times for several.
        #[arg(long = "scope", alias = "scopes", value_name = "SCOPE", value_delimiter = ',', value_parser = scope)]
        scopes: Vec<String>,
        /// It may only call tools that are known to change nothing.
        #[arg(long)]
        read_only: bool,
    },
}

pub(super) fn run(command: &Command) -> ExitCode {
    let Command::New {
        name,
        plugins,
        scopes,
        read_only,
    } = command;
    let mut bits = [0; TOKEN_BYTES];
    getrandom::fill(&mut bits).expect("the system has a random generator");
    let token = format!("tg_{}", URL_SAFE_NO_PAD.encode(bits));
    let digest = hex(&Sha256::digest(token.as_bytes()));
    output::say(&format!("Token, shown only now: {token}"));
    output::say("");
    output::say("Lines for toolgate.toml:");
    output::say("[[auth.tokens]]");
    output::say(&format!("name = {name:?}"));
    output::say(&format!("sha256 = \"{digest}\""));
    if !plugins.is_empty() {
        let plugins: Vec<&str> = plugins.iter().map(PluginId::as_str).collect();
        output::say(&format!("plugins = {plugins:?}"));
    }
    if !scopes.is_empty() {
        output::say(&format!("scopes = {scopes:?}"));
    }
    if *read_only {
        output::say("read_only = true");
    }
    ExitCode::SUCCESS
}

/// A scope as it may stand in the configuration.
fn scope(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("a scope is a word without spaces, quotes or backslashes".to_owned()),
    }
}
