//! Events: the contract of the bus on each backend, Redis that goes and comes, and what plugins and clients see of it.

mod contract;

mod demo;

mod over_http;

mod plugins;

mod processors;

mod redis;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolgate::events::bus::{Bus, Subscriber};
use toolgate::events::config::EventsConfig;
use toolgate::events::subscription::{Delivery, Subscription};
use toolgate::model::event::EventId;
use toolgate::wire::json::Json;

use crate::support::redis::patiently;

/// A bus at work.
struct Running {
    bus: Arc<dyn Bus>,
    stop: CancellationToken,
    work: JoinHandle<()>,
}

impl Running {
    fn of(config: &EventsConfig) -> Self {
        let bus = toolgate::events::open(config);
        let stop = CancellationToken::new();
        let work = tokio::spawn(Arc::clone(&bus).run(stop.clone()));
        Self { bus, stop, work }
    }

    fn publish(&self, topic: &str, payload: &Value) -> EventId {
        let topic = topic.parse().expect("a topic");
        let published = self.bus.publish(topic, "test".into(), Json::of(payload));
        published.expect("the payload is small")
    }

    /// Publishes these numbers on the topic `t`.
    fn publish_all(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.publish("t", &json!(number));
        }
    }

    fn subscribe(&self, group: &str, pattern: &str) -> Subscription {
        self.bus.subscribe(Subscriber {
            group: group.to_owned(),
            pattern: pattern.parse().expect("a pattern"),
            plugin: None,
        })
    }

    async fn finish(self) {
        self.stop.cancel();
        patiently("the bus ends", self.work)
            .await
            .expect("it does not panic");
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    patiently("a delivery", subscription.next()).await
}

/// Takes one event and acknowledges it; gives its payload.
async fn take(subscription: &mut Subscription) -> Value {
    let delivery = next(subscription).await;
    let payload = payload(&delivery);
    delivery.ack();
    payload
}

fn payload(delivery: &Delivery) -> Value {
    delivery.event.read().unwrap_or_else(|_| json!(null))
}

/// Takes so many, acknowledging each; gives their payloads, which must be numbers.
async fn take_all(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let number = take(subscription).await;
        taken.push(number.as_u64().expect("a number"));
    }
    taken
}
