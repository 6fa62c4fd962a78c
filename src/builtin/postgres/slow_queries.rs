//! `slow_queries`: what runs for a long time now, and what took long so far.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::cells::{self, cut, seconds, text};
use crate::builtin::postgres::failure;
use crate::builtin::postgres::query_text::ASKED_LETTERS;
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowQueries {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// Only queries that have run for so many seconds already.
    #[serde(default = "usual_seconds")]
    #[schemars(range(min = 0))]
    min_seconds: f64,
    /// By what the history is ordered: `mean`, the time of one execution, or `total`, the time of all together.
    #[serde(default)]
    history_by: By,
    /// At most so many of each list.
    #[serde(default = "usual_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    #[default]
    Mean,
    Total,
}

/// What runs, and what ran.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Slow {
    /// What runs now, in all databases of the server, the longest first.
    queries: Vec<Running>,
    /// What took longest so far, from `pg_stat_statements`; `null` where that cannot be read, see `notes`.
    history: Option<Vec<Statement>>,
    notes: Vec<String>,
}

/// A query that runs.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Running {
    /// The process of its session; `terminate_query` takes it.
    pid: i32,
    /// When the session began; with it `terminate_query` never hits another one.
    backend_start: Option<String>,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    client: Option<String>,
    seconds: f64,
    transaction_seconds: Option<f64>,
    /// What it waits for, such as `Lock: transactionid`; `null` while it computes.
    waits_for: Option<String>,
    /// The same number as in the history, from version 14 on and where the server computes it.
    query_id: Option<String>,
    query: Option<String>,
}

/// A statement with all its executions, constants left out.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Statement {
    query_id: Option<String>,
    database: Option<String>,
    user: Option<String>,
    calls: i64,
    mean_ms: f64,
    max_ms: f64,
    total_ms: f64,
    rows: i64,
    query: Option<String>,
}

/// Where `pg_stat_statements` is, if it is there.
#[derive(Deserialize)]
struct Extension {
    schema: String,
    version: String,
    is_new_enough: bool,
}

/// Lists what runs for longer than that, and the history.
pub(super) async fn run(
    session: &mut Session,
    wanted: &SlowQueries,
) -> Result<Worded<Slow>, ToolError> {
    let limit = wanted.limit.clamp(1, 200);
    let mut notes: Vec<String> = session.hidden().into_iter().collect();
    let mut queries = running(session, wanted.min_seconds, limit).await?;
    let more = cut(&mut queries, limit as usize);
    notes.extend(more.map(|more| format!("Of the queries that run now: {more}")));
    let history = match history(session, wanted.history_by, limit).await? {
        Ok(statements) => Some(statements),
        Err(why) => {
            notes.push(format!("No history: {why}"));
            None
        }
    };
    let words = words(&queries, history.as_deref(), wanted);
    let value = Slow {
        queries,
        history,
        notes,
    };
    Ok(Worded {
        words: cells::with_notes(words, &value.notes),
        value,
    })
}

async fn running(
    session: &mut Session,
    min_seconds: f64,
    limit: u32,
) -> Result<Vec<Running>, ToolError> {
    // `query_id` came with version 14.
    let sql = format!(
        "SELECT a.pid, a.backend_start, a.usename AS \"user\", a.datname AS database,
                a.application_name AS application, host(a.client_addr) AS client,
                extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS seconds,
                extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
                a.wait_event_type || ': ' || a.wait_event AS waits_for,
                to_jsonb(a) ->> 'query_id' AS query_id, left(a.query, {ASKED_LETTERS}) AS query
         FROM pg_stat_activity a
         WHERE a.state IN ('active', 'fastpath function call') AND a.backend_type = 'client backend'
           AND a.pid <> pg_backend_pid() AND clock_timestamp() - a.query_start >= make_interval(secs => $1)
         ORDER BY seconds DESC, a.pid LIMIT $2"
    );
    let asked = question(&sql)
        .bind(min_seconds.clamp(0.0, 1e9))
        .bind(i64::from(limit) + 1);
    let mut found: Vec<Running> = session.rows(asked).await?;
    for query in &mut found {
        query.query = session.shown(query.query.take());
    }
    Ok(found)
}

/// The history, or why there is none. Comes last: its errors end what the transaction can do.
async fn history(
    session: &mut Session,
    by: By,
    limit: u32,
) -> Result<Result<Vec<Statement>, String>, ToolError> {
    let database = session.server.database.clone();
    let create = format!("CREATE EXTENSION pg_stat_statements in the database `{database}`");
    let load = "put it into `shared_preload_libraries` and restart the server";
    let found: Vec<Extension> = session
        .rows(question(
            "SELECT quote_ident(n.nspname) AS schema, e.extversion AS version,
                    string_to_array(e.extversion, '.')::int[] >= '{1,8}' AS is_new_enough
             FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'",
        ))
        .await?;
    let Some(extension) = found.first() else {
        return Ok(Err(format!(
            "the extension pg_stat_statements is not there. {create}, and where it is not loaded yet, {load}."
        )));
    };
    if !extension.is_new_enough {
        return Ok(Err(format!(
            "pg_stat_statements is still of version {}. ALTER EXTENSION pg_stat_statements UPDATE brings it up.",
            extension.version
        )));
    }
    let column = match by {
        By::Mean => "mean_exec_time",
        By::Total => "total_exec_time",
    };
    let sql = format!(
        "SELECT s.queryid::text AS query_id, d.datname AS database, r.rolname AS \"user\", s.calls,
                s.mean_exec_time AS mean_ms, s.max_exec_time AS max_ms, s.total_exec_time AS total_ms,
                s.rows, left(s.query, {ASKED_LETTERS}) AS query
         FROM {}.pg_stat_statements s LEFT JOIN pg_database d ON d.oid = s.dbid LEFT JOIN pg_roles r ON r.oid = s.userid
         ORDER BY s.{column} DESC, s.queryid LIMIT $1",
        extension.schema
    );
    let found = session
        .try_rows::<Statement>(question(&sql).bind(i64::from(limit)))
        .await;
    Ok(match found {
        Ok(mut statements) => {
            for statement in &mut statements {
                statement.query = session.shown(statement.query.take());
            }
            Ok(statements)
        }
        Err(error) if failure::is(&error, "55000") => {
            Err(format!("pg_stat_statements is not loaded: {load}."))
        }
        Err(error) => Err(failure::said(&session.database.name, &error)
            .message()
            .to_owned()),
    })
}

fn words(queries: &[Running], history: Option<&[Statement]>, wanted: &SlowQueries) -> String {
    let mut table = Table::new([
        "PID",
        "BACKEND START",
        "USER",
        "DATABASE",
        "SECONDS",
        "WAITS FOR",
        "QUERY",
    ]);
    for query in queries {
        table.row([
            query.pid.to_string(),
            text(query.backend_start.as_deref()),
            text(query.user.as_deref()),
            text(query.database.as_deref()),
            seconds(Some(query.seconds)),
            text(query.waits_for.as_deref()),
            text(query.query.as_deref()),
        ]);
    }
    let nothing = format!("No query has run for {} s.\n", wanted.min_seconds);
    let mut words = table.render(&nothing);
    let Some(history) = history else { return words };
    let mut table = Table::new(["MEAN MS", "CALLS", "TOTAL MS", "DATABASE", "QUERY"]);
    for statement in history {
        table.row([
            format!("{:.1}", statement.mean_ms),
            statement.calls.to_string(),
            format!("{:.0}", statement.total_ms),
            text(statement.database.as_deref()),
            text(statement.query.as_deref()),
        ]);
    }
    words.push_str(match wanted.history_by {
        By::Mean => "\nSo far, by the time of one execution:\n",
        By::Total => "\nSo far, by the time of all executions:\n",
    });
    words.push_str(&table.render("Nothing is known yet.\n"));
    words
}

fn usual_seconds() -> f64 {
    5.0
}

fn usual_limit() -> u32 {
    20
}
