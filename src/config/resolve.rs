//! The plugins there are: compiled in, found in folders, defined in the config; each with the operator's word on it.

pub mod because;

mod finished;

mod loose_ends;

mod settings;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use indexmap::IndexSet;

use crate::config::Startup;
use crate::config::expand::{Words, expand};
use crate::config::load::Loaded;
use crate::config::plugin_entry::PluginEntry;
pub use crate::config::resolve::because::Because;
use crate::config::resolve::finished::{granted, with_paths};
use crate::control::settings::Layers;
use crate::manifest::decode::path;
use crate::manifest::document::{Format, Node, Value};
use crate::manifest::import::{ForeignFormat, Imported, Refused, import};
use crate::manifest::problem::{Problem, Problems, nearest};
use crate::manifest::{Grant, Kind, Load, Manifest, read};
use crate::model::plugin_id::PluginId;
use crate::registry::discover::{Found, discover, guess_ids};
pub use crate::registry::plugin::Source;

/// A plugin that is compiled in: its id and its manifest in TOML.
pub type Builtin<'a> = (PluginId, &'a str);

/// The path of notes about plugins that others depend on and that do not exist: what needs them cannot start.
pub const DEPENDS_ON: &str = "/depends_on";

/// A plugin ready to be registered.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedPlugin {
    /// With the operator's overrides and the variables in it. The program of `mcp_stdio`, when its path is relative,
    /// and the working directory are absolute.
    pub manifest: Manifest,
    pub folder: Option<PathBuf>,
    pub source: Source,
    /// Whether the operator wants it.
    pub enabled: bool,
    /// What it may do: what it requests and the operator grants.
    pub grants: BTreeSet<Grant>,
    /// Where its settings come from.
    pub layers: Layers,
    /// Whether the operator has said which grants it gets, as opposed to what it gets by default.
    pub grants_chosen: bool,
}

/// A plugin that was found and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its id, when that much is known.
    pub id: Option<PluginId>,
    pub source: Source,
    /// False when the operator does not want it anyway.
    pub enabled: bool,
    /// What kind of mistake it is.
    pub because: Because,
    pub problems: Problems,
}

/// All plugins.
#[derive(Clone, Debug, Default)]
pub struct Resolution {
    /// Unique by kind and id; compiled-in ones first, then folders by path, then the config in its order.
    pub plugins: Vec<ResolvedPlugin>,
    pub left_out: Vec<LeftOut>,
    /// What does not keep a plugin from being registered, such as a dependency that does not exist.
    pub notes: Problems,
    /// What the operator's file says of plugins that are nowhere. Folders come and go, so a gateway does without; to
    /// whoever checks the file it is a mistake.
    pub nowhere: Problems,
}

impl Resolution {
    /// Itself, unless `startup` does not let a gateway start without the plugins that are left out or nowhere: then all
    /// that is wrong with those that the operator wants.
    pub fn fit_for(self, startup: Startup) -> Result<Self, Problems> {
        let wanted = self.left_out.iter().filter(|one| one.enabled);
        let problems = wanted.flat_map(|one| &one.problems.0);
        let problems = problems.chain(&self.nowhere.0).cloned();
        let problems: Vec<_> = match startup {
            Startup::Degrade => Vec::new(),
            Startup::Strict => problems.collect(),
        };
        match problems.is_empty() {
            true => Ok(self),
            false => Err(Problems(problems)),
        }
    }
}

/// Finds the plugins and joins each with its entry in the config. `Err` holds every problem of the operator's own
/// file, what it says of plugins that are nowhere aside; problems elsewhere leave their plugin out.
pub fn resolve(loaded: &Loaded, builtins: &[Builtin<'_>]) -> Result<Resolution, Problems> {
    let (resolution, problems) = resolve_leniently(loaded, builtins);
    if problems.is_empty() {
        Ok(resolution)
    } else {
        Err(Problems(problems))
    }
}

pub(crate) fn resolve_leniently(
    loaded: &Loaded,
    builtins: &[Builtin<'_>],
) -> (Resolution, Vec<Problem>) {
    let mut resolving = Resolving {
        loaded,
        result: Resolution {
            left_out: loaded.left_out.clone(),
            notes: loaded.notes.clone(),
            ..Resolution::default()
        },
        fatal: Vec::new(),
        taken: HashSet::new(),
        known: IndexSet::new(),
    };
    for (id, text) in builtins {
        resolving.builtin(id, text);
    }
    resolving.folders();
    resolving.entries();
    resolving.finish();
    (resolving.result, resolving.fatal)
}

struct Resolving<'a> {
    loaded: &'a Loaded,
    result: Resolution,
    fatal: Vec<Problem>,
    taken: HashSet<(Kind, PluginId)>,
    /// Every id that was seen, of plugins that are left out too.
    known: IndexSet<PluginId>,
}

/// What the operator wants of a plugin.
#[derive(Clone, Copy)]
struct Wanted {
    enabled: bool,
    /// Whether others are not to be there without it.
    guards: bool,
    /// What is wrong with it, if something is.
    because: Because,
}

impl From<bool> for Wanted {
    fn from(enabled: bool) -> Self {
        Self {
            enabled,
            guards: false,
            because: Because::Manifest,
        }
    }
}

/// A plugin on its way.
struct Candidate {
    document: Node,
    /// Where the document comes from, when it was written for another plugin system.
    imported: Option<Imported>,
    source: Source,
    folder: Option<PathBuf>,
    /// What relative paths start from; `None` leaves them alone.
    base: Option<PathBuf>,
    on_by_default: bool,
}

impl Resolving<'_> {
    fn builtin(&mut self, id: &PluginId, text: &str) {
        let source = Source::Builtin;
        let label = PathBuf::from(format!("builtin/{id}/plugin.toml"));
        match Node::parse(Format::Toml, text, Some(&label)) {
            Ok(document) => {
                let alone = self.loaded.file.is_none();
                let manual = document.get("load").and_then(Node::as_str) == Some("manual");
                let opt_in = document.get("opt_in").and_then(Node::as_bool) == Some(true);
                self.candidate(Candidate {
                    document,
                    imported: None,
                    source,
                    folder: None,
                    base: None,
                    on_by_default: alone && !manual && !opt_in,
                });
            }
            Err(problems) => self.left_out(Some(id.clone()), source, true.into(), problems.0),
        }
    }

    fn folders(&mut self) {
        let config = &self.loaded.config;
        let (found, problems) = discover(&config.plugin_dirs, &config.plugin_ignore);
        for one in found {
            let source = Source::Folder(one.folder.clone());
            let (document, imported) = match one.foreign.map(|format| adopt(format, &one)) {
                None => (one.document, None),
                Some(Ok(imported)) => (imported.document.clone(), Some(imported)),
                Some(Err(refused)) => {
                    let entry = refused.id.as_ref().and_then(|id| config.plugins.get(id));
                    let enabled = entry.is_none_or(|entry| entry.enabled);
                    self.known.extend(refused.id.clone());
                    self.left_out(refused.id, source, enabled.into(), refused.problems.0);
                    continue;
                }
            };
            self.candidate(Candidate {
                document,
                imported,
                source,
                base: Some(one.folder.clone()),
                folder: Some(one.folder),
                on_by_default: true,
            });
        }
        for one in problems {
            if one.path.is_file() {
                self.unreadable(&one.path, one.problems);
            } else {
                self.result.notes.0.extend(one.problems.0);
            }
        }
    }

    /// Leaves out the plugin whose manifest says nothing sensible. Whose that is can be guessed, so that the operator's
    /// entry on it is no mistake besides.
    fn unreadable(&mut self, manifest: &Path, problems: Problems) {
        let folder = manifest.parent().unwrap_or(manifest).to_path_buf();
        let guesses = guess_ids(manifest);
        let entries = &self.loaded.config.plugins;
        let entry = guesses.iter().find_map(|id| entries.get(id));
        let enabled = entry.is_none_or(|entry| entry.enabled);
        self.known.extend(guesses);
        self.left_out(None, Source::Folder(folder), enabled.into(), problems.0);
    }

    fn entries(&mut self) {
        let Some(file) = &self.loaded.file else {
            return;
        };
        // The paths in an assistant's file start from where the assistant starts its servers.
        let base = file
            .parent()
            .filter(|_| !self.loaded.assistant)
            .map(Path::to_path_buf);
        for entry in self.loaded.config.plugins.values() {
            if self.known.contains(&entry.id) {
                continue;
            }
            if !entry.defines_plugin() {
                self.nothing_to_override(entry);
                continue;
            }
            let mut document = Node::table_at(entry.place.clone());
            document.put("id", Value::String(entry.id.to_string()));
            document.put("version", Value::String("0.0.0".into()));
            self.candidate(Candidate {
                document,
                imported: None,
                source: Source::Config(file.clone()),
                folder: None,
                base: base.clone(),
                on_by_default: true,
            });
        }
    }

    fn nothing_to_override(&mut self, entry: &PluginEntry) {
        if !entry.enabled {
            return;
        }
        let hint = nearest(entry.id.as_str(), self.known.iter().map(PluginId::as_str));
        let hint = hint
            .map(|id| format!("; did you mean `{id}`?"))
            .unwrap_or_default();
        let message = format!("there is no plugin `{}`{hint}", entry.id);
        let mend = "add its directory to `plugin_dirs`, or define it here with `runtime` and the runtime's section";
        let problem = Problem::at(&entry.place, &entry.path, message).mend(mend);
        self.result.nowhere.0.push(problem);
    }

    fn candidate(&mut self, candidate: Candidate) {
        let Candidate {
            mut document,
            imported,
            source,
            folder,
            base,
            on_by_default,
        } = candidate;
        let id: Option<PluginId> = document
            .get("id")
            .and_then(Node::as_str)
            .and_then(|id| id.parse().ok());
        let entry = id
            .as_ref()
            .and_then(|id| self.loaded.config.plugins.get(id));
        let enabled = entry.map_or(on_by_default, |entry| entry.enabled);
        self.known.extend(id.clone());
        let mut problems = Vec::new();
        let mut layers = settings::layers(&document, entry);
        if let Some(entry) = entry {
            document.merge(entry.overrides.clone());
        }
        let is_filter = document.get("kind").and_then(Node::as_str) == Some(Kind::Filter.as_str());
        let wanted = Wanted {
            enabled,
            // Those of other systems were never filters here.
            guards: enabled && is_filter && imported.is_none(),
            because: Because::Manifest,
        };
        let from_env = &self.loaded.from_env;
        if let Some(load) = id.as_ref().and_then(|id| from_env.load.get(id)) {
            document.put("load", load.value.clone());
        }
        if enabled {
            let words = Words::of(&self.loaded.env);
            expand(&mut document, &mut Vec::new(), words, &mut problems);
        }
        if let Some(id) = &id {
            let over = (&self.loaded.env, &*self.loaded.overlay);
            settings::lay_over(&mut document, id, over, &mut layers);
        }
        let read = read(&document).inspect(|manifest| {
            if enabled && problems.is_empty() {
                let wrong = settings::check(manifest, &document).into_iter();
                let wrong = wrong.map(|problem| match (&source, entry) {
                    (Source::Builtin, Some(entry)) => settings::in_entry(problem, entry),
                    _ => problem,
                });
                problems.extend(wrong.map(|problem| locate(problem, entry)));
            }
        });
        let manifest = match read {
            Ok(manifest) if problems.is_empty() => manifest,
            Ok(_) => return self.left_out(id, source, wanted, problems),
            Err(more) => {
                let more = match &imported {
                    Some(imported) => imported.explain(&document, more),
                    None => more,
                };
                problems.extend(more.0.into_iter().map(|problem| locate(problem, entry)));
                return self.left_out(id, source, wanted, problems);
            }
        };
        if let Some((because, problem)) = self.refusal(&manifest, &document, entry, enabled) {
            let wanted = Wanted { because, ..wanted };
            return self.left_out(id, source, wanted, vec![problem]);
        }
        let given = from_env.grants.get(&manifest.id);
        let given = given.or_else(|| entry.and_then(|entry| entry.grants.as_ref()));
        let grants = granted(&manifest, given, &source);
        let grants_chosen = given.is_some();
        if let Some(imported) = imported.filter(|_| enabled) {
            self.result.notes.0.extend(imported.notes);
        }
        let manifest = with_paths(manifest, base.as_deref(), folder.as_deref());
        self.result.plugins.push(ResolvedPlugin {
            manifest,
            folder,
            source,
            enabled,
            grants,
            layers,
            grants_chosen,
        });
    }

    fn refusal(
        &mut self,
        manifest: &Manifest,
        document: &Node,
        entry: Option<&PluginEntry>,
        enabled: bool,
    ) -> Option<(Because, Problem)> {
        if let Some(entry) = entry.filter(|entry| entry.id != manifest.id) {
            let id = &entry.id;
            let message = format!("the id cannot be changed: this entry is about `{id}`");
            let problem = Problem::at(&entry.place, &entry.path, message);
            return Some((Because::Manifest, problem));
        }
        let at = |key: &str, message: String| {
            let path = path([key]);
            Problem::at(document.place_of(&path), &path, message)
        };
        if let Some(range) = &manifest.toolgate
            && let Ok(version) = env!("CARGO_PKG_VERSION").parse::<semver::Version>()
            && !range.fits(&version)
        {
            let message = format!("it needs toolgate `{range}`, this is {version}");
            let mend = "update one of the two, or, when it is known to work, set `toolgate` under `[plugins.ID]` of the configuration";
            return Some((Because::Version, at("toolgate", message).mend(mend)));
        }
        if !self.taken.insert((manifest.kind, manifest.id.clone())) {
            let message = format!("another plugin of this kind has the id `{}`", manifest.id);
            let mend = "give one of the two another id, or take its folder away";
            return Some((
                Because::Duplicate(manifest.kind),
                at("id", message).mend(mend),
            ));
        }
        let max = self.loaded.config.max_plugins;
        if enabled
            && self
                .result
                .plugins
                .iter()
                .filter(|plugin| plugin.enabled)
                .count()
                >= max
        {
            let message = format!("there are {max} plugins already");
            let mend = "raise `max_plugins`, or disable some";
            return Some((Because::TooMany, at("id", message).mend(mend)));
        }
        None
    }

    /// Puts problems of the operator's own file aside, and leaves the plugin out.
    fn left_out(
        &mut self,
        id: Option<PluginId>,
        source: Source,
        Wanted {
            enabled,
            guards,
            because,
        }: Wanted,
        problems: Vec<Problem>,
    ) {
        let own = |problem: &Problem| {
            let is_in_file = problem.file.is_some() && problem.file == self.loaded.file;
            // Without a filter that should be there calls would pass that it refuses.
            guards || (!self.loaded.assistant && enabled && is_in_file)
        };
        let (fatal, problems): (Vec<_>, Vec<_>) = problems.into_iter().partition(own);
        self.fatal.extend(fatal);
        if !problems.is_empty() {
            self.result.left_out.push(LeftOut {
                id,
                source,
                enabled,
                because,
                problems: Problems(problems),
            });
        }
    }
}

/// The problem with its path in the config file, when it is about something the entry says.
fn locate(mut problem: Problem, entry: Option<&PluginEntry>) -> Problem {
    if let Some(entry) = entry
        && problem.file.as_deref() == entry.place.file.as_deref()
    {
        problem
            .path
            .insert_str(0, &crate::manifest::problem::pointer(&entry.path));
    }
    problem
}

/// Turns a foreign manifest into a native one.
fn adopt(format: ForeignFormat, found: &Found) -> Result<Imported, Refused> {
    import(format, &found.document, &|path| {
        found.folder.join(path).is_file()
    })
}

impl ResolvedPlugin {
    /// Whether the plugin should start with the gateway.
    pub fn starts_eagerly(&self) -> bool {
        self.enabled && self.manifest.load == Load::Eager
    }
}
