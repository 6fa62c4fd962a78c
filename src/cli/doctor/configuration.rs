//! The configuration and the manifests: everything that is wrong in them, also where it only leaves a plugin out.

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::{Finding, Mark};
use crate::config::resolve::{DEPENDS_ON, LeftOut};
use crate::manifest::problem::Problem;

const SUBJECT: &str = "configuration";

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let (loaded, resolution) = (&ground.loaded, &ground.resolution);
    let own = ground.problems.0.iter().chain(&resolution.nowhere.0);
    let mut findings: Vec<Finding> = own
        .map(|problem| Finding::of(Mark::Problem, SUBJECT, problem))
        .collect();
    let left_out = resolution.left_out.iter().filter(|one| one.enabled);
    findings.extend(left_out.flat_map(of_left_out));
    // What is said of a plugin directory is looked at by itself.
    let is_directory = |problem: &Problem| {
        let file = problem.file.as_ref();
        file.is_some_and(|file| loaded.config.plugin_dirs.contains(file))
    };
    let notes = resolution.notes.0.iter();
    findings.extend(notes.filter(|note| !is_directory(note)).map(|note| {
        match note.path == DEPENDS_ON {
            true => Finding::of(Mark::Problem, SUBJECT, note)
                .mend("add that plugin, or take it out of `depends_on`"),
            false => Finding::of(Mark::Warn, SUBJECT, note),
        }
    }));
    if findings.is_empty() {
        let file = loaded.file.as_ref().map_or_else(
            || "there is none, so the built-in examples are offered".to_owned(),
            |file| format!("{} has no problems", file.display()),
        );
        let count = ground.enabled().count();
        findings.push(Finding::ok(
            SUBJECT,
            format!("{file}; {count} plugins enabled"),
        ));
    }
    findings
}

fn of_left_out(left_out: &LeftOut) -> impl Iterator<Item = Finding> {
    let id = left_out.id.as_ref();
    let subject = id.map_or_else(
        || format!("plugin at {}", left_out.source),
        |id| format!("plugin {id}"),
    );
    let problems = left_out.problems.0.iter();
    problems.map(move |problem| Finding::of(Mark::Problem, &*subject, problem))
}
