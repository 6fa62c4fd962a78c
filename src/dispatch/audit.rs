//! One record per call, abandoned calls included.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::Entry;
use crate::runtime::CallContext;
use crate::wire::message::Outcome;

/// The record of one call. It is written when it is closed; one that is dropped open was abandoned.
pub(super) struct Record<'a> {
    tool: &'a str,
    context: &'a CallContext,
    begun: Instant,
    entry: Option<Arc<Entry>>,
    written: bool,
}

impl<'a> Record<'a> {
    pub(super) fn open(tool: &'a str, context: &'a CallContext) -> Self {
        Self { tool, context, begun: Instant::now(), entry: None, written: false }
    }

    /// The call has found its tool.
    pub(super) fn found(&mut self, entry: &Arc<Entry>) {
        entry.plugin.counts.calls.fetch_add(1, Ordering::Relaxed);
        self.entry = Some(Arc::clone(entry));
    }

    /// Closes the record with what the call came to.
    pub(super) fn close(mut self, outcome: &Result<Outcome, Fault>) {
        match outcome {
            Ok(Outcome::Result(_)) => self.write("answered", None),
            Ok(Outcome::Error(_)) => self.write("refused_by_plugin", None),
            Err(fault) => self.write(fault.kind.as_str(), Some(fault)),
        }
    }

    fn write(&mut self, outcome: &'static str, fault: Option<&Fault>) {
        self.written = true;
        let taken = self.begun.elapsed();
        let plugin = self.entry.as_ref().map(|entry| {
            let counts = &entry.plugin.counts;
            counts.busy_us.fetch_add(u64::try_from(taken.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            if fault.is_some() {
                counts.faults.fetch_add(1, Ordering::Relaxed);
            }
            entry.plugin.manifest.id.as_str()
        });
        tracing::info!(
            target: "toolgate::audit",
            call = self.context.id,
            tool.name = ?self.tool,
            plugin.id = plugin,
            principal = %self.context.caller.principal,
            session = self.context.session.as_ref().map(|session| &session.id[..8.min(session.id.len())]),
            era = self.context.era().as_str(),
            outcome,
            reason = fault.map(|fault| fault.reason),
            duration_us = taken.as_micros() as u64,
            "Called"
        );
        if let Some(fault) = fault
            && let Some(source) = std::error::Error::source(fault)
        {
            tracing::debug!(call = self.context.id, "{fault}: {source}");
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.written {
            self.write(FaultKind::Cancelled.as_str(), None);
        }
    }
}
