//! A primary and a real replica of it, seen from both.

use serde_json::{Value, json};

use crate::postgres::{
    approved, ask, error, gateway, notes, number, row, run, text, until_it_gives,
};
use crate::rest::call;
use crate::support::Postgres;

fn upstream(found: &Value) -> &Value {
    &found["upstream"]
}

/// F15
#[tokio::test]
async fn lag_is_seen_from_the_primary_and_from_the_replica() {
    let primary = Postgres::start().await;
    let replica = primary.replica("reader").await;
    let mut owner = primary.connect("postgres").await;
    run(
        &mut owner,
        "SELECT pg_create_physical_replication_slot('forgotten', true)",
    )
    .await;
    let gateway = gateway(&format!(
        "connections.first = {{ url = '{}' }}\nconnections.second = {{ url = '{}' }}",
        primary.url(),
        replica.url()
    ))
    .await;
    let (first, second) = (
        json!({ "connection": "first" }),
        json!({ "connection": "second" }),
    );

    let found = until_it_gives(&gateway, "replication_lag", first.clone(), |found| {
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
    assert!(
        notes(&found).contains("Nobody reads from slot `forgotten`"),
        "{found:#}"
    );

    let found = until_it_gives(&gateway, "replication_lag", second.clone(), |found| {
        upstream(found)["behind_bytes"] == 0 && upstream(found)["is_receiving"] == true
    })
    .await;
    assert_eq!(
        (&found["role"], &found["replicas"]),
        (&json!("replica"), &json!([]))
    );
    assert_eq!(upstream(&found)["behind_seconds"], 0.0);
    assert_eq!(upstream(&found)["slot"], "reader");
    assert!(
        upstream(&found)["primary"]
            .as_str()
            .is_some_and(|primary| primary.starts_with("127.0.0.1:")),
        "{found:#}"
    );

    // It stops replaying, and there is something to replay.
    let mut reader = replica.connect("postgres").await;
    run(&mut reader, "SELECT pg_wal_replay_pause()").await;
    run(
        &mut owner,
        "CREATE TABLE t AS SELECT generate_series(1, 10000) AS n",
    )
    .await;
    let found = until_it_gives(&gateway, "replication_lag", second.clone(), |found| {
        upstream(found)["behind_bytes"]
            .as_i64()
            .is_some_and(|bytes| bytes > 100_000)
    })
    .await;
    assert_eq!(upstream(&found)["is_paused"], true);
    assert!(
        notes(&found).contains("pg_wal_replay_resume()"),
        "{found:#}"
    );
    assert!(
        upstream(&found)["behind_seconds"].is_number()
            || upstream(&found)["last_transaction_seconds"].is_null()
    );
    let found = until_it_gives(&gateway, "replication_lag", first.clone(), |found| {
        let replica = &found["replicas"][0];
        replica["flush_behind_bytes"] == 0
            && replica["replay_behind_bytes"]
                .as_i64()
                .is_some_and(|bytes| bytes > 100_000)
    })
    .await;
    let answer = gateway
        .send(&call("replication_lag", &first.to_string()))
        .await;
    assert!(
        text(&answer).starts_with("This server is a primary.\nREPLICA"),
        "{}",
        text(&answer)
    );
    let sender = found["replicas"][0]["pid"].clone();

    run(&mut reader, "SELECT pg_wal_replay_resume()").await;
    until_it_gives(&gateway, "replication_lag", second.clone(), |found| {
        upstream(found)["behind_bytes"] == 0
    })
    .await;
    assert_eq!(number(&mut reader, "SELECT count(*) FROM t").await, 10_000);

    // What a replica cannot do, and what it needs.
    let asked = json!({ "connection": "second", "table": "t" });
    let refused = gateway
        .send(&call("vacuum_table", &asked.to_string()))
        .await;
    assert!(
        error(&refused).contains("`second` is on a replica"),
        "{}",
        refused.text()
    );
    let asked = json!({ "connection": "first", "pid": sender, "how": "terminate" });
    let refused = approved(&gateway, "terminate_query", asked).await;
    assert!(
        error(&refused).contains("sends to a replica"),
        "{}",
        refused.text()
    );

    // It hears of its primary no more.
    run(&mut reader, "ALTER SYSTEM SET primary_conninfo = ''").await;
    run(&mut reader, "SELECT pg_reload_conf()").await;
    let found = until_it_gives(&gateway, "replication_lag", second.clone(), |found| {
        upstream(found)["is_receiving"] == false
    })
    .await;
    assert!(
        notes(&found).contains("cannot know how far that is ahead"),
        "{found:#}"
    );
    let found = ask(&gateway, "replication_lag", first).await;
    assert_eq!(found["replicas"], json!([]));
    gateway.finish().await;
}
