//! The Markdown files of a folder. Nothing outside of it is read, whatever links in it say.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

/// The most files that are read.
pub(super) const MAX_FILES: usize = 20_000;

/// The most bytes of one.
const MAX_BYTES: u64 = 1 << 20;

/// The most bytes of all together.
const MAX_ALL_BYTES: usize = 64 << 20;

/// How deep folders are looked through.
const MAX_DEPTH: usize = 8;

/// The most files and folders that are looked at.
const MAX_ENTRIES: usize = 200_000;

/// How many of those that are left out are named.
const MAX_NAMED: usize = 20;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runbook {
    /// Its path below the folder, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: Arc<str>,
}

/// The files, by path.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) runbooks: Vec<Runbook>,
    pub(super) left_out: LeftOut,
}

/// What is not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) count: usize,
    /// Why, in a sentence about each, for the first of them.
    pub(super) why: Vec<String>,
}

/// What there is below a folder.
#[derive(Default)]
struct Tree {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Whether there is more than is looked at.
    is_cut: bool,
}

/// Reads the files below `folder`. Hidden ones are passed over, and links that lead out of it.
pub(super) fn read(folder: &Path) -> std::io::Result<Found> {
    let root = Dir::open_ambient_dir(folder, ambient_authority())?;
    let tree = walk(&root)?;
    let mut found = Found::default();
    if tree.is_cut {
        let why = format!("there are more than {MAX_ENTRIES} files and folders");
        found.left_out.add(why);
    }
    let mut bytes = 0;
    for path in &tree.files {
        let name = name_of(path);
        let text = match found.runbooks.len() < MAX_FILES && bytes < MAX_ALL_BYTES {
            true => text_of(&root, path),
            false => Err(format!(
                "there are more than {MAX_FILES} files or {MAX_ALL_BYTES} bytes"
            )),
        };
        match text {
            Ok(Some(text)) => {
                bytes += text.len();
                let text = text.into();
                found.runbooks.push(Runbook { path: name, text });
            }
            Ok(None) => {}
            Err(why) => found.left_out.add(format!("`{name}`: {why}")),
        }
    }
    Ok(found)
}

/// The folders below `folder` that files may come to, itself included.
pub(super) fn folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let root = Dir::open_ambient_dir(folder, ambient_authority())?;
    let below = walk(&root)?.folders;
    let below = below.iter().map(|path| folder.join(path));
    Ok(std::iter::once(folder.to_path_buf()).chain(below).collect())
}

/// All folders, and the files that are called like Markdown; in order. What goes meanwhile is no failure.
fn walk(root: &Dir) -> std::io::Result<Tree> {
    let mut tree = Tree::default();
    let mut entries = 0;
    let mut open = vec![(PathBuf::new(), 0)];
    // The folder itself must be there.
    root.entries()?;
    while let Some((folder, depth)) = open.pop() {
        let at = if depth == 0 { Path::new(".") } else { &folder };
        for entry in root
            .read_dir(at)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            entries += 1;
            if entries > MAX_ENTRIES {
                tree.is_cut = true;
                break;
            }
            let (name, kind) = (entry.file_name(), entry.file_type());
            let path = folder.join(&name);
            match kind {
                _ if name.as_encoded_bytes().starts_with(b".") => {}
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => {
                    tree.folders.push(path.clone());
                    open.push((path, depth + 1));
                }
                Ok(kind) if !kind.is_dir() && is_markdown(&path) => tree.files.push(path),
                _ => {}
            }
        }
    }
    tree.files.sort();
    Ok(tree)
}

/// The text of a file; nothing where it is gone, or no file at all. What is no UTF-8 in it stands there as such.
fn text_of(root: &Dir, path: &Path) -> Result<Option<String>, String> {
    // A link is followed where it stays below the folder: mounts of Kubernetes are made of those.
    let mut how = OpenOptions::new();
    how.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        // A pipe would have us wait for a writer.
        how.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    let file = match root.open_with(path, &how) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(format!("it cannot be opened: {err}")),
    };
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|err| format!("it cannot be read: {err}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    if bytes.contains(&0) {
        return Err("it is no text".to_owned());
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn is_markdown(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["md", "markdown"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn name_of(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

impl LeftOut {
    fn add(&mut self, why: String) {
        self.count += 1;
        if self.why.len() < MAX_NAMED {
            self.why.push(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &[u8]) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("it is below")).expect("it is ours");
        std::fs::write(path, text).expect("it is ours");
    }

    fn paths(found: &Found) -> Vec<&str> {
        let runbooks = found.runbooks.iter();
        runbooks.map(|runbook| runbook.path.as_str()).collect()
    }

    #[test]
    fn markdown_is_found_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        for path in [
            "b.md",
            "a/x.MD",
            "a/y.markdown",
            "z.txt",
            ".git/c.md",
            ".h.md",
        ] {
            write(root, path, b"# T\n");
        }
        write(root, "latin.md", b"caf\xe9");
        write(root, "nul.md", b"a\0b");
        write(root, "large.md", &vec![b'x'; 1 + MAX_BYTES as usize]);
        write(root, "full.md", &vec![b'x'; MAX_BYTES as usize]);
        std::fs::create_dir(root.join("folder.md")).expect("it is ours");
        let found = read(root).expect("it is there");
        let expect = ["a/x.MD", "a/y.markdown", "b.md", "full.md", "latin.md"];
        assert_eq!(paths(&found), expect);
        assert_eq!(&*found.runbooks[4].text, "caf\u{fffd}");
        let why = [
            "`large.md`: it is larger than 1048576 bytes",
            "`nul.md`: it is no text",
        ];
        assert_eq!(found.left_out.why, why);
        let mut folders = folders(root).expect("it is there");
        folders.sort();
        assert_eq!(
            folders,
            [root.to_path_buf(), root.join("a"), root.join("folder.md")]
        );
        assert!(read(&root.join("nowhere")).is_err());
        assert!(super::folders(&root.join("b.md")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_below_the_folder_only() {
        use std::os::unix::fs::symlink;

        let outside = tempfile::tempdir().expect("a folder");
        write(outside.path(), "secret.md", b"secret");
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        write(root, "..2026/mounted.md", b"as Kubernetes mounts it");
        symlink("..2026", root.join("..data")).expect("ours");
        symlink("..data/mounted.md", root.join("mounted.md")).expect("ours");
        symlink(outside.path().join("secret.md"), root.join("out.md")).expect("ours");
        symlink(outside.path(), root.join("elsewhere")).expect("ours");
        symlink("/etc/hostname", root.join("host.md")).expect("ours");
        symlink("loop.md", root.join("loop.md")).expect("ours");
        symlink("nothing.md", root.join("dangling.md")).expect("ours");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            root.join("pipe.md"),
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .expect("a pipe");
        let found = read(root).expect("it is there");
        assert_eq!(paths(&found), ["mounted.md"]);
        assert_eq!(found.left_out.count, 3, "{:?}", found.left_out);
        let text = format!("{:?}", found.left_out);
        assert!(text.contains("`out.md`: it cannot be opened"), "{text}");
    }
}
