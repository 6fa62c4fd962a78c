//! The plugins as the configuration and the plugin directories have them, at the start and whenever they are read again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::runtimes::Runtimes;
use crate::background::Supervisor;
use crate::config::Config;
use crate::config::env::Env;
use crate::config::load::load;
use crate::config::resolve::{LeftOut, Resolution, ResolvedPlugin, resolve};
use crate::control::source::{Broken, Candidate, Found, Source};
use crate::manifest::Grant;
use crate::manifest::problem::Problems;
use crate::model::plugin_id::PluginId;
use crate::registry::discover::walked;
use crate::registry::life::State;
use crate::registry::plugin::{Plugin, Setup};

/// Where configuration and plugins come from.
pub struct Origin {
    /// The file that was named, if one was.
    pub config: Option<PathBuf>,
    /// What variables are filled in from.
    pub env: Env,
    /// The manifests of the plugins that are compiled in.
    pub builtins: Vec<(PluginId, String)>,
    /// What runs plugins.
    pub runtimes: Runtimes,
}

/// Reads configuration and plugins, and makes plugins of what it finds.
pub(super) struct Files {
    origin: Origin,
    /// As it was at the start of the gateway.
    config: Config,
    supervisor: Supervisor,
}

impl Files {
    pub(super) fn new(origin: Origin, config: Config, supervisor: Supervisor) -> Self {
        Self {
            origin,
            config,
            supervisor,
        }
    }

    /// The plugins of a resolution that the operator wants.
    pub(super) fn register(&self, resolution: Resolution) -> Vec<Arc<Plugin>> {
        let wanted = resolution.left_out.iter().filter(|one| one.enabled);
        for left_out in wanted {
            tracing::error!("A plugin is left out:\n{}", left_out.problems);
        }
        for note in &resolution.notes.0 {
            tracing::warn!("{note}");
        }
        let candidates = resolution.plugins.into_iter().map(candidate);
        candidates
            .filter(Candidate::is_wanted)
            .map(|candidate| self.make(&candidate))
            .collect()
    }

    /// The sections that are others than at the start, of those that are read at the start only.
    fn needs_restart(&self, now: &Config) -> Vec<&'static str> {
        let then = &self.config;
        let sections = [
            ("server", now.server != then.server),
            ("auth", now.auth != then.auth),
            ("policy", now.policy != then.policy),
            ("tool_names", now.tool_names != then.tool_names),
            ("max_plugins", now.max_plugins != then.max_plugins),
        ];
        let changed = sections.iter().filter(|(_, changed)| *changed);
        changed.map(|(section, _)| *section).collect()
    }
}

impl Source for Files {
    fn read(&self) -> Result<Found, Problems> {
        let loaded = load(self.origin.config.as_deref(), &self.origin.env)?;
        let builtins: Vec<(PluginId, &str)> = self
            .origin
            .builtins
            .iter()
            .map(|(id, text)| (id.clone(), text.as_str()))
            .collect();
        let resolution = resolve(&loaded, &builtins)?;
        Ok(Found {
            candidates: resolution.plugins.into_iter().map(candidate).collect(),
            broken: resolution.left_out.into_iter().map(broken).collect(),
            needs_restart: self.needs_restart(&loaded.config),
        })
    }

    fn places(&self) -> BTreeSet<PathBuf> {
        let env = &self.origin.env;
        let named = self.origin.config.as_deref().map(|file| env.absolute(file));
        let loaded = load(self.origin.config.as_deref(), env).ok();
        let file = named.or_else(|| loaded.as_ref()?.file.clone());
        let base = file.as_deref().and_then(Path::parent);
        let base = base.unwrap_or(env.cwd()).to_path_buf();
        // A file that is wrong names no directories; those of the start are as good as any.
        let config = loaded.map_or_else(|| self.config.clone(), |loaded| loaded.config);
        let dirs = &config.plugin_dirs;
        let mut places = walked(dirs, &config.plugin_ignore);
        // One that is not there may come.
        let missing = dirs.iter().filter(|dir| !dir.is_dir());
        places.extend(missing.filter_map(|dir| Some(dir.parent()?.to_path_buf())));
        places.insert(base);
        places
    }

    fn make(&self, candidate: &Candidate) -> Arc<Plugin> {
        let (manifest, runtimes) = (&candidate.manifest, &self.origin.runtimes);
        let (kind, mut unfit) = match runtimes.choose(manifest) {
            Ok(kind) => (kind, None),
            Err(why) => (manifest.runtimes()[0], Some(why)),
        };
        if !candidate.grants.contains(&Grant::Tools) {
            unfit.get_or_insert_with(|| "it is not granted TOOLS".to_owned());
        }
        Plugin::new(Setup {
            manifest: Arc::clone(manifest),
            source: candidate.source.clone(),
            grants: candidate.grants.clone(),
            runtime: (kind, runtimes.get(kind)),
            supervisor: self.supervisor.clone(),
            unfit,
        })
    }
}

fn candidate(plugin: ResolvedPlugin) -> Candidate {
    Candidate {
        manifest: Arc::new(plugin.manifest),
        source: plugin.source,
        grants: plugin.grants,
        state: match plugin.enabled {
            true => State::Available,
            false => State::Disabled,
        },
        lacks: None,
    }
}

fn broken(left_out: LeftOut) -> Broken {
    Broken {
        id: left_out.id,
        source: left_out.source,
        problems: left_out.problems,
    }
}
