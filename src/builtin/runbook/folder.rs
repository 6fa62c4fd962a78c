//! The Markdown files of a folder.

use std::path::{Path, PathBuf};

/// The most files that are read.
const MAX_FILES: usize = 5_000;

/// The most bytes of one.
const MAX_BYTES: u64 = 1 << 20;

/// How deep folders are looked through.
const MAX_DEPTH: usize = 8;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runbook {
    /// Its path below the folder, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: String,
}

/// The files, by path, and what was left out and why.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) runbooks: Vec<Runbook>,
    pub(super) left_out: Vec<String>,
}

/// Reads the files below `folder`. Hidden ones and links are passed over.
pub(super) fn read(folder: &Path) -> std::io::Result<Found> {
    let mut found = Found::default();
    let mut open = vec![(folder.to_path_buf(), 0)];
    // The folder itself must be there; what goes on below it meanwhile is no failure.
    std::fs::read_dir(folder)?;
    while let Some((folder_now, depth)) = open.pop() {
        let entries = std::fs::read_dir(&folder_now).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            let (path, kind) = (entry.path(), entry.file_type());
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            match kind {
                Ok(kind) if kind.is_dir() && !is_hidden && depth < MAX_DEPTH => {
                    open.push((path, depth + 1));
                }
                Ok(kind) if kind.is_file() && !is_hidden && is_markdown(&path) => {
                    take(&mut found, folder, &path);
                }
                _ => {}
            }
        }
    }
    found
        .runbooks
        .sort_by(|one, other| one.path.cmp(&other.path));
    found.left_out.sort();
    Ok(found)
}

/// The folders below `folder` that files may come to, itself included.
pub(super) fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    let mut at = 0;
    while at < all.len() && all.len() < MAX_FILES {
        let entries = std::fs::read_dir(&all[at]).into_iter().flatten();
        let folders = entries.filter_map(Result::ok).filter(|entry| {
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            !is_hidden && entry.file_type().is_ok_and(|kind| kind.is_dir())
        });
        let folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        all.extend(folders);
        at += 1;
    }
    all
}

fn is_markdown(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["md", "markdown"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn take(found: &mut Found, folder: &Path, path: &Path) {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = below
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let name = parts.join("/");
    let is_large = path
        .metadata()
        .is_ok_and(|metadata| metadata.len() > MAX_BYTES);
    if found.runbooks.len() >= MAX_FILES || is_large {
        let why = match is_large {
            true => format!("`{name}` is larger than {MAX_BYTES} bytes"),
            false => format!("`{name}`: there are more than {MAX_FILES} files"),
        };
        found.left_out.push(why);
        return;
    }
    match std::fs::read_to_string(path) {
        Ok(text) => found.runbooks.push(Runbook { path: name, text }),
        Err(err) => found
            .left_out
            .push(format!("`{name}` cannot be read: {err}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_found_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &[u8]| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it is below")).expect("it is ours");
            std::fs::write(path, text).expect("it is ours");
        };
        for path in [
            "b.md",
            "a/x.MD",
            "a/y.markdown",
            "z.txt",
            ".git/c.md",
            ".h.md",
        ] {
            write(path, b"# T\n");
        }
        write("bad.md", &[0xff]);
        write("large.md", &vec![b'x'; 1 + MAX_BYTES as usize]);
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("link.md")).expect("ours");
        let found = read(root.path()).expect("it is there");
        let paths: Vec<&str> = found.runbooks.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["a/x.MD", "a/y.markdown", "b.md"]);
        assert_eq!(found.left_out.len(), 2, "{:?}", found.left_out);
        assert_eq!(folders(root.path()).len(), 2);
        assert!(read(&root.path().join("nowhere")).is_err());
    }
}
