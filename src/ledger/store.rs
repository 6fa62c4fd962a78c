//! What the ledger asks of its database: the same statements for each.

pub(super) mod calls;

mod cleaning;

mod documents;

pub(super) mod incidents;

pub(super) mod others;

use crate::ledger::config::Place;
use crate::ledger::engine::{Engine, Statement, StoreError};
use crate::ledger::postgres::PostgresEngine;
use crate::ledger::record::{Body, CallRow, DenialRow, Incident, LifeRow, NoteRow, Page};
use crate::ledger::sqlite::SqliteEngine;

/// How many values one statement may have. SQLite takes 32766, PostgreSQL twice that.
const MAX_VALUES: usize = 1_000;

/// The ledger's database.
pub(super) struct Store {
    pub(super) engine: Box<dyn Engine>,
    /// Whose rows are its own while they are open.
    pub(super) writer: u64,
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Those that are new. One that another gateway made for the same session wins.
    pub(super) incidents: Vec<Incident>,
    pub(super) calls: Vec<CallRow>,
    pub(super) bodies: Vec<(u64, Body)>,
    pub(super) life: Vec<LifeRow>,
    pub(super) denials: Vec<DenialRow>,
    pub(super) notes: Vec<NoteRow>,
}

impl Store {
    /// Opens the database, and makes what is missing in it. `writer` is a number that no other gateway has.
    pub(super) async fn open(place: &Place, writer: u64) -> Result<Self, StoreError> {
        let engine: Box<dyn Engine> = match place {
            Place::Off => return Err(StoreError("there is none".to_owned())),
            Place::Memory => Box::new(SqliteEngine::in_memory().await?),
            Place::File(path) => Box::new(SqliteEngine::open(path).await?),
            Place::Postgres(dsn) => Box::new(PostgresEngine::open(dsn).await?),
        };
        Ok(Self { engine, writer })
    }

    #[cfg(test)]
    pub(super) fn of(engine: impl Engine + 'static, writer: u64) -> Self {
        Self {
            engine: Box::new(engine),
            writer,
        }
    }

    /// What the database is called.
    pub(super) fn name(&self) -> &'static str {
        self.engine.name()
    }

    /// Writes all of it or nothing.
    pub(super) async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut statements = Vec::new();
        self.add_incidents(&batch.incidents, &mut statements);
        self.add_calls(&batch.calls, &mut statements);
        add_bodies(&batch.bodies, &mut statements);
        self.add_others(batch, &mut statements);
        self.engine.run(statements).await.map(drop)
    }

    pub(super) async fn bytes(&self) -> Result<u64, StoreError> {
        self.engine.bytes().await
    }

    pub(super) async fn close(&self) {
        self.engine.close().await;
    }

    /// How the database would answer a query.
    #[cfg(test)]
    pub(super) async fn plan(&self, mut statement: Statement) -> Result<String, StoreError> {
        let explain = match self.engine.name() {
            "sqlite" => "EXPLAIN QUERY PLAN ",
            _ => "EXPLAIN ",
        };
        statement.sql = format!("{explain}{}", statement.sql).into();
        let rows = self.engine.query(statement).await?;
        let rows = rows.into_iter().map(|mut row| {
            // SQLite says three numbers first.
            let numbers = [row.maybe_text(), row.maybe_text(), row.maybe_text()];
            let text = row.maybe_text();
            text.or(numbers.into_iter().flatten().next())
                .unwrap_or_default()
        });
        Ok(rows.collect::<Vec<_>>().join("\n"))
    }
}

fn add_bodies(bodies: &[(u64, Body)], statements: &mut Vec<Statement>) {
    let head = "INSERT INTO bodies (call, arguments, result, redacted) VALUES ";
    let tail = " ON CONFLICT (call) DO NOTHING";
    insert(
        statements,
        head,
        tail,
        bodies,
        4,
        |statement, (call, body)| {
            statement
                .bind(*call)
                .bind(body.arguments.clone())
                .bind(body.result.clone())
                .bind(body.redacted)
        },
    );
}

/// Adds statements that insert `rows` of `n` values each. How many are in one is a power of two, so that there are few
/// texts, which the database has all prepared.
fn insert<T>(
    statements: &mut Vec<Statement>,
    head: &'static str,
    tail: &str,
    rows: &[T],
    n: usize,
    bind: impl Fn(Statement, &T) -> Statement,
) {
    let row = format!("(?{})", ", ?".repeat(n - 1));
    let mut left = rows;
    while let Some(most) = (MAX_VALUES / n).min(left.len()).checked_ilog2() {
        let (chunk, rest) = left.split_at(1 << most);
        let mut statement = Statement::new(head);
        statement.say(&row);
        statement.say(&format!(", {row}").repeat(chunk.len() - 1));
        statement.say(tail);
        statement.values.reserve(chunk.len() * n);
        let statement = chunk.iter().fold(statement, &bind);
        debug_assert_eq!(statement.values.len(), chunk.len() * n);
        statements.push(statement);
        left = rest;
    }
}

/// Ends a query with the order and the bounds of a page.
fn paged(statement: &mut Statement, page: Page) {
    if let Some(before) = page.before {
        statement.push(" AND id < ", before);
    }
    statement.push(" ORDER BY id DESC LIMIT ", page.limit);
}
