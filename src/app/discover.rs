//! Plugins of a directory as a registry of their own, for programs that use them without a gateway around.

use std::path::Path;
use std::sync::Arc;

use crate::app::files::{Files, Origin};
use crate::app::settings;
use crate::background::Supervisor;
use crate::config::load::Loaded;
use crate::config::resolve::{Because, LeftOut, resolve};
use crate::registry::Registry;
use crate::registry::error::RegistryError;

/// What was found.
pub struct Discovered {
    /// The plugins that can be used. Nothing of them runs, and nothing remote was asked: see [`Registry::setup_all`].
    pub registry: Arc<Registry>,
    /// What cannot be used, in the order of their paths.
    pub problems: Vec<RegistryError>,
    /// Owns the tasks of the registry; to be stopped after it.
    pub supervisor: Supervisor,
}

impl std::fmt::Debug for Discovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Discovered")
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// Finds the plugins below `path`. With `strict` the first one that cannot be used is an error, else they are collected.
pub fn discover(path: &Path, origin: Origin, strict: bool) -> Result<Discovered, RegistryError> {
    let mut loaded = Loaded::nothing(&origin.env);
    loaded.config.plugin_dirs = vec![origin.env.absolute(path)];
    let resolution = resolve(&loaded, &[]).map_err(RegistryError::ManifestInvalid)?;
    let mut problems: Vec<_> = resolution.left_out.iter().cloned().map(named).collect();
    let supervisor = Supervisor::new();
    let files = Files::new(origin, &loaded, supervisor.clone());
    for plugin in &resolution.plugins {
        if let Err(reason) = files.runtime_of(plugin) {
            let id = plugin.manifest.id.clone();
            problems.push(RegistryError::RuntimeNotSupported { id, reason });
        }
    }
    if strict && !problems.is_empty() {
        return Err(problems.remove(0));
    }
    let settings = settings(&loaded.config);
    let registry = Registry::new(files.register(resolution), settings, supervisor.clone());
    Ok(Discovered {
        registry,
        problems,
        supervisor,
    })
}

/// The error that a mistake is.
fn named(left_out: LeftOut) -> RegistryError {
    match left_out.because {
        Because::Version => RegistryError::VersionIncompatible(left_out.problems),
        Because::Duplicate(kind) => RegistryError::AmbiguousPlugin {
            kind,
            members: left_out.id.into_iter().collect(),
        },
        Because::Manifest | Because::TooMany => RegistryError::ManifestInvalid(left_out.problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Runtimes;
    use crate::config::env::Env;
    use crate::manifest::Kind;
    use crate::runtime::in_process::InProcess;
    use crate::runtime::process::Launcher;

    const SOUND: &str =
        "version = '1.0.0'\nruntime = 'mcp_http'\nmcp_http.url = 'http://127.0.0.1:9/mcp'\n";

    fn origin(root: &Path) -> Origin {
        Origin {
            config: None,
            env: Env::new([("PATH", "/nowhere")]).with_cwd(root),
            builtins: Vec::new(),
            runtimes: Runtimes::new(InProcess::new(), Launcher::default()),
        }
    }

    /// What is found of these manifests.
    fn found(manifests: &[(&str, String)], strict: bool) -> Result<Discovered, RegistryError> {
        let root = tempfile::tempdir().expect("a folder");
        for (folder, text) in manifests {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).expect("the folder is ours");
            std::fs::write(folder.join("plugin.toml"), text).expect("the folder is ours");
        }
        discover(root.path(), origin(root.path()), strict)
    }

    /// D9–D16: each mistake has its own error, with a code; the others are found.
    #[test]
    fn every_mistake_has_its_own_error() {
        let sound = |id: &str| (id.to_owned(), format!("id = '{id}'\n{SOUND}"));
        for (code, text) in [
            ("manifest_invalid", format!("id = 'b'\nunknown = 1\n{SOUND}")),
            ("version_incompatible", format!("id = 'b'\ntoolgate = '>=99'\n{SOUND}")),
            ("ambiguous_plugin", format!("id = 'a'\n{SOUND}")),
            (
                "runtime_not_supported",
                "id = 'b'\nversion = '1.0.0'\nruntime = ['mcp_stdio']\nmcp_stdio.command = ['is-not-there']\n".to_owned(),
            ),
        ] {
            let (folder, good) = sound("a");
            let manifests = [(folder.as_str(), good), ("b", text)];
            let lenient = found(&manifests, false).expect("it is lenient");
            let codes: Vec<_> = lenient.problems.iter().map(RegistryError::code).collect();
            assert_eq!(codes, [code]);
            let known = lenient.registry.get(Kind::Tool, Some("a"));
            assert!(known.is_ok_and(|plugin| !plugin.pool.is_running()));
            let strict = found(&manifests, true).err().map(|error| error.code());
            assert_eq!(strict, Some(code));
        }
    }

    #[tokio::test]
    async fn plugins_that_need_each_other_are_named() {
        let manifest =
            |id: &str, needs: &str| format!("id = '{id}'\ndepends_on = ['{needs}']\n{SOUND}");
        let manifests = [("a", manifest("a", "b")), ("b", manifest("b", "a"))];
        let found = found(&manifests, true).expect("each for itself is sound");
        let error = found
            .registry
            .setup_all()
            .await
            .expect_err("it is a circle");
        assert_eq!(error.code(), "dependency_cycle");
        assert_eq!(error.to_string(), "plugins need each other: `a`, `b`");
        let unknown = found.registry.get(Kind::Filter, None).err();
        assert_eq!(unknown.map(|error| error.code()), Some("kind_unknown"));
    }
}
