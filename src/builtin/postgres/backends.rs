//! Sessions as the server lists them, by their processes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::query_text::{self, ASKED_LETTERS};
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::postgres::settings::APPLICATION;
use crate::plugin::ToolError;

/// A session of the server.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
pub(super) struct Backend {
    pub(super) pid: i32,
    pub(super) backend_start: Option<String>,
    pub(super) backend_type: Option<String>,
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) application: Option<String>,
    pub(super) client: Option<String>,
    pub(super) state: Option<String>,
    pub(super) state_seconds: Option<f64>,
    pub(super) transaction_seconds: Option<f64>,
    pub(super) query_start: Option<String>,
    /// The query that it carries out, or else did last.
    pub(super) query: Option<String>,
    /// Whether it is one of this plugin's own.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub(super) is_own: bool,
    /// Whether it is an autovacuum that must not wait any longer.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub(super) is_against_wraparound: bool,
}

/// The columns of a [`Backend`], of `pg_stat_activity` as `a`.
pub(super) fn columns() -> String {
    format!(
        "a.pid, a.backend_start, a.backend_type, a.usename AS \"user\", a.datname AS database,
         a.application_name AS application, host(a.client_addr) AS client, a.state,
         extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS state_seconds,
         extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
         a.query_start, left(a.query, {ASKED_LETTERS}) AS query,
         a.pid = pg_backend_pid() OR (a.application_name = '{APPLICATION}' AND a.usename = current_user) IS TRUE AS is_own,
         (a.backend_type = 'autovacuum worker' AND a.query LIKE '%to prevent wraparound%') IS TRUE AS is_against_wraparound"
    )
}

/// The sessions of these processes that are still there.
pub(super) async fn of(session: &mut Session, pids: &[i32]) -> Result<Vec<Backend>, ToolError> {
    let sql = format!(
        "SELECT {} FROM pg_stat_activity a WHERE a.pid = ANY ($1) ORDER BY a.pid",
        columns()
    );
    let found = session.rows(question(&sql).bind(pids)).await?;
    Ok(shown(session, found))
}

/// The same, with their queries as they may be seen.
pub(super) fn shown(session: &Session, mut backends: Vec<Backend>) -> Vec<Backend> {
    for backend in &mut backends {
        backend.query = session.shown(backend.query.take());
    }
    backends
}

impl Backend {
    /// What is known of it, for whom is asked whether it may end; so much of its query in one line.
    pub(super) fn told(&self, letters: usize) -> String {
        let named = |name: &str, part: &Option<String>| {
            let part = part.as_deref().filter(|part| !part.is_empty())?;
            Some(format!("{name} `{part}`"))
        };
        let other = self.backend_type.as_deref();
        let other = other.filter(|kind| *kind != "client backend");
        let open = self.transaction_seconds;
        let parts = [
            other.map(str::to_owned),
            named("user", &self.user),
            named("database", &self.database),
            named("application", &self.application),
            self.state.clone(),
            open.map(|seconds| format!("in a transaction for {seconds:.0} s")),
        ];
        let mut told: Vec<String> = parts.into_iter().flatten().collect();
        if told.is_empty() {
            told.push("nothing more is known of it".to_owned());
        }
        let mut told = told.join(", ");
        if let Some(query) = self.query.as_deref().filter(|query| !query.is_empty()) {
            told.push_str(&format!(": `{}`", query_text::line(query, letters)));
        }
        told
    }

    /// Who it is, in words.
    pub(super) fn words(&self) -> String {
        let what = match self.backend_type.as_deref() {
            Some("client backend") | None => "session",
            Some(other) => other,
        };
        let mut words = format!("{what} {}", self.pid);
        for (before, part) in [(" of ", &self.user), (" in ", &self.database)] {
            if let Some(part) = part {
                words.push_str(&format!("{before}`{part}`"));
            }
        }
        match (&self.state, &self.query) {
            (Some(state), Some(query)) if !query.is_empty() => {
                words.push_str(&format!(" ({state}: {query})"));
            }
            (Some(state), _) => words.push_str(&format!(" ({state})")),
            (None, _) => {}
        }
        words
    }
}
