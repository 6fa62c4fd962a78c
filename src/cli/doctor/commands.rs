//! What plugins are started with: the program, what it reads, its directory, and what has to be built first.

use std::path::{Path, PathBuf};

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::{Finding, Mark, about};
use crate::cli::doctor::interpreters::{how_to_get, reads_a_file};
use crate::cli::doctor::script::startable;
use crate::config::resolve::ResolvedPlugin;
use crate::manifest::runtime::{McpStdio, RuntimeKind};
use crate::manifest::upkeep::BuildWhen;
use crate::runtime::build::{SourceState, build_of};
use crate::runtime::process::which;

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    ground
        .enabled()
        .filter_map(|plugin| {
            let mut finding = check(ground, plugin)?;
            let kinds = plugin.manifest.runtimes();
            if kinds.len() > 1 && finding.mark == Mark::Problem {
                // The next runtime of its list may do.
                finding.mark = Mark::Warn;
            }
            Some(finding)
        })
        .collect()
}

/// How the first thing is that keeps the plugin from being started. `None` where there is nothing to be looked at.
fn check(ground: &Ground<'_>, plugin: &ResolvedPlugin) -> Option<Finding> {
    let (manifest, subject) = (&plugin.manifest, about(plugin));
    match manifest.runtimes().first()? {
        RuntimeKind::InProcess => {
            let runtime = ground.runtimes.get(RuntimeKind::InProcess);
            Some(match runtime.available(manifest) {
                Ok(()) => Finding::ok(subject, "its code is compiled in"),
                Err(why) => Finding::problem(subject, why)
                    .mend("take the plugin out, or use a gateway that has it compiled in"),
            })
        }
        RuntimeKind::McpHttp => None,
        RuntimeKind::McpStdio => {
            let section = manifest.mcp_stdio.as_ref()?;
            Some(unbuilt(ground, plugin).unwrap_or_else(|| {
                match program(section, ground.path()).and_then(|file| {
                    startable(&file, ground.path())?;
                    surroundings(section)?;
                    Ok(file)
                }) {
                    Ok(file) => Finding::ok(subject, format!("starts {}", file.display())),
                    Err((why, mend)) => Finding::problem(subject, why).mend(mend),
                }
            }))
        }
    }
}

/// What is missing that a build makes, or that nothing makes.
fn unbuilt(ground: &Ground<'_>, plugin: &ResolvedPlugin) -> Option<Finding> {
    let (manifest, folder) = (&plugin.manifest, plugin.folder.as_deref());
    let (id, subject) = (&manifest.id, about(plugin));
    match ground.runtimes.builder.state(manifest, folder) {
        SourceState::Available | SourceState::Unavailable { .. } => None,
        SourceState::SourceOnly { missing } => {
            let build = folder.and_then(|folder| build_of(manifest, folder));
            let by_hand = build.is_some_and(|build| build.when == BuildWhen::Never);
            let found = match by_hand {
                true => Finding::problem(
                    subject,
                    format!("`{missing}` is not built, and `build.when` is `never`"),
                ),
                false => Finding::warn(
                    subject,
                    format!("`{missing}` is not built yet; the plugin's start builds it"),
                ),
            };
            Some(found.mend(format!("`toolgate plugins build {id}` builds it now")))
        }
        SourceState::Incomplete { missing } => Some(
            Finding::problem(
                subject,
                format!("`{missing}` is not there, and nothing to build it with"),
            )
            .mend("put it there, name the right program in `mcp_stdio.command`, or write `scripts/build.sh`"),
        ),
    }
}

/// The file that is started.
fn program(section: &McpStdio, path: &str) -> Result<PathBuf, (String, String)> {
    let program = section.command.first().map_or("", String::as_str);
    which(program, path).ok_or_else(|| match program.contains('/') {
        true => (
            format!("`{program}` is not there"),
            "name the right program in `mcp_stdio.command`".to_owned(),
        ),
        false => (
            format!("`{program}` is not on PATH"),
            how_to_get(program).to_owned(),
        ),
    })
}

/// Its working directory, and the file that an interpreter is to read.
fn surroundings(section: &McpStdio) -> Result<(), (String, String)> {
    if let Some(cwd) = section.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        return Err((
            format!("its working directory `{}` is not there", cwd.display()),
            "make it, or change `mcp_stdio.cwd`".to_owned(),
        ));
    }
    let [program, file, ..] = &section.command[..] else {
        return Ok(());
    };
    let base = section.cwd.as_deref().unwrap_or(Path::new(""));
    if reads_a_file(program) && !file.starts_with('-') && !base.join(file).exists() {
        let place = match section.cwd.is_some() {
            true => format!("`{}`", base.display()),
            false => "the directory that the gateway is started in".to_owned(),
        };
        return Err((
            format!("`{program}` is to read `{file}`, which is not there"),
            format!("put it into {place}, or change `mcp_stdio.command`"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(command: &[&str], cwd: &Path) -> McpStdio {
        McpStdio {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            env: Default::default(),
            env_passthrough: Vec::new(),
            cwd: Some(cwd.to_path_buf()),
        }
    }

    #[test]
    fn what_an_interpreter_reads_must_be_there() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("server.js"), "").expect("written");
        let check = |command: &[&str], expect: bool| {
            let found = surroundings(&section(command, root.path()));
            assert_eq!(found.is_ok(), expect, "{command:?}: {found:?}");
        };
        check(&["node", "server.js"], true);
        check(&["node", "other.js"], false);
        check(&["/usr/bin/python3", "-m", "server"], true);
        check(&["mine", "other.js"], true);
        let found = surroundings(&section(&["mine"], &root.path().join("x")));
        assert!(found.is_err_and(|(why, _)| why.contains("working directory")));
    }

    #[test]
    fn programs_are_looked_for() {
        let root = tempfile::tempdir().expect("a directory");
        let says = |program: &str| program_of(program, root.path());
        assert!(says("npx").contains("`npx` is not on PATH"));
        assert!(says("/nowhere/p").contains("`/nowhere/p` is not there"));
    }

    fn program_of(name: &str, path: &Path) -> String {
        let found = program(&section(&[name], path), &path.display().to_string());
        found.expect_err("it is not there").0
    }
}
