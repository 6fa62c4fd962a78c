//! Finds and reads the operator's file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::config::Config;
use crate::config::assistant;
use crate::config::check::check;
use crate::config::env::Env;
use crate::config::expand::{Words, expand};
use crate::config::file::{ConfigFile, max_plugins, plugin_ignore};
use crate::config::from_env::FromEnv;
use crate::config::plugin_entry::PluginEntry;
use crate::config::resolve::{Because, Builtin, LeftOut, Resolution, Source, resolve_leniently};
use crate::control::settings::Overlay;
use crate::manifest::decode::{Decoded, Report, decode};
use crate::manifest::document::{Entry, Format, Node, Table, Value};
use crate::manifest::problem::{Problem, Problems};
use crate::model::plugin_id::PluginId;
use crate::registry::discover::format_of;

/// The file's name in the working directory and in `toolgate/` of the user's settings.
pub const FILE_NAME: &str = "toolgate.toml";

/// Where plugins are looked for when the configuration names no directory.
pub const DEFAULT_PLUGIN_DIR: &str = "custom_plugins";

/// The most bytes of a config file.
const MAX_BYTES: u64 = 16_777_216;

/// The keys of our own file, for telling it from an assistant's.
const OWN_KEYS: [&str; 12] = [
    "server",
    "auth",
    "policy",
    "events",
    "ledger",
    "telemetry",
    "plugin_dirs",
    "plugin_ignore",
    "plugins",
    "max_plugins",
    "tool_names",
    "startup",
];

/// A config that was found and read.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file it came from, absolute; `None` when there is none and the built-in examples are offered.
    pub file: Option<PathBuf>,
    /// Whether the file belongs to an assistant (`mcpServers` or `servers` and nothing of ours). A server in it that
    /// cannot be used is left out; it does not stop the start.
    pub assistant: bool,
    /// Servers of an assistant's file that cannot be used.
    pub left_out: Vec<LeftOut>,
    /// What was passed over, worth a line in the log.
    pub notes: Problems,
    /// What variables are filled in from.
    pub env: Env,
    /// What variables of our own say about plugins.
    pub from_env: FromEnv,
    /// The settings that were changed while the gateway ran.
    pub overlay: Arc<Overlay>,
    /// The file without its plugins, for the places of late problems.
    pub(crate) document: Option<Node>,
}

impl Loaded {
    /// What there is without a file.
    pub fn nothing(env: &Env) -> Self {
        Self {
            config: Config::default(),
            file: None,
            assistant: false,
            left_out: Vec::new(),
            notes: Problems::default(),
            env: env.clone(),
            from_env: FromEnv::default(),
            overlay: Arc::default(),
            document: None,
        }
    }
}

/// Reads `explicit`, else `toolgate.toml` here, else the one in the user's settings, else nothing.
///
/// `Err` holds every problem of the file. `explicit` must exist.
pub fn load(explicit: Option<&Path>, env: &Env) -> Result<Loaded, Problems> {
    let (loaded, problems) = load_leniently(explicit, env);
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(Problems(problems))
    }
}

/// Loads and resolves, strictly. `Err` holds every problem of all files at once, those included that would only leave a
/// plugin out.
pub fn prepare(
    explicit: Option<&Path>,
    env: &Env,
    builtins: &[Builtin<'_>],
) -> Result<(Loaded, Resolution), Problems> {
    let (loaded, mut problems) = load_leniently(explicit, env);
    let (resolution, more) = resolve_leniently(&loaded, builtins);
    problems.extend(more);
    problems.extend(resolution.nowhere.0.iter().cloned());
    if problems.is_empty() {
        return Ok((loaded, resolution));
    }
    let left_out = resolution.left_out.into_iter().filter(|one| one.enabled);
    problems.extend(left_out.flat_map(|one| one.problems.0));
    Err(Problems(problems))
}

/// All there is, however wrong: what could be read, what it leads to, and every problem that would stop the start.
pub fn survey(
    explicit: Option<&Path>,
    env: &Env,
    builtins: &[Builtin<'_>],
) -> (Loaded, Resolution, Problems) {
    let (loaded, mut problems) = load_leniently(explicit, env);
    let (resolution, more) = resolve_leniently(&loaded, builtins);
    problems.extend(more);
    (loaded, resolution, Problems(problems))
}

fn load_leniently(explicit: Option<&Path>, env: &Env) -> (Loaded, Vec<Problem>) {
    let (from_env, mut problems) = FromEnv::read(env);
    let loaded = Loaded {
        from_env,
        ..Loaded::nothing(env)
    };
    let (mut loaded, more) = load_file(loaded, find(explicit, env));
    let dirs = loaded.from_env.plugin_dirs.iter().cloned();
    loaded.config.plugin_dirs.extend(dirs);
    if let Some(require) = loaded.from_env.require_scopes {
        loaded.config.auth.require_scopes = require;
    }
    problems.extend(more);
    (loaded, problems)
}

fn load_file(mut loaded: Loaded, file: Option<PathBuf>) -> (Loaded, Vec<Problem>) {
    let Some(file) = file else {
        loaded.config.plugin_dirs = default_dirs(loaded.env.cwd());
        return (loaded, Vec::new());
    };
    loaded.file = Some(file.clone());
    match read_document(&file) {
        Err(problems) => (loaded, problems.0),
        Ok(root) => {
            loaded.assistant = belongs_to_assistant(&file, &root);
            let problems = Reading {
                file: &file,
                loaded: &mut loaded,
                problems: Vec::new(),
            }
            .read(root);
            (loaded, problems)
        }
    }
}

/// The directory below `base` that is searched where none is named, if it is there.
fn default_dirs(base: &Path) -> Vec<PathBuf> {
    let dir = base.join(DEFAULT_PLUGIN_DIR);
    match dir.is_dir() {
        true => vec![dir],
        false => Vec::new(),
    }
}

fn find(explicit: Option<&Path>, env: &Env) -> Option<PathBuf> {
    if let Some(file) = explicit {
        return Some(env.absolute(file));
    }
    let here = env.absolute(Path::new(FILE_NAME));
    let at_home = env
        .config_home()
        .map(|dir| dir.join("toolgate").join(FILE_NAME));
    [Some(here), at_home]
        .into_iter()
        .flatten()
        .find(|file| file.is_file())
}

fn read_document(file: &Path) -> Result<Node, Problems> {
    let failed = |message: String| {
        Problems(vec![Problem {
            file: Some(file.to_path_buf()),
            ..Problem::new(message)
        }])
    };
    let mut text = String::new();
    File::open(file)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| failed(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(failed(format!(
            "cannot be read: it has more than {MAX_BYTES} bytes"
        )));
    }
    Node::parse(format_of(file), &text, Some(file))
}

/// A JSON file with servers and nothing that only our own file has, or with keys that ours does not have.
fn belongs_to_assistant(file: &Path, root: &Node) -> bool {
    if format_of(file) != Format::Json || !assistant::has_servers(root) {
        return false;
    }
    let named_ours = file.file_stem().is_some_and(|stem| stem == "toolgate");
    let mut keys = root
        .as_table()
        .into_iter()
        .flat_map(Table::keys)
        .map(String::as_str);
    let (has_ours, all_ours) = (
        OWN_KEYS.iter().any(|key| root.get(key).is_some()),
        keys.all(|key| OWN_KEYS.contains(&key) || key == "mcpServers"),
    );
    !(all_ours && (named_ours || has_ours))
}

struct Reading<'a> {
    file: &'a Path,
    loaded: &'a mut Loaded,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn read(mut self, mut root: Node) -> Vec<Problem> {
        if self.loaded.assistant {
            self.servers(&mut root);
            self.note_ignored(&root);
            return self.problems;
        }
        let plugins = self.take_table(&mut root, "plugins");
        let servers = self.take_table(&mut root, "mcpServers");
        let names_dirs = root.get("plugin_dirs").is_some();
        let file = self.settings(&mut root);
        let base = self.file.parent().unwrap_or(Path::new(""));
        let named = file.plugin_dirs.iter().map(|dir| base.join(dir)).collect();
        self.loaded.config = Config {
            server: file.server,
            auth: file.auth,
            policy: file.policy,
            events: file.events,
            ledger: file.ledger,
            telemetry: file.telemetry,
            plugin_dirs: match names_dirs {
                true => named,
                false => default_dirs(base),
            },
            plugin_ignore: file.plugin_ignore,
            plugins: IndexMap::new(),
            max_plugins: file.max_plugins,
            tool_names: file.tool_names,
            startup: file.startup,
        };
        for (id, entry) in plugins {
            self.plugin(&id, entry);
        }
        if !servers.is_empty() {
            root.put("mcpServers", Value::Table(servers));
            self.servers(&mut root);
        }
        self.loaded.document = Some(root);
        self.problems
    }

    /// Everything but the plugins.
    fn settings(&mut self, root: &mut Node) -> ConfigFile {
        expand(
            root,
            &mut Vec::new(),
            Words::of(&self.loaded.env),
            &mut self.problems,
        );
        let Decoded {
            value,
            problems,
            blamed,
        } = decode::<ConfigFile>(root);
        self.problems.extend(problems);
        let Some(mut file) = value else {
            return ConfigFile {
                max_plugins: max_plugins(),
                plugin_ignore: plugin_ignore(),
                ..ConfigFile::default()
            };
        };
        let base = self.file.parent().unwrap_or(Path::new(""));
        file.auth.lie_in(base);
        let mut report = Report::new(root, blamed);
        check(&file, &mut report);
        self.problems.extend(report.into_problems());
        file
    }

    fn take_table(&mut self, root: &mut Node, key: &str) -> Table {
        match root.take(key) {
            None => Table::new(),
            Some(Entry {
                node:
                    Node {
                        value: Value::Table(table),
                        ..
                    },
                ..
            }) => table,
            Some(entry) => {
                self.problems.push(Problem::at(
                    &entry.key,
                    &[key.to_owned()],
                    "expected a table",
                ));
                Table::new()
            }
        }
    }

    fn plugin(&mut self, name: &str, entry: Entry) {
        let path = vec!["plugins".to_owned(), name.to_owned()];
        let Entry { key, mut node } = entry;
        let id: PluginId = match name.parse() {
            Ok(id) => id,
            Err(error) => {
                return self
                    .problems
                    .push(Problem::at(&key, &path, format!("{error}")));
            }
        };
        if node.as_table().is_none() {
            return self
                .problems
                .push(Problem::at(&key, &path, "expected a table"));
        }
        let is_off = matches!(
            node.get("enabled"),
            Some(Node {
                value: Value::Bool(false),
                ..
            })
        );
        if !is_off {
            expand(
                &mut node,
                &mut path.clone(),
                Words::of(&self.loaded.env),
                &mut self.problems,
            );
        }
        let entry = PluginEntry::read(id.clone(), &path, key, node, &mut self.problems);
        self.loaded.config.plugins.insert(id, entry);
    }

    /// The servers of `mcpServers` or `servers`. One that is wrong is left out of an assistant's file, and a problem
    /// of our own.
    fn servers(&mut self, root: &mut Node) {
        let Some((above, table)) = assistant::take_servers(root) else {
            return;
        };
        let editor = assistant::editor_words(self.file, &self.loaded.env);
        for (name, mut server) in table {
            let path: Vec<String> = above.iter().cloned().chain([name.clone()]).collect();
            let enabled = !assistant::is_disabled(&server.node);
            let mut missing = Vec::new();
            if enabled {
                let words = Words {
                    env: &self.loaded.env,
                    editor: &editor,
                };
                expand(&mut server.node, &mut path.clone(), words, &mut missing);
            }
            let read = match missing.is_empty() {
                true => assistant::read_server(&name, server, &path, &mut self.loaded.notes.0),
                false => Err(missing),
            };
            match read.and_then(|entry| self.join(entry)) {
                Ok(()) => {}
                Err(problems) if self.loaded.assistant => self.loaded.left_out.push(LeftOut {
                    id: assistant::id_of(&name),
                    source: Source::Config(self.file.to_path_buf()),
                    enabled,
                    because: Because::Manifest,
                    problems: Problems(problems),
                }),
                Err(problems) => self.problems.extend(problems),
            }
        }
    }

    /// Adds a server to the plugins; settings of `[plugins]` under the same id are laid over it.
    fn join(&mut self, mut server: PluginEntry) -> Result<(), Vec<Problem>> {
        let plugins = &mut self.loaded.config.plugins;
        match plugins.get_mut(&server.id) {
            None => {
                plugins.insert(server.id.clone(), server);
                Ok(())
            }
            Some(entry) if entry.defines_plugin() => {
                let message = format!("the plugin id `{}` is taken", server.id);
                Err(vec![
                    Problem::at(&server.place, &server.path, message).mend("rename one of the two"),
                ])
            }
            Some(entry) => {
                server.overrides.merge(std::mem::replace(
                    &mut entry.overrides,
                    Node::table_at(entry.place.clone()),
                ));
                entry.overrides = server.overrides;
                entry.enabled &= server.enabled;
                Ok(())
            }
        }
    }

    /// Says which settings of ours in an assistant's file are not read.
    fn note_ignored(&mut self, root: &Node) {
        let Some(table) = root.as_table() else {
            return;
        };
        for (key, entry) in table
            .iter()
            .filter(|(key, _)| OWN_KEYS.contains(&key.as_str()))
        {
            let message = format!(
                "`{key}` is ignored: this file is read as an assistant's, for its servers only"
            );
            let note = Problem::at(&entry.key, std::slice::from_ref(key), message);
            self.loaded
                .notes
                .0
                .push(note.mend("put the setting into `toolgate.toml`"));
        }
    }
}
