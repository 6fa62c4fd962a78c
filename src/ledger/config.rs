//! The settings of the ledger: `[ledger]`.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};

/// The name of the database in the directory for state.
const FILE: &str = "ledger.db";

/// Where calls are recorded, what of them, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// The database: `sqlite:PATH`, `sqlite::memory:`, `postgres://USER:PASSWORD@HOST/DATABASE`, or `off` to record
    /// nothing. Left out, it is `ledger.db` in the directory of `TOOLGATE_STATE_DIR`, else `toolgate` in the user's
    /// directory for state (`~/.local/state`).
    pub url: Option<Dsn>,
    /// Tools whose arguments and results are kept, by listed name: patterns such as `deploy__*`. Of all others only a
    /// digest of the arguments is.
    pub bodies: Vec<String>,
    /// What is left out of arguments and results that are kept: JSON pointers such as `/password`; `*` stands for any
    /// member or item.
    pub redact: Vec<String>,
    /// Days for which calls and all else are kept.
    #[schemars(range(min = 1, max = 36_500))]
    pub keep_days: u32,
    /// Bytes that an SQLite database may fill; the oldest calls make room. PostgreSQL is bound by `keep_days` alone.
    #[schemars(range(min = 1_048_576, max = 1_125_899_906_842_624_u64))]
    pub max_bytes: u64,
    /// What becomes of calls that cannot be recorded.
    pub on_failure: OnFailure,
}

/// What becomes of calls that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Tools of category `remediation` are refused; others are called, and counted as not recorded.
    #[default]
    RefuseRemediation,
    /// All tools are refused.
    RefuseAll,
    /// All are called.
    Pass,
}

/// The address of a database. Its password is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Dsn(String);

/// Where the ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Off,
    /// In the memory of this process.
    Memory,
    /// In a file of SQLite.
    File(PathBuf),
    /// In PostgreSQL.
    Postgres(Dsn),
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            url: None,
            bodies: Vec::new(),
            redact: Vec::new(),
            keep_days: 90,
            max_bytes: 1 << 30,
            on_failure: OnFailure::RefuseRemediation,
        }
    }
}

impl LedgerConfig {
    /// Where the ledger is kept; `state` is the directory for state, if there is one. `Err` says what `url` should be.
    pub fn place(&self, state: Option<&Path>) -> Result<Place, &'static str> {
        let Some(url) = &self.url else {
            return Ok(state.map_or(Place::Memory, |state| Place::File(state.join(FILE))));
        };
        let url = url.expose();
        if url == "off" {
            return Ok(Place::Off);
        }
        if url == "memory" || url == "sqlite::memory:" {
            return Ok(Place::Memory);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Place::Postgres(Dsn(url.to_owned())));
        }
        let path = url.strip_prefix("sqlite:").unwrap_or("");
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            "" => Err("expected `sqlite:PATH`, `postgres://…` or `off`"),
            path => Ok(Place::File(PathBuf::from(path))),
        }
    }
}

impl Dsn {
    /// The address as it is, for the one who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address without its password.
    fn masked(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return self.0.clone();
        };
        // Parameters may hold a password as well (`?password=`).
        let (rest, query) = match rest.split_once('?') {
            Some((rest, _)) => (rest, "?***"),
            None => (rest, ""),
        };
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user, |(user, _)| user);
                format!("{scheme}://{user}:***@{host}{query}")
            }
            None => format!("{scheme}://{rest}{query}"),
        }
    }
}

impl From<&str> for Dsn {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for Dsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

impl JsonSchema for Dsn {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dsn".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Memory => f.write_str("in memory"),
            Self::File(path) => write!(f, "in `{}`", path.display()),
            Self::Postgres(dsn) => write!(f, "in `{dsn}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_for_each_url() {
        let place = |url: Option<&str>, state: Option<&str>| {
            let config = LedgerConfig {
                url: url.map(Dsn::from),
                ..LedgerConfig::default()
            };
            config.place(state.map(Path::new))
        };
        let file = |path: &str| Ok(Place::File(path.into()));
        assert_eq!(place(None, Some("/s")), file("/s/ledger.db"));
        assert_eq!(place(None, None), Ok(Place::Memory));
        assert_eq!(place(Some("off"), Some("/s")), Ok(Place::Off));
        assert_eq!(place(Some("sqlite::memory:"), None), Ok(Place::Memory));
        assert_eq!(place(Some("sqlite:/a/b.db"), None), file("/a/b.db"));
        assert_eq!(place(Some("sqlite:///a/b.db"), None), file("/a/b.db"));
        assert!(matches!(
            place(Some("postgres://h/d"), None),
            Ok(Place::Postgres(_))
        ));
        assert!(place(Some("mysql://h/d"), None).is_err());
        assert!(place(Some("sqlite:"), None).is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, expect) in [
            ("postgres://u:hunter2@h:5/d", "postgres://u:***@h:5/d"),
            ("postgres://h/d?password=hunter2", "postgres://h/d?***"),
            ("postgres://u:a@hunter2@h/d", "postgres://u:***@h/d"),
            ("sqlite:/a", "sqlite:/a"),
        ] {
            let dsn = Dsn::from(url);
            let json = serde_json::to_string(&dsn).expect("a text");
            assert_eq!(format!("{dsn} {dsn:?}"), format!("{expect} {expect}"));
            assert_eq!(json, format!("\"{expect}\""));
        }
    }
}
