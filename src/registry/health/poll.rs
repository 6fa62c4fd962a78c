//! Asking each plugin again and again, in a task of its own, so that one that is slow delays no other.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::registry::Registry;
use crate::registry::breaker::Circuit;
use crate::registry::health::judge::Status;
use crate::registry::health::{Health, HealthReport};
use crate::registry::life::State;
use crate::registry::plugin::Plugin;
use crate::registry::pool::budget::jittered;

impl Registry {
    /// Asks a plugin at its intervals how it is, for as long as it is in the registry. The first time comes anywhere in the
    /// second half of the first interval, so that plugins that came together are not asked together.
    pub(in crate::registry) fn poll_health(&self, plugin: &Arc<Plugin>) {
        let plugin = Arc::clone(plugin);
        let name = format!("{} health", plugin.id());
        self.supervisor.spawn(name, |stop| async move {
            let interval = Duration::from_millis(plugin.manifest.health.interval_ms);
            let mut ticks = tokio::time::interval_at(Instant::now() + jittered(interval), interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let polling = async {
                loop {
                    ticks.tick().await;
                    plugin.check_health().await;
                }
            };
            tokio::select! {
                () = polling => {}
                () = plugin.removed.cancelled() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Asks all plugins at once how they are, each within its own time.
    pub async fn check_health(&self) -> Vec<(Arc<Plugin>, HealthReport)> {
        let plugins = self.plugins();
        let checks = plugins.iter().map(|plugin| async {
            plugin.check_health().await;
            (Arc::clone(plugin), plugin.health_report())
        });
        futures::future::join_all(checks).await
    }
}

impl Plugin {
    /// Asks those of its instances that run how they are, in time (`health.timeout_ms`). Where none runs, or the breaker
    /// would refuse a call, or the plugin is busy, the last result stands.
    pub async fn check_health(&self) -> Health {
        let _alone = self.vitals.checking.lock().await;
        if self.life.state() != State::Active || self.pool.any_instance().is_none() {
            return self.health();
        }
        let Ok(pass) = self.enter() else {
            return self.health();
        };
        if let Some(checked) = self.pool.check().await {
            if let Some(pass) = pass {
                pass.ended(&checked, self.pool.last_heard());
            }
            let (before, now) = self.vitals.take(&checked);
            let (id, why) = (self.id(), checked.err());
            let why = why.map_or_else(String::new, |fault| format!(": {fault}"));
            match now {
                Status::Unhealthy if before != now => {
                    tracing::warn!(plugin.id = %id, "`{id}` is unhealthy{why}");
                }
                Status::Healthy if matches!(before, Status::Unhealthy | Status::Degraded) => {
                    tracing::info!(plugin.id = %id, "`{id}` is healthy again");
                }
                _ if before != now => tracing::debug!(plugin.id = %id, "`{id}` is {now}{why}"),
                _ => {}
            }
        }
        self.health()
    }

    /// How it is, as far as is known.
    pub fn health(&self) -> Health {
        let circuit = self.breaker.as_ref().map(|breaker| breaker.circuit());
        self.vitals.health(circuit.unwrap_or(Circuit::Closed))
    }

    /// The same together with what is known of its life.
    pub fn health_report(&self) -> HealthReport {
        self.health().report(&self.life.snapshot())
    }
}
