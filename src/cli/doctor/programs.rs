//! The usual programs that plugins are started with: where they are, and which versions.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::background::Supervisor;
use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::interpreters::{KNOWN, name_of};
use crate::cli::output::one_line;
use crate::runtime::process::which;

/// How long a program may take to say its version.
const BOUND: Duration = Duration::from_secs(2);

/// How much of what it says is shown.
const SHOWN: usize = 60;

/// Asks those that plugins use, all at the same time. One that is not there is named with its plugin.
pub(super) async fn look(ground: &Ground<'_>, supervisor: &Supervisor) -> Vec<Finding> {
    let sections = ground
        .enabled()
        .filter_map(|plugin| plugin.manifest.mcp_stdio.as_ref());
    let used = sections.filter_map(|section| section.command.first());
    let used: BTreeSet<&str> = used
        .map(String::as_str)
        .filter(|program| KNOWN.contains(&name_of(program)))
        .collect();
    let found = used
        .into_iter()
        .filter_map(|program| Some((program, which(program, ground.path())?)));
    let asks = found.map(|(program, file)| async move {
        let file = file.display().to_string();
        let command = [file.clone(), "--version".to_owned()];
        let said = ground.launcher.first_line(&command, BOUND, supervisor);
        let subject = format!("program {}", name_of(program));
        match said.await {
            Ok(version) => Finding::ok(subject, format!("{file}, {}", one_line(&version, SHOWN))),
            Err(err) => Finding::warn(subject, format!("{file} does not say its version: {err}"))
                .mend("does it run by hand? a broken installation keeps its plugins from starting"),
        }
    });
    futures::future::join_all(asks).await
}
