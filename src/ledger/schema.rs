//! The tables, and how an older database comes to have them.

use crate::ledger::engine::{Engine, Statement, StoreError};

/// What each version adds to the one before, in statements for every database; `{key}` is the type of a primary key that
/// rows are kept in the order of. What is here is never changed: a change is another version.
const VERSIONS: [&[&str]; 1] = [&[
    "CREATE TABLE calls (
        id {key}, began_ms BIGINT NOT NULL, writer BIGINT NOT NULL, principal TEXT NOT NULL, session TEXT,
        incident BIGINT, method TEXT NOT NULL, tool TEXT NOT NULL, plugin TEXT, runtime TEXT, era TEXT NOT NULL,
        taken_us BIGINT, outcome TEXT NOT NULL, reason TEXT, arguments_sha256 TEXT, dry_run BIGINT NOT NULL,
        approval TEXT, replay_of BIGINT)",
    "CREATE INDEX calls_of_incident ON calls (incident, id) WHERE incident IS NOT NULL",
    "CREATE INDEX calls_of_tool ON calls (tool, id)",
    "CREATE INDEX calls_of_plugin ON calls (plugin, id)",
    "CREATE INDEX calls_of_principal ON calls (principal, id)",
    "CREATE INDEX calls_of_outcome ON calls (outcome, id)",
    "CREATE TABLE bodies (call {key}, arguments TEXT, result TEXT, redacted BIGINT NOT NULL)",
    "CREATE TABLE incidents (
        id {key}, title TEXT NOT NULL, closed_ms BIGINT, principal TEXT NOT NULL, session TEXT, session_key TEXT,
        shared BIGINT NOT NULL, calls BIGINT NOT NULL, errors BIGINT NOT NULL, latest BIGINT NOT NULL,
        is_open BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX incident_of_session ON incidents (session_key) WHERE session_key IS NOT NULL",
    "CREATE INDEX incidents_open ON incidents (is_open, id)",
    "CREATE INDEX incidents_of_principal ON incidents (principal, id)",
    "CREATE INDEX incidents_latest ON incidents (latest)",
    "CREATE TABLE notes (id {key}, incident BIGINT NOT NULL, kind TEXT NOT NULL, principal TEXT NOT NULL,
        data TEXT NOT NULL)",
    "CREATE INDEX notes_of_incident ON notes (incident, id)",
    "CREATE TABLE life (id {key}, plugin TEXT NOT NULL, event TEXT NOT NULL, state TEXT, error TEXT)",
    "CREATE INDEX life_of_plugin ON life (plugin, id)",
    "CREATE TABLE denials (id {key}, principal TEXT, what TEXT NOT NULL, scope TEXT, path TEXT, remote TEXT,
        count BIGINT NOT NULL)",
    "CREATE INDEX denials_of_principal ON denials (principal, id)",
    "CREATE TABLE documents (kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name))",
    "CREATE TABLE writers (id {key}, seen_ms BIGINT NOT NULL)",
]];

/// Brings the database to the newest version. `lock` keeps others from doing the same at the same time, until the end of
/// the transaction.
pub(super) async fn migrate(
    engine: &dyn Engine,
    key: &str,
    lock: Option<&'static str>,
) -> Result<(), StoreError> {
    let table = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
    engine.run(vec![Statement::new(table)]).await?;
    for (version, statements) in (1_u64..).zip(VERSIONS) {
        let known = version_of(engine).await?;
        if known > VERSIONS.len() as u64 {
            return Err(StoreError(format!(
                "its tables are of version {known}, and this gateway knows {} only: use the newer gateway",
                VERSIONS.len()
            )));
        }
        if known >= version {
            continue;
        }
        let mut steps: Vec<Statement> = lock.map(Statement::new).into_iter().collect();
        steps.push(Statement::new("INSERT INTO schema_version VALUES (?)").bind(version));
        let texts = statements.iter().map(|text| text.replace("{key}", key));
        steps.extend(texts.map(Statement::new));
        // Another gateway may have been faster.
        if let Err(error) = engine.run(steps).await
            && version_of(engine).await? < version
        {
            return Err(error);
        }
    }
    Ok(())
}

async fn version_of(engine: &dyn Engine) -> Result<u64, StoreError> {
    let query = Statement::new("SELECT MAX(version) FROM schema_version");
    let mut rows = engine.query(query).await?;
    Ok(rows.first_mut().map_or(0, |row| row.number()))
}
