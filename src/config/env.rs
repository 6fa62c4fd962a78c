//! The environment the gateway was started in: the only place that asks the operating system for it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// Variables and directories of a process, or of a test.
#[derive(Clone, Default)]
pub struct Env {
    vars: BTreeMap<String, String>,
    config_home: Option<PathBuf>,
    state_home: Option<PathBuf>,
    cwd: PathBuf,
}

impl Env {
    /// The environment of this process. Variables that are not valid UTF-8 are not in it.
    pub fn from_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            vars: std::env::vars_os().filter_map(text).collect(),
            config_home: etcetera::choose_base_strategy()
                .ok()
                .map(|strategy| strategy.config_dir()),
            state_home: etcetera::choose_base_strategy()
                .ok()
                .and_then(|strategy| strategy.state_dir()),
            cwd: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// An environment with these variables and nothing else.
    pub fn new<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            vars,
            ..Self::default()
        }
    }

    /// Sets the working directory.
    #[must_use]
    pub fn with_cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// Sets the directory that holds the user's settings of all programs.
    #[must_use]
    pub fn with_config_home(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config_home = Some(dir.into());
        self
    }

    /// The directory for what is remembered from one run to the next: `TOOLGATE_STATE_DIR`, else `toolgate` in the user's
    /// directory for state, such as `~/.local/state`; `None` where there is neither.
    pub fn state_dir(&self) -> Option<PathBuf> {
        match self.get("TOOLGATE_STATE_DIR") {
            Some(dir) if !dir.is_empty() => Some(self.absolute(Path::new(dir))),
            _ => self.state_home.as_ref().map(|home| home.join("toolgate")),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().map(String::as_str)
    }

    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// `path` seen from the working directory.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }

    /// The directory for temporary files: `TMPDIR`, else the system's.
    pub fn temp_dir(&self) -> PathBuf {
        self.get("TMPDIR")
            .map_or_else(std::env::temp_dir, PathBuf::from)
    }

    /// The user's directory for settings, such as `~/.config`.
    pub fn config_home(&self) -> Option<&Path> {
        self.config_home.as_deref()
    }
}

/// The values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("vars", &self.vars.len())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}
