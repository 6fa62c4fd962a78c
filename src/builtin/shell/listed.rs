//! The programs that may be run: found once, and looked at for who could change them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::builtin::shell::known::{self, Known};
use crate::builtin::shell::rules::Rules;
use crate::builtin::shell::settings::{ProgramSettings, Settings, Socket};
use crate::plugin::{Programs, Same, Sockets};

/// How many names an error lists.
const SHOWN: usize = 60;

/// A program that may be run.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) name: String,
    /// Its file, by the path it is started by: some programs ask what they are called.
    pub(super) path: PathBuf,
    /// The file that this leads to.
    pub(super) real: PathBuf,
    /// Whether it is for `shell.exec_write`.
    pub(super) writes: bool,
    pub(super) rules: Rules,
    /// The files of what it may start.
    pub(super) starts: Vec<PathBuf>,
    pub(super) sockets: Sockets,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct List(BTreeMap<String, Listed>);

impl List {
    /// Finds the programs of the settings. An operator's program that is not there, or not safe, is an error that names its
    /// key; of the plugin's own those are left out.
    pub(super) fn of(settings: &Settings, programs: &dyn Programs) -> Result<Self, String> {
        let mut list = BTreeMap::new();
        let own = known::listed().filter(|_| settings.defaults);
        for known in own.filter(|known| !settings.without.iter().any(|name| name == known.name)) {
            let found = programs
                .find(known.name)
                .and_then(|path| sound(&path).ok().map(|real| (path, real)));
            if let Some((path, real)) = found {
                list.insert(known.name.to_owned(), of_known(known, path, real));
            }
        }
        for (name, wanted) in &settings.programs {
            let found = of_operator(name, wanted, programs);
            let found = found.map_err(|why| format!("`programs.{name}`: {why}"))?;
            list.insert(name.clone(), found);
        }
        Ok(Self(list))
    }

    /// The program of a word: a name, or exactly the path of one that is listed. `write` says for which tool.
    pub(super) fn find(&self, word: &str, write: bool) -> Result<&Listed, String> {
        if let Some((name, _)) = word.split_once('=').filter(|(name, _)| is_variable(name)) {
            return Err(format!(
                "`{word}` at the beginning would set the variable `{name}`, and callers cannot set variables: begin with the name of a program"
            ));
        }
        let found = match word.contains('/') {
            true => self
                .0
                .values()
                .find(|listed| listed.path == Path::new(word) || listed.real == Path::new(word)),
            false => self.0.get(word),
        };
        let Some(listed) = found else {
            let names: Vec<&str> = self.names(write).take(SHOWN).collect();
            let names = match names.is_empty() {
                true => "there are none".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            return Err(format!(
                "`{word}` is not among the programs that may be run: {names}. The operator lists others under `plugins.shell.config.programs`"
            ));
        };
        match (listed.writes, write) {
            (true, false) => Err(format!("`{word}` changes things: use `shell.exec_write`")),
            (false, true) => Err(format!("`{word}` only looks: use `shell.exec`")),
            _ => Ok(listed),
        }
    }

    /// A program that lies in one of these directories, if one does: what writes there could put another in its place.
    pub(super) fn within(&self, directories: &[PathBuf]) -> Option<&Listed> {
        let lies = |path: &Path| {
            directories
                .iter()
                .any(|directory| path.starts_with(directory))
        };
        let mut all = self.0.values();
        all.find(|listed| {
            lies(&listed.real) || lies(&listed.path) || listed.starts.iter().any(|path| lies(path))
        })
    }

    /// The names of those for one of the tools.
    pub(super) fn names(&self, write: bool) -> impl Iterator<Item = &str> {
        self.0
            .values()
            .filter(move |listed| listed.writes == write)
            .map(|listed| listed.name.as_str())
    }
}

impl Listed {
    /// Its file and those of what it starts, as they are now: an update may have replaced them. An error where a path leads to
    /// another file than at the start, or others could change it by now.
    pub(super) fn files(&self) -> Result<Vec<Same>, String> {
        let starts = self.starts.iter().map(|path| (path, path));
        let all = std::iter::once((&self.path, &self.real)).chain(starts);
        all.map(|(path, real)| {
            let shown = path.display();
            if sound(path)? != *real {
                return Err(format!(
                    "`{shown}` does not lead to `{}` any more, as it did at the start: find out who changed that, and start the plugin anew if it is meant",
                    real.display()
                ));
            }
            Same::of(real.clone()).map_err(|err| format!("`{shown}`: {err}"))
        })
        .collect()
    }

    /// Whether it is a program of that name, by whatever name it is listed.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
            || [&self.path, &self.real]
                .iter()
                .any(|path| file_name(path) == name)
    }
}

fn of_known(known: &Known, path: PathBuf, real: PathBuf) -> Listed {
    Listed {
        name: known.name.to_owned(),
        path,
        real,
        writes: false,
        rules: known.rules(),
        starts: Vec::new(),
        sockets: Sockets {
            netlink: known.netlink,
            ..Sockets::default()
        },
    }
}

fn of_operator(
    name: &str,
    wanted: &ProgramSettings,
    programs: &dyn Programs,
) -> Result<Listed, String> {
    if name.contains('/') || name.is_empty() {
        return Err("the name is one word; its file goes into `path`".to_owned());
    }
    let path = match &wanted.path {
        Some(path) if !path.is_absolute() => {
            return Err(format!(
                "`path` must be absolute, and `{}` is not",
                path.display()
            ));
        }
        Some(path) => path.clone(),
        None => programs
            .find(name)
            .ok_or("it is not in the gateway's `PATH`: install it, or say its `path`")?,
    };
    let real = sound(&path)?;
    if !wanted.i_know_it_runs_code {
        let names: [String; 3] = [Path::new(name), &path, &real].map(file_name);
        let [_, _, last] = &names;
        let mut asked = names.iter().take(if known::is_many(last) { 2 } else { 3 });
        if let Some(name) = asked.find(|name| known::runs_code(name)) {
            return Err(format!(
                "`{name}` starts other programs or reads code, so that no rule on its arguments holds; if the sandbox is enough, say `i_know_it_runs_code = true`"
            ));
        }
    }
    let known = known::known(name);
    let mut rules = known.map(Known::rules).unwrap_or_default();
    rules
        .deny
        .retain(|pattern| !wanted.allow_arguments.contains(pattern));
    rules.deny.extend(wanted.deny_arguments.iter().cloned());
    if let Some(subcommands) = &wanted.subcommands {
        rules.subcommands = Some(subcommands.clone());
        rules.options_first = false;
    }
    let starts = wanted
        .starts
        .iter()
        .enumerate()
        .map(|(at, path)| sound(path).map_err(|why| format!("`starts[{at}]`: {why}")));
    let starts = starts.collect::<Result<_, _>>()?;
    let opens = |socket| wanted.sockets.contains(&socket);
    Ok(Listed {
        name: name.to_owned(),
        path,
        real,
        writes: wanted.writes,
        rules,
        starts,
        sockets: Sockets {
            unix: opens(Socket::Unix),
            netlink: opens(Socket::Netlink) || known.is_some_and(|known| known.netlink),
            network: opens(Socket::Network),
        },
    })
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Whether a word before `=` could be a variable of a shell.
fn is_variable(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    begins && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The file that a path leads to, if nobody but the system's owner and the gateway's user can put another in its place.
#[cfg(unix)]
pub(super) fn sound(path: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::MetadataExt;

    const WRITABLE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let shown = path.display();
    let real = path
        .canonicalize()
        .map_err(|err| format!("`{shown}`: {err}"))?;
    let data = std::fs::metadata(&real).map_err(|err| format!("`{shown}`: {err}"))?;
    if !data.is_file() || data.mode() & 0o111 == 0 {
        return Err(format!(
            "`{shown}` is no program: it must be a file that may be executed"
        ));
    }
    let own = rustix::process::getuid().as_raw();
    for place in real.ancestors() {
        let data =
            std::fs::metadata(place).map_err(|err| format!("`{}`: {err}", place.display()))?;
        let is_open = data.mode() & WRITABLE != 0 && !(data.is_dir() && data.mode() & STICKY != 0);
        if is_open || ![0, own].contains(&data.uid()) {
            return Err(format!(
                "others could change `{}`: it must belong to root or to the gateway's user, and be writable by nobody else",
                place.display()
            ));
        }
    }
    Ok(real)
}

#[cfg(not(unix))]
pub(super) fn sound(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize()
        .map_err(|err| format!("`{}`: {err}", path.display()))
}
