//! Plugins in this process publish and hear: within their grants, where they run, until they end.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use toolgate::plugin::{
    Event, Events, HookResult, NoArguments, Plugin, PluginContext, ToolContext, ToolError, Tools,
};

use crate::hostile::{result_of, text, text_of, value};
use crate::support::redis::{RedisServer, eventually, patiently};
use crate::support::{TestGateway, modern, until};

/// What plugins of a test have heard. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<(String, Value, String)>>>);

impl Heard {
    fn note(&self, event: &Event) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let payload = event.read().unwrap_or_default();
        let mut heard = self.0.lock().expect("no holder panics");
        heard.push((event.topic.to_string(), payload, thread));
    }

    /// What came on these topics.
    pub(super) fn payloads(&self, topic: &str) -> Vec<Value> {
        let heard = self.0.lock().expect("no holder panics");
        let on_topic = heard.iter().filter(|(known, ..)| known == topic);
        on_topic.map(|(_, payload, _)| payload.clone()).collect()
    }

    fn threads(&self) -> Vec<String> {
        let heard = self.0.lock().expect("no holder panics");
        heard.iter().map(|(_, _, thread)| thread.clone()).collect()
    }
}

type Asking = dyn Fn(&Events, &Heard) -> HookResult + Send + Sync;

/// A plugin that asks for events at its start, and has a tool `publish` and one `try_publish` that says why not.
#[derive(Clone)]
pub(super) struct Hearer {
    heard: Heard,
    asking: Arc<Asking>,
    events: Arc<Mutex<Option<Events>>>,
    cooperative: bool,
}

impl Hearer {
    pub(super) fn new(
        heard: &Heard,
        asking: impl Fn(&Events, &Heard) -> HookResult + Send + Sync + 'static,
    ) -> Self {
        Self {
            heard: heard.clone(),
            asking: Arc::new(asking),
            events: Arc::default(),
            cooperative: true,
        }
    }

    fn with_a_thread(mut self) -> Self {
        self.cooperative = false;
        self
    }

    /// One that hears what `pattern` chooses.
    pub(super) fn of(heard: &Heard, pattern: &'static str) -> Self {
        Self::new(heard, move |events, heard| {
            let heard = heard.clone();
            events.subscribe(pattern, move |event| {
                heard.note(&event);
                async { Ok(()) }
            })?;
            Ok(())
        })
    }
}

#[async_trait]
impl Plugin for Hearer {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        *self.events.lock().expect("no holder panics") = Some(context.events().clone());
        (self.asking)(context.events(), &self.heard)
    }

    fn tools(&self, tools: &mut Tools) {
        let events = Arc::clone(&self.events);
        tools.add(
            "publish",
            "Publishes",
            move |_: NoArguments, _: ToolContext| {
                let events = events.lock().expect("no holder panics").clone();
                let published = events
                    .expect("it has started")
                    .publish("x.said", &json!({ "a": 1 }));
                std::future::ready(match published {
                    Ok(id) => Ok::<_, ToolError>(id.to_string()),
                    Err(fault) => Ok(fault.reason.to_owned()),
                })
            },
        );
    }

    fn cooperative(&self) -> bool {
        self.cooperative
    }
}

pub(super) const GRANTED: &str = "requests = [\"TOOLS\", \"EVENTS_PUB\", \"EVENTS_SUB\"]\n";

pub(super) fn granted(id: &str) -> String {
    format!("[plugins.{id}]\n{GRANTED}")
}

/// O5: without the grant `permission_denied`; with it an id.
#[tokio::test]
async fn publishing_needs_a_grant() {
    let quiet = |_: &Events, _: &Heard| Ok(());
    let heard = Heard::default();
    let gateway = TestGateway::builder()
        .config(&format!(
            "[plugins.may]\n{GRANTED}[plugins.asks]\n{GRANTED}grants = [\"TOOLS\"]\n"
        ))
        .plugin("may", Hearer::new(&heard, quiet))
        .plugin("asks", Hearer::new(&heard, quiet))
        .plugin("asks_not", Hearer::new(&heard, quiet))
        .build()
        .await;
    let id = text(&gateway, "may__publish", json!({})).await;
    assert_eq!(id.len(), 36, "{id}");
    for plugin in ["asks", "asks_not"] {
        let told = text(&gateway, &format!("{plugin}__publish"), json!({})).await;
        assert_eq!(told, "permission_denied");
    }
    gateway.finish().await;
}

/// O6: without the grant nothing is heard either.
#[tokio::test]
async fn hearing_needs_a_grant() {
    let refused = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&refused);
    let heard = Heard::default();
    let asking = move |events: &Events, _: &Heard| {
        let asked = events.subscribe("*", |_| async { Ok(()) });
        *seen.lock().expect("no holder panics") = asked.err().map(|fault| fault.reason);
        Ok(())
    };
    let gateway = TestGateway::builder()
        .plugin("asks_not", Hearer::new(&heard, asking))
        .build()
        .await;
    let reason = *refused.lock().expect("no holder panics");
    assert_eq!(reason, Some("permission_denied"));
    gateway.finish().await;
}

/// Code that may block runs on its own thread, handlers of events included.
#[tokio::test]
async fn handlers_run_where_their_plugin_does() {
    let heard = Heard::default();
    let gateway = TestGateway::builder()
        .config(&granted("ear"))
        .plugin("ear", Hearer::of(&heard, "x.*").with_a_thread())
        .build()
        .await;
    text(&gateway, "ear__publish", json!({})).await;
    until("it hears itself", || {
        heard.payloads("x.said") == [json!({ "a": 1 })]
    })
    .await;
    assert_eq!(heard.threads(), ["plugin ear"]);
    gateway.finish().await;
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_is_called_again() {
    let heard = Heard::default();
    let tries = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&tries);
    let asking = move |events: &Events, heard: &Heard| {
        let (heard, tries) = (heard.clone(), Arc::clone(&seen));
        events.subscribe("x.said", move |event| {
            let (heard, tries) = (heard.clone(), Arc::clone(&tries));
            async move {
                let count = {
                    let mut tries = tries.lock().expect("no holder panics");
                    *tries += 1;
                    *tries
                };
                match count {
                    1 => Err("not yet".into()),
                    2 => panic!("not like this"),
                    _ => {
                        heard.note(&event);
                        Ok(())
                    }
                }
            }
        })?;
        Ok(())
    };
    let gateway = TestGateway::builder()
        .config(&format!("[events]\nredeliver_ms = 20\n{}", granted("ear")))
        .plugin("ear", Hearer::new(&heard, asking))
        .build()
        .await;
    text(&gateway, "ear__publish", json!({})).await;
    until("it is handled", || heard.payloads("x.said").len() == 1).await;
    let status = gateway.app.desk.dispatcher.events().bus().status();
    assert_eq!(status.redelivered, 2);
    gateway.finish().await;
}

/// Subscriptions end with the instance, and what was published meanwhile is there after the next start.
#[tokio::test]
async fn a_stopped_plugin_hears_nothing_until_it_starts_again() {
    let (heard, other) = (Heard::default(), Heard::default());
    let gateway = TestGateway::builder()
        .config(&format!("{}{}", granted("ear"), granted("mouth")))
        .plugin("ear", Hearer::of(&heard, "x.said"))
        .plugin("mouth", Hearer::new(&other, |_, _| Ok(())))
        .build()
        .await;
    text(&gateway, "mouth__publish", json!({})).await;
    until("it is heard", || heard.payloads("x.said").len() == 1).await;
    let control = &gateway.app.desk.control;
    control.stop("ear").await.expect("it stops");
    text(&gateway, "mouth__publish", json!({})).await;
    let bus = gateway.app.desk.dispatcher.events().bus();
    until("its subscription is gone", || {
        bus.status().subscriptions.is_empty()
    })
    .await;
    assert_eq!(heard.payloads("x.said").len(), 1);
    control.start("ear").await.expect("it starts");
    until("the other one is heard", || {
        heard.payloads("x.said").len() == 2
    })
    .await;
    gateway.finish().await;
}

/// The gateway says what happens to plugins, and of calls only while somebody asks.
#[tokio::test]
async fn the_gateway_publishes_lives_and_calls_that_are_asked_for() {
    let heard = Heard::default();
    let gateway = TestGateway::builder()
        .config(&format!("{}[plugins.clock]\n", granted("ear")))
        .plugin("ear", Hearer::of(&heard, "toolgate.*"))
        .build()
        .await;
    value(&gateway, "echo__echo", json!({ "secret": "sesame" })).await;
    until("the call is heard", || {
        !heard.payloads("toolgate.call.finished").is_empty()
    })
    .await;
    let finished = &heard.payloads("toolgate.call.finished")[0];
    assert_eq!(finished["tool"], "echo__echo");
    assert_eq!(finished["outcome"], "answered");
    assert!(!finished.to_string().contains("sesame"));
    assert_eq!(heard.payloads("toolgate.call.started").len(), 1);
    gateway
        .app
        .desk
        .control
        .stop("clock")
        .await
        .expect("it stops");
    until("its end is heard", || {
        let stopped = heard.payloads("toolgate.plugin.stopped");
        stopped.iter().any(|payload| payload["plugin"] == "clock")
    })
    .await;
    gateway.finish().await;

    let all = Heard::default();
    let gateway = TestGateway::builder()
        .config(&granted("ear"))
        .plugin("ear", Hearer::of(&all, "*"))
        .build()
        .await;
    value(&gateway, "echo__echo", json!({})).await;
    text(&gateway, "ear__publish", json!({})).await;
    until("its own event is heard", || {
        all.payloads("x.said").len() == 1
    })
    .await;
    assert!(all.payloads("toolgate.call.finished").is_empty());
    gateway.finish().await;
}

/// A handler that calls tools is not told of these calls, which would go on for ever.
#[tokio::test]
async fn what_a_handler_calls_is_no_event() {
    let calls = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&calls);
    struct Caller(Arc<Mutex<u32>>);
    #[async_trait]
    impl Plugin for Caller {
        async fn on_init(&self, context: &PluginContext) -> HookResult {
            let (context, calls) = (context.clone(), Arc::clone(&self.0));
            context
                .clone()
                .events()
                .subscribe("toolgate.call.finished", move |_| {
                    let (context, calls) = (context.clone(), Arc::clone(&calls));
                    async move {
                        *calls.lock().expect("no holder panics") += 1;
                        let kind = toolgate::plugin::PluginKind::Tool;
                        let echo = context.registry()?.get(kind, Some("echo"))?;
                        echo.call("echo", toolgate::wire::json::Json::literal("{}"))
                            .await?;
                        Ok(())
                    }
                })?;
            Ok(())
        }
    }
    let gateway = TestGateway::builder()
        .config(&format!(
            "{}resources = {{ required = [\"registry\"] }}\n",
            granted("ear")
        ))
        .plugin("ear", Caller(seen))
        .build()
        .await;
    value(&gateway, "echo__echo", json!({})).await;
    until("its call is recorded", || gateway.records.all().len() == 2).await;
    value(&gateway, "echo__echo", json!({})).await;
    until("both were heard", || gateway.records.all().len() == 4).await;
    assert_eq!(*calls.lock().expect("no holder panics"), 2);
    gateway.finish().await;
}

/// F49: Redis killed and back under load: no call fails, and no event is lost.
#[tokio::test]
async fn calls_go_on_while_redis_dies_and_comes_back() {
    let mut server = RedisServer::durable().await;
    let heard = Heard::default();
    let gateway = TestGateway::builder()
        .config(&format!(
            "[events]\nurl = \"{}\"\nredeliver_ms = 300\n{}",
            server.url(),
            granted("ear")
        ))
        .plugin("ear", Hearer::of(&heard, "x.said"))
        .build()
        .await;
    let mut connection = gateway.connect().await;
    let publish = modern::call("ear__publish", json!({}));
    let mut ids = std::collections::BTreeSet::new();
    for round in 0..3 {
        for _ in 0..50 {
            let result = result_of(&connection.send(&publish).await);
            assert_ne!(result["isError"], true, "{result}");
            ids.insert(text_of(&result));
        }
        match round {
            0 => server.kill(),
            1 => server.begin().await,
            _ => {}
        }
    }
    assert_eq!(ids.len(), 150);
    eventually("all are heard", || heard.payloads("x.said").len() >= 150).await;
    patiently("the gateway ends", gateway.finish()).await;
}

#[tokio::test]
async fn the_topics_of_the_gateway_are_its_own() {
    struct Forger;
    #[async_trait]
    impl Plugin for Forger {
        async fn on_init(&self, context: &PluginContext) -> HookResult {
            context
                .events()
                .publish("toolgate.plugin.started", &json!({}))?;
            Ok(())
        }
    }
    let gateway = TestGateway::builder()
        .config(&granted("forger"))
        .plugin("forger", Forger)
        .build()
        .await;
    let report = gateway.plugin("forger").life.snapshot();
    let error = report.error.unwrap_or_default();
    assert!(error.contains("the gateway's own"), "{error}");
    gateway.finish().await;
}
