//! What every backend promises. In memory time is paused, with Redis it is real.

use serde_json::json;
use toolgate::events::config::EventsConfig;
use toolgate::events::tail::Next;
use toolgate::model::topic::Pattern;

use crate::events::{Running, next, payload, take, take_all};
use crate::support::redis::{RedisServer, eventually, patiently};

/// Runs each test on each backend.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    super::$name(&super::memory_bus()).await;
                }
            )*
        }

        mod redis {
            $(
                #[tokio::test]
                async fn $name() {
                    let server = crate::support::redis::RedisServer::start().await;
                    let running = super::redis_bus(&server);
                    super::$name(&running).await;
                    running.finish().await;
                }
            )*
        }
    };
}

on_both!(
    a_pattern_chooses_topics,
    each_group_gets_every_event,
    subscriptions_of_a_group_share_its_events,
    what_is_not_acknowledged_comes_again_after_its_time,
    after_five_deliveries_an_event_is_a_dead_letter,
    events_come_in_their_order,
    a_group_outlives_its_subscriptions,
    the_last_events_are_kept,
    a_tail_shows_what_is_published,
    a_large_payload_is_refused,
);

fn config() -> EventsConfig {
    EventsConfig {
        redeliver_ms: 150,
        keep: 1000,
        ..EventsConfig::default()
    }
}

fn memory_bus() -> Running {
    Running::of(&config())
}

fn redis_bus(server: &RedisServer) -> Running {
    Running::of(&EventsConfig {
        url: Some(server.url().parse().expect("an address")),
        ..config()
    })
}

/// O6: `task.done` reaches `task.*` and not `tasks.x`.
async fn a_pattern_chooses_topics(running: &Running) {
    let mut tasks = running.subscribe("a", "task.*");
    let mut other = running.subscribe("b", "tasks.x");
    running.publish("tasks.x", &json!("other"));
    running.publish("task", &json!("nobody"));
    let id = running.publish("task.done", &json!("task"));
    let delivery = next(&mut tasks).await;
    assert_eq!((delivery.event.id, delivery.attempt), (id, 1));
    assert_eq!(delivery.event.topic.as_str(), "task.done");
    assert_eq!(&*delivery.event.source, "test");
    delivery.ack();
    assert_eq!(take(&mut other).await, "other");
}

async fn each_group_gets_every_event(running: &Running) {
    let mut one = running.subscribe("one", "*");
    let mut two = running.subscribe("two", "*");
    running.publish_all(0..200);
    let all: Vec<u64> = (0..200).collect();
    assert_eq!(take_all(&mut one, 200).await, all);
    assert_eq!(take_all(&mut two, 200).await, all);
    eventually("all are acknowledged", || {
        let status = running.bus.status();
        status.delivered == 400 && status.redelivered == 0
    })
    .await;
    assert_eq!(running.bus.status().published, 200);
}

async fn subscriptions_of_a_group_share_its_events(running: &Running) {
    let mut one = running.subscribe("g", "t");
    let mut two = running.subscribe("g", "t");
    running.publish_all(0..20);
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.extend(take_all(&mut one, 1).await);
        taken.extend(take_all(&mut two, 1).await);
    }
    taken.sort_unstable();
    assert_eq!(taken, (0..20).collect::<Vec<u64>>());
}

/// At least once, and the id says that it is the same event.
async fn what_is_not_acknowledged_comes_again_after_its_time(running: &Running) {
    let mut events = running.subscribe("g", "t");
    let id = running.publish("t", &json!(1));
    let began = tokio::time::Instant::now();
    next(&mut events).await.nack("not now");
    running.publish("t", &json!(2));
    // It does not stand in the way of others.
    assert_eq!(take(&mut events).await, 2);
    let again = next(&mut events).await;
    assert_eq!((again.event.id, again.attempt), (id, 2));
    assert!(began.elapsed().as_millis() >= 150, "{:?}", began.elapsed());
    // Forgotten without a word.
    drop(again);
    let again = next(&mut events).await;
    assert_eq!((again.event.id, again.attempt), (id, 3));
    again.ack();
    eventually("nothing is left", || {
        let status = running.bus.status();
        status.delivered == 2 && status.subscriptions[0].pending == 0
    })
    .await;
    assert_eq!(running.bus.status().redelivered, 2);
}

async fn after_five_deliveries_an_event_is_a_dead_letter(running: &Running) {
    let mut events = running.subscribe("g", "t");
    let id = running.publish("t", &json!({ "poison": true }));
    for attempt in 1..=5 {
        let delivery = next(&mut events).await;
        assert_eq!((delivery.event.id, delivery.attempt), (id, attempt));
        delivery.nack(format!("no {attempt}"));
    }
    eventually("it is dead", || running.bus.status().dead == 1).await;
    let dead = running.bus.dead(10).await.expect("the bus answers");
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].event.id, dead[0].deliveries), (id, 5));
    assert_eq!(
        (dead[0].group.as_str(), dead[0].error.as_str()),
        ("g", "no 5")
    );
    running.publish("t", &json!("next"));
    assert_eq!(take(&mut events).await, "next");
}

async fn events_come_in_their_order(running: &Running) {
    let mut events = running.subscribe("g", "a.*");
    let mut ids = Vec::new();
    for n in 0..500_u64 {
        ids.push(running.publish(if n % 2 == 0 { "a.even" } else { "a.odd" }, &json!(n)));
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(ids.is_sorted());
    let expect: Vec<u64> = (0..500).collect();
    assert_eq!(take_all(&mut events, 500).await, expect);
}

async fn a_group_outlives_its_subscriptions(running: &Running) {
    let mut events = running.subscribe("g", "t");
    running.publish("t", &json!(1));
    assert_eq!(take(&mut events).await, 1);
    let held = {
        running.publish("t", &json!(2));
        next(&mut events).await
    };
    drop(events);
    running.publish("t", &json!(3));
    drop(held);
    let mut events = running.subscribe("g", "t");
    let mut rest = take_all(&mut events, 2).await;
    rest.sort_unstable();
    assert_eq!(rest, [2, 3]);
}

async fn the_last_events_are_kept(running: &Running) {
    let ids: Vec<_> = (0..5).map(|n| running.publish("k.x", &json!(n))).collect();
    let last = running.publish("other", &json!("o"));
    eventually("they are out", || running.bus.status().outbox == 0).await;
    let pattern: Pattern = "k.*".parse().expect("a pattern");
    let recent = running.bus.recent(&pattern, 3).await.expect("it answers");
    let recent: Vec<_> = recent.iter().map(|event| event.id).collect();
    assert_eq!(recent, [ids[4], ids[3], ids[2]]);
    let all = running
        .bus
        .recent(&Pattern::all(), 100)
        .await
        .expect("it answers");
    assert_eq!((all.len(), all[0].id), (6, last));
}

async fn a_tail_shows_what_is_published(running: &Running) {
    running.publish("t.early", &json!(0));
    eventually("it is out", || running.bus.status().outbox == 0).await;
    let mut tail = running.bus.tail("t.*".parse().expect("a pattern"));
    // With Redis it is open once its reader has found the end of the stream.
    let seen = async {
        loop {
            running.publish("t.x", &json!(1));
            let wait = std::time::Duration::from_millis(50);
            if let Ok(next) = tokio::time::timeout(wait, tail.next()).await {
                return next;
            }
        }
    };
    let Next::Event(event) = patiently("an event on the tail", seen).await else {
        panic!("not an event");
    };
    assert_eq!(event.topic.as_str(), "t.x");
    assert!(!running.bus.asks_for("toolgate.call.finished"));
    let _calls = running
        .bus
        .tail("toolgate.call.*".parse().expect("a pattern"));
    assert!(running.bus.asks_for("toolgate.call.finished"));
}

async fn a_large_payload_is_refused(running: &Running) {
    let topic = "t".parse().expect("a topic");
    let payload = toolgate::wire::json::Json::of(&"x".repeat(256 << 10));
    assert!(running.bus.publish(topic, "test".into(), payload).is_err());
    let mut events = running.subscribe("g", "t");
    let text = "x".repeat(200 << 10);
    running.publish("t", &json!(text));
    let delivery = next(&mut events).await;
    assert_eq!(payload_len(&delivery), text.len());
    delivery.ack();
}

fn payload_len(delivery: &toolgate::events::subscription::Delivery) -> usize {
    payload(delivery).as_str().map_or(0, str::len)
}

/// In memory the bound is that of each group.
#[tokio::test(start_paused = true)]
async fn a_group_that_does_not_keep_up_loses_the_oldest() {
    let running = Running::of(&EventsConfig {
        outbox: 50,
        ..config()
    });
    let mut slow = running.subscribe("slow", "t");
    running.publish_all(0..60);
    assert_eq!(running.bus.status().dropped, 10);
    assert_eq!(
        take_all(&mut slow, 50).await,
        (10..60).collect::<Vec<u64>>()
    );
}
