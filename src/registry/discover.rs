//! Finds plugins: folders that hold a manifest.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::manifest::FILE_NAMES;
use crate::manifest::document::{Format, Node};
use crate::manifest::glob::Pattern;
use crate::manifest::import::{FILE_NAMES as FOREIGN_FILE_NAMES, ForeignFormat};
use crate::manifest::problem::{Problem, Problems};
use crate::model::plugin_id::PluginId;

/// How deep below a plugin directory a plugin may lie.
pub const MAX_DEPTH: usize = 8;

/// How many entries of one plugin directory, over all levels, are looked at.
pub const MAX_ENTRIES: usize = 20_000;

/// How many plugins one directory can give.
pub const MAX_FOUND: usize = 1_000;

/// The most bytes of a manifest.
pub const MAX_MANIFEST_BYTES: u64 = 1_048_576;

/// Folders that are never looked into, besides hidden ones: what tools put there is nobody's plugin.
const PASSED_OVER: [&str; 4] = ["*.egg-info", "__pycache__", "node_modules", "target"];

/// A folder with a manifest that could be read as a document. Whether it says something sensible is the reader's
/// business: the operator may still lay overrides over it.
#[derive(Clone, Debug)]
pub struct Found {
    pub folder: PathBuf,
    /// The manifest inside the folder.
    pub file: PathBuf,
    /// Its contents, variables not filled in.
    pub document: Node,
    /// The plugin system it was written for, when that is not ours.
    pub foreign: Option<ForeignFormat>,
}

/// Something in a plugin directory that could not be used. It never stops the others from being found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverProblem {
    /// The directory or manifest.
    pub path: PathBuf,
    pub problems: Problems,
}

/// Walks `dirs` and returns the plugins in them, sorted by path within each directory.
///
/// A folder with `plugin.toml` (or else `plugin.json`, or else the manifest of another plugin system) is a plugin,
/// whatever the folder is called, and nothing below it is looked at. Symbolic links are followed; no folder is visited
/// twice. Hidden folders, those that tools make (`node_modules`, `target`, `__pycache__`, `*.egg-info`) and those whose
/// name fits one of `ignore` are passed over. A directory of the list that does not exist is a problem.
pub fn discover<P: AsRef<Path>>(
    dirs: &[P],
    ignore: &[Pattern],
) -> (Vec<Found>, Vec<DiscoverProblem>) {
    let walk = Walk::through(dirs, ignore);
    (walk.found, walk.problems)
}

/// The directories that [`discover`] looks into: what comes and goes in them makes a difference.
pub fn walked<P: AsRef<Path>>(dirs: &[P], ignore: &[Pattern]) -> BTreeSet<PathBuf> {
    Walk::through(dirs, ignore).visited
}

#[derive(Default)]
struct Walk {
    ignore: Vec<Pattern>,
    found: Vec<Found>,
    problems: Vec<DiscoverProblem>,
    visited: BTreeSet<PathBuf>,
    entries_left: usize,
    found_left: usize,
}

impl Walk {
    fn through<P: AsRef<Path>>(dirs: &[P], ignore: &[Pattern]) -> Self {
        let passed_over = PASSED_OVER
            .iter()
            .map(|text| Pattern::new(text).expect("these are patterns"));
        let mut walk = Self {
            ignore: passed_over.chain(ignore.iter().cloned()).collect(),
            ..Self::default()
        };
        for dir in dirs {
            walk.entries_left = MAX_ENTRIES;
            walk.found_left = MAX_FOUND;
            walk.visit(dir.as_ref(), 0);
        }
        walk
    }

    fn visit(&mut self, dir: &Path, depth: usize) {
        let children = match self.open(dir) {
            Ok(Some(children)) => children,
            Ok(None) => return,
            Err(error) => {
                return self.problem(dir, format!("this directory cannot be read: {error}"));
            }
        };
        if self.plugin(dir) {
            return;
        }
        if depth == MAX_DEPTH {
            return;
        }
        for child in children {
            self.visit(&child, depth + 1);
        }
    }

    /// The folders in `dir`, sorted; `None` when it was visited before.
    fn open(&mut self, dir: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        let real = fs::canonicalize(dir)?;
        if !self.visited.insert(real) {
            return Ok(None);
        }
        let mut children = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if self.entries_left == 0 {
                self.problem(
                    dir,
                    format!("more than {MAX_ENTRIES} entries: the rest is not looked at"),
                );
                break;
            }
            self.entries_left -= 1;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let passed_over =
                name.starts_with('.') || self.ignore.iter().any(|pattern| pattern.matches(&name));
            if !passed_over && entry.path().is_dir() {
                children.push(entry.path());
            }
        }
        children.sort();
        Ok(Some(children))
    }

    /// Takes `folder` as a plugin; false when it is none.
    fn plugin(&mut self, folder: &Path) -> bool {
        let names = FILE_NAMES.into_iter().chain(FOREIGN_FILE_NAMES);
        for name in names.filter(|name| folder.join(name).is_file()) {
            let file = folder.join(name);
            let document = read_document(&file);
            let foreign = match &document {
                Ok(document) => ForeignFormat::recognise(name, document),
                Err(_) => None,
            };
            // Other programs call their files like this too, and theirs are none of our business.
            match (name, &document) {
                ("extension.json", Ok(_)) | ("manifest.json", _) if foreign.is_none() => continue,
                _ => {}
            }
            if self.found_left == 0 {
                self.problem(
                    folder,
                    format!("more than {MAX_FOUND} plugins in one directory: this one is left out"),
                );
                return true;
            }
            self.found_left -= 1;
            match document {
                Ok(document) => self.found.push(Found {
                    folder: folder.to_path_buf(),
                    file,
                    document,
                    foreign,
                }),
                Err(problems) => self.problems.push(DiscoverProblem {
                    path: file,
                    problems,
                }),
            }
            return true;
        }
        false
    }

    fn problem(&mut self, path: &Path, message: String) {
        let problem = Problem {
            file: Some(path.to_path_buf()),
            ..Problem::new(message)
        };
        self.problems.push(DiscoverProblem {
            path: path.to_path_buf(),
            problems: Problems(vec![problem]),
        });
    }
}

/// Reads a manifest of at most [`MAX_MANIFEST_BYTES`] as a document.
pub fn read_document(file: &Path) -> Result<Node, Problems> {
    let text = read_text(file).map_err(|error| {
        Problems(vec![Problem {
            file: Some(file.to_path_buf()),
            ..Problem::new(format!("cannot be read: {error}"))
        }])
    })?;
    Node::parse(format_of(file), &text, Some(file))
}

/// The format a file's name tells: `.json` or `.jsonc` is JSON, everything else TOML.
pub fn format_of(file: &Path) -> Format {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("json" | "jsonc") => Format::Json,
        _ => Format::Toml,
    }
}

/// The ids that the plugin may have whose manifest cannot be read as a document: by the first line that looks as if it
/// said one, and by the name of the folder.
pub fn guess_ids(manifest: &Path) -> Vec<PluginId> {
    let text = read_text(manifest).unwrap_or_default();
    let by_text = text.lines().find_map(|line| {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '{');
        let key = ["id", "\"id\"", "'id'"];
        let rest = key.iter().find_map(|key| line.strip_prefix(key))?;
        let value = rest.trim_start().strip_prefix(['=', ':'])?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        Some(value[1..].split_once(quote)?.0)
    });
    let folder = manifest.parent().and_then(Path::file_name);
    let by_folder = folder.and_then(OsStr::to_str);
    let names = by_text.into_iter().chain(by_folder);
    names.filter_map(|name| name.parse().ok()).collect()
}

/// Reads a text of at most [`MAX_MANIFEST_BYTES`].
fn read_text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(file)?
        .take(MAX_MANIFEST_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_MANIFEST_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAX_MANIFEST_BYTES} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, file: &str, text: &str) {
        let file = root.join(file);
        fs::create_dir_all(file.parent().expect("has a parent")).expect("temp dir is writable");
        fs::write(file, text).expect("temp dir is writable");
    }

    #[test]
    fn the_id_of_a_broken_manifest_is_guessed() {
        let root = tempfile::tempdir().expect("temp dir");
        let check = |text: &str, expect: &[&str]| {
            put(root.path(), "folder/plugin.toml", text);
            let found = guess_ids(&root.path().join("folder/plugin.toml"));
            assert_eq!(
                Vec::from_iter(found.iter().map(PluginId::as_str)),
                expect,
                "{text}"
            );
        };
        check("version = \nid = \"a-b\" # mine\n", &["a-b", "folder"]);
        check("{ \"id\": \"c\", ", &["c", "folder"]);
        check("  'id' = 'd'", &["d", "folder"]);
        check("idle = 'e'\nid = f\nid = 'G H'\nid = 'open", &["folder"]);
    }

    fn folders(root: &Path, found: &[Found]) -> Vec<String> {
        let relative = |found: &Found| {
            found
                .folder
                .strip_prefix(root)
                .expect("inside")
                .display()
                .to_string()
        };
        found.iter().map(relative).collect()
    }

    #[test]
    fn plugins_are_found_sorted_and_not_searched_further() {
        let root = tempfile::tempdir().expect("temp dir");
        for file in [
            "b/plugin.toml",
            "b/inner/plugin.toml",
            "a/x/plugin.json",
            "a/plugin.md",
            ".hid/plugin.toml",
        ] {
            put(
                root.path(),
                file,
                if file.ends_with("json") { "{}" } else { "" },
            );
        }
        put(root.path(), "node_modules/m/plugin.json", "{}");
        put(root.path(), "a/x/plugin.toml", "id = 'both'");
        let (found, problems) = discover(&[root.path()], &[]);
        assert_eq!(problems, []);
        assert_eq!(folders(root.path(), &found), ["a/x", "b"]);
        assert!(found[0].file.ends_with("plugin.toml"));
    }

    #[test]
    fn a_bad_manifest_does_not_stop_the_others() {
        let root = tempfile::tempdir().expect("temp dir");
        put(root.path(), "a/plugin.toml", "id = ");
        put(root.path(), "b/plugin.json", "{\"id\": \"b\"}");
        fs::create_dir_all(root.path().join("c")).expect("temp dir is writable");
        fs::write(root.path().join("c/plugin.json"), b"\xff\xfe").expect("temp dir is writable");
        let (found, problems) =
            discover(&[root.path().join("nowhere").as_path(), root.path()], &[]);
        assert_eq!(folders(root.path(), &found), ["b"]);
        let paths: Vec<_> = problems.iter().map(|problem| &problem.path).collect();
        let expect =
            ["nowhere", "a/plugin.toml", "c/plugin.json"].map(|path| root.path().join(path));
        assert_eq!(paths, expect.iter().collect::<Vec<_>>());
        assert!(problems[1].problems.to_string().contains("plugin.toml:1:"));
    }

    #[test]
    fn a_plugin_directory_may_be_a_plugin_itself() {
        let root = tempfile::tempdir().expect("temp dir");
        put(root.path(), "plugin.toml", "");
        assert_eq!(discover(&[root.path(), root.path()], &[]).0.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().expect("temp dir");
        put(root.path(), "real/p/plugin.toml", "");
        std::os::unix::fs::symlink(root.path(), root.path().join("real/back")).expect("link");
        std::os::unix::fs::symlink(root.path().join("real"), root.path().join("again"))
            .expect("link");
        std::os::unix::fs::symlink("nothing", root.path().join("dangling")).expect("link");
        let (found, problems) = discover(&[root.path()], &[]);
        assert_eq!((found.len(), problems.len()), (1, 0));
    }

    #[test]
    fn depth_is_bounded() {
        let root = tempfile::tempdir().expect("temp dir");
        let path = |depth: usize| format!("{}/plugin.toml", vec!["d"; depth].join("/"));
        put(root.path(), &path(MAX_DEPTH + 1), "");
        assert_eq!(discover(&[root.path()], &[]).0.len(), 0);
        put(root.path(), &path(MAX_DEPTH), "");
        assert_eq!(discover(&[root.path()], &[]).0.len(), 1);
    }

    #[test]
    fn foreign_manifests_count_where_there_is_no_native_one() {
        let root = tempfile::tempdir().expect("temp dir");
        let jank = "{\"id\": \"j\", \"type\": \"handler\", \"binary\": \"x\"}";
        let agentos = "{\"name\": \"m\", \"plugin_type\": \"tool\"}";
        for (file, text) in [
            ("a/dagstack.toml", "name = 'd'"),
            ("b/plugin.json", jank),
            ("b/dagstack.toml", "name = 'd'"),
            (
                "c/plugin.json",
                "{\"id\": \"c\", \"runtime\": \"mcp_stdio\"}",
            ),
            ("d/extension.json", "{\"id\": \"o\", \"module\": \"x.py\"}"),
            ("d/manifest.json", agentos),
            ("e/manifest.json", agentos),
            ("f/plugin.toml", "id = 'f'"),
            ("f/dagstack.toml", "name = 'd'"),
            (
                "g/manifest.json",
                "{\"manifest_version\": 3, \"name\": \"not ours\"}",
            ),
            (
                "g/extension.json",
                "{\"manifest_version\": 2, \"id\": \"not ours\"}",
            ),
            ("h/manifest.json", "no JSON, not ours"),
            ("g/inner/plugin.toml", "id = 'g'"),
        ] {
            put(root.path(), file, text);
        }
        let (found, problems) = discover(&[root.path()], &[]);
        assert_eq!(problems, []);
        let formats: Vec<_> = found.iter().map(|found| found.foreign).collect();
        assert_eq!(
            folders(root.path(), &found),
            ["a", "b", "c", "d", "e", "f", "g/inner"]
        );
        assert_eq!(
            formats,
            [
                Some(ForeignFormat::Dagstack),
                Some(ForeignFormat::Jank),
                None,
                Some(ForeignFormat::Ordinaut),
                Some(ForeignFormat::AgentOs),
                None,
                None,
            ]
        );
    }

    #[derive(serde::Deserialize)]
    struct Ignored {
        default_ignore: Vec<String>,
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        pattern: String,
        ignored: bool,
    }

    fn recorded() -> Ignored {
        let text = include_str!("../../tests/vectors/ignore_glob.json");
        serde_json::from_str(text).expect("the table is valid")
    }

    #[test]
    fn patterns_ignore_what_they_are_recorded_to() {
        let cases = recorded().cases;
        assert_eq!(cases.len(), 90);
        for Case {
            name,
            pattern,
            ignored,
        } in cases
        {
            let found = Pattern::new(&pattern).expect("a pattern").matches(&name);
            assert_eq!(found, ignored, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_that_fit_a_pattern_are_passed_over() {
        let root = tempfile::tempdir().expect("temp dir");
        for name in recorded().default_ignore {
            put(
                root.path(),
                &format!("{}/plugin.toml", name.replace('*', "x")),
                "",
            );
        }
        for name in ["a.draft", "kept", "kept/b.draft"] {
            put(root.path(), &format!("{name}/plugin.toml"), "");
        }
        let ignore = ["build", "dist", "*.draft"].map(|text| Pattern::new(text).expect("valid"));
        let (found, _) = discover(&[root.path()], &ignore);
        assert_eq!(folders(root.path(), &found), ["kept"]);
        let (found, _) = discover(&[root.path()], &[]);
        assert_eq!(
            folders(root.path(), &found),
            ["a.draft", "build", "dist", "kept"],
            "what the setting says by default is the operator's to change"
        );
    }
}
