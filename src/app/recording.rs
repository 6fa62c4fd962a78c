//! The tasks of the ledger: the one that writes, the one that looks after the database, the one that hears of plugins.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::ledger::Ledger;
use crate::ledger::record::LifeRow;
use crate::registry::Registry;
use crate::registry::life_events::LifeEvent;

/// Starts them.
pub(super) fn begin(ledger: &Ledger, registry: &Arc<Registry>, supervisor: &Supervisor) {
    if ledger.is_off() {
        return;
    }
    let one = || ledger.clone();
    supervisor.spawn("ledger", |stop| one().run(stop));
    supervisor.spawn("ledger cleaning", |stop| one().look_after(stop));
    let events = registry.surroundings().life.subscribe();
    supervisor.spawn("ledger of lives", |stop| follow(one(), events, stop));
}

/// Records what happens to plugins.
async fn follow(ledger: Ledger, mut events: Receiver<LifeEvent>, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(event) => ledger.lived(LifeRow {
                plugin: event.plugin.to_string(),
                event: event.kind.as_str().to_owned(),
                state: event.state.map(str::to_owned),
                error: event.error.as_deref().map(str::to_owned),
                ..LifeRow::default()
            }),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "The ledger misses events in the lives of plugins");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
