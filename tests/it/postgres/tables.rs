//! Tables with dead rows: what is estimated and measured of them, and that looking changes nothing.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::postgres::{Shop, ask, notes, number, row, run, text};
use crate::rest::call;

/// Makes a table of that name with a thousand rows, all but a hundred of them dead, and sees to it that the server counts
/// them.
pub(super) async fn bloat(owner: &mut PgConnection, table: &str, options: &str) {
    let made = format!(
        "CREATE TABLE {table} (n int PRIMARY KEY, t text) {options};
         INSERT INTO {table} SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n; DELETE FROM {table} WHERE n > 100"
    );
    run(owner, &made).await;
    // What a session has counted is told to others at its leisure, else.
    run(owner, "SELECT pg_stat_force_next_flush()").await;
}

fn off() -> &'static str {
    "WITH (autovacuum_enabled = off)"
}

/// F16
#[tokio::test]
async fn dead_rows_are_listed_with_what_autovacuum_does_about_them() {
    let shop = Shop::open("it_bloats").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "CREATE SCHEMA \"Old \"\"Shop\"\"\"").await;
    bloat(&mut owner, "\"Old \"\"Shop\"\"\".\"Orders\"", off()).await;
    bloat(
        &mut owner,
        "behind",
        "WITH (autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0)",
    )
    .await;
    bloat(
        &mut owner,
        "not_due",
        "WITH (autovacuum_vacuum_threshold = 100000)",
    )
    .await;
    let asked = json!({ "min_dead_rows": 500 });
    let seen = shop
        .until("table_bloat", asked.clone(), |found| {
            found["tables"]
                .as_array()
                .is_some_and(|tables| tables.len() == 3)
        })
        .await;
    are_told(&seen);
    assert!(notes(&seen).contains("estimates"), "{seen}");
    let answer = shop
        .gateway
        .send(&call("table_bloat", &asked.to_string()))
        .await;
    let words = text(&answer);
    for part in [
        "Old \"Shop\".Orders",
        "is off",
        "is behind",
        "is not due",
        "never",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    are_as_many_as_wanted(&shop).await;
    let nowhere = call("table_bloat", r#"{"schema":"pubic"}"#);
    let nowhere = crate::postgres::error(&shop.gateway.send(&nowhere).await);
    assert!(nowhere.contains("there is no schema `pubic`"), "{nowhere}");
    assert!(nowhere.contains("public"), "{nowhere}");
    // One that somebody holds for himself alone holds up nobody who looks.
    run(&mut owner, "BEGIN; LOCK behind IN ACCESS EXCLUSIVE MODE").await;
    let held = ask(&shop.gateway, "table_bloat", asked).await;
    let held = row(&held["tables"], "table", &json!("behind")).expect("it is listed");
    assert_eq!(
        (&held["table_bytes"], &held["dead_rows"]),
        (&Value::Null, &json!(900))
    );
    shop.gateway.finish().await;
}

fn are_told(seen: &Value) {
    for (table, is_on, is_behind) in [
        ("Orders", false, false),
        ("behind", true, true),
        ("not_due", true, false),
    ] {
        let found = row(&seen["tables"], "table", &json!(table)).expect("it is listed");
        assert_eq!(
            (&found["dead_rows"], &found["live_rows"]),
            (&json!(900), &json!(100))
        );
        assert_eq!(found["dead_percent"], 90.0);
        assert_eq!(
            (&found["is_autovacuum_on"], &found["is_behind"]),
            (&json!(is_on), &json!(is_behind)),
            "{table}"
        );
        assert!(
            found["table_bytes"]
                .as_i64()
                .is_some_and(|bytes| bytes >= 100_000)
        );
        assert!(found["index_bytes"].as_i64().is_some_and(|bytes| bytes > 0));
        assert_eq!(
            (&found["last_vacuum"], &found["is_being_vacuumed"]),
            (&Value::Null, &json!(false))
        );
    }
}

async fn are_as_many_as_wanted(shop: &Shop) {
    let one = shop
        .ask("table_bloat", json!({ "min_dead_rows": 500, "limit": 1 }))
        .await;
    assert_eq!(one["tables"].as_array().map(Vec::len), Some(1));
    assert!(
        notes(&one).contains("There are more than these 1."),
        "{one}"
    );
    let one = shop
        .ask(
            "table_bloat",
            json!({ "min_dead_rows": 500, "schema": "public" }),
        )
        .await;
    assert_eq!(one["tables"].as_array().map(Vec::len), Some(2));
    let none = shop
        .ask("table_bloat", json!({ "min_dead_rows": 901 }))
        .await;
    assert_eq!(none["tables"], json!([]));
}

/// F16
#[tokio::test]
async fn tables_are_measured_where_the_extension_is_there() {
    let shop = Shop::open("it_measures").await;
    let mut owner = shop.owner().await;
    bloat(&mut owner, "measured", off()).await;
    let asked = json!({ "min_dead_rows": 500, "measure": true });
    let seen = shop
        .until("table_bloat", asked.clone(), |found| {
            found["tables"] != json!([])
        })
        .await;
    assert_eq!(seen["tables"][0]["measured"], Value::Null);
    assert!(
        notes(&seen).contains("CREATE EXTENSION pgstattuple"),
        "{seen}"
    );
    run(
        &mut owner,
        "CREATE SCHEMA ext; CREATE EXTENSION pgstattuple SCHEMA ext",
    )
    .await;
    let seen = shop.ask("table_bloat", asked).await;
    let measured = &seen["tables"][0]["measured"];
    assert!(
        measured["dead_bytes"]
            .as_i64()
            .is_some_and(|bytes| bytes >= 900 * 100),
        "{seen:#}"
    );
    assert!(
        measured["scanned_percent"]
            .as_f64()
            .is_some_and(|part| part > 0.0)
    );
    shop.gateway.finish().await;
}

/// Whatever is put in the way of a tool that looks: it changes nothing, and it ends in time. What stands in for the
/// extension's function here tries both.
#[tokio::test]
async fn what_looks_can_neither_write_nor_take_for_ever() {
    let shop = Shop::open_with("it_is_bad", "toolgate", ", statement_timeout_ms = 700").await;
    let mut owner = shop.owner().await;
    for table in ["a", "b"] {
        bloat(&mut owner, table, off()).await;
    }
    run(
        &mut owner,
        "CREATE TABLE written (n int); CREATE EXTENSION pgstattuple;
         ALTER EXTENSION pgstattuple DROP FUNCTION pgstattuple_approx(regclass); DROP FUNCTION pgstattuple_approx(regclass);
         CREATE FUNCTION pgstattuple_approx(reloid regclass, OUT dead_tuple_len int8, OUT dead_tuple_percent float8,
                OUT approx_free_space int8, OUT approx_free_percent float8, OUT scanned_percent float8) LANGUAGE plpgsql AS $$
         BEGIN
             IF reloid = 'public.a'::regclass THEN INSERT INTO public.written VALUES (1); ELSE PERFORM pg_sleep(60); END IF;
         END $$;
         CREATE FUNCTION public.host(inet) RETURNS text LANGUAGE sql AS 'SELECT ''not the one of the catalog''';
         ALTER DATABASE it_is_bad SET search_path = public, pg_catalog",
    )
    .await;
    let asked = json!({ "min_dead_rows": 500, "measure": true });
    let seen = shop
        .until("table_bloat", asked, |found| {
            found["tables"]
                .as_array()
                .is_some_and(|tables| tables.len() == 2)
        })
        .await;
    let said = notes(&seen);
    assert!(
        said.contains("cannot execute INSERT in a read-only transaction (25006)"),
        "{said}"
    );
    assert!(
        said.contains("`connections.shop.statement_timeout_ms` allows no more"),
        "{said}"
    );
    assert_eq!(number(&mut owner, "SELECT count(*) FROM written").await, 0);
    // Names mean what they mean in the catalog, whatever the database says.
    run(&mut owner, "BEGIN; SELECT 1").await;
    let found = shop.ask("active_connections", json!({})).await;
    let found = row(
        &found["idle_in_transaction"],
        "database",
        &json!("it_is_bad"),
    )
    .expect("it is listed");
    assert_eq!(found["client"], "127.0.0.1");
    shop.gateway.finish().await;
}
