//! The ledger in PostgreSQL, in a schema of its own (`toolgate`).

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Postgres, Row as _, TypeInfo, ValueRef};

use crate::ledger::config::Dsn;
use crate::ledger::engine::{Engine, Row, Statement, StoreError, Value};
use crate::ledger::schema::migrate;

/// How long a connection may take to come about.
const ACQUIRE: Duration = Duration::from_secs(5);

/// How many connections there are at one time.
const CONNECTIONS: u32 = 6;

/// Held while tables are made. Any number that nobody else in the database uses.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7310579614)";

/// PostgreSQL.
pub(super) struct PostgresEngine {
    pool: PgPool,
}

impl PostgresEngine {
    /// Connects, and makes the tables where they are not there.
    pub(super) async fn open(dsn: &Dsn) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(dsn.expose())?
            .application_name("toolgate")
            .options([("search_path", "toolgate")])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await?;
        let engine = Self { pool };
        let schema = "CREATE SCHEMA IF NOT EXISTS toolgate";
        engine
            .run(vec![Statement::new(LOCK), Statement::new(schema)])
            .await?;
        migrate(&engine, "BIGINT PRIMARY KEY", Some(LOCK)).await?;
        Ok(engine)
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        let mut changed = Vec::with_capacity(statements.len());
        let mut transaction = self.pool.begin().await?;
        for statement in statements {
            let done = bound(statement).execute(&mut *transaction).await?;
            changed.push(done.rows_affected());
        }
        transaction.commit().await?;
        Ok(changed)
    }

    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let rows = bound(statement).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        let text =
            "SELECT CAST(COALESCE(SUM(pg_total_relation_size(oid)), 0) AS BIGINT) FROM pg_class
            WHERE relnamespace = 'toolgate'::regnamespace AND relkind = 'r'";
        let mut rows = self.query(Statement::new(text)).await?;
        Ok(rows.first_mut().map_or(0, Row::number))
    }

    fn can_shrink(&self) -> bool {
        false
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

fn bound(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(numbered(&statement.sql)));
    for value in statement.values {
        query = match value {
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
        };
    }
    query
}

/// The text with `$1`, `$2` for its placeholders. No text of ours has a question mark that is none.
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + sql.len() / 4);
    for (at, part) in sql.split('?').enumerate() {
        if at > 0 {
            text.push('$');
            text.push_str(&at.to_string());
        }
        text.push_str(part);
    }
    text
}

fn read(row: &PgRow) -> Result<Row, StoreError> {
    let value = |at: usize| -> Result<Value, sqlx::Error> {
        let raw = row.try_get_raw(at)?;
        let kind = raw.type_info();
        Ok(match kind.name() {
            "INT8" => Value::Int(row.try_get(at)?),
            _ => Value::Text(row.try_get(at)?),
        })
    };
    let values = (0..row.len()).map(value).collect::<Result<_, _>>()?;
    Ok(Row::new(values))
}
