//! Asking each plugin again and again, in a task of its own, so that one that is slow delays no other.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::manifest::runtime::RuntimeKind;
use crate::registry::Registry;
use crate::registry::breaker::Circuit;
use crate::registry::health::judge::Status;
use crate::registry::health::{Health, HealthReport};
use crate::registry::life::State;
use crate::registry::plugin::Plugin;

impl Registry {
    /// Asks a plugin at its intervals how it is, for as long as it is in the registry. The first time comes at any moment
    /// of the first interval, so that plugins that came together are not asked together.
    pub(in crate::registry) fn poll_health(&self, plugin: &Arc<Plugin>) {
        let plugin = Arc::clone(plugin);
        let name = format!("{} health", plugin.id());
        self.supervisor.spawn(name, |stop| async move {
            let interval = Duration::from_millis(plugin.manifest.health.interval_ms);
            let mut ticks = tokio::time::interval_at(Instant::now() + share_of(interval), interval);
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
        let pass = match &self.breaker {
            Some(breaker) => match breaker.enter() {
                Ok(pass) => Some(pass),
                Err(_) => return self.health(),
            },
            None => None,
        };
        // What is remote is not ours to start again; the breaker keeps calls from it.
        let ours = self.runtime != RuntimeKind::McpHttp;
        if let Some(checked) = self.pool.check(ours).await {
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

/// Any part of `interval`.
fn share_of(interval: Duration) -> Duration {
    let mut bits = [0; 2];
    // Without random bits the whole is waited.
    let share = getrandom::fill(&mut bits).map_or(u16::MAX, |()| u16::from_le_bytes(bits));
    interval * u32::from(share) / u32::from(u16::MAX)
}
