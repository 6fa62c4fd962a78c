//! The tasks of the ledger: the one that writes, the one that looks after the database, the one that hears of plugins.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::dispatch::approval::record::{Approval, Decided};
use crate::ledger::Ledger;
use crate::ledger::ids;
use crate::ledger::record::{LifeRow, NoteRow};
use crate::registry::Registry;
use crate::registry::life_events::LifeEvent;

/// Hears of approvals, for the incidents that the calls name.
pub(super) struct Decisions(pub(super) Ledger);

impl Decided for Decisions {
    fn decided(&self, approval: &Approval) {
        let Some(incident) = approval.incident.as_deref().and_then(ids::read) else {
            return;
        };
        let data = json!({
            "approval": approval.id,
            "tool": approval.tool,
            "plugin": approval.plugin,
            "status": approval.status,
            "reason": approval.reason,
        });
        let note = NoteRow {
            incident,
            kind: "approval".to_owned(),
            principal: approval.decided_by.clone().unwrap_or_default(),
            data: data.to_string(),
            ..NoteRow::default()
        };
        self.0.note(note, &approval.principal);
    }
}

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
