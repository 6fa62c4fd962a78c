//! F49: Redis that is down, dies, is slow, forgets everything, or refuses; and what other gateways leave behind.

use std::time::Duration;

use serde_json::json;
use toolgate::events::config::EventsConfig;

use crate::events::{Running, next, take, take_all};
use crate::support::redis::{RedisServer, eventually};

fn config(server: &RedisServer) -> EventsConfig {
    EventsConfig {
        url: Some(server.url().parse().expect("an address")),
        redeliver_ms: 150,
        outbox: 100,
        ..EventsConfig::default()
    }
}

/// O10: `XLEN` grows.
#[tokio::test]
async fn events_are_entries_of_one_stream() {
    let server = RedisServer::start().await;
    let running = Running::of(&EventsConfig {
        prefix: "mine".to_owned(),
        ..config(&server)
    });
    assert_eq!(server.ask(&["XLEN", "mine:events"]), "0");
    running.publish_all(0..3);
    eventually("they are there", || {
        server.ask(&["XLEN", "mine:events"]) == "3"
    })
    .await;
    running.publish_all(3..5);
    eventually("more are there", || {
        server.ask(&["XLEN", "mine:events"]) == "5"
    })
    .await;
    running.finish().await;
}

#[tokio::test]
async fn events_wait_for_a_server_that_is_down_at_the_start() {
    let mut server = RedisServer::away();
    let running = Running::of(&config(&server));
    let mut events = running.subscribe("g", "t");
    running.publish_all(0..120);
    eventually("it is known to be away", || {
        running.bus.status().error.is_some()
    })
    .await;
    let status = running.bus.status();
    assert!(!status.healthy);
    assert_eq!((status.outbox, status.dropped), (100, 20));
    let recent = running
        .bus
        .recent(&"t".parse().expect("a pattern"), 1)
        .await;
    assert!(recent.is_err_and(|away| away.to_string().contains("cannot be reached")));
    server.begin().await;
    // The oldest are gone, and nothing else.
    assert_eq!(
        take_all(&mut events, 100).await,
        (20..120).collect::<Vec<u64>>()
    );
    eventually("it is well", || running.bus.status().healthy).await;
    running.finish().await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_server_dies_and_comes_back() {
    let mut server = RedisServer::durable().await;
    let running = Running::of(&config(&server));
    let mut events = running.subscribe("g", "t");
    running.publish_all(0..10);
    assert_eq!(take_all(&mut events, 5).await, [0, 1, 2, 3, 4]);
    server.kill();
    running.publish_all(10..60);
    server.begin().await;
    running.publish_all(60..70);
    // Some may come twice, each under the id it had.
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 65 {
        let delivery = next(&mut events).await;
        let number: u64 = delivery.event.read().expect("a number");
        if let Some(id) = seen.insert(number, delivery.event.id) {
            assert_eq!(id, delivery.event.id);
        }
        delivery.ack();
        seen.retain(|number, _| *number >= 5);
    }
    assert!(seen.keys().copied().eq(5..70));
    assert_eq!(running.bus.status().dropped, 0);
    running.finish().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_for_a_while_delays_nobody() {
    let server = RedisServer::start().await;
    let running = Running::of(&config(&server));
    let mut events = running.subscribe("g", "t");
    running.publish_all(0..1);
    assert_eq!(take(&mut events).await, 0);
    server.freeze();
    running.publish_all(1..50);
    let quiet = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
    assert!(quiet.is_err());
    server.thaw();
    assert_eq!(
        take_all(&mut events, 49).await,
        (1..50).collect::<Vec<u64>>()
    );
    running.finish().await;
}

#[tokio::test]
async fn a_group_is_made_again_when_everything_was_forgotten() {
    let server = RedisServer::start().await;
    let running = Running::of(&config(&server));
    let mut events = running.subscribe("g", "t");
    running.publish_all(0..1);
    assert_eq!(take(&mut events).await, 0);
    server.ask(&["FLUSHALL"]);
    running.publish_all(1..11);
    assert_eq!(
        take_all(&mut events, 10).await,
        (1..11).collect::<Vec<u64>>()
    );
    running.finish().await;
}

#[tokio::test]
async fn events_wait_while_the_server_refuses_to_write() {
    let server = RedisServer::start().await;
    let running = Running::of(&config(&server));
    let mut events = running.subscribe("g", "t");
    running.publish_all(0..1);
    assert_eq!(take(&mut events).await, 0);
    for (refuse, allow) in [
        (
            &["REPLICAOF", "127.0.0.1", "1"][..],
            &["REPLICAOF", "NO", "ONE"][..],
        ),
        (
            &["CONFIG", "SET", "maxmemory", "1"],
            &["CONFIG", "SET", "maxmemory", "0"],
        ),
    ] {
        server.ask(refuse);
        running.publish_all(1..11);
        eventually("it is known to refuse", || {
            let status = running.bus.status();
            status.outbox == 10 && !status.healthy
        })
        .await;
        server.ask(allow);
        assert_eq!(
            take_all(&mut events, 10).await,
            (1..11).collect::<Vec<u64>>()
        );
    }
    running.finish().await;
}

#[tokio::test]
async fn what_a_dead_gateway_had_is_delivered_to_another() {
    let server = RedisServer::start().await;
    let first = Running::of(&config(&server));
    let mut events = first.subscribe("g", "t");
    first.publish_all(0..3);
    let held = next(&mut events).await;
    // It ends in the middle of its work, and says nothing any more.
    first.work.abort();
    let second = Running::of(&config(&server));
    let mut others = second.subscribe("g", "t");
    let mut taken = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut others).await;
        assert_eq!(delivery.attempt, 2);
        taken.push(delivery.event.read::<u64>().expect("a number"));
        delivery.ack();
    }
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2]);
    drop(held);
    second.finish().await;
}

/// Poison that ends the gateway before it can say anything is a dead letter in the end, too.
#[tokio::test]
async fn what_nobody_lives_to_acknowledge_becomes_a_dead_letter() {
    let server = RedisServer::start().await;
    let config = EventsConfig {
        max_deliveries: 2,
        ..config(&server)
    };
    let mut id = None;
    for _ in 0..2 {
        let gateway = Running::of(&config);
        let mut events = gateway.subscribe("g", "t");
        let published = *id.get_or_insert_with(|| gateway.publish("t", &json!("poison")));
        let held = next(&mut events).await;
        assert_eq!(held.event.id, published);
        gateway.work.abort();
        std::mem::forget(held);
    }
    let survivor = Running::of(&config);
    let mut events = survivor.subscribe("g", "t");
    eventually("it is dead", || survivor.bus.status().dead == 1).await;
    let dead = survivor.bus.dead(1).await.expect("it answers");
    assert_eq!((Some(dead[0].event.id), dead[0].deliveries), (id, 2));
    assert!(
        dead[0].error.contains("has not acknowledged it"),
        "{}",
        dead[0].error
    );
    survivor.publish("t", &json!("next"));
    assert_eq!(take(&mut events).await, "next");
    survivor.finish().await;
}

/// What takes longer than the time after which it would come again is not delivered to others meanwhile.
#[tokio::test]
async fn what_is_being_worked_on_is_not_delivered_again() {
    let server = RedisServer::start().await;
    let (first, second) = (Running::of(&config(&server)), Running::of(&config(&server)));
    let mut events = first.subscribe("g", "t");
    first.publish_all(0..1);
    let held = next(&mut events).await;
    let mut others = second.subscribe("g", "t");
    let long = Duration::from_millis(600);
    assert!(tokio::time::timeout(long, others.next()).await.is_err());
    held.ack();
    eventually("it is acknowledged", || {
        server
            .ask(&["XPENDING", "toolgate:events", "g|t"])
            .contains("int(0)")
    })
    .await;
    first.finish().await;
    second.finish().await;
}

#[tokio::test]
async fn what_others_write_into_the_stream_is_passed_over() {
    let server = RedisServer::start().await;
    let running = Running::of(&config(&server));
    let mut events = running.subscribe("g", "*");
    running.publish_all(0..1);
    assert_eq!(take(&mut events).await, 0);
    server.ask(&["XADD", "toolgate:events", "*", "x", "y"]);
    server.ask(&[
        "XADD",
        "toolgate:events",
        "*",
        "id",
        "1",
        "topic",
        "A",
        "source",
        "",
        "payload",
        "{",
    ]);
    running.publish_all(1..2);
    assert_eq!(take(&mut events).await, 1);
    assert_eq!(
        running
            .bus
            .recent(&"*".parse().expect("a pattern"), 9)
            .await
            .expect("it answers")
            .len(),
        2
    );
    running.finish().await;
}
