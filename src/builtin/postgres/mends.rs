//! What changes something: sessions are ended, tables are vacuumed.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::builtin::postgres::connections::{Database, said};
use crate::plugin::{ToolError, Worded};

/// How long a session gets to be gone after it was told to end.
const ENDING: Duration = Duration::from_secs(5);

/// How often that is looked at.
const TICK: Duration = Duration::from_millis(50);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TerminateQuery {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// The process of the session, as `slow_queries` and `lock_waits` name it.
    pid: i32,
    /// `cancel` ends the query and leaves the session; `terminate` (default) ends the session and rolls back its
    /// transaction.
    #[serde(default)]
    how: How,
    /// Says what would be ended, and ends nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    Cancel,
    #[default]
    Terminate,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillDeadlock {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// Only where someone waits for so many seconds already; 10 if not given.
    #[serde(default)]
    #[schemars(range(min = 0))]
    min_wait_seconds: Option<f64>,
    /// Says which session would be ended, and ends nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VacuumTable {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// The table, by its name alone.
    table: String,
    /// The schema it is in; `public` if not given.
    #[serde(default)]
    schema: Option<String>,
    /// Whether statistics are gathered anew, too; `true` if not given.
    #[serde(default)]
    analyze: Option<bool>,
    /// Says what would be done, and does nothing.
    #[serde(default)]
    dry_run: bool,
}

/// A session that was ended, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ended {
    /// Whether it is gone, or its query is.
    done: bool,
    dry_run: bool,
    /// The session; absent where there was none to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Session {
    pid: i32,
    user: Option<String>,
    application: Option<String>,
    state: Option<String>,
    query: Option<String>,
    /// How many sessions wait for it.
    blocks: i64,
}

/// A table that was vacuumed, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Vacuumed {
    table: String,
    dry_run: bool,
    statement: String,
    took_ms: f64,
    dead_rows_before: i64,
    dead_rows_after: i64,
}

/// Ends a query, or the session it belongs to.
pub(super) async fn terminate_query(
    database: &Database,
    wanted: &TerminateQuery,
) -> Result<Worded<Ended>, ToolError> {
    let session = session(database, wanted.pid).await?.ok_or_else(|| {
        ToolError::new(format!(
            "no client's session has the process {}: it may have ended; ask `slow_queries` again",
            wanted.pid
        ))
    })?;
    end(database, session, wanted.how, wanted.dry_run).await
}

/// Ends the session that others wait for the longest. PostgreSQL ends true deadlocks itself; what stays is a session that
/// holds locks and does not go on.
pub(super) async fn kill_deadlock(
    database: &Database,
    wanted: &KillDeadlock,
) -> Result<Worded<Ended>, ToolError> {
    // A root blocks others and waits for nobody; where there is none, they wait in a circle, and the youngest goes.
    let found: Option<i32> = sqlx::query_scalar(
        "WITH waiting AS (
             SELECT activity.pid, pg_blocking_pids(activity.pid) AS blockers, activity.xact_start,
                    coalesce((SELECT min(waitstart) FROM pg_locks WHERE pid = activity.pid AND NOT granted), activity.query_start) AS since
             FROM pg_stat_activity activity WHERE cardinality(pg_blocking_pids(activity.pid)) > 0
         ), late AS (
             SELECT * FROM waiting WHERE clock_timestamp() - since >= make_interval(secs => $1)
         ), roots AS (
             SELECT blocker AS pid, count(*) AS blocks, min(since) AS since FROM late, unnest(blockers) blocker
             WHERE blocker > 0 AND blocker NOT IN (SELECT pid FROM waiting) GROUP BY blocker
         )
         SELECT pid FROM (
             SELECT pid, 0 AS rank, blocks, since FROM roots
             UNION ALL
             SELECT pid, 1, 0, xact_start FROM late WHERE NOT EXISTS (SELECT 1 FROM roots) AND pid IN (SELECT unnest(blockers) FROM late)
         ) candidate
         ORDER BY rank, blocks DESC, CASE rank WHEN 0 THEN extract(epoch FROM since) ELSE -extract(epoch FROM since) END LIMIT 1",
    )
    .bind(wanted.min_wait_seconds.unwrap_or(10.0).max(0.0))
    .fetch_optional(&mut *database.look().await?)
    .await
    .map_err(|err| said(&err))?;
    let nothing = || Worded {
        words: "Nobody waits for a lock for that long: there is nothing to end.".to_owned(),
        value: Ended {
            done: false,
            dry_run: wanted.dry_run,
            session: None,
        },
    };
    let Some(pid) = found else {
        return Ok(nothing());
    };
    match session(database, pid).await? {
        Some(session) => end(database, session, How::Terminate, wanted.dry_run).await,
        None => Ok(nothing()),
    }
}

async fn session(database: &Database, pid: i32) -> Result<Option<Session>, ToolError> {
    type Row = (
        i32,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        i64,
    );
    let mut look = database.look().await?;
    let row: Option<Row> = sqlx::query_as(
        "SELECT pid, usename::text, application_name, state, left(query, 2000),
                (SELECT count(*) FROM pg_stat_activity waiting WHERE $1 = ANY (pg_blocking_pids(waiting.pid)))
         FROM pg_stat_activity WHERE pid = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
    .bind(pid)
    .fetch_optional(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    Ok(
        row.map(|(pid, user, application, state, query, blocks)| Session {
            pid,
            user,
            application,
            state,
            query,
            blocks,
        }),
    )
}

async fn end(
    database: &Database,
    session: Session,
    how: How,
    dry_run: bool,
) -> Result<Worded<Ended>, ToolError> {
    let pid = session.pid;
    let who = format!(
        "session {pid} of {} ({})",
        session.user.as_deref().unwrap_or("nobody"),
        session.query.as_deref().unwrap_or("no query")
    );
    let verb = match how {
        How::Cancel => "query of",
        How::Terminate => "whole",
    };
    if dry_run {
        return Ok(Worded {
            words: format!(
                "Would end the {verb} {who}, for which {} wait.",
                session.blocks
            ),
            value: Ended {
                done: false,
                dry_run,
                session: Some(session),
            },
        });
    }
    let asked = match how {
        How::Cancel => sqlx::query_scalar("SELECT pg_cancel_backend($1)"),
        How::Terminate => sqlx::query_scalar("SELECT pg_terminate_backend($1)"),
    };
    let told: bool = asked
        .bind(pid)
        .fetch_one(&database.pool)
        .await
        .map_err(|err| said(&err))?;
    let done = told && has_ended(database, pid, how).await?;
    Ok(Worded {
        words: match done {
            true => format!("Ended the {verb} {who}."),
            false => format!(
                "Told the {verb} {who} to end; it has not yet after {} s.",
                ENDING.as_secs()
            ),
        },
        value: Ended {
            done,
            dry_run,
            session: Some(session),
        },
    })
}

/// Waits until it is gone, or computes no more.
async fn has_ended(database: &Database, pid: i32, how: How) -> Result<bool, ToolError> {
    let begun = Instant::now();
    while begun.elapsed() < ENDING {
        let state: Option<Option<String>> =
            sqlx::query_scalar("SELECT state FROM pg_stat_activity WHERE pid = $1")
                .bind(pid)
                .fetch_optional(&database.pool)
                .await
                .map_err(|err| said(&err))?;
        match (state, how) {
            (None, _) => return Ok(true),
            (Some(state), How::Cancel) if state.as_deref() != Some("active") => return Ok(true),
            _ => tokio::time::sleep(TICK).await,
        }
    }
    Ok(false)
}

/// Vacuums one table, which the catalog must know.
pub(super) async fn vacuum_table(
    database: &Database,
    wanted: &VacuumTable,
) -> Result<Worded<Vacuumed>, ToolError> {
    let schema = wanted.schema.as_deref().unwrap_or("public");
    let dead = async || -> Result<Option<(String, i64)>, ToolError> {
        let found = sqlx::query_as(
            "SELECT quote_ident(nspname) || '.' || quote_ident(relname), coalesce(pg_stat_get_dead_tuples(relation.oid), 0)
             FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relnamespace
             WHERE nspname = $1 AND relname = $2 AND relkind IN ('r', 'm', 'p')",
        )
        .bind(schema)
        .bind(&wanted.table)
        .fetch_optional(&mut *database.look().await?)
        .await;
        found.map_err(|err| said(&err))
    };
    let Some((table, dead_rows_before)) = dead().await? else {
        return Err(ToolError::new(format!(
            "there is no table `{}` in the schema `{schema}`; give its name alone, as `table_bloat` lists it",
            wanted.table
        )));
    };
    let statement = match wanted.analyze.unwrap_or(true) {
        true => format!("VACUUM (ANALYZE) {table}"),
        false => format!("VACUUM {table}"),
    };
    if wanted.dry_run {
        return Ok(Worded {
            words: format!("Would do `{statement}`; {dead_rows_before} dead rows are known."),
            value: Vacuumed {
                table,
                dry_run: true,
                statement,
                took_ms: 0.0,
                dead_rows_before,
                dead_rows_after: dead_rows_before,
            },
        });
    }
    let begun = Instant::now();
    // The name is the catalog's, in its own quotes. It cannot be a parameter, nor be in a transaction.
    sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(&database.pool)
        .await
        .map_err(|err| said(&err))?;
    let took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let dead_rows_after = dead().await?.map_or(0, |(_, dead)| dead);
    Ok(Worded {
        words: format!(
            "Did `{statement}` in {took_ms:.0} ms: {dead_rows_before} dead rows before, {dead_rows_after} after."
        ),
        value: Vacuumed {
            table,
            dry_run: false,
            statement,
            took_ms,
            dead_rows_before,
            dead_rows_after,
        },
    })
}
