//! A primary and a real replica of it, seen from both.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::postgres::{
    approved, ask, error, gateway, notes, number, row, run, text, until_it_gives,
};
use crate::rest::call;
use crate::support::{Postgres, TestGateway};

/// A primary, its replica, and a gateway that knows both as `first` and `second`.
struct Pair {
    gateway: TestGateway,
    owner: PgConnection,
    reader: PgConnection,
    _servers: (Postgres, Postgres),
}

impl Pair {
    async fn open() -> Self {
        let primary = Postgres::start().await;
        let replica = primary.replica("reader").await;
        let settings = format!(
            "connections.first = {{ url = '{}' }}\nconnections.second = {{ url = '{}' }}",
            primary.url(),
            replica.url()
        );
        Self {
            gateway: gateway(&settings).await,
            owner: primary.connect("postgres").await,
            reader: replica.connect("postgres").await,
            _servers: (primary, replica),
        }
    }

    async fn until(&self, connection: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let asked = json!({ "connection": connection });
        until_it_gives(&self.gateway, "replication_lag", asked, fits).await
    }

    /// Calls a tool with these arguments that must fail.
    async fn call(&self, tool: &str, arguments: Value) -> crate::support::Answer {
        self.gateway.send(&call(tool, &arguments.to_string())).await
    }
}

fn upstream(found: &Value) -> &Value {
    &found["upstream"]
}

fn is_more(value: &Value, than: i64) -> bool {
    value.as_i64().is_some_and(|value| value > than)
}

/// F15
#[tokio::test]
async fn lag_is_seen_from_the_primary_and_from_the_replica() {
    let mut pair = Pair::open().await;
    both_are_even(&mut pair).await;
    the_replica_falls_behind(&mut pair).await;
    what_a_replica_cannot_do_and_what_it_needs(&pair).await;
    // It hears of its primary no more.
    run(&mut pair.reader, "ALTER SYSTEM SET primary_conninfo = ''").await;
    run(&mut pair.reader, "SELECT pg_reload_conf()").await;
    let found = pair
        .until("second", |found| upstream(found)["is_receiving"] == false)
        .await;
    let said = notes(&found);
    assert!(said.contains("cannot know how far that is ahead"), "{said}");
    let first = json!({ "connection": "first" });
    let found = ask(&pair.gateway, "replication_lag", first).await;
    assert_eq!(found["replicas"], json!([]));
    pair.gateway.finish().await;
}

async fn both_are_even(pair: &mut Pair) {
    let forget = "SELECT pg_create_physical_replication_slot('forgotten', true)";
    run(&mut pair.owner, forget).await;
    let found = pair
        .until("first", |found| {
            let replica = &found["replicas"][0];
            replica["state"] == "streaming" && replica["replay_behind_bytes"] == 0
        })
        .await;
    assert_eq!(
        (&found["role"], upstream(&found)),
        (&json!("primary"), &Value::Null)
    );
    assert_eq!(found["replicas"].as_array().map(Vec::len), Some(1));
    let seen = &found["replicas"][0];
    assert_eq!(
        (&seen["application"], &seen["client"]),
        (&json!("walreceiver"), &json!("127.0.0.1"))
    );
    for stage in ["sent", "write", "flush"] {
        assert_eq!(seen[format!("{stage}_behind_bytes")], 0, "{seen}");
    }
    let reader = row(&found["slots"], "name", &json!("reader")).expect("it is listed");
    assert_eq!(
        (&reader["is_active"], &reader["wal_status"]),
        (&json!(true), &json!("reserved"))
    );
    let forgotten = row(&found["slots"], "name", &json!("forgotten")).expect("it is listed");
    assert_eq!(
        (&forgotten["is_active"], &forgotten["is_lost"]),
        (&json!(false), &json!(false))
    );
    let said = notes(&found);
    assert!(
        said.contains("Nobody reads from slot `forgotten`"),
        "{said}"
    );

    let found = pair
        .until("second", |found| {
            let upstream = upstream(found);
            upstream["behind_bytes"] == 0 && upstream["is_receiving"] == true
        })
        .await;
    assert_eq!(
        (&found["role"], &found["replicas"]),
        (&json!("replica"), &json!([]))
    );
    assert_eq!(upstream(&found)["behind_seconds"], 0.0);
    assert_eq!(upstream(&found)["slot"], "reader");
    let primary = upstream(&found)["primary"].as_str().unwrap_or_default();
    assert!(primary.starts_with("127.0.0.1:"), "{found:#}");
}

/// It stops replaying, while there is something to replay.
async fn the_replica_falls_behind(pair: &mut Pair) {
    run(&mut pair.reader, "SELECT pg_wal_replay_pause()").await;
    let much = "CREATE TABLE t AS SELECT generate_series(1, 10000) AS n";
    run(&mut pair.owner, much).await;
    let found = pair
        .until("second", |found| {
            is_more(&upstream(found)["behind_bytes"], 100_000)
        })
        .await;
    assert_eq!(upstream(&found)["is_paused"], true);
    let said = notes(&found);
    assert!(said.contains("pg_wal_replay_resume()"), "{said}");
    pair.until("first", |found| {
        let replica = &found["replicas"][0];
        replica["flush_behind_bytes"] == 0 && is_more(&replica["replay_behind_bytes"], 100_000)
    })
    .await;
    let first = json!({ "connection": "first" });
    let words = text(&pair.call("replication_lag", first).await);
    assert!(
        words.starts_with("This server is a primary.\nREPLICA"),
        "{words}"
    );
    run(&mut pair.reader, "SELECT pg_wal_replay_resume()").await;
    pair.until("second", |found| upstream(found)["behind_bytes"] == 0)
        .await;
    let count = number(&mut pair.reader, "SELECT count(*) FROM t").await;
    assert_eq!(count, 10_000);
}

async fn what_a_replica_cannot_do_and_what_it_needs(pair: &Pair) {
    let asked = json!({ "connection": "second", "table": "t" });
    let said = error(&pair.call("vacuum_table", asked).await);
    assert!(said.contains("`second` is on a replica"), "{said}");
    let found = pair
        .until("first", |found| found["replicas"] != json!([]))
        .await;
    let sender = &found["replicas"][0]["pid"];
    let mut asked = json!({ "connection": "first", "pid": sender, "how": "terminate" });
    let said = error(&pair.call("terminate_query", asked.clone()).await);
    assert!(said.contains("sends to a replica"), "{said}");
    // Who says so ends it all the same.
    asked["include_system"] = json!(true);
    let ended = approved(&pair.gateway, "terminate_query", asked).await;
    let outcome = &ended.json()["structuredContent"]["outcome"];
    assert_eq!(outcome, "ended", "{}", ended.text());
}
