//! Databases that cannot be asked, and settings that are wrong: each is named, and no password is shown.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::postgres::{error, gateway, run};
use crate::rest::call;
use crate::support::{Postgres, Program, Request, TestGateway};

const PASSWORD: &str = "Tr0ub4dor";

#[tokio::test]
async fn a_connection_that_is_not_there_is_told_with_those_that_are() {
    let settings = "connections.shop.url = 'postgres://a@127.0.0.1:1/a'\nconnections.till.url = 'postgres://a@127.0.0.1:1/a'";
    let gateway = gateway(settings).await;
    for (arguments, part) in [
        (
            json!({ "connection": "nope" }),
            "there is no connection `nope`; there are: `shop`, `till`",
        ),
        (
            json!({}),
            "say which `connection`; there are: `shop`, `till`",
        ),
        (
            json!({ "connection": "postgres://a@h/d" }),
            "there is no connection `postgres://a@h/d`",
        ),
    ] {
        let answer = gateway
            .send(&call("lock_waits", &arguments.to_string()))
            .await;
        assert!(error(&answer).contains(part), "{}", answer.text());
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let gateway = gateway(&format!(
        "connections.shop.url = 'postgres://a:{PASSWORD}@127.0.0.1:{port}/a'"
    ))
    .await;
    let answer = gateway.send(&call("slow_queries", "{}")).await;
    let said = error(&answer);
    assert!(
        said.contains("the connection was refused") && said.contains("`connections.shop.url`"),
        "{said}"
    );
    assert!(!said.contains(PASSWORD), "{said}");
    gateway.finish().await;
}

/// Speaks the login, and then says nothing more.
async fn silent_after_login(listener: tokio::net::TcpListener) {
    let mut all = Vec::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let length = client.read_u32().await.expect("a message");
        let mut startup = vec![0; length as usize - 4];
        client.read_exact(&mut startup).await.expect("a message");
        // AuthenticationOk, ReadyForQuery.
        let welcome = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
        client.write_all(welcome).await.expect("it is heard");
        all.push(client);
    }
}

#[tokio::test]
async fn a_server_that_goes_silent_is_named_and_not_waited_for() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let server = tokio::spawn(silent_after_login(listener));
    let gateway = gateway(&format!(
        "connections.shop = {{ url = 'postgres://a@127.0.0.1:{port}/a?sslmode=disable', statement_timeout_ms = 100 }}"
    ))
    .await;
    let began = std::time::Instant::now();
    // More calls than there may be connections: none stays taken.
    let calls = (0..5).map(|_| async {
        let answer = gateway.send(&call("lock_waits", "{}")).await;
        error(&answer)
    });
    for said in futures::future::join_all(calls).await {
        assert_eq!(
            said,
            "`shop` did not answer within 2.1 s: does `connections.shop.url` lead to it, and does a firewall let it through?"
        );
    }
    assert!(began.elapsed().as_secs() < 20);
    server.abort();
    gateway.finish().await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let server = Postgres::shared().await;
    let gateway = gateway(&format!(
        "connections.shop.url = '{}'",
        server.url_of("toolgate", "not_there")
    ))
    .await;
    let said = error(&gateway.send(&call("slow_queries", "{}")).await);
    assert!(
        said.contains("database \"not_there\" does not exist (3D000); look at the database"),
        "{said}"
    );
    gateway.finish().await;
}

/// A wrong password is told, and shown nowhere: not in the result, the log, or what the gateway says of its settings.
#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let server = Postgres::shared().await;
    let mut owner = server.connect("postgres").await;
    run(
        &mut owner,
        "CREATE ROLE locked LOGIN PASSWORD 'the right one' IN ROLE pg_monitor",
    )
    .await;
    let url = server
        .url_of("locked", "postgres")
        .replace("hunter2", PASSWORD);
    let settings = format!("connections.shop.url = '{url}'");
    let gateway = gateway(&settings).await;
    let answer = gateway.send(&call("lock_waits", "{}")).await;
    let said = error(&answer);
    assert!(
        said.contains("(28P01)")
            && said.contains("look at the user and the password of `connections.shop`"),
        "{said}"
    );
    assert!(!said.contains(PASSWORD), "{said}");
    for path in [
        "/api/config",
        "/api/config/postgres",
        "/api/calls",
        "/ext/status",
        "/api/plugins",
        "/api/v1/plugin/report",
    ] {
        let shown = gateway.send(&Request::new("GET", path)).await;
        assert!(!shown.text().contains(PASSWORD), "{path}: {}", shown.text());
    }
    // One that stands apart is used, and hidden as well.
    let apart = json!({ "connections": { "shop": { "url": server.url_of("locked", "postgres"), "password": "the right one" } } });
    let changed = Request::new("PUT", "/api/config/postgres").body_of(&apart);
    let changed = gateway.send(&changed).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert!(
        !changed.text().contains("the right one"),
        "{}",
        changed.text()
    );
    let answer = gateway.send(&call("lock_waits", "{}")).await;
    assert_eq!(answer.json()["isError"], json!(null), "{}", answer.text());
    gateway.finish().await;

    let config =
        format!("[plugins.postgres]\nenabled = true\n[plugins.postgres.config]\n{settings}\n");
    let (code, said) = Program::run(
        &["--log", "trace", "tools", "call", "lock_waits", "{}"],
        &config,
    )
    .await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("28P01"), "{said}");
    assert!(!said.contains(PASSWORD), "the password is in the log");
}

#[tokio::test]
async fn settings_that_are_wrong_are_named_and_leave_those_that_were() {
    let server = Postgres::shared().await;
    let gateway = gateway(&format!("connections.shop.url = '{}'", server.url())).await;
    for (url, part) in [
        (
            format!("mysql://a:{PASSWORD}@h/d"),
            "`connections.till.url` must be an address",
        ),
        (
            format!("postgres://a:{PASSWORD}@h:x/d"),
            "`connections.till.url` cannot be read",
        ),
        (
            format!("postgres://a@h/d?connect_timeout={PASSWORD}"),
            "the parameter `connect_timeout`",
        ),
    ] {
        let change = json!({ "connections": { "till": { "url": url } } });
        let refused = Request::new("PUT", "/api/config/postgres").body_of(&change);
        let refused = gateway.send(&refused).await;
        assert_ne!(refused.status, 200, "{}", refused.text());
        assert!(refused.text().contains(part), "{}", refused.text());
        assert!(!refused.text().contains(PASSWORD), "{}", refused.text());
    }
    let answer = gateway
        .send(&call("lock_waits", r#"{"connection":"shop"}"#))
        .await;
    assert_eq!(answer.json()["isError"], json!(null), "{}", answer.text());
    gateway.finish().await;
    // One without any says what it wants.
    let gateway = TestGateway::builder()
        .config("[plugins.clock]\nenabled = true\n")
        .build()
        .await;
    let all = gateway.send(&Request::new("GET", "/api/tools")).await;
    assert!(
        !all.text().contains("slow_queries"),
        "it does nothing until it is named"
    );
    gateway.finish().await;
}
