//! Whether there is a program.

use std::path::{Path, PathBuf};

/// What stands between the directories of `PATH`.
const SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// Whether there is a program of that name: a path, or a name that is looked for in the directories of `path`.
pub(crate) fn is_program(command: &str, path: &str) -> bool {
    which(command, path).is_some()
}

/// The file of the program of that name: a path, or a name that is looked for in the directories of `path`.
pub(crate) fn which(command: &str, path: &str) -> Option<PathBuf> {
    let file = |path: PathBuf| path.is_file().then_some(path);
    match command.contains('/') {
        true => file(PathBuf::from(command)),
        false => path
            .split(SEPARATOR)
            .find_map(|directory| file(Path::new(directory).join(command))),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_and_paths_are_taken_as_they_are() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("tool");
        std::fs::write(&place, "").expect("a file");
        let path = format!("/nowhere:{}", directory.path().display());
        assert!(is_program("tool", &path));
        assert!(is_program(&place.display().to_string(), ""));
        assert!(!is_program("tool", "/nowhere"));
        assert!(!is_program("./tool", &path));
    }
}
