//! `table_bloat`: tables with dead rows, and whether anything removes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::cells::{self, bytes, cut};
use crate::builtin::postgres::failure;
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// The most tables that are measured: that reads much of each.
const MAX_MEASURED: usize = 3;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableBloat {
    /// Which database, by its name in the settings; may be left out where there is one. Only its own tables are listed.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// Only tables with at least so many dead rows.
    #[serde(default = "usual_rows")]
    #[schemars(range(min = 0))]
    min_dead_rows: u32,
    /// Only tables of this schema.
    #[serde(default)]
    schema: Option<String>,
    /// Measures the first three with `pgstattuple_approx`, where that extension is there, instead of estimating only. Reads
    /// much of these tables.
    #[serde(default)]
    measure: bool,
    /// At most so many tables.
    #[serde(default = "usual_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: u32,
}

/// Tables with dead rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Bloat {
    tables: Vec<Bloated>,
    notes: Vec<String>,
}

/// A table.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Bloated {
    schema: String,
    /// Its name; `vacuum_table` takes it, with the schema.
    table: String,
    /// Bytes of the table, without indexes. `null` while somebody holds it for himself alone.
    table_bytes: Option<i64>,
    index_bytes: Option<i64>,
    live_rows: i64,
    dead_rows: i64,
    dead_percent: f64,
    last_vacuum: Option<String>,
    last_autovacuum: Option<String>,
    is_autovacuum_on: bool,
    autovacuum_threshold: f64,
    is_behind: bool,
    is_being_vacuumed: bool,
    #[serde(default)]
    measured: Option<Measured>,
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    oid: i64,
}

/// What `pgstattuple_approx` has measured.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Measured {
    dead_bytes: i64,
    dead_percent: f64,
    free_bytes: i64,
    free_percent: f64,
    scanned_percent: f64,
}

/// Lists the tables with the most dead rows.
pub(super) async fn run(
    session: &mut Session,
    wanted: &TableBloat,
) -> Result<Worded<Bloat>, ToolError> {
    let limit = wanted.limit.clamp(1, 200);
    let mut tables = read(session, wanted, limit).await?;
    if let Some(schema) = wanted.schema.as_deref().filter(|_| tables.is_empty()) {
        is_there(session, schema).await?;
    }
    let mut notes = vec!["Rows are the server's estimates, from its statistics; they can be wrong after a crash or without ANALYZE.".to_owned()];
    notes.extend(cut(&mut tables, limit as usize).map(|more| format!("Of the tables: {more}")));
    if wanted.measure {
        notes.extend(measure(session, &mut tables).await?);
    }
    let value = Bloat { tables, notes };
    Ok(Worded {
        words: cells::with_notes(words(&value, wanted.min_dead_rows), &value.notes),
        value,
    })
}

async fn read(
    session: &mut Session,
    wanted: &TableBloat,
    limit: u32,
) -> Result<Vec<Bloated>, ToolError> {
    // Sizes wait for whoever holds a table for himself alone, so those are left out.
    let asked = question(
        "WITH found AS MATERIALIZED (
             SELECT s.*, c.reltuples,
                    (SELECT json_object_agg(option_name, option_value) FROM pg_options_to_table(c.reloptions)) AS options
             FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
             WHERE s.n_dead_tup >= $1 AND ($2::text IS NULL OR s.schemaname = $2)
             ORDER BY s.n_dead_tup DESC, s.schemaname, s.relname LIMIT $3
         ), known AS (
             SELECT f.*, current_setting('autovacuum')::bool AND coalesce((f.options ->> 'autovacuum_enabled')::bool, true) AS is_on,
                    coalesce(f.options ->> 'autovacuum_vacuum_threshold', current_setting('autovacuum_vacuum_threshold'))::float8
                      + coalesce(f.options ->> 'autovacuum_vacuum_scale_factor', current_setting('autovacuum_vacuum_scale_factor'))::float8
                      * greatest(f.reltuples, 0) AS threshold,
                    EXISTS (SELECT 1 FROM pg_locks l WHERE l.relation = f.relid AND l.granted AND l.mode = 'AccessExclusiveLock'
                              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS is_held
             FROM found f
         )
         SELECT k.relid::int8 AS oid, k.schemaname AS schema, k.relname AS \"table\",
                CASE WHEN NOT k.is_held THEN pg_table_size(k.relid) END AS table_bytes,
                CASE WHEN NOT k.is_held THEN pg_indexes_size(k.relid) END AS index_bytes,
                k.n_live_tup AS live_rows, k.n_dead_tup AS dead_rows,
                100.0 * k.n_dead_tup / greatest(k.n_live_tup + k.n_dead_tup, 1) AS dead_percent,
                k.last_vacuum, k.last_autovacuum, k.is_on AS is_autovacuum_on, k.threshold AS autovacuum_threshold,
                k.is_on AND k.n_dead_tup > k.threshold AS is_behind,
                EXISTS (SELECT 1 FROM pg_stat_progress_vacuum p WHERE p.relid = k.relid AND p.datname = current_database()) AS is_being_vacuumed
         FROM known k ORDER BY k.n_dead_tup DESC, k.schemaname, k.relname",
    );
    let asked = asked
        .bind(i64::from(wanted.min_dead_rows))
        .bind(wanted.schema.clone())
        .bind(i64::from(limit) + 1);
    session.rows(asked).await
}

/// Refuses a schema that is not there, with those that have tables.
async fn is_there(session: &mut Session, schema: &str) -> Result<(), ToolError> {
    #[derive(Deserialize)]
    struct Known {
        is_there: bool,
        others: Vec<String>,
    }
    let asked = question(
        "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1) AS is_there,
                ARRAY(SELECT DISTINCT schemaname::text FROM pg_stat_user_tables ORDER BY 1 LIMIT 20) AS others",
    );
    let known: Vec<Known> = session.rows(asked.bind(schema.to_owned())).await?;
    match known.first() {
        Some(known) if !known.is_there => Err(ToolError::new(format!(
            "there is no schema `{schema}` in this database; with tables there are: {}",
            known.others.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// Measures the first tables; says what did not go.
async fn measure(session: &mut Session, tables: &mut [Bloated]) -> Result<Vec<String>, ToolError> {
    #[derive(Deserialize)]
    struct Place {
        schema: String,
    }
    let places: Vec<Place> = session
        .rows(question(
            "SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
             WHERE e.extname = 'pgstattuple'",
        ))
        .await?;
    let Some(place) = places.first() else {
        return Ok(vec![
            "Nothing was measured: CREATE EXTENSION pgstattuple makes that possible.".to_owned(),
        ]);
    };
    let sql = format!(
        "SELECT dead_tuple_len AS dead_bytes, dead_tuple_percent AS dead_percent, approx_free_space AS free_bytes,
                approx_free_percent AS free_percent, scanned_percent
         FROM {}.pgstattuple_approx($1::int8::oid::regclass)",
        place.schema
    );
    let mut notes = Vec::new();
    for table in tables.iter_mut().take(MAX_MEASURED) {
        // One that cannot be measured does not end the transaction for the others.
        session.command("SAVEPOINT measured".to_owned()).await?;
        match session.try_rows(question(&sql).bind(table.oid)).await {
            Ok(mut rows) => table.measured = rows.pop(),
            Err(error) => {
                let said = failure::said(&session.database.name, &error);
                let name = format!("{}.{}", table.schema, table.table);
                notes.push(format!("`{name}` was not measured: {}", said.message()));
                session
                    .command("ROLLBACK TO SAVEPOINT measured".to_owned())
                    .await?;
            }
        }
    }
    if tables.len() > MAX_MEASURED {
        notes.push(format!(
            "Only the first {MAX_MEASURED} tables were measured."
        ));
    }
    Ok(notes)
}

impl Bloated {
    /// What autovacuum does about it, in words.
    fn autovacuum(&self) -> &'static str {
        match self {
            Self {
                is_being_vacuumed: true,
                ..
            } => "is at work",
            Self {
                is_autovacuum_on: false,
                ..
            } => "is off",
            Self {
                is_behind: true, ..
            } => "is behind",
            _ => "is not due",
        }
    }
}

fn words(found: &Bloat, min_dead_rows: u32) -> String {
    let heading = [
        "TABLE",
        "DEAD ROWS",
        "DEAD %",
        "LIVE ROWS",
        "TABLE SIZE",
        "INDEXES",
        "VACUUMED",
        "AUTOVACUUM",
    ];
    let mut table = Table::new(heading);
    for one in &found.tables {
        let vacuumed = one
            .last_vacuum
            .as_deref()
            .max(one.last_autovacuum.as_deref());
        // To the second.
        let vacuumed = vacuumed.map(|time| time.get(..19).unwrap_or(time));
        table.row([
            format!("{}.{}", one.schema, one.table),
            one.dead_rows.to_string(),
            format!("{:.1}", one.dead_percent),
            one.live_rows.to_string(),
            bytes(one.table_bytes),
            bytes(one.index_bytes),
            vacuumed.unwrap_or("never").to_owned(),
            one.autovacuum().to_owned(),
        ]);
    }
    let mut words = table.render(&format!("No table has {min_dead_rows} dead rows.\n"));
    for one in &found.tables {
        if let Some(measured) = &one.measured {
            words.push_str(&format!(
                "Measured, {}.{}: {} dead ({:.1} %), {} free ({:.1} %); {:.0} % of it was read.\n",
                one.schema,
                one.table,
                bytes(Some(measured.dead_bytes)),
                measured.dead_percent,
                bytes(Some(measured.free_bytes)),
                measured.free_percent,
                measured.scanned_percent,
            ));
        }
    }
    words
}

fn usual_rows() -> u32 {
    1_000
}

fn usual_limit() -> u32 {
    20
}
