//! What the sessions of a database do: slow queries, waits for locks, connections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::connections::{Database, said};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// The most rows of one answer.
const MAX_ROWS: i64 = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowQueries {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// Only queries that run for so many seconds already; 5 if not given.
    #[serde(default)]
    #[schemars(range(min = 0))]
    min_seconds: Option<f64>,
    /// At most so many, 20 if not given; 200 is the most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    limit: Option<i64>,
}

/// Names a database.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
}

/// Queries that run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Slow {
    /// The longest first.
    queries: Vec<Running>,
    /// Those that took longest on the average so far, where the extension `pg_stat_statements` is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Statement>>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Running {
    pid: i32,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    client: Option<String>,
    seconds: f64,
    /// What it waits for, such as `Lock: transactionid`; absent when it computes.
    waits_for: Option<String>,
    query: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Statement {
    calls: i64,
    mean_ms: f64,
    total_ms: f64,
    query: Option<String>,
}

/// Who waits for whom.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Waits {
    waits: Vec<Wait>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Wait {
    pid: i32,
    user: Option<String>,
    seconds: f64,
    query: Option<String>,
    /// What kind of lock, and on what.
    lock: Option<String>,
    blocked_by: Vec<i32>,
    /// What the first of them does, or did last.
    blocker_query: Option<String>,
    blocker_state: Option<String>,
}

/// How many sessions there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Connected {
    max_connections: i64,
    used: i64,
    groups: Vec<Group>,
    /// The longest that any session has been idle inside of a transaction, in seconds.
    longest_idle_in_transaction: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Group {
    database: Option<String>,
    user: Option<String>,
    application: Option<String>,
    state: Option<String>,
    count: i64,
}

/// Queries that run for a while already.
pub(super) async fn slow_queries(
    database: &Database,
    wanted: &SlowQueries,
) -> Result<Worded<Slow>, ToolError> {
    type Row = (
        i32,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        f64,
        Option<String>,
        Option<String>,
    );
    let limit = wanted.limit.unwrap_or(20).clamp(1, MAX_ROWS);
    let mut look = database.look().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT pid, usename::text, datname::text, application_name, client_addr::text,
                extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds,
                wait_event_type || ': ' || wait_event, left(query, 2000)
         FROM pg_stat_activity
         WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
           AND clock_timestamp() - query_start >= make_interval(secs => $1)
         ORDER BY seconds DESC LIMIT $2",
    )
    .bind(wanted.min_seconds.unwrap_or(5.0).max(0.0))
    .bind(limit)
    .fetch_all(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    let queries: Vec<Running> = rows
        .into_iter()
        .map(|row| {
            let (pid, user, database, application, client, seconds, waits_for, query) = row;
            Running {
                pid,
                user,
                database,
                application,
                client,
                seconds,
                waits_for,
                query,
            }
        })
        .collect();
    let history = history(&mut look, limit).await?;
    let mut table = Table::new(["PID", "USER", "DATABASE", "SECONDS", "WAITS FOR", "QUERY"]);
    for query in &queries {
        table.row([
            query.pid.to_string(),
            or_dash(query.user.as_deref()),
            or_dash(query.database.as_deref()),
            format!("{:.1}", query.seconds),
            or_dash(query.waits_for.as_deref()),
            or_dash(query.query.as_deref()),
        ]);
    }
    let mut words = table.render("No query runs for that long.");
    if let Some(history) = &history {
        let mut table = Table::new(["MEAN MS", "CALLS", "TOTAL MS", "QUERY"]);
        for statement in history {
            table.row([
                format!("{:.1}", statement.mean_ms),
                statement.calls.to_string(),
                format!("{:.0}", statement.total_ms),
                or_dash(statement.query.as_deref()),
            ]);
        }
        words.push_str("\nSlowest on the average so far:\n");
        words.push_str(&table.render("Nothing is known yet."));
    }
    let value = Slow { queries, history };
    Ok(Worded { words, value })
}

async fn history(
    look: &mut sqlx::PgConnection,
    limit: i64,
) -> Result<Option<Vec<Statement>>, ToolError> {
    let readable: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements' AND string_to_array(extversion, '.')::int[] >= '{1,8}')
            AND has_table_privilege(to_regclass('pg_stat_statements'), 'SELECT') IS TRUE",
    )
    .fetch_one(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    if !readable {
        return Ok(None);
    }
    // It may be created and still not be loaded; its error ends what the transaction can do, so it comes last.
    let rows: Result<Vec<(i64, f64, f64, Option<String>)>, _> = sqlx::query_as(
        "SELECT calls, mean_exec_time, total_exec_time, left(query, 2000) FROM pg_stat_statements
         ORDER BY mean_exec_time DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(&mut *look)
    .await;
    Ok(rows.ok().map(|rows| {
        let rows = rows.into_iter();
        rows.map(|(calls, mean_ms, total_ms, query)| Statement {
            calls,
            mean_ms,
            total_ms,
            query,
        })
        .collect()
    }))
}

/// Who waits for a lock, and for whom.
pub(super) async fn lock_waits(database: &Database) -> Result<Worded<Waits>, ToolError> {
    type Row = (
        i32,
        Option<String>,
        f64,
        Option<String>,
        Option<String>,
        Vec<i32>,
        Option<String>,
        Option<String>,
    );
    let mut look = database.look().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT waiting.pid, waiting.usename::text,
                extract(epoch FROM clock_timestamp() - coalesce(lock.waitstart, waiting.query_start))::float8 AS seconds,
                left(waiting.query, 2000),
                lock.locktype || coalesce(' ' || lock.mode, '') || coalesce(' on ' || lock.relation::regclass::text, ''),
                pg_blocking_pids(waiting.pid), left(blocker.query, 2000), blocker.state
         FROM pg_stat_activity waiting
         LEFT JOIN LATERAL (SELECT * FROM pg_locks WHERE pid = waiting.pid AND NOT granted LIMIT 1) lock ON true
         LEFT JOIN pg_stat_activity blocker ON blocker.pid = (pg_blocking_pids(waiting.pid))[1]
         WHERE cardinality(pg_blocking_pids(waiting.pid)) > 0
         ORDER BY seconds DESC LIMIT $1",
    )
    .bind(MAX_ROWS)
    .fetch_all(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    let waits: Vec<Wait> = rows
        .into_iter()
        .map(|row| {
            let (pid, user, seconds, query, lock, blocked_by, blocker_query, blocker_state) = row;
            Wait {
                pid,
                user,
                seconds,
                query,
                lock,
                blocked_by,
                blocker_query,
                blocker_state,
            }
        })
        .collect();
    let mut table = Table::new([
        "PID",
        "SECONDS",
        "LOCK",
        "QUERY",
        "BLOCKED BY",
        "WHICH DOES",
    ]);
    for wait in &waits {
        let blockers: Vec<String> = wait.blocked_by.iter().map(i32::to_string).collect();
        table.row([
            wait.pid.to_string(),
            format!("{:.1}", wait.seconds),
            or_dash(wait.lock.as_deref()),
            or_dash(wait.query.as_deref()),
            blockers.join(" "),
            format!(
                "{} ({})",
                or_dash(wait.blocker_query.as_deref()),
                or_dash(wait.blocker_state.as_deref())
            ),
        ]);
    }
    Ok(Worded {
        words: table.render("Nobody waits for a lock."),
        value: Waits { waits },
    })
}

/// How many sessions there are, and whose.
pub(super) async fn active_connections(
    database: &Database,
) -> Result<Worded<Connected>, ToolError> {
    type Row = (
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        i64,
    );
    let mut look = database.look().await?;
    let (max_connections, used, longest): (i64, i64, Option<f64>) = sqlx::query_as(
        "SELECT current_setting('max_connections')::int8, count(*),
                max(extract(epoch FROM clock_timestamp() - state_change)::float8) FILTER (WHERE state LIKE 'idle in transaction%')
         FROM pg_stat_activity WHERE backend_type = 'client backend'",
    )
    .fetch_one(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT datname::text, usename::text, application_name, state, count(*)
         FROM pg_stat_activity WHERE backend_type = 'client backend'
         GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT $1",
    )
    .bind(MAX_ROWS)
    .fetch_all(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    let mut table = Table::new(["COUNT", "DATABASE", "USER", "APPLICATION", "STATE"]);
    let mut groups = Vec::new();
    for (database, user, application, state, count) in rows {
        table.row([
            count.to_string(),
            or_dash(database.as_deref()),
            or_dash(user.as_deref()),
            or_dash(application.as_deref()),
            or_dash(state.as_deref()),
        ]);
        groups.push(Group {
            database,
            user,
            application,
            state,
            count,
        });
    }
    let mut words = format!("{used} of {max_connections} connections are in use.\n");
    if let Some(longest) = longest {
        words.push_str(&format!(
            "The longest idle transaction is {longest:.0} s old.\n"
        ));
    }
    words.push_str(&table.render(""));
    Ok(Worded {
        words,
        value: Connected {
            max_connections,
            used,
            groups,
            longest_idle_in_transaction: longest,
        },
    })
}

/// A cell, or what stands where nothing is.
pub(super) fn or_dash(text: Option<&str>) -> String {
    match text {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => "–".to_owned(),
    }
}
