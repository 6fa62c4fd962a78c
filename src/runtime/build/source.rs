//! What there is of a plugin: whether it can be started, has to be built first, or lacks something.

use std::path::{Path, PathBuf};

use crate::manifest::Manifest;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::upkeep::{BUILD_SCRIPT, Build};
use crate::runtime::process::is_program;

/// What there is of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// All that is needed to start it.
    Available,
    /// Something is missing that its build makes.
    SourceOnly {
        /// What is missing, as the manifest names it.
        missing: String,
    },
    /// Something is missing, and nothing is there to make it.
    Incomplete {
        /// What is missing, as the manifest names it.
        missing: String,
    },
    /// A program that it needs is not installed on this machine.
    Unavailable {
        /// The name that `PATH` does not lead to.
        program: String,
    },
}

/// How the plugin in `folder` is built: as its manifest says, or by `scripts/build.sh` where there is one.
pub fn build_of(manifest: &Manifest, folder: &Path) -> Option<Build> {
    let has_script = || folder.join(BUILD_SCRIPT).is_file();
    let given = manifest.build.clone();
    let mut build = given.or_else(|| has_script().then(Build::default))?;
    if let Some(program) = build.command.first_mut()
        && has_folder(program)
        && let Some(absolute) = folder.join(&*program).to_str()
    {
        *program = absolute.to_owned();
    }
    Some(build)
}

/// What there is of the plugin that lies in `folder`. Must be there: the program of `mcp_stdio.command`, where this is the
/// runtime that is used, and all of `build.outputs`. A program's name without a slash is looked for in `search`, which is
/// written like `PATH`. Looks at files; nothing is run.
pub fn source_state(manifest: &Manifest, folder: Option<&Path>, search: &str) -> SourceState {
    let program = match manifest.runtimes().first() {
        Some(RuntimeKind::McpStdio) => manifest.mcp_stdio.as_ref(),
        _ => None,
    };
    let program = program.and_then(|section| section.command.first());
    let in_folder =
        |path: &Path| folder.map_or_else(|| path.to_path_buf(), |folder| folder.join(path));
    let named = program.filter(|program| !has_folder(program));
    if let Some(program) = named.filter(|program| !is_program(program, search)) {
        let program = program.clone();
        return SourceState::Unavailable { program };
    }
    let program = program.filter(|program| has_folder(program));
    let outputs = manifest.build.iter().flat_map(|build| &build.outputs);
    let mut needed = program
        .map(PathBuf::from)
        .into_iter()
        .chain(outputs.cloned());
    let Some(missing) = needed.find(|path| !in_folder(path).exists()) else {
        return SourceState::Available;
    };
    let short = folder.and_then(|folder| missing.strip_prefix(folder).ok());
    let missing = short.unwrap_or(&missing).display().to_string();
    match folder.and_then(|folder| build_of(manifest, folder)) {
        Some(_) => SourceState::SourceOnly { missing },
        None => SourceState::Incomplete { missing },
    }
}

fn has_folder(program: &str) -> bool {
    Path::new(program).components().count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse_toml;

    fn put(root: &Path, file: &str) {
        let file = root.join(file);
        let folder = file.parent().expect("it has a parent");
        std::fs::create_dir_all(folder).expect("the folder can be made");
        std::fs::write(file, "").expect("the file can be written");
    }

    fn missing(name: &str) -> String {
        name.to_owned()
    }

    /// The state of a plugin with these `files`, whose manifest ends with `rest`.
    fn check(files: &[&str], rest: &str, expect: SourceState) {
        let root = tempfile::tempdir().expect("a folder");
        files.iter().for_each(|file| put(root.path(), file));
        let text = format!("id = 'p'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\n{rest}");
        let manifest = parse_toml(&text).expect("a sound manifest");
        let search = root.path().join("search");
        let search = search.to_str().expect("temporary folders are UTF-8");
        assert_eq!(
            source_state(&manifest, Some(root.path()), search),
            expect,
            "{rest} with {files:?}"
        );
    }

    #[test]
    fn what_is_missing_decides() {
        let own = "[mcp_stdio]\ncommand = ['bin/p', 'x']\n";
        let named = "[mcp_stdio]\ncommand = ['tool', 'server.js']\n";
        let outputs = "[build]\noutputs = ['dist/server.js']\n";
        let script = "scripts/build.sh";
        check(&["bin/p"], own, SourceState::Available);
        let program = || missing("bin/p");
        check(&[], own, SourceState::Incomplete { missing: program() });
        check(
            &[script],
            own,
            SourceState::SourceOnly { missing: program() },
        );
        let by_make = format!("{own}[build]\ncommand = ['make']\n");
        check(
            &[],
            &by_make,
            SourceState::SourceOnly { missing: program() },
        );
        check(&["search/tool"], named, SourceState::Available);
        let tool = missing("tool");
        check(&[script], named, SourceState::Unavailable { program: tool });
        let both = format!("{named}{outputs}");
        let server = || missing("dist/server.js");
        let found = ["search/tool", script];
        check(&found, &both, SourceState::SourceOnly { missing: server() });
        check(
            &["search/tool", "dist/server.js"],
            &both,
            SourceState::Available,
        );
    }

    #[test]
    fn a_plugin_without_a_folder_cannot_be_built() {
        let text = "id = 'p'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\n[mcp_stdio]\ncommand = ['/nowhere/p']";
        let manifest = parse_toml(text).expect("a sound manifest");
        let missing = missing("/nowhere/p");
        assert_eq!(
            source_state(&manifest, None, ""),
            SourceState::Incomplete { missing }
        );
    }

    #[test]
    fn the_command_is_the_script_unless_the_manifest_has_one() {
        let root = tempfile::tempdir().expect("a folder");
        let text = "id = 'p'\nversion = '1.0.0'\nruntime = 'in_process'\n[in_process]\nentry = 'builtin:p'\n";
        let manifest = |more: &str| parse_toml(&format!("{text}{more}")).expect("sound");
        let command =
            |more: &str| build_of(&manifest(more), root.path()).map(|build| build.command);
        assert_eq!(command(""), None);
        assert_eq!(
            command("[build]\nwhen = 'always'"),
            Some(vec!["sh".to_owned(), "scripts/build.sh".to_owned()])
        );
        put(root.path(), "scripts/build.sh");
        assert_eq!(command("").map(|command| command.len()), Some(2));
        let own = command("[build]\ncommand = ['./make', 'it']").expect("a command");
        assert!(
            own[0].starts_with(root.path().to_str().expect("UTF-8")),
            "{own:?}"
        );
    }
}
