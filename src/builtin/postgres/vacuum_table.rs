//! `vacuum_table`: vacuums one table.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::builtin::postgres::cells::{bytes, with_notes};
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::postgres::table_name;
use crate::plugin::{ToolContext, ToolError, Worded};

/// How long a table may be vacuumed; less than the call may take, so that it is the server that says so.
const VACUUM_MS: u32 = 590_000;

/// How soon the server must notice that nobody waits for it any more.
const NOTICED_MS: u32 = 500;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// How long the statistics get to tell of it, and how often they are looked at.
const COUNTED: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(50);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VacuumTable {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// The table: its name as `table_bloat` lists it, or as SQL writes it, such as `shop.orders` or `"Orders"`.
    table: String,
    /// The schema it is in; `public` where neither this nor the name says so.
    #[serde(default)]
    schema: Option<String>,
    /// Whether the planner's statistics are gathered anew, too.
    #[serde(default = "yes")]
    analyze: bool,
}

/// A table that was vacuumed, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Vacuumed {
    /// Whether the server has counted the vacuum.
    done: bool,
    dry_run: bool,
    table: String,
    statement: String,
    took_ms: f64,
    before: Sizes,
    /// The same afterwards; `null` in a dry run.
    after: Option<Sizes>,
    notes: Vec<String>,
}

/// How much of a table there is, all its partitions taken together.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
struct Sizes {
    table_bytes: i64,
    index_bytes: i64,
    live_rows: i64,
    dead_rows: i64,
    /// How often it was vacuumed by hand.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    vacuums: i64,
}

/// How far the server says it is.
#[derive(Deserialize)]
struct Progress {
    phase: String,
    done: f64,
    total: f64,
}

/// Vacuums it.
pub(super) async fn run(
    session: &mut Session,
    wanted: &VacuumTable,
    context: &ToolContext,
) -> Result<Worded<Vacuumed>, ToolError> {
    if session.server.is_replica {
        return Err(ToolError::new(format!(
            "`{}` is on a replica, where nothing can be vacuumed: vacuum on its primary, whose work is replayed here",
            session.database.name
        )));
    }
    let found = table_name::find(session, wanted.schema.as_deref(), &wanted.table).await?;
    let table = found.name;
    let before = sizes(session, found.oid).await?;
    // The name is the catalog's, in its own quotes. It cannot be a parameter, nor be in a transaction.
    let statement = match wanted.analyze {
        true => format!("VACUUM (ANALYZE) {table}"),
        false => format!("VACUUM {table}"),
    };
    let mut value = Vacuumed {
        done: false,
        dry_run: !session.may_change,
        table,
        statement,
        took_ms: 0.0,
        before,
        after: None,
        notes: Vec::new(),
    };
    if value.dry_run {
        let words = format!(
            "Dry run: would do `{}`: {}. Nothing was done.",
            value.statement,
            told(&value.before)
        );
        return Ok(Worded { words, value });
    }
    let begun = Instant::now();
    vacuum(session, &value.statement, context).await?;
    value.took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let after = counted(session, found.oid, value.before.vacuums).await?;
    value.done = after.vacuums > value.before.vacuums;
    value.notes.extend(noticed(value.done, &after));
    let words = format!(
        "Did `{}` in {:.0} ms. Before: {}. After: {}.",
        value.statement,
        value.took_ms,
        told(&value.before),
        told(&after)
    );
    value.after = Some(after);
    Ok(Worded {
        words: with_notes(words, &value.notes),
        value,
    })
}

/// What is odd about how it is now.
fn noticed(done: bool, after: &Sizes) -> Option<String> {
    let noticed = match (done, after.dead_rows) {
        (false, _) => {
            "The server has not counted the vacuum: it may have left the table out; see its log."
        }
        (true, 0) => return None,
        (true, _) => {
            "Rows that are dead and stay may still be seen by an old transaction, a replica or a slot: see `active_connections` and `replication_lag`."
        }
    };
    Some(noticed.to_owned())
}

/// Sends it, and tells the caller how far it is. Who stops waiting drops the session, and with it the socket: from version
/// 14 on the server notices that, and stops as well.
async fn vacuum(
    session: &mut Session,
    statement: &str,
    context: &ToolContext,
) -> Result<(), ToolError> {
    let noticing = format!(
        "SELECT set_config('client_connection_check_interval', '{NOTICED_MS}ms', false)
         FROM pg_settings WHERE name = 'client_connection_check_interval'"
    );
    // Some systems have no way to notice; the vacuum is bounded all the same.
    session.try_command(noticing).await.ok();
    session.allow(VACUUM_MS).await?;
    let (database, pid) = (Arc::clone(&session.database), session.server.pid);
    let work = session.command(statement.to_owned());
    tokio::pin!(work);
    let mut ticks = tokio::time::interval_at(Instant::now() + TELL, TELL);
    let wants_progress = context.meta().get("progressToken").is_some();
    let mut furthest = 0.0;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick(), if wants_progress => {
                // How far it is matters less than that it goes on.
                let Ok(mut other) = Session::look(&database).await else { continue };
                let far = progress(&mut other, pid).await;
                other.end().await;
                if let Ok(Some(far)) = far && far.done > furthest {
                    furthest = far.done;
                    context.progress(far.done, Some(far.total), Some(&far.phase));
                }
            }
        }
    }
}

/// Blocks of the table that are scanned and vacuumed, each counted for both.
async fn progress(session: &mut Session, pid: i32) -> Result<Option<Progress>, ToolError> {
    let asked = question(
        "SELECT phase, (heap_blks_scanned + heap_blks_vacuumed)::float8 AS done, (2 * heap_blks_total)::float8 AS total
         FROM pg_stat_progress_vacuum WHERE pid = $1",
    );
    Ok(session.rows(asked.bind(pid)).await?.pop())
}

async fn sizes(session: &mut Session, oid: i64) -> Result<Sizes, ToolError> {
    let asked = question(
        "SELECT coalesce(sum(pg_table_size(t.oid)), 0)::int8 AS table_bytes, coalesce(sum(pg_indexes_size(t.oid)), 0)::int8 AS index_bytes,
                coalesce(sum(pg_stat_get_live_tuples(t.oid)), 0)::int8 AS live_rows,
                coalesce(sum(pg_stat_get_dead_tuples(t.oid)), 0)::int8 AS dead_rows,
                coalesce(sum(pg_stat_get_vacuum_count(t.oid)), 0)::int8 AS vacuums
         FROM (SELECT $1::int8::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::int8::oid::regclass)) t",
    );
    session.row(asked.bind(oid)).await
}

/// The sizes once the statistics have counted the vacuum, or when they had time to.
async fn counted(session: &mut Session, oid: i64, vacuums: i64) -> Result<Sizes, ToolError> {
    let until = Instant::now() + COUNTED;
    loop {
        let now = sizes(session, oid).await?;
        if now.vacuums > vacuums || Instant::now() >= until {
            return Ok(now);
        }
        tokio::time::sleep(TICK).await;
    }
}

fn told(sizes: &Sizes) -> String {
    format!(
        "{} dead rows, {} live, table {}, indexes {}",
        sizes.dead_rows,
        sizes.live_rows,
        bytes(Some(sizes.table_bytes)),
        bytes(Some(sizes.index_bytes))
    )
}

fn yes() -> bool {
    true
}
