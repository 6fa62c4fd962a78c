//! Queries and sessions that are ended by their processes.

use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::hostile::failure_of;
use crate::postgres::{Shop, approved, dry, error, number, pid, row, run, text, unasked};
use crate::rest::{call, refused};
use crate::support::question::{Question, pending};
use crate::support::{Answer, within};

struct Sleeper {
    pid: i32,
    backend_start: Value,
    sleeping: JoinHandle<(PgConnection, Option<String>)>,
}

/// A session that sleeps, as `slow_queries` lists it.
async fn sleeper(shop: &Shop) -> Sleeper {
    let mut session = shop.owner().await;
    let pid = pid(&mut session).await;
    let sleeping = tokio::spawn(async move {
        let done = sqlx::query("SELECT pg_sleep(60)")
            .execute(&mut session)
            .await;
        let code = done
            .err()
            .and_then(|err| Some(err.as_database_error()?.code()?.into_owned()));
        (session, code)
    });
    let asked = json!({ "min_seconds": 0 });
    let seen = shop
        .until("slow_queries", asked, |found| {
            row(&found["queries"], "pid", &json!(pid)).is_some()
        })
        .await;
    let query = row(&seen["queries"], "pid", &json!(pid)).expect("it is seen");
    Sleeper {
        pid,
        backend_start: query["backend_start"].clone(),
        sleeping,
    }
}

fn outcome(answer: &Answer) -> Value {
    answer.json()["structuredContent"]["outcome"].clone()
}

/// F19: a query is cancelled and its session stays; then the session is ended.
#[tokio::test]
async fn a_query_is_cancelled_and_a_session_ended() {
    let shop = Shop::open("it_ends").await;
    let sleeper = sleeper(&shop).await;
    let cancel = json!({ "pid": sleeper.pid, "backend_start": sleeper.backend_start });
    let tried = dry(&shop.gateway, "terminate_query", cancel.clone()).await;
    assert_eq!(outcome(&tried), "would_end", "{}", tried.text());
    assert!(
        text(&tried).starts_with("Dry run: would end the query of session"),
        "{}",
        tried.text()
    );
    assert!(!sleeper.sleeping.is_finished());

    // `cancel` is what is done when nothing is said.
    let ended = approved(&shop.gateway, "terminate_query", cancel.clone()).await;
    assert_eq!(outcome(&ended), "ended", "{}", ended.text());
    assert_eq!(ended.json()["structuredContent"]["how"], "cancel");
    assert_eq!(
        ended.json()["structuredContent"]["session"]["query"],
        "SELECT pg_sleep(60)"
    );
    let (mut session, code) = within("the query ends", sleeper.sleeping)
        .await
        .expect("it ends");
    assert_eq!(code.as_deref(), Some("57014"), "its query was cancelled");
    assert_eq!(
        number(&mut session, "SELECT 1::int8").await,
        1,
        "its session is there"
    );

    // Nothing runs there now that could be cancelled: nobody is asked.
    let again = unasked(&shop.gateway, "terminate_query", cancel).await;
    let said = error(&again);
    assert!(
        said.contains("runs no query") && said.contains("`terminate`"),
        "{said}"
    );

    let end =
        json!({ "pid": sleeper.pid, "backend_start": sleeper.backend_start, "how": "terminate" });
    let ended = approved(&shop.gateway, "terminate_query", end.clone()).await;
    assert_eq!(outcome(&ended), "ended", "{}", ended.text());
    let dead = sqlx::query("SELECT 1").execute(&mut session).await;
    assert!(dead.is_err(), "its session is gone");
    let again = unasked(&shop.gateway, "terminate_query", end).await;
    assert!(
        error(&again).contains("there is no session"),
        "{}",
        again.text()
    );
    shop.gateway.finish().await;
}

#[tokio::test]
async fn a_process_that_belongs_to_another_session_by_now_is_left_alone() {
    let shop = Shop::open("it_is_another").await;
    let sleeper = sleeper(&shop).await;
    for (backend_start, part) in [
        ("2020-01-01T00:00:00Z", "belongs to another session by now"),
        ("soon", "invalid input syntax"),
    ] {
        let asked =
            json!({ "pid": sleeper.pid, "backend_start": backend_start, "how": "terminate" });
        let answer = unasked(&shop.gateway, "terminate_query", asked).await;
        assert!(error(&answer).contains(part), "{}", answer.text());
    }
    assert!(!sleeper.sleeping.is_finished());
    sleeper.sleeping.abort();
    shop.gateway.finish().await;
}

#[tokio::test]
async fn what_is_the_servers_or_the_gateways_own_is_not_ended() {
    let shop = Shop::open("it_keeps").await;
    let mut owner = shop.owner().await;
    let launcher = "SELECT pid::int8 FROM pg_stat_activity WHERE backend_type = 'logical replication launcher'";
    let launcher = number(&mut owner, launcher).await;
    let asked = json!({ "pid": launcher, "how": "terminate" });
    let answer = unasked(&shop.gateway, "terminate_query", asked.clone()).await;
    let said = error(&answer);
    assert!(
        said.contains("belongs to the server itself") && said.contains("`include_system`"),
        "{said}"
    );
    // A session of the gateway is known by its name and its role.
    run(&mut owner, "SET application_name = 'toolgate'").await;
    let own = pid(&mut owner).await;
    let asked = json!({ "pid": own, "how": "terminate", "include_system": true });
    let answer = unasked(&shop.gateway, "terminate_query", asked).await;
    assert!(
        error(&answer).contains("gateway's own"),
        "{}",
        answer.text()
    );
    run(&mut owner, "SELECT 1").await;
    shop.gateway.finish().await;
}

#[tokio::test]
async fn a_role_that_may_not_end_sessions_is_told_what_it_needs() {
    let server = crate::support::Postgres::shared().await;
    let mut owner = server.connect("postgres").await;
    run(
        &mut owner,
        "CREATE ROLE only_monitors LOGIN IN ROLE pg_monitor; CREATE ROLE somebody LOGIN",
    )
    .await;
    let shop = Shop::open_with("it_monitors", "only_monitors", "").await;
    let url = server.url_of("somebody", "it_monitors");
    let mut other = within(
        "it connects",
        <PgConnection as sqlx::Connection>::connect(&url),
    )
    .await
    .expect("it does");
    let asked = json!({ "pid": pid(&mut other).await, "how": "terminate" });
    let answer = approved(&shop.gateway, "terminate_query", asked).await;
    let said = error(&answer);
    assert!(
        said.contains("(42501)") && said.contains("`pg_signal_backend`"),
        "{said}"
    );
    run(&mut other, "SELECT 1").await;
    shop.gateway.finish().await;
}

/// F45: nobody ends anything without an approval, and who gives it sees whom it ends. Texts of queries may be hidden.
#[tokio::test]
async fn what_ends_sessions_waits_for_an_approval_of_that_session() {
    for (database, settings, query) in [
        ("it_asks", "", ": `SELECT pg_sleep(60)`)"),
        ("it_asks_less", ", show_query_text = false", ")"),
    ] {
        let shop = Shop::open_with(database, "toolgate", settings).await;
        let sleeper = sleeper(&shop).await;
        let pid = sleeper.pid;
        for (how, verb) in [("cancel", "cancels the query of"), ("terminate", "ends")] {
            let asked = json!({ "pid": pid, "how": how }).to_string();
            let answer = shop.gateway.send(&call("terminate_query", &asked)).await;
            assert_eq!(refused(&answer, 403), "approval_pending");
            let effect = pending(&shop.gateway).await[0]["effect"].to_string();
            let begin = format!(
                "\"{verb} session {pid} at the connection `shop` (user `toolgate`, database `{database}`, active, in a transaction for "
            );
            assert!(effect.starts_with(&begin), "{effect}");
            let end = format!(" s{query}, which changes things (risk high): one ");
            assert!(effect.contains(&end), "{effect}");
        }
        sleeper.sleeping.abort();
        shop.gateway.finish().await;
    }
}

/// The yes is to the query that was shown, not to the next one of its session.
#[tokio::test]
async fn a_query_that_nobody_was_asked_about_goes_on() {
    let shop = Shop::open("it_goes_on").await;
    let sleeper = sleeper(&shop).await;
    let asked = json!({ "pid": sleeper.pid, "backend_start": sleeper.backend_start });
    let question = Question::of(&shop.gateway, "terminate_query", asked.clone()).await;
    let shown = format!("It cancels the query of session {} at", sleeper.pid);
    assert!(question.text.contains(&shown), "{}", question.text);
    let mut owner = shop.owner().await;
    run(
        &mut owner,
        &format!("SELECT pg_cancel_backend({})", sleeper.pid),
    )
    .await;
    let (mut session, _) = within("the query ends", sleeper.sleeping)
        .await
        .expect("it ends");
    let next = tokio::spawn(async move {
        let slept = sqlx::query("SELECT pg_sleep(61)")
            .execute(&mut session)
            .await;
        (session, slept.is_ok())
    });
    let sleeps = json!("SELECT pg_sleep(61)");
    shop.until("slow_queries", json!({ "min_seconds": 0 }), |found| {
        row(&found["queries"], "query", &sleeps).is_some()
    })
    .await;
    let (reason, words) = failure_of(&question.yes(&shop.gateway).await);
    assert_eq!(reason, "approval_needed");
    assert!(words.contains("not any more what was agreed to"), "{words}");
    assert!(!next.is_finished());
    // Who is asked about this one may end it.
    let question = Question::of(&shop.gateway, "terminate_query", asked).await;
    assert!(question.text.contains("pg_sleep(61)"), "{}", question.text);
    let ended = question.yes(&shop.gateway).await;
    assert_eq!(ended["structuredContent"]["outcome"], "ended", "{ended}");
    let (_, slept) = within("it ends", next).await.expect("it ends");
    assert!(!slept);
    shop.gateway.finish().await;
}
