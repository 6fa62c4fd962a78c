//! How far replicas are behind, and how much of a table is dead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::activity::or_dash;
use crate::builtin::postgres::connections::{Database, said};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableBloat {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// Only tables with so many dead rows; 1,000 if not given.
    #[serde(default)]
    #[schemars(range(min = 0))]
    min_dead_rows: Option<i64>,
    /// At most so many, 20 if not given; 200 is the most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    limit: Option<i64>,
}

/// How far replicas are behind.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Replication {
    /// `primary` or `replica`.
    role: String,
    /// Those that stream from this server.
    replicas: Vec<Replica>,
    /// Of a replica: seconds since the last transaction that it replayed was committed. Grows also while there is nothing
    /// to replay, unless `is_caught_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_age_seconds: Option<f64>,
    /// Of a replica: whether it has replayed all that it received.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_caught_up: Option<bool>,
    /// Slots that keep what nobody has read yet.
    slots: Vec<Slot>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Replica {
    application: Option<String>,
    client: Option<String>,
    state: Option<String>,
    sync_state: Option<String>,
    /// Bytes that it has not replayed yet.
    replay_lag_bytes: Option<i64>,
    /// Seconds between a commit here and its replay there, as measured last.
    replay_lag_seconds: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Slot {
    name: String,
    is_active: bool,
    kept_bytes: Option<i64>,
}

/// Tables with dead rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Bloat {
    tables: Vec<Bloated>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Bloated {
    schema: String,
    table: String,
    /// Bytes, indexes included.
    size_bytes: i64,
    live_rows: i64,
    dead_rows: i64,
    /// The dead among all rows, in percent.
    dead_percent: f64,
    last_vacuum: Option<String>,
    last_autovacuum: Option<String>,
}

/// How far replicas are behind this server, or this replica behind its primary.
pub(super) async fn replication_lag(database: &Database) -> Result<Worded<Replication>, ToolError> {
    let mut look = database.look().await?;
    let is_replica: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(&mut *look)
        .await
        .map_err(|err| said(&err))?;
    let replicas = replicas(&mut look).await?;
    let slots = slots(&mut look).await?;
    let (replay_age_seconds, is_caught_up) = match is_replica {
        false => (None, None),
        true => sqlx::query_as(
            "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
                    pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()",
        )
        .fetch_one(&mut *look)
        .await
        .map_err(|err| said(&err))?,
    };
    let value = Replication {
        role: if is_replica { "replica" } else { "primary" }.to_owned(),
        replicas,
        replay_age_seconds,
        is_caught_up,
        slots,
    };
    Ok(Worded {
        words: words(&value),
        value,
    })
}

async fn replicas(look: &mut sqlx::PgConnection) -> Result<Vec<Replica>, ToolError> {
    type Row = (
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<i64>,
        Option<f64>,
    );
    // A replica has no position of its own to write at; what it has received is as far as others can be.
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT application_name, client_addr::text, state, sync_state,
                pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)::int8,
                extract(epoch FROM replay_lag)::float8
         FROM pg_stat_replication ORDER BY application_name, pid",
    )
    .fetch_all(look)
    .await
    .map_err(|err| said(&err))?;
    let replicas = rows.into_iter().map(|row| {
        let (application, client, state, sync_state, replay_lag_bytes, replay_lag_seconds) = row;
        Replica {
            application,
            client,
            state,
            sync_state,
            replay_lag_bytes,
            replay_lag_seconds,
        }
    });
    Ok(replicas.collect())
}

async fn slots(look: &mut sqlx::PgConnection) -> Result<Vec<Slot>, ToolError> {
    let rows: Vec<(String, bool, Option<i64>)> = sqlx::query_as(
        "SELECT slot_name::text, active,
                pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::int8
         FROM pg_replication_slots ORDER BY slot_name",
    )
    .fetch_all(look)
    .await
    .map_err(|err| said(&err))?;
    let slots = rows.into_iter().map(|(name, is_active, kept_bytes)| Slot {
        name,
        is_active,
        kept_bytes,
    });
    Ok(slots.collect())
}

fn words(found: &Replication) -> String {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    let bytes = |value: Option<i64>| value.map_or("–".to_owned(), |value| value.to_string());
    let mut words = format!("This server is a {}.\n", found.role);
    if let Some(caught_up) = found.is_caught_up {
        let age = number(found.replay_age_seconds);
        words.push_str(match caught_up {
            true => "It has replayed all that it received.\n",
            false => "It has received more than it has replayed.\n",
        });
        words.push_str(&format!(
            "The last transaction that it replayed is {age} s old.\n"
        ));
    }
    let mut table = Table::new([
        "REPLICA",
        "CLIENT",
        "STATE",
        "SYNC",
        "LAG BYTES",
        "LAG SECONDS",
    ]);
    for replica in &found.replicas {
        table.row([
            or_dash(replica.application.as_deref()),
            or_dash(replica.client.as_deref()),
            or_dash(replica.state.as_deref()),
            or_dash(replica.sync_state.as_deref()),
            bytes(replica.replay_lag_bytes),
            number(replica.replay_lag_seconds),
        ]);
    }
    words.push_str(&table.render("Nobody streams from it.\n"));
    if !found.slots.is_empty() {
        let mut table = Table::new(["SLOT", "ACTIVE", "KEPT BYTES"]);
        for slot in &found.slots {
            let active = if slot.is_active { "yes" } else { "no" };
            table.row([slot.name.clone(), active.to_owned(), bytes(slot.kept_bytes)]);
        }
        words.push_str(&table.render(""));
    }
    words
}

/// The tables with the most dead rows, by what the statistics say.
pub(super) async fn table_bloat(
    database: &Database,
    wanted: &TableBloat,
) -> Result<Worded<Bloat>, ToolError> {
    type Row = (
        String,
        String,
        i64,
        i64,
        i64,
        Option<String>,
        Option<String>,
    );
    let mut look = database.look().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT schemaname::text, relname::text, pg_total_relation_size(relid), n_live_tup, n_dead_tup,
                last_vacuum::text, last_autovacuum::text
         FROM pg_stat_user_tables WHERE n_dead_tup >= $1
         ORDER BY n_dead_tup DESC, 1, 2 LIMIT $2",
    )
    .bind(wanted.min_dead_rows.unwrap_or(1_000).max(0))
    .bind(wanted.limit.unwrap_or(20).clamp(1, 200))
    .fetch_all(&mut *look)
    .await
    .map_err(|err| said(&err))?;
    let mut table = Table::new([
        "TABLE",
        "DEAD ROWS",
        "LIVE ROWS",
        "DEAD %",
        "BYTES",
        "VACUUMED",
    ]);
    let mut tables = Vec::new();
    for (schema, name, size_bytes, live_rows, dead_rows, last_vacuum, last_autovacuum) in rows {
        let all = (live_rows + dead_rows).max(1);
        let dead_percent = dead_rows as f64 * 100.0 / all as f64;
        let vacuumed = last_vacuum.as_deref().max(last_autovacuum.as_deref());
        table.row([
            format!("{schema}.{name}"),
            dead_rows.to_string(),
            live_rows.to_string(),
            format!("{dead_percent:.1}"),
            size_bytes.to_string(),
            vacuumed.unwrap_or("never").to_owned(),
        ]);
        tables.push(Bloated {
            schema,
            table: name,
            size_bytes,
            live_rows,
            dead_rows,
            dead_percent,
            last_vacuum,
            last_autovacuum,
        });
    }
    Ok(Worded {
        words: table.render("No table has that many dead rows."),
        value: Bloat { tables },
    })
}
