//! What changes in a plugin's folder while it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many files and folders are looked at.
const MAX_ENTRIES: usize = 20_000;

/// Folders that are not looked into, besides hidden ones: tools of all kinds keep their own things there.
const PASSED_OVER: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// The files of a folder, with their sizes and the times of their last change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Snapshot {
    /// What is in `folder` beside `outputs`, which are relative to it.
    pub(super) fn of(folder: &Path, outputs: &[PathBuf]) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_path_buf()];
        let mut left = MAX_ENTRIES;
        while let Some(inner) = folders.pop() {
            for entry in std::fs::read_dir(&inner).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let short = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
                let name = name.to_string_lossy();
                let is_passed_over = name.starts_with('.')
                    || PASSED_OVER.contains(&&*name)
                    || outputs.iter().any(|output| short.starts_with(output));
                let Ok(found) = std::fs::symlink_metadata(&path) else {
                    continue;
                };
                if is_passed_over || left == 0 {
                    continue;
                }
                left -= 1;
                match found.is_dir() {
                    true => folders.push(path),
                    false => drop(files.insert(short, (found.len(), found.modified().ok()))),
                }
            }
        }
        Self(files)
    }

    /// The files that are others in `later`, are only there, or are not there any more.
    pub(super) fn changes(&self, later: &Self) -> Vec<String> {
        let all = self.0.keys().chain(later.0.keys());
        let changed = all.filter(|file| self.0.get(*file) != later.0.get(*file));
        let mut changed: Vec<String> = changed.map(|file| file.display().to_string()).collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_changed_or_taken_away_is_seen() {
        let root = tempfile::tempdir().expect("a folder");
        let put = |file: &str, text: &str| {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().expect("it has one")).expect("made");
            std::fs::write(file, text).expect("written");
        };
        put("kept", "");
        put("gone", "");
        put("src/longer", "");
        let outputs = [PathBuf::from("bin")];
        let before = Snapshot::of(root.path(), &outputs);
        put("src/longer", "text");
        put("new/one", "");
        put("bin/program", "");
        put(".cache/x", "");
        put("src/__pycache__/x", "");
        std::fs::remove_file(root.path().join("gone")).expect("removed");
        let changes = before.changes(&Snapshot::of(root.path(), &outputs));
        assert_eq!(changes, ["gone", "new/one", "src/longer"]);
    }
}
