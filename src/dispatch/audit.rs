//! One record per call, abandoned calls included.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::dispatch::notices::{Notice, Notices};
use crate::model::fault::{Fault, FaultKind};
use crate::registry::plugin::Plugin;
use crate::runtime::CallContext;
use crate::session::shown;
use crate::wire::message::Outcome;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// The number of the call in this process.
    pub call: u64,
    /// What was asked for.
    pub method: &'a str,
    /// The name of the tool or prompt, or the URI of the resource, as the caller wrote it.
    pub subject: &'a str,
    /// Whose that is; `None` when there is no such thing for this caller.
    pub plugin: Option<&'a str>,
    /// Who called.
    pub principal: &'a str,
    /// The beginning of the session's id.
    pub session: Option<&'a str>,
    /// The era the caller speaks.
    pub era: Era,
    /// `answered`, `refused_by_plugin`, `tool_error` where a route of a plugin answered that it failed, or the kind of the fault.
    pub outcome: &'static str,
    /// The reason of the fault.
    pub reason: Option<&'static str>,
    /// How long it took, in microseconds.
    pub taken_us: u64,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// How often it was sent to its plugin, where that was more than once; else 1.
    pub attempts: u32,
    /// The approval that it was made with, or refused by.
    pub approval: Option<&'a str>,
}

/// Where records go. Called on the path of every call: must neither wait nor fail.
pub trait Sink: Send + Sync {
    /// Takes a record.
    fn write(&self, record: &Audited<'_>);
}

/// Takes records nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn write(&self, _: &Audited<'_>) {}
}

/// The record of one call. It is written when it is closed; one that is dropped open was abandoned.
pub(super) struct Record<'a> {
    sink: &'a dyn Sink,
    method: Method,
    subject: &'a str,
    context: &'a CallContext,
    begun: Instant,
    plugin: Option<Arc<Plugin>>,
    /// Who is told of the call, if anyone may be.
    notices: Option<&'a Notices>,
    dry_run: bool,
    attempts: u32,
    approval: Option<String>,
    written: bool,
}

impl<'a> Record<'a> {
    pub(super) fn open(
        sink: &'a dyn Sink,
        method: &Method,
        subject: &'a str,
        context: &'a CallContext,
    ) -> Self {
        Self {
            sink,
            method: method.clone(),
            subject,
            context,
            begun: Instant::now(),
            plugin: None,
            notices: None,
            dry_run: false,
            attempts: 1,
            approval: None,
            written: false,
        }
    }

    /// The call has found its plugin.
    pub(super) fn found(&mut self, plugin: &Arc<Plugin>) {
        plugin.counts.calls.fetch_add(1, Ordering::Relaxed);
        self.plugin = Some(Arc::clone(plugin));
        if let Some(notices) = self.listeners() {
            notices.tell(self.notice("call.started"));
        }
    }

    /// The call is to change nothing.
    pub(super) fn dry_run(&mut self) {
        self.dry_run = true;
    }

    /// It is made anew.
    pub(super) fn attempt(&mut self) {
        self.attempts += 1;
    }

    /// A person has decided about it.
    pub(super) fn approved_by(&mut self, approval: String) {
        self.approval = Some(approval);
    }

    /// Lets notifiers hear of the call.
    pub(super) fn tell(&mut self, notices: &'a Notices) {
        self.notices = Some(notices);
    }

    /// Who hears of it: calls of tools are told of, to those who listen.
    fn listeners(&self) -> Option<&'a Notices> {
        let is_tool = self.method == Method::ToolsCall;
        self.notices
            .filter(|notices| is_tool && notices.is_listening())
    }

    fn notice(&self, event: &'static str) -> Notice {
        let plugin = self.plugin.as_ref();
        Notice {
            plugin: plugin.map(|plugin| plugin.manifest.id.clone()),
            tool: Some(self.subject.to_owned()),
            caller: Some(Arc::clone(&self.context.caller.principal)),
            ..Notice::now(event)
        }
    }

    /// Closes the record with what the call came to.
    pub(super) fn close(mut self, outcome: Result<&Outcome, &Fault>) {
        match outcome {
            Ok(Outcome::Result(_)) => self.write("answered", None),
            Ok(Outcome::Error(_)) => self.write("refused_by_plugin", None),
            Err(fault) => self.write(fault.kind.as_str(), Some(fault)),
        }
    }

    /// Closes the record of a request that a route of a plugin has answered.
    pub(super) fn served(mut self, failed: bool) {
        let outcome = if failed { "tool_error" } else { "answered" };
        self.write(outcome, None);
    }

    /// Writes nothing: the request was not for the plugin.
    pub(super) fn forget(mut self) {
        self.written = true;
        if let Some(plugin) = self.plugin.take() {
            plugin.counts.calls.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn write(&mut self, outcome: &'static str, fault: Option<&Fault>) {
        self.written = true;
        let taken_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(plugin) = &self.plugin {
            let counts = &plugin.counts;
            counts.busy_us.fetch_add(taken_us, Ordering::Relaxed);
            if fault.is_some() {
                counts.faults.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.sink.write(&Audited {
            call: self.context.id,
            method: self.method.as_str(),
            subject: self.subject,
            plugin: self
                .plugin
                .as_ref()
                .map(|plugin| plugin.manifest.id.as_str()),
            principal: &self.context.caller.principal,
            session: short_session(self.context),
            era: self.context.era(),
            outcome,
            reason: fault.map(|fault| fault.reason),
            taken_us,
            dry_run: self.dry_run,
            attempts: self.attempts,
            approval: self.approval.as_deref(),
        });
        if let Some(notices) = self.listeners() {
            notices.tell(Notice {
                outcome: Some(outcome),
                duration_ms: Some(taken_us / 1000),
                // Not the message: that may quote arguments.
                error: fault.map(|fault| fault.reason.into()),
                ..self.notice("call.finished")
            });
        }
        if let Some(fault) = fault
            && let Some(source) = std::error::Error::source(fault)
        {
            tracing::debug!(call = self.context.id, "{fault}: {source}");
        }
    }
}

/// The beginning of the session's id, where the call has one.
pub(super) fn short_session(context: &CallContext) -> Option<&str> {
    let session = context.session.as_ref()?;
    Some(shown(&session.id))
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.written {
            self.write(FaultKind::Cancelled.as_str(), None);
        }
    }
}
