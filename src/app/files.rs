//! The plugins as the configuration and the plugin directories have them, at the start and whenever they are read again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::BoxFuture;

use crate::app::runtimes::Runtimes;
use crate::background::Supervisor;
use crate::config::Config;
use crate::config::env::Env;
use crate::config::load::{Loaded, load};
use crate::config::resolve::{LeftOut, Resolution, ResolvedPlugin, resolve};
use crate::control::settings::Overlay;
use crate::control::source::{
    Broken, Build, Candidate, Discovery, DiscoverySource, Found, Source, SourceKind,
};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::{Grant, Kind};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::discover::walked;
use crate::registry::life::State;
use crate::registry::plugin::{Plugin, Setup};
use crate::runtime::build::{Built, SourceState};

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
    /// What was odd when everything was read last: it is logged once.
    noted: Mutex<Vec<String>>,
    /// Where plugins are looked for, and which cannot be used.
    discovery: Mutex<Discovery>,
}

impl Files {
    /// As `loaded` says, which is how everything was at the start.
    pub(super) fn new(origin: Origin, loaded: &Loaded, supervisor: Supervisor) -> Self {
        let discovery = Discovery {
            sources: sources(loaded),
            broken: Vec::new(),
        };
        Self {
            origin,
            config: loaded.config.clone(),
            supervisor,
            noted: Mutex::default(),
            discovery: Mutex::new(discovery),
        }
    }

    fn known(&self) -> MutexGuard<'_, Discovery> {
        self.discovery
            .lock()
            .expect("no holder of this lock panics")
    }

    /// Whether any runtime is there that the plugin could use; why not, for each of its runtimes.
    pub(super) fn runtime_of(&self, plugin: &ResolvedPlugin) -> Result<(), String> {
        let runtimes = &self.origin.runtimes;
        runtimes
            .look_for(&plugin.manifest, plugin.source.folder())
            .map(drop)
    }

    /// The plugins of a resolution that the operator wants.
    pub(super) fn register(&self, resolution: Resolution) -> Vec<Arc<Plugin>> {
        let wanted = resolution.left_out.iter().filter(|one| one.enabled);
        let wanted: Vec<LeftOut> = wanted.cloned().collect();
        for left_out in &wanted {
            tracing::error!("A plugin is left out:\n{}", left_out.problems);
        }
        self.known().broken = wanted.into_iter().map(broken).collect();
        self.note(&resolution);
        let candidates = resolution
            .plugins
            .into_iter()
            .map(|plugin| self.candidate(plugin));
        candidates
            .filter(Candidate::is_wanted)
            .map(|candidate| self.make(&candidate))
            .collect()
    }

    /// Logs what is odd and was not the last time.
    fn note(&self, resolution: &Resolution) {
        let Resolution { notes, nowhere, .. } = resolution;
        let now: Vec<String> = notes.0.iter().chain(&nowhere.0).map(said).collect();
        let mut noted = self.noted.lock().expect("no holder of this lock panics");
        let known = std::mem::replace(&mut *noted, now.clone());
        drop(noted);
        for note in now.iter().filter(|note| !known.contains(note)) {
            tracing::warn!("{note}");
        }
    }

    /// A plugin as it was found, with what is missing of it.
    fn candidate(&self, plugin: ResolvedPlugin) -> Candidate {
        let builder = &self.origin.runtimes.builder;
        let there = builder.state(&plugin.manifest, plugin.source.folder());
        let (state, lacks) = match there {
            _ if !plugin.enabled => (State::Disabled, None),
            // The program may come to be installed; a start says what is wrong.
            SourceState::Available | SourceState::Unavailable { .. } => (State::Available, None),
            SourceState::SourceOnly { missing } => {
                (State::SourceOnly, Some(format!("`{missing}` is not built")))
            }
            SourceState::Incomplete { missing } => (
                State::Incomplete,
                Some(format!(
                    "`{missing}` is not there, and nothing to build it with"
                )),
            ),
        };
        Candidate {
            manifest: Arc::new(plugin.manifest),
            source: plugin.source,
            layers: plugin.layers,
            grants: plugin.grants,
            grants_chosen: plugin.grants_chosen,
            state,
            lacks,
        }
    }

    /// The sections that are others than at the start, of those that are read at the start only.
    fn needs_restart(&self, now: &Config) -> Vec<&'static str> {
        let then = &self.config;
        // The command line may have made it so, whatever the file says.
        let mut policy = now.policy.clone();
        policy.read_only |= then.policy.read_only;
        let sections = [
            ("server", now.server != then.server),
            ("auth", now.auth != then.auth),
            ("policy", policy != then.policy),
            ("telemetry", now.telemetry != then.telemetry),
            ("tool_names", now.tool_names != then.tool_names),
            ("max_plugins", now.max_plugins != then.max_plugins),
            ("startup", now.startup != then.startup),
        ];
        let changed = sections.iter().filter(|(_, changed)| *changed);
        changed.map(|(section, _)| *section).collect()
    }
}

impl Source for Files {
    fn read(&self, overlay: &Overlay) -> Result<Found, Problems> {
        let mut loaded = load(self.origin.config.as_deref(), &self.origin.env)?;
        loaded.overlay = Arc::new(overlay.clone());
        let builtins: Vec<(PluginId, &str)> = self
            .origin
            .builtins
            .iter()
            .map(|(id, text)| (id.clone(), text.as_str()))
            .collect();
        let resolution = resolve(&loaded, &builtins)?;
        self.note(&resolution);
        let left_out = resolution.left_out.into_iter();
        let wanted = left_out.filter(|left_out| left_out.enabled);
        let broken: Vec<Broken> = wanted.map(broken).collect();
        *self.known() = Discovery {
            sources: sources(&loaded),
            broken: broken.clone(),
        };
        Ok(Found {
            candidates: resolution
                .plugins
                .into_iter()
                .map(|plugin| self.candidate(plugin))
                .collect(),
            broken,
            needs_restart: self.needs_restart(&loaded.config),
            notes: resolution.nowhere.0.iter().map(said).collect(),
            gateway: loaded.config.shown(),
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

    fn build<'a>(
        &'a self,
        candidate: &'a Candidate,
        rebuild: bool,
    ) -> BoxFuture<'a, Result<Build, Fault>> {
        let builder = &self.origin.runtimes.builder;
        Box::pin(async move {
            let Some(folder) = candidate.source.folder() else {
                let message = format!(
                    "plugin `{}` has no folder that it could be built in",
                    candidate.manifest.id
                );
                return Err(Fault::new(FaultKind::Unavailable, message).because("no_build"));
            };
            let built = builder
                .build(&candidate.manifest, folder, rebuild, &self.supervisor)
                .await?;
            Ok(match built {
                Built::NotNeeded => Build::default(),
                Built::Ran { took, output } => Build {
                    ran: true,
                    took_ms: took.as_secs_f64() * 1000.0,
                    output,
                },
            })
        })
    }

    fn discovery(&self) -> Discovery {
        self.known().clone()
    }

    fn make(&self, candidate: &Candidate) -> Arc<Plugin> {
        let (manifest, runtimes) = (&candidate.manifest, &self.origin.runtimes);
        let folder = candidate.source.folder();
        let (runtime, mut unfit) = match runtimes.choose(manifest, folder) {
            Ok(chosen) => (chosen, None),
            Err(why) => {
                let first = manifest.runtimes()[0];
                ((first, runtimes.get(first)), Some(why))
            }
        };
        if let Some(why) = useless(candidate) {
            unfit.get_or_insert(why);
        }
        Plugin::new(Setup {
            manifest: Arc::clone(manifest),
            source: candidate.source.clone(),
            grants: candidate.grants.clone(),
            grants_chosen: candidate.grants_chosen,
            runtime,
            supervisor: self.supervisor.clone(),
            unfit,
        })
    }
}

/// The places that plugins come from, in the order in which they are searched.
fn sources(loaded: &Loaded) -> Vec<DiscoverySource> {
    let source = |kind, place: &Path| DiscoverySource {
        kind,
        place: place.to_path_buf(),
    };
    let named = &loaded.from_env.plugin_dirs;
    let dirs = loaded.config.plugin_dirs.iter().map(|dir| {
        let kind = match named.contains(dir) {
            true => SourceKind::Environment,
            false => SourceKind::Directory,
        };
        source(kind, dir)
    });
    let file = loaded.file.as_deref();
    let file = file.map(|file| source(SourceKind::Config, file));
    let builtin = source(SourceKind::Builtin, Path::new(""));
    std::iter::once(builtin).chain(dirs).chain(file).collect()
}

/// Why a plugin with these grants has nothing to do, if so.
fn useless(candidate: &Candidate) -> Option<String> {
    let grants = &candidate.grants;
    // What these are for they do by their tools alone.
    let needs_tools = match candidate.manifest.kind {
        Kind::Filter | Kind::Notifier | Kind::Provider => true,
        Kind::Tool | Kind::Handler => false,
    };
    if grants.is_empty() {
        Some("it is not granted TOOLS, nor anything else".to_owned())
    } else if needs_tools && !grants.contains(&Grant::Tools) {
        Some("it is not granted TOOLS".to_owned())
    } else {
        None
    }
}

fn said(problem: &Problem) -> String {
    problem.to_string()
}

fn broken(left_out: LeftOut) -> Broken {
    Broken {
        id: left_out.id,
        source: left_out.source,
        code: left_out.because.code(),
        problems: left_out.problems,
    }
}
