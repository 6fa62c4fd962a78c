//! What the tools see that change nothing.

use serde_json::{Value, json};

use crate::postgres::{Shop, gateway, notes, pid, row, run, text};
use crate::rest::call;
use crate::support::{Postgres, Request, TestGateway};

/// A session that sleeps, saying so with this text; ends when it is dropped.
async fn sleeper(shop: &Shop, text: &'static str) -> (i32, tokio::task::JoinHandle<()>) {
    let mut session = shop.owner().await;
    let pid = pid(&mut session).await;
    let sleep = tokio::spawn(async move {
        // It is cut short at the end of the test.
        sqlx::query(text).execute(&mut session).await.ok();
    });
    (pid, sleep)
}

/// F12
#[tokio::test]
async fn a_query_that_sleeps_is_seen_with_what_it_waits_for() {
    let shop = Shop::open("it_sleeps").await;
    let (pid, sleep) = sleeper(&shop, "SELECT pg_sleep(60), 'alter role a password ''x'''").await;
    let seen = shop
        .until("slow_queries", json!({ "min_seconds": 0.05 }), |found| {
            row(&found["queries"], "pid", &json!(pid)).is_some()
        })
        .await;
    let query = row(&seen["queries"], "pid", &json!(pid)).expect("it is seen");
    assert_eq!(query["waits_for"], "Timeout: PgSleep");
    assert_eq!(query["database"], "it_sleeps");
    assert_eq!(query["user"], "toolgate");
    assert_eq!(query["client"], "127.0.0.1");
    assert_eq!(query["query"], "SELECT pg_sleep(60), ***");
    assert!(
        query["seconds"]
            .as_f64()
            .is_some_and(|seconds| (0.05..60.0).contains(&seconds))
    );
    // Only what runs for that long.
    let asked = json!({ "min_seconds": 50 });
    let found = shop.ask("slow_queries", asked).await;
    assert_eq!(row(&found["queries"], "pid", &json!(pid)), None);
    let answer = shop
        .gateway
        .send(&call("slow_queries", r#"{"min_seconds":0.01}"#))
        .await;
    let words = text(&answer);
    assert!(words.starts_with("PID"), "{words}");
    assert!(words.contains("Timeout: PgSleep"), "{words}");
    sleep.abort();
    shop.gateway.finish().await;
}

/// F12
#[tokio::test]
async fn the_history_comes_from_pg_stat_statements_or_it_is_said_how_it_can() {
    let shop = Shop::open("it_remembers").await;
    let found = shop.ask("slow_queries", json!({})).await;
    assert_eq!(found["history"], Value::Null);
    let said = notes(&found);
    assert!(
        said.contains("CREATE EXTENSION pg_stat_statements in the database `it_remembers`"),
        "{said}"
    );
    let mut owner = shop.owner().await;
    // In a schema that must be quoted, and is on nobody's path.
    run(
        &mut owner,
        "CREATE SCHEMA \"Odd\"\"1\"; CREATE EXTENSION pg_stat_statements SCHEMA \"Odd\"\"1\"",
    )
    .await;
    run(&mut owner, "SELECT pg_sleep(0.3) AS remembered").await;
    for by in ["mean", "total"] {
        let asked = json!({ "history_by": by, "limit": 200 });
        let found = shop.ask("slow_queries", asked).await;
        let text = json!("SELECT pg_sleep($1) AS remembered");
        let statement = row(&found["history"], "query", &text);
        let statement = statement.unwrap_or_else(|| panic!("{:#}", found["history"]));
        assert_eq!(statement["calls"], 1);
        assert_eq!(statement["database"], "it_remembers");
        assert!(statement["mean_ms"].as_f64().is_some_and(|ms| ms >= 300.0));
        assert_eq!(notes(&found), "[]");
    }
    shop.gateway.finish().await;
}

/// F12: the mend is said where the extension is there and cannot work.
#[tokio::test]
async fn a_history_that_is_not_loaded_is_told_from_one_that_is_not_there() {
    let server = Postgres::start().await;
    let mut owner = server.connect("postgres").await;
    run(&mut owner, "CREATE EXTENSION pg_stat_statements").await;
    let gateway = gateway(&format!("connections.a = {{ url = '{}' }}", server.url())).await;
    let found = super::ask(&gateway, "slow_queries", json!({})).await;
    let said = notes(&found);
    assert!(
        said.contains("not loaded") && said.contains("shared_preload_libraries"),
        "{said}"
    );
    assert_eq!(found["history"], Value::Null);
    gateway.finish().await;
}

#[tokio::test]
async fn texts_of_queries_are_hidden_where_the_settings_say_so() {
    let shop = Shop::open_with("it_hides", "toolgate", ", show_query_text = false").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "CREATE EXTENSION pg_stat_statements").await;
    let (pid, sleep) = sleeper(&shop, "SELECT pg_sleep(60), 'ann@example.org'").await;
    let asked = json!({ "min_seconds": 0 });
    let seen = shop
        .until("slow_queries", asked, |found| {
            row(&found["queries"], "pid", &json!(pid)).is_some()
        })
        .await;
    let query = row(&seen["queries"], "pid", &json!(pid)).expect("it is seen");
    assert_eq!(query["query"], Value::Null);
    assert!(query["query_id"].is_string(), "{query}");
    let history = seen["history"].as_array().expect("a list");
    assert!(!history.is_empty() && history.iter().all(|one| one["query"].is_null()));
    sleep.abort();
    shop.gateway.finish().await;
}

/// F14
#[tokio::test]
async fn connections_are_counted_and_idle_transactions_listed() {
    let shop = Shop::open("it_counts").await;
    let mut owner = shop.owner().await;
    run(
        &mut owner,
        "SET application_name = 'counted'; BEGIN; SELECT 1 AS forgotten",
    )
    .await;
    let pid = pid(&mut owner).await;
    let found = shop.ask("active_connections", json!({})).await;
    assert_eq!(
        (&found["max_connections"], &found["reserved"]),
        (&json!(100), &json!(3))
    );
    let group = row(&found["groups"], "application", &json!("counted")).expect("a group");
    assert_eq!(group["count"], 1);
    assert_eq!(group["state"], "idle in transaction");
    assert_eq!(group["database"], "it_counts");
    assert!(found["used"].as_i64().is_some_and(|used| used >= 2));
    let idle = row(&found["idle_in_transaction"], "pid", &json!(pid)).expect("it is listed");
    assert!(idle["state_seconds"].is_number() && idle["backend_start"].is_string());
    assert_eq!(idle.get("is_own"), None);
    shop.gateway.finish().await;
}

#[tokio::test]
async fn a_role_that_sees_less_is_told_so() {
    let server = Postgres::shared().await;
    let mut owner = server.connect("postgres").await;
    run(&mut owner, "CREATE ROLE sees_less LOGIN").await;
    let shop = Shop::open_with("it_sees", "sees_less", "").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "SET application_name = 'unseen'").await;
    let pid = pid(&mut owner).await;
    for tool in [
        "slow_queries",
        "lock_waits",
        "active_connections",
        "replication_lag",
    ] {
        let found = shop.ask(tool, json!({})).await;
        let said = notes(&found);
        assert!(
            said.contains("GRANT pg_monitor TO sees_less"),
            "{tool}: {said}"
        );
    }
    // A session whose beginning is hidden is not ended: nobody could know that it is the right one.
    let asked = json!({ "pid": pid, "how": "terminate" });
    let answer = super::unasked(&shop.gateway, "terminate_query", asked).await;
    let said = super::error(&answer);
    assert!(said.contains("GRANT pg_monitor shows it"), "{said}");
    run(&mut owner, "SELECT 1").await;
    shop.gateway.finish().await;
}

/// F1
#[tokio::test]
async fn only_five_tools_are_there_where_nothing_may_change() {
    for (policy, expect) in [("", 8), ("[policy]\nread_only = true\n", 5)] {
        let config = format!(
            "{policy}[plugins.postgres]\nenabled = true\nconfig.connections.a.url = 'postgres://127.0.0.1:1/a'"
        );
        let gateway = TestGateway::builder().config(&config).build().await;
        let all = gateway
            .send(&Request::new("GET", "/api/tools"))
            .await
            .json();
        let own: Vec<&Value> = all
            .as_array()
            .expect("a list")
            .iter()
            .filter(|tool| tool["plugin"] == "postgres")
            .collect();
        assert_eq!(own.len(), expect, "{all}");
        for tool in own {
            let looks = [
                "slow_queries",
                "lock_waits",
                "active_connections",
                "replication_lag",
                "table_bloat",
            ];
            let looks = looks.iter().any(|name| tool["name"] == *name);
            let category = if looks { "diagnostic" } else { "remediation" };
            assert_eq!(tool["category"], category, "{tool}");
            assert!(tool["risk"].is_string(), "{tool}");
            assert_eq!(tool["blast_radius"].is_string(), !looks, "{tool}");
        }
        gateway.finish().await;
    }
}
