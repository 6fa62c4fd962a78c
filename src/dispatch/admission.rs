//! Calls that change things are recorded before they are carried, or not carried.

use crate::dispatch::Dispatcher;
use crate::dispatch::audit::{Audited, Record, Sink};
use crate::ledger::Ledger;
use crate::ledger::config::OnFailure;
use crate::ledger::ids::now_ms;
use crate::ledger::record::{Call, Marks, OPEN};
use crate::model::category::Category;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::Entry;

impl Dispatcher {
    /// Whether the ledger is asked before a call is carried. Tools that only look are not slowed, and those of which it is
    /// not known neither.
    pub(super) fn must_be_admitted(&self, entry: &Entry) -> bool {
        entry.category == Some(Category::Remediation)
            || (!self.ledger.is_well() && self.ledger.on_failure() == OnFailure::RefuseAll)
    }

    /// Writes the call, or refuses it where it cannot be written and the operator wants it so.
    pub(super) async fn admit(&self, entry: &Entry, record: &Record<'_>) -> Result<(), Fault> {
        let Some(call) = recorded(&record.opening(), &self.ledger) else {
            return Ok(());
        };
        let Err(error) = self.ledger.admit(&call).await else {
            return Ok(());
        };
        if self.ledger.on_failure() == OnFailure::Pass {
            tracing::warn!(tool.name = %entry.name, "A call that changes things is not recorded: {error}");
            return Ok(());
        }
        self.ledger.refused();
        let message = "the call cannot be recorded, so it is not carried; the ledger must be mended first (`toolgate doctor`)";
        Err(Fault::new(FaultKind::Unavailable, message)
            .because("audit_unavailable")
            .caused_by(error))
    }
}

impl Sink for Ledger {
    fn write(&self, record: &Audited<'_>) {
        if self.is_off() {
            return;
        }
        if let Some(call) = recorded(record, self) {
            self.record(call);
        }
    }
}

/// A record as the ledger takes it: texts are shared where they can be.
fn recorded(record: &Audited<'_>, ledger: &Ledger) -> Option<Call> {
    let whole = record.whole?;
    let is_open = record.outcome == OPEN;
    let keeps = whole.result.is_some() && ledger.keeps_body(record.subject);
    Some(Call {
        id: record.call,
        began_ms: now_ms().saturating_sub(record.taken_us / 1000),
        principal: whole.context.caller.principal.clone(),
        session: whole.session.map(|session| session.id.clone()),
        incident: whole.incident.map(Box::from),
        method: whole.method.clone(),
        subject: record.subject.into(),
        plugin: whole.plugin.map(|plugin| plugin.manifest.id.clone()),
        runtime: whole.plugin.map(|plugin| plugin.runtime.as_str()),
        era: record.era.as_str(),
        taken_us: (!is_open).then_some(record.taken_us),
        outcome: record.outcome,
        reason: record.reason,
        arguments: whole.arguments.cloned(),
        result: whole.result.filter(|_| keeps).cloned(),
        marks: Marks {
            dry_run: record.dry_run,
            approval: record.approval.map(Box::from),
            replay_of: whole.replay_of,
        },
    })
}
