//! The databases that the settings name. A model names one of them; it never says where it is.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool, Postgres, Transaction};

use crate::plugin::ToolError;

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one that is not used stays open.
const IDLE: Duration = Duration::from_secs(60);

/// The plugin's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The databases, by the names that callers use.
    pub(super) connections: BTreeMap<String, Connection>,
}

/// How one database is reached.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    /// `postgres://user:password@host:5432/database?sslmode=require`
    url: String,
    /// Milliseconds that one statement of the diagnostic tools may take.
    #[serde(default = "statement_timeout_ms")]
    statement_timeout_ms: u32,
}

/// The url holds a password.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// The databases.
#[derive(Default)]
pub(super) struct Connections(BTreeMap<String, Database>);

/// One of them.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) pool: PgPool,
    statement_timeout_ms: u32,
}

impl Connections {
    /// The databases of these settings. Connects to none of them yet.
    pub(super) fn of(settings: Settings) -> Result<Self, ToolError> {
        if settings.connections.is_empty() {
            return Err(ToolError::new(
                "no database is configured: give one as `connections.NAME.url` in the plugin's `config`",
            ));
        }
        let databases = settings.connections.into_iter().map(|(name, connection)| {
            let options = PgConnectOptions::from_str(&connection.url).map_err(|_| {
                // Not its error: that may quote the password.
                ToolError::new(format!(
                    "`connections.{name}.url` is not an address such as `postgres://user@host/database`"
                ))
            })?;
            let options = options.application_name("toolgate").disable_statement_logging();
            let pool = PgPoolOptions::new()
                .max_connections(3)
                .acquire_timeout(CONNECT)
                .idle_timeout(IDLE)
                .connect_lazy_with(options);
            let database = Database {
                pool,
                statement_timeout_ms: connection.statement_timeout_ms.max(1),
            };
            Ok::<_, ToolError>((name, database))
        });
        Ok(Self(databases.collect::<Result<_, _>>()?))
    }

    /// The database of that name; without a name the only one.
    pub(super) fn find(&self, name: Option<&str>) -> Result<&Database, ToolError> {
        let names = || {
            let names: Vec<_> = self.0.keys().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        match name {
            Some(name) => self.0.get(name).ok_or_else(|| {
                ToolError::new(format!(
                    "there is no connection `{name}`; there are {}",
                    names()
                ))
            }),
            None if self.0.len() == 1 => {
                let mut all = self.0.values();
                all.next()
                    .ok_or_else(|| ToolError::new("no database is configured"))
            }
            None => Err(ToolError::new(format!(
                "say which `connection`: {}",
                names()
            ))),
        }
    }

    /// Closes all that is open.
    pub(super) async fn close(&self) {
        for database in self.0.values() {
            database.pool.close().await;
        }
    }
}

impl Database {
    /// A transaction that can change nothing, and whose statements are bounded. Ends when it is dropped.
    pub(super) async fn look(&self) -> Result<Transaction<'static, Postgres>, ToolError> {
        let begun = self.pool.begin_with("BEGIN READ ONLY").await;
        let mut transaction = begun.map_err(|err| said(&err))?;
        let bound = format!("{}ms", self.statement_timeout_ms);
        sqlx::query("SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true)")
            .bind(bound)
            .execute(&mut *transaction)
            .await
            .map_err(|err| said(&err))?;
        Ok(transaction)
    }
}

/// What the database says, in a sentence. Never the address, which may hold a password.
pub(super) fn said(error: &sqlx::Error) -> ToolError {
    ToolError::new(match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            let advice = match code.as_str() {
                "57014" => "; it took longer than `statement_timeout_ms` allows",
                "42501" => {
                    "; the role of this connection may not do that (`pg_monitor` and `pg_signal_backend` help)"
                }
                "28P01" | "28000" => "; look at the connection's user and password",
                _ => "",
            };
            format!("PostgreSQL says: {} ({code}){advice}", error.message())
        }
        sqlx::Error::PoolTimedOut => format!(
            "the database could not be reached within {} s, or all its connections are in use",
            CONNECT.as_secs()
        ),
        sqlx::Error::Io(error) => format!("the database could not be reached: {error}"),
        sqlx::Error::Tls(error) => format!("the connection could not be secured: {error}"),
        other => format!("the database could not be asked: {other}"),
    })
}

fn statement_timeout_ms() -> u32 {
    5_000
}
