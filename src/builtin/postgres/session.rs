//! A session with a database: opened for one call, bounded in time, and gone with it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};
use tokio::sync::OwnedSemaphorePermit;

use crate::builtin::postgres::connections::Database;
use crate::builtin::postgres::{failure, query_text};
use crate::plugin::ToolError;

/// The oldest version whose views are known, as `server_version_num` has it.
const OLDEST: i32 = 130_000;

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long after its end the server has to say that a statement took too long.
const LATENESS: Duration = Duration::from_secs(2);

/// How long the server lets a session be that has been forgotten inside of a transaction.
const FORGOTTEN_MS: u32 = 60_000;

/// How long a lock is waited for. Longer than the second after which an autovacuum steps aside.
const LOCK_MS: u32 = 5_000;

/// A question whose rows come as one JSON array.
pub(super) type Question<'a> = QueryScalar<'a, Postgres, String, PgArguments>;

/// A session.
pub(super) struct Session {
    pub(super) database: Arc<Database>,
    pub(super) server: Server,
    /// Whether it may change anything.
    pub(super) may_change: bool,
    /// How long one statement is waited for: the server ends it before, if it still does anything.
    patience: Duration,
    connection: PgConnection,
    _slot: OwnedSemaphorePermit,
}

/// What the server says of itself, and of this session.
#[derive(Deserialize)]
pub(super) struct Server {
    /// As `server_version_num` has it: 150004.
    pub(super) version: i32,
    pub(super) is_replica: bool,
    /// Whether the role sees what other roles' sessions do.
    pub(super) sees_all: bool,
    pub(super) role: String,
    /// The database it is in.
    pub(super) database: String,
    pub(super) pid: i32,
}

impl Session {
    /// One in a transaction that can change nothing.
    pub(super) async fn look(database: &Arc<Database>) -> Result<Self, ToolError> {
        let mut session = Self::open(database, false).await?;
        let bound = database.statement_timeout_ms;
        // A lock is to be told from a statement that is slow.
        let lock = (bound / 2).clamp(1, LOCK_MS);
        let begin = format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL statement_timeout = {bound}; \
             SET LOCAL lock_timeout = {lock}; SET LOCAL idle_in_transaction_session_timeout = {FORGOTTEN_MS}"
        );
        session.command(begin).await?;
        session.ask_server().await?;
        Ok(session)
    }

    /// One that may change things, each statement in a transaction of its own.
    pub(super) async fn act(database: &Arc<Database>) -> Result<Self, ToolError> {
        let mut session = Self::open(database, true).await?;
        let bound = database.statement_timeout_ms;
        let set = format!(
            "SET search_path = pg_catalog; SET statement_timeout = {bound}; SET lock_timeout = {LOCK_MS}"
        );
        session.command(set).await?;
        session.ask_server().await?;
        Ok(session)
    }

    async fn open(database: &Arc<Database>, may_change: bool) -> Result<Self, ToolError> {
        let (connection, slot) = database.connect().await?;
        Ok(Self {
            database: Arc::clone(database),
            server: Server {
                version: 0,
                is_replica: false,
                sees_all: false,
                role: String::new(),
                database: String::new(),
                pid: 0,
            },
            may_change,
            patience: patience(database.statement_timeout_ms),
            connection,
            _slot: slot,
        })
    }

    async fn ask_server(&mut self) -> Result<(), ToolError> {
        let server = question(
            "SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS is_replica,
                    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all, current_user AS role,
                    current_database() AS database, pg_backend_pid() AS pid",
        );
        self.server = self.row(server).await?;
        if self.server.version < OLDEST {
            return Err(ToolError::new(format!(
                "`{}` is older than PostgreSQL 13",
                self.database.name
            )));
        }
        Ok(())
    }

    /// The rows of an answer.
    pub(super) async fn rows<T: DeserializeOwned>(
        &mut self,
        question: Question<'_>,
    ) -> Result<Vec<T>, ToolError> {
        let rows = self.try_rows(question).await;
        rows.map_err(|error| failure::said(&self.database.name, &error))
    }

    /// The rows of an answer, or the server's own error.
    pub(super) async fn try_rows<T: DeserializeOwned>(
        &mut self,
        question: Question<'_>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let asked = question.fetch_one(&mut self.connection);
        let text = within(self.patience, asked).await?;
        serde_json::from_str(&text).map_err(|err| sqlx::Error::Decode(err.into()))
    }

    /// The only row of an answer.
    pub(super) async fn row<T: DeserializeOwned>(
        &mut self,
        question: Question<'_>,
    ) -> Result<T, ToolError> {
        let row = self.rows(question).await?.pop();
        row.ok_or_else(|| ToolError::new(format!("`{}` answered nothing", self.database.name)))
    }

    /// Sends commands that are made of constants, numbers and what the catalog has quoted.
    pub(super) async fn command(&mut self, sql: String) -> Result<(), ToolError> {
        let done = self.try_command(sql).await;
        done.map_err(|error| failure::said(&self.database.name, &error))
    }

    /// The same, with the server's own error.
    pub(super) async fn try_command(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let sent = sqlx::raw_sql(AssertSqlSafe(sql));
        let sent = sent.execute(&mut self.connection);
        within(self.patience, sent).await.map(drop)
    }

    /// Lets each statement from now on take so many milliseconds.
    pub(super) async fn allow(&mut self, statement_timeout_ms: u32) -> Result<(), ToolError> {
        self.command(format!("SET statement_timeout = {statement_timeout_ms}"))
            .await?;
        self.patience = patience(statement_timeout_ms);
        Ok(())
    }

    /// Ends it, so that the server has nothing to wonder about.
    pub(super) async fn end(self) {
        // What has not ended by then ends with the socket.
        let goodbye = tokio::time::timeout(GOODBYE, self.connection.close());
        goodbye.await.ok();
    }

    /// A query's text as it may be seen.
    pub(super) fn shown(&self, text: Option<String>) -> Option<String> {
        let text = text.filter(|_| self.database.show_query_text)?;
        Some(query_text::shown(&text))
    }

    /// What a reader must know of what cannot be seen of other sessions.
    pub(super) fn hidden(&self) -> Option<String> {
        if self.server.sees_all {
            return None;
        }
        let role = &self.server.role;
        Some(format!(
            "Sessions of other roles are hidden from the role `{role}` in part: their states, times and queries are missing here. GRANT pg_monitor TO {role} shows them."
        ))
    }
}

/// How long to wait for a statement that the server is to end after so many milliseconds.
fn patience(statement_timeout_ms: u32) -> Duration {
    Duration::from_millis(statement_timeout_ms.into()) + LATENESS
}

/// Waits for an answer. A server that is silent longer is not asked again: what it says later is no answer to that.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let answer = tokio::time::timeout(patience, answer).await;
    answer.unwrap_or_else(|_| Err(failure::silent(patience)))
}

/// A question whose text is made of constants and what the catalog has quoted; what callers say is bound to it.
pub(super) fn question(sql: &str) -> Question<'static> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT coalesce(json_agg(found), '[]')::text FROM ({sql}) found"
    )))
}
