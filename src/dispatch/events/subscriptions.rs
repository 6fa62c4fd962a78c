//! `[[events.subscribe]]`: tools that are called with events. Such a call passes filters and limits like every other, and
//! is recorded; but notifiers and the bus are not told of it, which could go on for ever.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dispatch::Dispatcher;
use crate::dispatch::address::Address;
use crate::dispatch::audit::Record;
use crate::dispatch::errand::{gateway_for, params, tool_result};
use crate::dispatch::subject::Subject;
use crate::events::bus::Subscriber;
use crate::events::subscription::Subscription;
use crate::manifest::Grant;
use crate::model::event::Event;
use crate::model::fault::Fault;
use crate::model::topic::Pattern;
use crate::plugin::Cause;
use crate::registry::plugin::Plugin;
use crate::runtime::Request;
use crate::wire::json::Json;
use crate::wire::method::Method;

/// The subscriptions of one plugin. They end when it is dropped.
struct Served {
    plugin: Arc<Plugin>,
    _until: DropGuard,
}

/// What a tool is called with.
#[derive(Serialize)]
struct Arguments<'a> {
    event: &'a Event,
}

impl Dispatcher {
    /// Subscribes for each plugin while it is there and could be called.
    pub(super) fn begin_subscriptions(self: &Arc<Self>) {
        let dispatcher = Arc::clone(self);
        let mut life = self.registry.surroundings().life.subscribe();
        let mut served = Vec::new();
        self.take_subscribers(&mut served);
        self.supervisor.spawn("subscribers", |stop| async move {
            loop {
                let event = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    event = life.recv() => event,
                };
                match event {
                    Ok(_) | Err(RecvError::Lagged(_)) => dispatcher.take_subscribers(&mut served),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    fn take_subscribers(self: &Arc<Self>, served: &mut Vec<Served>) {
        let plugins = self.registry.plugins();
        let wanted: Vec<&Arc<Plugin>> = plugins.iter().filter(|plugin| hears(plugin)).collect();
        served.retain(|known| {
            wanted
                .iter()
                .any(|plugin| Arc::ptr_eq(plugin, &known.plugin))
        });
        for plugin in wanted {
            if served
                .iter()
                .any(|known| Arc::ptr_eq(plugin, &known.plugin))
            {
                continue;
            }
            let until = CancellationToken::new();
            self.subscribe_for(plugin, &until);
            served.push(Served {
                plugin: Arc::clone(plugin),
                _until: until.drop_guard(),
            });
        }
    }

    fn subscribe_for(self: &Arc<Self>, plugin: &Arc<Plugin>, until: &CancellationToken) {
        let id = plugin.id();
        for subscription in &plugin.manifest.events.subscribe {
            let Ok(pattern) = subscription.topic.parse::<Pattern>() else {
                continue;
            };
            let tool: Arc<str> = subscription.tool.as_str().into();
            let events = self.events.bus.subscribe(Subscriber {
                group: format!("{id}:{tool}"),
                pattern,
                plugin: Some(id.clone()),
            });
            let name = format!("{id} hears {}", subscription.topic);
            let (dispatcher, plugin, until) = (Arc::clone(self), Arc::clone(plugin), until.clone());
            self.supervisor.spawn(name, |stop| async move {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = until.cancelled() => {}
                    () = dispatcher.closing.cancelled() => {}
                    () = dispatcher.hear(&plugin, &tool, events) => {}
                }
            });
        }
    }

    /// Calls the tool with one event after the other.
    async fn hear(&self, plugin: &Arc<Plugin>, tool: &str, mut events: Subscription) {
        let id = plugin.id();
        let mut was_well = true;
        loop {
            let delivery = events.next().await;
            match self.call_with(plugin, tool, &delivery.event).await {
                Ok(()) => {
                    was_well = true;
                    delivery.ack();
                }
                Err(fault) => {
                    if std::mem::take(&mut was_well) && fault.reason != "shutting_down" {
                        tracing::warn!(plugin.id = %id, reason = fault.reason, "`{id}` could not take an event: {fault}");
                    }
                    delivery.nack(fault.to_string());
                }
            }
        }
    }

    async fn call_with(
        &self,
        plugin: &Arc<Plugin>,
        tool: &str,
        event: &Event,
    ) -> Result<(), Fault> {
        let context = self.errand(gateway_for(None), None, CancellationToken::new());
        let subject = Subject::Tool(tool.to_owned());
        let mut record = Record::open(&self.audit, &Method::ToolsCall, tool, &context);
        let called = async {
            let entry = self.tool_of_plugin(plugin, tool, &context).await?;
            let request = Request {
                method: Method::ToolsCall,
                params: params(tool, Json::of(&Arguments { event })),
            };
            let address = Address::of_call_between(entry, false);
            let called = self.go(&address, &subject, request, &context, &mut record);
            Box::pin(called).await
        };
        let called = Cause::Event.during(called).await;
        tool_result(record, called, &subject, &context, tool).map(drop)
    }
}

/// Whether events are to reach it.
fn hears(plugin: &Plugin) -> bool {
    !plugin.manifest.events.subscribe.is_empty()
        && plugin.grants.contains(&Grant::EventsSub)
        && plugin.closed().is_none()
}
