//! The plugin directories: whether they are there, can be read, and hold anything.

use std::path::Path;

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::registry::discover::discover;

const SUBJECT: &str = "plugin directories";

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let config = &ground.loaded.config;
    let ignore = &config.plugin_ignore;
    let each = config.plugin_dirs.iter().map(|dir| {
        check(dir, |dir| {
            let (found, problems) = discover(&[dir], ignore);
            found.len() + problems.len()
        })
    });
    let findings: Vec<Finding> = each.collect();
    match findings.is_empty() {
        true => vec![Finding::ok(SUBJECT, "none are named")],
        false => findings,
    }
}

fn check(dir: &Path, count: impl FnOnce(&Path) -> usize) -> Finding {
    let shown = dir.display();
    if !dir.exists() {
        return Finding::problem(SUBJECT, format!("{shown} is not there"))
            .mend("make it, or take it out of `plugin_dirs`");
    }
    if !dir.is_dir() {
        return Finding::problem(SUBJECT, format!("{shown} is no directory"))
            .mend("name the directory above it in `plugin_dirs`");
    }
    if let Err(err) = std::fs::read_dir(dir) {
        return Finding::problem(SUBJECT, format!("{shown} cannot be read: {err}"))
            .mend("give the user of the gateway the right to read it");
    }
    match count(dir) {
        0 => Finding::warn(SUBJECT, format!("{shown} holds no plugin"))
            .mend("put folders with a `plugin.toml` there; `toolgate plugins new` makes one"),
        count => Finding::ok(SUBJECT, format!("{shown} holds {count}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_looked_at() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("file");
        std::fs::write(&file, "").expect("it can be written");
        let says = |path: &Path, count: usize| check(path, |_| count).message;
        assert!(says(&root.path().join("x"), 0).ends_with("is not there"));
        assert!(says(&file, 0).ends_with("is no directory"));
        assert!(says(root.path(), 0).ends_with("holds no plugin"));
        assert!(says(root.path(), 2).ends_with("holds 2"));
    }
}
