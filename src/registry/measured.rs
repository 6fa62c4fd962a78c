//! How the plugins do, as numbers that are read when somebody asks.

use crate::metrics::page::Page;
use crate::registry::Registry;
use crate::registry::breaker::Circuit;
use crate::registry::health::judge::Status;
use crate::registry::life::State;
use crate::registry::plugin::Plugin;

impl Registry {
    /// Writes how the plugins do.
    pub fn measure(&self, page: &mut Page) {
        let plugins = self.plugins();
        for plugin in plugins.iter() {
            of_plugin(plugin, page);
        }
        let tools = self.with_catalog(|catalog| catalog.len());
        page.level("toolgate_tools", "Tools that are listed", &[], tools);
    }
}

fn of_plugin(plugin: &Plugin, page: &mut Page) {
    let id = [("plugin", plugin.id().as_str())];
    let life = plugin.life.snapshot();
    let states = State::ALL.map(|state| (state.as_str(), state == life.state));
    one_of(
        "toolgate_plugin_state",
        "Where a plugin stands: 1 for its state",
        ("state", &states),
        id[0],
        page,
    );
    let health = plugin.health().status;
    let healths = Status::ALL.map(|status| (status.as_str(), status == health));
    one_of(
        "toolgate_plugin_health",
        "How a plugin is: 1 for its health",
        ("status", &healths),
        id[0],
        page,
    );
    let restarts = "How often a plugin was started again after it had ended by itself";
    page.counter("toolgate_plugin_restarts", restarts, &id, life.restarts);
    let errors = "How often something of a plugin failed: starts, hooks, crashes";
    page.counter("toolgate_plugin_errors", errors, &id, life.error_count);
    let uptime = "How long a plugin has been active";
    page.gauge(
        "toolgate_plugin_uptime_seconds",
        uptime,
        &id,
        life.uptime.as_secs_f64(),
    );
    let in_flight = "Calls that a plugin serves";
    page.level(
        "toolgate_calls_in_flight",
        in_flight,
        &id,
        plugin.gate.in_flight(),
    );
    let queued = "Calls that wait before a plugin that serves as many as it may";
    page.level(
        "toolgate_gate_queue_depth",
        queued,
        &id,
        plugin.gate.queued(),
    );
    if let Some(breaker) = &plugin.breaker {
        let open = matches!(breaker.circuit(), Circuit::Open(_));
        let help = "Whether calls of a remote plugin are refused because it fails";
        page.level("toolgate_breaker_open", help, &id, usize::from(open));
    }
    let present = plugin.pool.present();
    page.level(
        "toolgate_plugin_instances",
        "Instances of a plugin that run",
        &id,
        present.len(),
    );
    for usage in present.iter().filter_map(|present| present.usage) {
        let bytes = usize::try_from(usage.memory_bytes).unwrap_or(usize::MAX);
        let memory = "Memory that the processes of a plugin hold";
        page.level("toolgate_plugin_memory_bytes", memory, &id, bytes);
        page.level(
            "toolgate_plugin_processes",
            "Processes of a plugin",
            &id,
            usage.processes,
        );
    }
}

/// Writes 1 for the word that holds, and 0 for all others.
fn one_of(
    name: &str,
    help: &str,
    (label, words): (&str, &[(&str, bool)]),
    id: (&str, &str),
    page: &mut Page,
) {
    for (word, holds) in words {
        page.level(name, help, &[id, (label, word)], usize::from(*holds));
    }
}
