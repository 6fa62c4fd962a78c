//! `events_demo`: events are published and looked at, by tools, by resources that can be watched, and over HTTP.

mod routes;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::caller::Caller;
use crate::model::topic::Topic;
use crate::plugin::routes::Routes;
use crate::plugin::{
    Annotations, Event, Events, HookResult, Notifier, Plugin, PluginContext, ResourceRequest,
    Resources, Structured, ToolContext, ToolError, Tools,
};
use crate::wire::json::Json;

/// How many events a resource holds, and a call gives where it does not say.
const SHOWN: usize = 20;

/// The most events that a call gives.
const MAX_SHOWN: usize = 100;

/// The plugin.
#[derive(Default)]
pub(super) struct EventsDemo(Arc<State>);

#[derive(Default)]
struct State {
    events: OnceLock<Events>,
    notifier: OnceLock<Notifier>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Publish {
    /// What it is about: words of `a-z 0-9 _ -` joined by dots.
    topic: String,
    /// What it says, any JSON.
    #[serde(default)]
    payload: Value,
}

#[derive(Serialize, JsonSchema)]
struct Published {
    /// The id of the event.
    id: String,
    /// Its topic.
    topic: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Recent {
    /// A pattern of topics, such as `task.*`: `*` stands for one or more characters. All topics when left out.
    topic: Option<String>,
    /// How many, at the most.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct Shown {
    /// The events, newest first.
    events: Vec<ShownEvent>,
}

#[derive(Serialize, JsonSchema)]
struct ShownEvent {
    id: String,
    topic: String,
    time: String,
    source: String,
    payload: Value,
}

impl State {
    fn events(&self) -> Result<&Events, ToolError> {
        let events = self.events.get();
        events.ok_or_else(|| ToolError::new("the plugin has not been started"))
    }

    fn publish(&self, wanted: &Publish) -> Result<Published, ToolError> {
        let id = self.events()?.publish(&wanted.topic, &wanted.payload)?;
        Ok(Published {
            id: id.to_string(),
            topic: wanted.topic.clone(),
        })
    }

    async fn recent(&self, wanted: Recent, caller: &Caller) -> Result<Shown, ToolError> {
        let pattern = wanted.topic.as_deref().unwrap_or("*");
        let limit = wanted.limit.unwrap_or(SHOWN).clamp(1, MAX_SHOWN);
        let events = self.events()?.recent(pattern, limit).await?;
        let events = events.iter().filter(|event| routes::sees(caller, event));
        let events = events.map(|event| ShownEvent::of(event));
        Ok(Shown {
            events: events.collect(),
        })
    }

    /// The contents of `events://{topic}`; `None` for what is no topic.
    async fn read(
        &self,
        request: &ResourceRequest,
        caller: &Caller,
    ) -> Result<Option<String>, ToolError> {
        let topic = request.value("topic").unwrap_or_default();
        if topic.parse::<Topic>().is_err() {
            return Ok(None);
        }
        let events = self.events()?.recent(topic, SHOWN).await?;
        let events = events.iter().map(|event| &**event);
        let events: Vec<&Event> = events.filter(|event| routes::sees(caller, event)).collect();
        Ok(Some(Json::of(&events).as_str().to_owned()))
    }
}

impl ShownEvent {
    fn of(event: &Event) -> Self {
        Self {
            id: event.id.to_string(),
            topic: event.topic.to_string(),
            time: event.time(),
            source: event.source.to_string(),
            payload: event.read().unwrap_or_default(),
        }
    }
}

#[async_trait]
impl Plugin for EventsDemo {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let events = context.events();
        self.0.events.set(events.clone()).ok();
        let state = Arc::downgrade(&self.0);
        let listening = events.listen("*", move |event| {
            if let Some(state) = state.upgrade()
                && let Some(notifier) = state.notifier.get()
            {
                notifier.updated(&format!("events://{}", event.topic));
            }
            async { Ok(()) }
        });
        if let Err(fault) = listening {
            tracing::info!(parent: context.span(), "Nobody is told of new events: {fault}");
        }
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        let state = Arc::clone(&self.0);
        tools
            .add(
                "publish",
                "Publishes an event",
                move |wanted: Publish, _: ToolContext| {
                    std::future::ready(state.publish(&wanted).map(Structured))
                },
            )
            .title("Publish an event")
            .annotations(Annotations {
                read_only: Some(false),
                destructive: Some(false),
                open_world: Some(false),
                ..Annotations::default()
            });
        let state = Arc::clone(&self.0);
        tools
            .add(
                "recent",
                "Shows the events that were published last",
                move |wanted: Recent, context: ToolContext| {
                    let state = Arc::clone(&state);
                    async move { state.recent(wanted, context.caller()).await.map(Structured) }
                },
            )
            .title("Recent events")
            .read_only();
    }

    fn resources(&self, resources: &mut Resources) {
        self.0.notifier.set(resources.notifier()).ok();
        let state = Arc::clone(&self.0);
        resources
            .template(
                "events://{topic}",
                "events",
                move |request: ResourceRequest, context: ToolContext| {
                    let state = Arc::clone(&state);
                    async move {
                        let read = state.read(&request, context.caller()).await;
                        read.map_err(|error| crate::plugin::RequestError::new(error.message()))
                    }
                },
            )
            .title("Events of a topic")
            .description(
                "The last events of a topic, newest first. Who watches it is told of each one.",
            )
            .mime_type("application/json");
    }

    fn routes(&self) -> Option<Routes> {
        self.0.events.get().cloned().map(routes::routes)
    }

    fn cooperative(&self) -> bool {
        true
    }
}
