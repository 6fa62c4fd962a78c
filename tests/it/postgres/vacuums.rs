//! Tables that are vacuumed: by which names, by whom, and for how long.

use serde_json::{Value, json};

use crate::postgres::tables::bloat;
use crate::postgres::{Shop, dry, error, number, pid, run, text};
use crate::rest::call;
use crate::support::{modern, within};

const OFF: &str = "WITH (autovacuum_enabled = off)";

/// F18: found, vacuumed, gone.
#[tokio::test]
async fn dead_rows_are_gone_after_a_vacuum() {
    let shop = Shop::open("it_vacuums").await;
    let mut owner = shop.owner().await;
    bloat(&mut owner, "orders", OFF).await;
    let asked = json!({ "min_dead_rows": 500 });
    shop.until("table_bloat", asked.clone(), |found| {
        found["tables"] != json!([])
    })
    .await;

    let tried = dry(&shop.gateway, "vacuum_table", json!({ "table": "orders" })).await;
    let value = tried.json()["structuredContent"].clone();
    assert_eq!(
        value["statement"],
        "VACUUM (ANALYZE) public.orders",
        "{}",
        tried.text()
    );
    assert_eq!(
        (&value["dry_run"], &value["done"], &value["after"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    assert_eq!(value["before"]["dead_rows"], 900);
    let found = shop.ask("table_bloat", asked).await;
    assert_eq!(
        found["tables"][0]["last_vacuum"],
        Value::Null,
        "a dry run vacuums nothing"
    );

    let done = shop.ask("vacuum_table", json!({ "table": "orders" })).await;
    assert_eq!(done["done"], true, "{done:#}");
    assert_eq!(
        (&done["before"]["dead_rows"], &done["after"]["dead_rows"]),
        (&json!(900), &json!(0)),
        "{done:#}"
    );
    assert_eq!(done["after"]["live_rows"], 100);
    assert!(done["took_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert_eq!(done["notes"], json!([]));
    let found = shop.ask("table_bloat", json!({ "min_dead_rows": 0 })).await;
    assert!(found["tables"][0]["last_vacuum"].is_string(), "{found:#}");
    assert_eq!(found["tables"][0]["dead_rows"], 0);

    let plain = shop
        .ask(
            "vacuum_table",
            json!({ "table": "orders", "analyze": false }),
        )
        .await;
    assert_eq!(plain["statement"], "VACUUM public.orders");
    shop.gateway.finish().await;
}

#[tokio::test]
async fn rows_that_somebody_may_still_see_stay_and_it_is_said_why() {
    let shop = Shop::open("it_still_sees").await;
    let (mut owner, mut old) = (shop.owner().await, shop.owner().await);
    run(&mut old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    bloat(&mut owner, "orders", OFF).await;
    let asked = json!({ "min_dead_rows": 500 });
    shop.until("table_bloat", asked, |found| found["tables"] != json!([]))
        .await;
    let done = shop.ask("vacuum_table", json!({ "table": "orders" })).await;
    assert_eq!(
        (&done["done"], &done["after"]["dead_rows"]),
        (&json!(true), &json!(900)),
        "{done:#}"
    );
    assert!(
        done["notes"].to_string().contains("old transaction"),
        "{done:#}"
    );
    drop(old);
    shop.gateway.finish().await;
}

/// The table that is vacuumed for this name, or why none is.
async fn vacuum(shop: &Shop, schema: Option<&str>, table: &str) -> Result<String, String> {
    let mut asked = json!({ "table": table });
    if let Some(schema) = schema {
        asked["schema"] = json!(schema);
    }
    let request = call("vacuum_table", &asked.to_string());
    let answer = shop.gateway.send(&request).await;
    match answer.json()["isError"] == true {
        true => Err(text(&answer)),
        false => Ok(answer.json()["structuredContent"]["table"]
            .as_str()
            .unwrap_or_default()
            .to_owned()),
    }
}

/// F18: a name is looked up, and used as the catalog writes it.
#[tokio::test]
async fn names_are_those_of_the_catalog_whatever_is_in_them() {
    let shop = Shop::open("it_names").await;
    let mut owner = shop.owner().await;
    let odd = r#"x"; DROP TABLE y; --"#;
    run(
        &mut owner,
        r#"CREATE TABLE x (n int); CREATE TABLE y (n int); CREATE SCHEMA "Old Shop"; CREATE TABLE "Old Shop"."My ""Orders"".1" (n int);
           CREATE TABLE "public.x" (n int); CREATE VIEW seen AS SELECT 1; CREATE TABLE parted (n int) PARTITION BY RANGE (n);
           CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)"#,
    )
    .await;
    for (schema, table, expect) in [
        (None, "x", "public.x"),
        (None, "X", "public.x"),
        (None, "\"x\"", "public.x"),
        // A table that is called so counts before a table in a schema.
        (None, "public.x", "public.\"public.x\""),
        (None, "public.y", "public.y"),
        (Some("public"), "y", "public.y"),
        (
            Some("Old Shop"),
            r#"My "Orders".1"#,
            r#""Old Shop"."My ""Orders"".1""#,
        ),
        (
            None,
            r#""Old Shop"."My ""Orders"".1""#,
            r#""Old Shop"."My ""Orders"".1""#,
        ),
        (None, "parted", "public.parted"),
    ] {
        let done = vacuum(&shop, schema, table).await;
        assert_eq!(done, Ok(expect.to_owned()), "{schema:?} {table}");
    }
    are_refused(&shop, odd).await;
    // A table that really is called so.
    run(
        &mut owner,
        r#"CREATE TABLE "x""; DROP TABLE y; --" (n int)"#,
    )
    .await;
    assert_eq!(
        vacuum(&shop, None, odd).await,
        Ok(r#"public."x""; DROP TABLE y; --""#.to_owned())
    );
    assert_eq!(
        number(&mut owner, "SELECT count(*) FROM y").await,
        0,
        "it is there"
    );
    shop.gateway.finish().await;
}

async fn are_refused(shop: &Shop, odd: &str) {
    for (schema, table, part) in [
        (None, odd, "there is no table `x\"; DROP TABLE y; --`"),
        (None, "x; DROP TABLE y", "there is no table"),
        (
            Some("public\"; DROP TABLE y; --"),
            "x",
            "there is `public.x`",
        ),
        (Some("public"), "public.z", "there is no table"),
        (
            None,
            r#"My "Orders".1"#,
            r#"there is `"Old Shop"."My ""Orders"".1"`"#,
        ),
        (None, "seen", "public.seen is no table"),
        (None, "", "there is no table"),
    ] {
        let said = vacuum(shop, schema, table)
            .await
            .expect_err("it is refused");
        assert!(said.contains(part), "{table}: {said}");
    }
}

/// The server only warns where the role may not, and does nothing: so that is looked at before.
#[tokio::test]
async fn a_table_of_somebody_else_is_not_said_to_be_vacuumed() {
    let server = crate::support::Postgres::shared().await;
    let mut owner = server.connect("postgres").await;
    run(&mut owner, "CREATE ROLE owns_nothing LOGIN").await;
    let shop = Shop::open_with("it_is_not_his", "owns_nothing", "").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "CREATE TABLE orders (n int)").await;
    let answer = shop
        .gateway
        .send(&call("vacuum_table", r#"{"table":"orders"}"#))
        .await;
    let said = error(&answer);
    assert!(
        said.contains(
            "the role `owns_nothing` may not vacuum public.orders, which belongs to `toolgate`"
        ),
        "{said}"
    );
    let count = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'orders'";
    assert_eq!(number(&mut owner, count).await, 0);
    shop.gateway.finish().await;
}

/// F34: a vacuum tells how far it is; when nobody waits for it any more, the server stops.
#[tokio::test]
async fn a_vacuum_that_nobody_waits_for_ends_on_the_server() {
    let shop = Shop::open("it_gives_up").await;
    let mut owner = shop.owner().await;
    run(
        &mut owner,
        "ALTER DATABASE it_gives_up SET vacuum_cost_delay = '20ms'; ALTER DATABASE it_gives_up SET vacuum_cost_limit = 1;
         CREATE TABLE big (t text) WITH (autovacuum_enabled = off);
         INSERT INTO big SELECT repeat('x', 1000) FROM generate_series(1, 20000) n; DELETE FROM big",
    )
    .await;
    let running = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE datname = 'it_gives_up'";
    let params = json!({ "name": "vacuum_table", "arguments": { "table": "big" }, "_meta": { "progressToken": 1 } });
    let mut caller = shop.gateway.connect().await;
    let answer = caller.begin(&modern::request("tools/call", params)).await;
    assert_eq!(answer.status, 200);
    let event = caller.event().await.expect("it says how far it is");
    assert_eq!(event["method"], "notifications/progress", "{event}");
    assert!(
        event["params"]["progress"].as_f64() < event["params"]["total"].as_f64(),
        "{event}"
    );
    assert_eq!(event["params"]["message"], "scanning heap", "{event}");
    assert_eq!(number(&mut owner, running).await, 1);
    drop(caller);
    within("the server stops", async {
        while number(&mut owner, running).await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    shop.gateway.finish().await;
}

/// One that has to wait for a lock is seen, and gives up with its caller as well.
#[tokio::test]
async fn a_vacuum_that_waits_for_a_lock_is_seen_and_given_up() {
    let _alone = super::one_at_a_time().await;
    let shop = Shop::open("it_is_held").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "CREATE TABLE held (n int)").await;
    run(
        &mut owner,
        "BEGIN; LOCK held IN SHARE UPDATE EXCLUSIVE MODE",
    )
    .await;
    let holder = pid(&mut owner).await;
    let mut caller = shop.gateway.connect().await;
    let request = call("vacuum_table", r#"{"table":"held"}"#);
    caller.write(&request.bytes(shop.gateway.address)).await;
    let seen = shop
        .until("lock_waits", json!({}), |found| {
            found["heads"][0]["pid"] == holder
        })
        .await;
    let wait = &seen["waits"][0];
    assert_eq!(
        (&wait["query"], &wait["relation"]),
        (
            &json!("VACUUM (ANALYZE) public.held"),
            &json!("public.held")
        )
    );
    assert_eq!(wait["mode"], "ShareUpdateExclusiveLock");
    drop(caller);
    shop.until("lock_waits", json!({}), |found| found["waits"] == json!([]))
        .await;
    shop.gateway.finish().await;
}
