//! The plugin `postgres`, against servers that run: what it sees, what it ends, what it refuses. F12–F19

mod ends;

mod locks;

mod looks;

mod refusals;

mod replication;

mod tables;

mod vacuums;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::rest::{call, refused};
use crate::support::question::pending;
use crate::support::{Answer, Postgres, Request, TestGateway, within};

/// Held by tests that make sessions wait for locks: who waits for whom is a matter of the whole server.
static LOCKS: Mutex<()> = Mutex::const_new(());

/// A gateway with one database of the server that tests share.
struct Shop {
    gateway: TestGateway,
    server: &'static Postgres,
    database: &'static str,
}

async fn one_at_a_time() -> MutexGuard<'static, ()> {
    LOCKS.lock().await
}

/// A gateway whose plugin has these settings, in TOML.
async fn gateway(settings: &str) -> TestGateway {
    let config = format!(
        "[policy.approval]\nwait_ms = 0\n[plugins.postgres]\nenabled = true\n[plugins.postgres.config]\n{settings}"
    );
    TestGateway::builder().config(&config).build().await
}

impl Shop {
    /// Makes a database of that name, which its owner uses.
    async fn open(database: &'static str) -> Self {
        Self::open_with(database, "toolgate", "").await
    }

    /// The same for another role, with more settings for its connection.
    async fn open_with(database: &'static str, role: &str, settings: &str) -> Self {
        let server = Postgres::shared().await;
        let mut owner = server.connect("postgres").await;
        run(&mut owner, &format!("CREATE DATABASE {database}")).await;
        let url = server.url_of(role, database);
        let gateway = gateway(&format!("connections.shop = {{ url = '{url}'{settings} }}")).await;
        Self {
            gateway,
            server,
            database,
        }
    }

    /// A session of the database's owner.
    async fn owner(&self) -> PgConnection {
        self.server.connect(self.database).await
    }

    /// What a tool gives.
    #[track_caller]
    fn ask(&self, tool: &str, arguments: Value) -> impl Future<Output = Value> {
        ask(&self.gateway, tool, arguments)
    }

    /// Asks until what the tool gives is what is waited for.
    async fn until(&self, tool: &str, arguments: Value, fits: impl Fn(&Value) -> bool) -> Value {
        until_it_gives(&self.gateway, tool, arguments, fits).await
    }
}

async fn until_it_gives(
    gateway: &TestGateway,
    tool: &str,
    arguments: Value,
    fits: impl Fn(&Value) -> bool,
) -> Value {
    let mut last = Value::Null;
    let asking = async {
        loop {
            last = ask(gateway, tool, arguments.clone()).await;
            if fits(&last) {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), asking).await;
    assert!(waited.is_ok(), "{tool} goes on giving {last:#}");
    last
}

/// What a tool gives; it must not fail.
#[track_caller]
fn ask(gateway: &TestGateway, tool: &str, arguments: Value) -> impl Future<Output = Value> {
    let place = std::panic::Location::caller();
    async move {
        let answer = gateway.send(&call(tool, &arguments.to_string())).await;
        let json = answer.json();
        let failed = json["isError"] == true || answer.status != 200;
        assert!(!failed, "{place}: {tool} {arguments}: {json}");
        json["structuredContent"].clone()
    }
}

/// What a tool says that fails.
#[track_caller]
fn error(answer: &Answer) -> String {
    let json = answer.json();
    assert_eq!(json["isError"], true, "{json}");
    text(answer)
}

fn text(answer: &Answer) -> String {
    let text = &answer.json()["content"][0]["text"];
    text.as_str().expect("a text").to_owned()
}

/// Calls a tool that needs an approval, and gives it.
async fn approved(gateway: &TestGateway, tool: &str, arguments: Value) -> Answer {
    approve(gateway, &call(tool, &arguments.to_string())).await
}

async fn approve(gateway: &TestGateway, request: &Request) -> Answer {
    let pending = gateway.send(request).await;
    assert_eq!(refused(&pending, 403), "approval_pending");
    let said = pending.json()["error"]["message"].to_string();
    let id = said
        .split_once("approvals approve ")
        .and_then(|(_, rest)| rest.split('`').next())
        .expect("how to approve it")
        .to_owned();
    let given = Request::new("POST", &format!("/api/approvals/{id}/approve")).body_of(&json!({}));
    assert_eq!(gateway.send(&given).await.status, 200);
    gateway.send(request).await
}

/// Calls a tool that needs an approval, where nobody is to be asked for one.
async fn unasked(gateway: &TestGateway, tool: &str, arguments: Value) -> Answer {
    let answer = gateway.send(&call(tool, &arguments.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(pending(gateway).await, [Value::Null; 0]);
    answer
}

/// The same as a dry run.
async fn dry(gateway: &TestGateway, tool: &str, arguments: Value) -> Answer {
    let request = call(&format!("{tool}?dry_run=true"), &arguments.to_string());
    gateway.send(&request).await
}

/// Runs statements of a test.
async fn run(session: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    let done = within(sql, done.execute(session)).await;
    done.unwrap_or_else(|err| panic!("{sql}: {err}"));
}

async fn number(session: &mut PgConnection, sql: &str) -> i64 {
    let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    let found = within(sql, found.fetch_one(session)).await;
    found.unwrap_or_else(|err| panic!("{sql}: {err}"))
}

/// The process of a session.
async fn pid(session: &mut PgConnection) -> i32 {
    let pid = number(session, "SELECT pg_backend_pid()::int8").await;
    i32::try_from(pid).expect("a process")
}

/// The row of a list where `key` is `value`.
fn row<'a>(list: &'a Value, key: &str, value: &Value) -> Option<&'a Value> {
    let mut rows = list.as_array().expect("a list").iter();
    rows.find(|row| &row[key] == value)
}

fn notes(value: &Value) -> String {
    value["notes"].to_string()
}
