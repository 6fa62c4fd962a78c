//! Events: from plugins, results and the gateway to the bus, and from there to plugins.
//!
//! Nothing here is on the way of a call: to publish is to put something into a queue, and what events cause is done by
//! tasks of its own.

mod hub;

mod own;

mod results;

mod subscriptions;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::dispatch::Dispatcher;
use crate::events::bus::Bus;
use crate::events::config::EventsConfig;
use crate::model::event::EventId;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::model::topic::Topic;
use crate::wire::json::Json;

pub(super) use own::CALLS;

/// What the topics of the gateway's own events begin with.
pub const OWN: &str = "toolgate.";

/// The bus, and what is known about those who use it.
pub struct Events {
    bus: Arc<dyn Bus>,
    /// Whether calls are published, whoever asks for them.
    calls: bool,
    /// Plugins that have been told of in the log, for events they may not publish.
    told: Mutex<BTreeSet<PluginId>>,
}

impl Events {
    pub(super) fn new(config: &EventsConfig) -> Self {
        Self {
            bus: crate::events::open(config),
            calls: config.gateway_calls,
            told: Mutex::default(),
        }
    }

    /// The bus.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// Publishes an event of somebody who is not the gateway.
    pub fn publish(
        &self,
        topic: Topic,
        source: impl Into<Arc<str>>,
        payload: Json,
    ) -> Result<EventId, Fault> {
        if topic.as_str().starts_with(OWN) {
            let message = format!("topics that begin with `{OWN}` are the gateway's own");
            return Err(Fault::new(FaultKind::Denied, message).because("reserved_topic"));
        }
        let published = self.bus.publish(topic, source.into(), payload);
        published.map_err(|large| Fault::new(FaultKind::BadInput, large.to_string()))
    }
}

impl Dispatcher {
    /// The bus of the gateway.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Has the bus work, and plugins hear what their manifests ask for. Before plugins start.
    pub fn begin_events(self: &Arc<Self>) {
        let bus = Arc::clone(&self.events.bus);
        self.supervisor.spawn("events", |stop| bus.run(stop));
        self.begin_subscriptions();
    }
}

/// The source of an event that a plugin publishes.
fn source_of(plugin: &PluginId) -> String {
    format!("plugin:{plugin}")
}
