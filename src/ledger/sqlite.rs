//! The ledger in SQLite: a file that several gateways may share, or memory.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Row as _, Sqlite, TypeInfo, ValueRef};

use crate::ledger::engine::{Engine, Row, Statement, StoreError, Value};
use crate::ledger::schema::migrate;

/// How long a statement waits for another gateway that writes.
const BUSY: Duration = Duration::from_secs(5);

/// How long a statement waits for one of ours.
const ACQUIRE: Duration = Duration::from_secs(10);

/// How many queries are answered at one time.
const READERS: u32 = 4;

/// What the writer keeps of the database in memory, in KiB.
const CACHE_KIB: u32 = 16_384;

/// SQLite. One connection writes: it waits for nobody in this process, and what it has committed is on the disk.
pub(super) struct SqliteEngine {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Whether a transaction of the writer has begun and not ended.
    unfinished: AtomicBool,
}

impl SqliteEngine {
    /// A database in memory, which ends with this.
    pub(super) async fn in_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = pool(1).connect_with(quiet(options)).await?;
        Self::begin(pool.clone(), pool).await
    }

    /// The database in a file, which is made where it is not there, with its folder.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            make(folder)
                .await
                .map_err(|err| StoreError(format!("cannot make `{}`: {err}", folder.display())))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .pragma("cache_size", format!("-{CACHE_KIB}"))
            .pragma("journal_size_limit", "16777216");
        let writer = pool(1).connect_with(quiet(options.clone())).await?;
        let readers = quiet(options.pragma("query_only", "1"));
        let readers = pool(READERS).min_connections(0).connect_lazy_with(readers);
        Self::begin(writer, readers).await
    }

    async fn begin(writer: SqlitePool, readers: SqlitePool) -> Result<Self, StoreError> {
        let engine = Self {
            writer,
            readers,
            unfinished: AtomicBool::new(false),
        };
        migrate(&engine, "INTEGER PRIMARY KEY", None).await?;
        Ok(engine)
    }

    /// Lets the file grow to so many pages and no further.
    #[cfg(test)]
    pub(super) async fn limit_pages(&self, n: u32) -> Result<(), StoreError> {
        let text = format!("PRAGMA max_page_count = {n}");
        sqlx::query(AssertSqlSafe(text))
            .fetch_all(&self.writer)
            .await?;
        Ok(())
    }
}

/// Nobody else on this machine needs to see what is in it.
async fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

fn quiet(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.disable_statement_logging()
}

fn pool(n: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(n)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

#[async_trait]
impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        let mut connection = self.writer.acquire().await?;
        // Somebody gave up in the middle of a transaction.
        if self.unfinished.swap(true, Ordering::AcqRel) {
            give_up(&mut connection).await;
        }
        let done = transact(&mut connection, statements).await;
        if done.is_err() {
            give_up(&mut connection).await;
        }
        self.unfinished.store(false, Ordering::Release);
        done
    }

    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let rows = bound(statement).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        let text = "SELECT (page_count - freelist_count) * page_size
            FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        let mut rows = self.query(Statement::new(text)).await?;
        Ok(rows.first_mut().map_or(0, Row::number))
    }

    fn can_shrink(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn transact(
    connection: &mut SqliteConnection,
    statements: Vec<Statement>,
) -> Result<Vec<u64>, StoreError> {
    let mut changed = Vec::with_capacity(statements.len());
    // At once: a transaction that begins to write later may find that another gateway was faster.
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await?;
    for statement in statements {
        let done = bound(statement).execute(&mut *connection).await?;
        changed.push(done.rows_affected());
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(changed)
}

/// Ends a transaction, if there is one: SQLite has ended it already when the disk is full. (sqlx counts its own
/// transactions, does not hear of that, and would begin no other on this connection.)
async fn give_up(connection: &mut SqliteConnection) {
    sqlx::query("ROLLBACK").execute(connection).await.ok();
}

fn bound(statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql));
    for value in statement.values {
        query = match value {
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
        };
    }
    query
}

fn read(row: &SqliteRow) -> Result<Row, StoreError> {
    let value = |at: usize| -> Result<Value, sqlx::Error> {
        let raw = row.try_get_raw(at)?;
        let kind = raw.type_info();
        Ok(match kind.name() {
            // Of no type, which every getter takes for nothing.
            _ if raw.is_null() => Value::Text(None),
            "TEXT" => Value::Text(Some(row.try_get(at)?)),
            _ => Value::Int(Some(row.try_get(at)?)),
        })
    };
    let values = (0..row.len()).map(value).collect::<Result<_, _>>()?;
    Ok(Row::new(values))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}
