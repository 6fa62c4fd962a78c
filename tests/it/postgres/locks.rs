//! Sessions that wait for each other, and the one that is ended so that the others go on.

use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::hostile::failure_of;
use crate::postgres::{
    Shop, approve, approved, dry, error, number, one_at_a_time, pid, row, run, text, unasked,
};
use crate::rest::{call, refused};
use crate::support::question::{Question, pending};
use crate::support::within;

/// What came of a statement that had to wait.
type Waiting = JoinHandle<(PgConnection, Result<(), String>)>;

/// Begins a statement that has to wait, and says in which process.
async fn wait_for(shop: &Shop, before: &str, sql: &'static str) -> (i32, Waiting) {
    let mut session = shop.owner().await;
    run(&mut session, before).await;
    begin(session, sql).await
}

async fn begin(mut session: PgConnection, sql: &'static str) -> (i32, Waiting) {
    let pid = pid(&mut session).await;
    let waiting = tokio::spawn(async move {
        let done = sqlx::raw_sql(sql).execute(&mut session).await;
        (session, done.map(drop).map_err(|err| err.to_string()))
    });
    (pid, waiting)
}

/// A shop with a table, and a session that holds its only row and is idle.
async fn held(database: &'static str) -> (Shop, PgConnection) {
    let shop = Shop::open(database).await;
    let mut holder = shop.owner().await;
    run(
        &mut holder,
        "CREATE TABLE stock (n int); INSERT INTO stock VALUES (1)",
    )
    .await;
    // What is sent at once is one transaction, so this begins apart.
    run(&mut holder, "BEGIN; UPDATE stock SET n = 2").await;
    (shop, holder)
}

/// F13, F17: a real wait is seen; the head is ended once somebody has agreed, and who waited goes on.
#[tokio::test]
async fn a_wait_is_seen_and_ended_at_its_head() {
    let _alone = one_at_a_time().await;
    let (shop, mut holder) = held("it_waits").await;
    let holder_pid = pid(&mut holder).await;
    let (first, waiting) = wait_for(&shop, "SELECT 1", "UPDATE stock SET n = n + 10").await;
    let seen = shop
        .until("lock_waits", json!({}), |found| {
            row(&found["waits"], "pid", &json!(first)).is_some()
        })
        .await;
    // The second waits for the first, which waits for the holder.
    let (second, behind) = wait_for(&shop, "SELECT 1", "UPDATE stock SET n = n + 100").await;
    let both = shop
        .until("lock_waits", json!({}), |found| {
            found["waits"]
                .as_array()
                .is_some_and(|waits| waits.len() == 2)
        })
        .await;
    is_told(&seen, &both, [holder_pid, first, second]);
    let told = shop.gateway.send(&call("lock_waits", "{}")).await;
    can_be_ended(&text(&told), &both, first);

    // Nobody has waited for that long.
    let none = unasked(
        &shop.gateway,
        "kill_deadlock",
        json!({ "min_wait_seconds": 600 }),
    )
    .await;
    assert_eq!(none.json()["structuredContent"]["outcome"], "nothing");
    let asked = json!({ "min_wait_seconds": 0 });
    let tried = dry(&shop.gateway, "kill_deadlock", asked.clone()).await;
    let would = tried.json()["structuredContent"].clone();
    assert_eq!(
        (&would["outcome"], &would["dry_run"]),
        (&json!("would_end"), &json!(true))
    );
    assert_eq!(would["session"]["pid"], holder_pid);
    assert!(!waiting.is_finished(), "a dry run ends nothing");
    run(&mut holder, "SELECT 1").await;

    let ended = approved(&shop.gateway, "kill_deadlock", asked).await;
    let value = ended.json()["structuredContent"].clone();
    assert_eq!(
        (&value["outcome"], &value["done"]),
        (&json!("ended"), &json!(true)),
        "{}",
        ended.text()
    );
    assert_eq!(
        (&value["session"]["pid"], &value["blocks"]),
        (&json!(holder_pid), &json!(2))
    );
    assert!(text(&ended).contains("It is gone."), "{}", ended.text());
    for waiting in [waiting, behind] {
        let (_, done) = within("who waited goes on", waiting)
            .await
            .expect("it ends");
        assert_eq!(done, Ok(()));
    }
    let mut owner = shop.owner().await;
    // The holder's change is rolled back, the others' are there.
    assert_eq!(number(&mut owner, "SELECT n::int8 FROM stock").await, 111);
    let alive = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {holder_pid}");
    assert_eq!(number(&mut owner, &alive).await, 0);
    let quiet = shop.ask("lock_waits", json!({})).await;
    assert_eq!((&quiet["waits"], &quiet["heads"]), (&json!([]), &json!([])));
    shop.gateway.finish().await;
}

/// Each that waits is told with what `terminate_query` takes.
fn can_be_ended(words: &str, seen: &Value, pid: i32) {
    let heading = words.lines().next().expect("a line");
    assert!(
        heading.starts_with("PID") && heading.contains("BACKEND START"),
        "{words}"
    );
    let wait = row(&seen["waits"], "pid", &json!(pid)).expect("it is seen");
    let began = wait["backend_start"].as_str().expect("it began");
    let line = words
        .lines()
        .find(|line| line.starts_with(&pid.to_string()));
    assert!(line.is_some_and(|line| line.contains(began)), "{words}");
}

/// What is said of the first that waits, and of both: the second waits behind it, and the holder is the head.
fn is_told(seen: &Value, both: &Value, [holder_pid, first, second]: [i32; 3]) {
    let wait = row(&seen["waits"], "pid", &json!(first)).expect("it is seen");
    assert_eq!(wait["blocked_by"], json!([holder_pid]));
    assert_eq!(wait["lock_type"], "transactionid");
    assert_eq!(wait["query"], "UPDATE stock SET n = n + 10");
    let wait = row(&both["waits"], "pid", &json!(second)).expect("it is seen");
    assert_eq!(wait["relation"], "public.stock");
    let heads = both["heads"].as_array().expect("a list");
    assert_eq!(heads.len(), 1, "{both:#}");
    assert_eq!(
        (&heads[0]["pid"], &heads[0]["blocks"]),
        (&json!(holder_pid), &json!(2))
    );
    assert_eq!(heads[0]["session"]["state"], "idle in transaction");
}

/// F17: two that wait for each other, while the server looks away: the one that began last goes.
#[tokio::test]
async fn of_a_circle_the_youngest_is_ended() {
    let _alone = one_at_a_time().await;
    let shop = Shop::open("it_circles").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "CREATE TABLE a (n int); CREATE TABLE b (n int)").await;
    let late = "SET deadlock_timeout = '1h'; BEGIN;";
    let (mut old, mut young) = (shop.owner().await, shop.owner().await);
    run(&mut old, &format!("{late} LOCK a")).await;
    run(&mut young, &format!("{late} LOCK b")).await;
    let (old_pid, old) = begin(old, "LOCK b").await;
    let (young_pid, young) = begin(young, "LOCK a").await;
    let seen = shop
        .until("lock_waits", json!({}), |found| {
            found["waits"]
                .as_array()
                .is_some_and(|waits| waits.len() == 2)
        })
        .await;
    let mut circle = [old_pid, young_pid];
    circle.sort_unstable();
    assert_eq!(seen["heads"][0]["circle"], json!(circle), "{seen:#}");
    let ended = approved(
        &shop.gateway,
        "kill_deadlock",
        json!({ "min_wait_seconds": 0 }),
    )
    .await;
    let value = ended.json()["structuredContent"].clone();
    assert_eq!(value["session"]["pid"], young_pid, "{}", ended.text());
    assert_eq!(value["outcome"], "ended");
    let (_old, done) = within("the older goes on", old).await.expect("it ends");
    assert_eq!(done, Ok(()));
    let (_, done) = within("the younger ends", young).await.expect("it ends");
    assert!(done.is_err());
    shop.gateway.finish().await;
}

/// F17: what holds a lock and has no session is named.
#[tokio::test]
async fn a_transaction_that_is_prepared_is_named_as_the_head() {
    let _alone = one_at_a_time().await;
    let shop = Shop::open("it_prepares").await;
    let mut owner = shop.owner().await;
    run(&mut owner, "CREATE TABLE t (n int)").await;
    run(&mut owner, "BEGIN; LOCK t").await;
    run(&mut owner, "PREPARE TRANSACTION 'forgotten'").await;
    let (pid, waiting) = wait_for(&shop, "SELECT 1", "DROP TABLE t").await;
    let seen = shop
        .until("lock_waits", json!({}), |found| {
            row(&found["waits"], "pid", &json!(pid)).is_some()
        })
        .await;
    assert_eq!(
        (&seen["heads"][0]["pid"], &seen["heads"][0]["session"]),
        (&json!(0), &Value::Null)
    );
    let asked = json!({ "min_wait_seconds": 0 });
    let refused = unasked(&shop.gateway, "kill_deadlock", asked).await;
    let said = error(&refused);
    assert!(said.contains("ROLLBACK PREPARED"), "{said}");
    run(&mut owner, "ROLLBACK PREPARED 'forgotten'").await;
    let (_, done) = within("who waited goes on", waiting)
        .await
        .expect("it ends");
    assert_eq!(done, Ok(()));
    shop.gateway.finish().await;
}

/// Waits until so many wait for locks.
async fn until_there_wait(shop: &Shop, count: usize) {
    let there_are = |found: &Value| found["waits"].as_array().map(Vec::len) == Some(count);
    shop.until("lock_waits", json!({}), there_are).await;
}

/// A yes is to the head that was shown, however many have come to wait for it since.
#[tokio::test]
async fn an_approval_of_a_head_is_good_while_it_stays_the_head() {
    let _alone = one_at_a_time().await;
    let (shop, mut holder) = held("it_stays").await;
    let holder_pid = pid(&mut holder).await;
    run(&mut holder, "UPDATE stock SET n = 2").await;
    let (_, first) = wait_for(&shop, "SELECT 1", "UPDATE stock SET n = n + 10").await;
    until_there_wait(&shop, 1).await;
    let request = call("kill_deadlock", r#"{"min_wait_seconds":0}"#);
    let answer = shop.gateway.send(&request).await;
    assert_eq!(refused(&answer, 403), "approval_pending");
    let approval = pending(&shop.gateway).await[0].clone();
    let effect = approval["effect"].as_str().expect("a text");
    let shown = format!(
        "ends session {holder_pid}, for which one other waits, at the connection `shop` (user `toolgate`, database `it_stays`, idle in transaction, in a transaction for "
    );
    assert!(effect.starts_with(&shown), "{effect}");
    assert!(
        effect.contains("UPDATE stock SET n = 2`), which changes things"),
        "{effect}"
    );
    let (_, second) = wait_for(&shop, "SELECT 1", "UPDATE stock SET n = n + 100").await;
    until_there_wait(&shop, 2).await;
    // It is the same approval.
    let answer = shop.gateway.send(&request).await;
    assert_eq!(refused(&answer, 403), "approval_pending");
    assert_eq!(pending(&shop.gateway).await, [approval]);
    let ended = approve(&shop.gateway, &request).await;
    let value = ended.json()["structuredContent"].clone();
    assert_eq!(
        (&value["session"]["pid"], &value["blocks"]),
        (&json!(holder_pid), &json!(2)),
        "{}",
        ended.text()
    );
    for waiting in [first, second] {
        let (_, done) = within("who waited goes on", waiting)
            .await
            .expect("it ends");
        assert_eq!(done, Ok(()));
    }
    shop.gateway.finish().await;
}

/// Where another one is at the head by the time of the yes, nobody is ended; nor where nobody is.
#[tokio::test]
async fn a_session_that_nobody_was_asked_about_is_not_ended() {
    let _alone = one_at_a_time().await;
    let (shop, mut holder) = held("it_changes").await;
    let holder_pid = pid(&mut holder).await;
    let asked = json!({ "min_wait_seconds": 0 });
    let (next, waiting) = wait_for(&shop, "BEGIN", "UPDATE stock SET n = n + 10").await;
    until_there_wait(&shop, 1).await;
    let question = Question::of(&shop.gateway, "kill_deadlock", asked.clone()).await;
    let shown = format!("It ends session {holder_pid}, for which one other waits,");
    assert!(question.text.contains(&shown), "{}", question.text);
    // The holder is done; who waited for it holds the row now, and another one waits.
    run(&mut holder, "COMMIT").await;
    let (mut next_session, done) = within("it goes on", waiting).await.expect("it ends");
    assert_eq!(done, Ok(()));
    let (_, last) = wait_for(&shop, "SELECT 1", "UPDATE stock SET n = n + 100").await;
    until_there_wait(&shop, 1).await;
    let (reason, words) = failure_of(&question.yes(&shop.gateway).await);
    assert_eq!(reason, "approval_needed");
    assert!(words.contains("not any more what was agreed to"), "{words}");
    run(&mut holder, "SELECT 1").await;
    run(&mut next_session, "SELECT 1").await;
    let question = Question::of(&shop.gateway, "kill_deadlock", asked).await;
    assert!(
        question.text.contains(&format!("session {next},")),
        "{}",
        question.text
    );
    run(&mut next_session, "COMMIT").await;
    let (_, done) = within("the last goes on", last).await.expect("it ends");
    assert_eq!(done, Ok(()));
    assert_eq!(
        failure_of(&question.yes(&shop.gateway).await).0,
        "approval_needed"
    );
    run(&mut next_session, "SELECT 1").await;
    shop.gateway.finish().await;
}
