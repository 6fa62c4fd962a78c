//! One record per call, abandoned calls included.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;

use crate::dispatch::notices::{Notice, Notices};
use crate::dispatch::traced::{self, Traced};
use crate::metrics::Metrics;
use crate::metrics::calls::{ToolNumbers, UNKNOWN, in_us};
use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::Entry;
use crate::registry::plugin::Plugin;
use crate::runtime::CallContext;
use crate::session::{Session, shown};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params};
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::Era;
use crate::wire::trace::TraceContext;

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// The number of the call.
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
    /// `answered`, `tool_error`, `refused_by_plugin`, or the kind of the fault.
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
    /// What it is made of, for sinks that keep more.
    pub whole: Option<Whole<'a>>,
}

/// A call with all that belongs to it. Sinks may clone what is in here, which copies no text; they must not write the id
/// of a session.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    /// What surrounds the call.
    pub context: &'a CallContext,
    /// What was asked.
    pub method: &'a Method,
    /// Whose the subject is.
    pub plugin: Option<&'a Arc<Plugin>>,
    /// The session it belongs to.
    pub session: Option<&'a Arc<Session>>,
    /// The incident that its caller says it belongs to.
    pub incident: Option<&'a str>,
    /// Its arguments as the caller sent them.
    pub arguments: Option<&'a Json>,
    /// Its result, if it has one.
    pub result: Option<&'a Json>,
    /// The call whose arguments it sends again.
    pub replay_of: Option<u64>,
}

impl std::fmt::Debug for Whole<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Whole")
    }
}

/// Where records go. Called on the path of every call: must neither wait nor fail.
pub trait Sink: Send + Sync {
    /// Takes a record.
    fn write(&self, record: &Audited<'_>);
}

/// Takes records to several sinks.
pub struct Several(pub Vec<Arc<dyn Sink>>);

impl Sink for Several {
    fn write(&self, record: &Audited<'_>) {
        self.0.iter().for_each(|sink| sink.write(record));
    }
}

/// Takes records nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn write(&self, _: &Audited<'_>) {}
}

/// Where calls end up: what is kept of each, and what is counted of all.
pub(super) struct Ends {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) metrics: Arc<Metrics>,
}

/// The record of one call. It is written when it is closed; one that is dropped open was abandoned.
pub(super) struct Record<'a> {
    ends: &'a Ends,
    method: Method,
    subject: &'a str,
    context: &'a CallContext,
    begun: Instant,
    plugin: Option<Arc<Plugin>>,
    /// Who is told of the call, if anyone may be.
    notices: Option<&'a Notices>,
    /// Where its tool is counted, once that is known.
    numbers: Option<Arc<ToolNumbers>>,
    /// Whether the gateway itself calls, on the way of another call.
    is_errand: bool,
    /// What is told of it to a tracing system, if anything is.
    span: Option<Traced>,
    dry_run: bool,
    attempts: u32,
    approval: Option<String>,
    arguments: Option<Json>,
    incident: Option<Box<str>>,
    /// The one that the call names, where it has none by its connection.
    handle: Option<Arc<Session>>,
    replay_of: Option<u64>,
    written: bool,
}

/// What the result of a failed tool must have in it somewhere.
static IS_ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"isError\""));

impl<'a> Record<'a> {
    pub(super) fn open(
        ends: &'a Ends,
        method: &Method,
        subject: &'a str,
        context: &'a CallContext,
    ) -> Self {
        Self {
            ends,
            method: method.clone(),
            subject,
            context,
            begun: Instant::now(),
            plugin: None,
            notices: None,
            numbers: None,
            is_errand: false,
            span: None,
            dry_run: false,
            attempts: 1,
            approval: None,
            arguments: None,
            incident: None,
            handle: None,
            replay_of: None,
            written: false,
        }
    }

    /// Notes what is sent. What its `_meta` says of incidents is for the gateway, and taken out.
    pub(super) fn sent(&mut self, params: &mut Params) {
        self.arguments = params.members.get("arguments").cloned();
        if !params.meta.is_empty()
            && let Some(incident) = params.meta.remove(meta::INCIDENT)
        {
            self.incident = incident.string().map(|name| name.into());
        }
    }

    /// The call belongs to a session that it names.
    pub(super) fn within(&mut self, session: &Arc<Session>) {
        self.handle = Some(Arc::clone(session));
    }

    /// The call sends the arguments of another one again.
    pub(super) fn replays(&mut self, call: Option<u64>) {
        self.replay_of = call;
    }

    /// The incident that the caller says it belongs to.
    pub(super) fn incident(&self) -> Option<&str> {
        self.incident.as_deref()
    }

    /// The call has found its plugin.
    pub(super) fn found(&mut self, plugin: &Arc<Plugin>) {
        plugin.counts.calls.fetch_add(1, Ordering::Relaxed);
        self.plugin = Some(Arc::clone(plugin));
        if let Some(notices) = self.listeners() {
            notices.tell(self.notice("call.started"));
        }
    }

    /// The call is one of this tool.
    pub(super) fn is_of(&mut self, entry: &Entry) {
        self.numbers = Some(Arc::clone(entry.numbers(&self.ends.metrics)));
    }

    /// The gateway calls of its own accord: that is counted with the tool, and not among what clients call.
    pub(super) fn is_errand_of(&mut self, plugin: &Plugin) {
        let id = plugin.id().as_str();
        self.numbers = Some(self.ends.metrics.calls.of_tool(id, self.subject));
        self.is_errand = true;
    }

    /// Tells a tracing system of the call, if that is wanted: says where in its trace it stands.
    pub(super) fn trace(&mut self, params: &mut Params) -> Option<TraceContext> {
        let spans = self.ends.metrics.spans()?;
        let span = traced::begin(spans, (&self.method, self.subject), params, self.context)?;
        let context = span.context();
        self.span = Some(span);
        Some(context)
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
            Ok(Outcome::Result(reply)) => {
                let failed = self.method == Method::ToolsCall && says_error(&reply.result);
                let word = if failed { "tool_error" } else { "answered" };
                self.write(word, None, Some(&reply.result));
            }
            Ok(Outcome::Error(_)) => self.write("refused_by_plugin", None, None),
            Err(fault) => self.write(fault.kind.as_str(), Some(fault), None),
        }
    }

    /// Closes the record of a request that a route of a plugin has answered.
    pub(super) fn served(mut self, failed: bool) {
        let outcome = if failed { "tool_error" } else { "answered" };
        self.write(outcome, None, None);
    }

    /// Writes nothing: the request was not for the plugin.
    pub(super) fn forget(mut self) {
        self.written = true;
        if let Some(plugin) = self.plugin.take() {
            plugin.counts.calls.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The call as it stands while it is carried.
    pub(super) fn opening(&self) -> Audited<'_> {
        self.audited(crate::ledger::record::OPEN, None, None)
    }

    fn audited<'b>(
        &'b self,
        outcome: &'static str,
        reason: Option<&'static str>,
        result: Option<&'b Json>,
    ) -> Audited<'b> {
        let taken_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let session = self.handle.as_ref().or(self.context.session.as_ref());
        let id = |plugin: &'b Arc<Plugin>| plugin.manifest.id.as_str();
        Audited {
            call: self.context.id,
            method: self.method.as_str(),
            subject: self.subject,
            plugin: self.plugin.as_ref().map(id),
            principal: &self.context.caller.principal,
            session: session.map(|session| shown(&session.id)),
            era: self.context.era(),
            outcome,
            reason,
            taken_us,
            dry_run: self.dry_run,
            attempts: self.attempts,
            approval: self.approval.as_deref(),
            whole: Some(Whole {
                context: self.context,
                method: &self.method,
                plugin: self.plugin.as_ref(),
                session,
                incident: self.incident.as_deref(),
                arguments: self.arguments.as_ref(),
                result,
                replay_of: self.replay_of,
            }),
        }
    }

    fn write(&mut self, outcome: &'static str, fault: Option<&Fault>, result: Option<&Json>) {
        self.written = true;
        let audited = self.audited(outcome, fault.map(|fault| fault.reason), result);
        let taken_us = audited.taken_us;
        self.count(outcome, Duration::from_micros(taken_us));
        if let Some(plugin) = &self.plugin {
            let counts = &plugin.counts;
            counts.busy_us.fetch_add(taken_us, Ordering::Relaxed);
            if fault.is_some() {
                counts.faults.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.ends.sink.write(&audited);
        if let Some(span) = self.span.take() {
            span.ended(
                self.plugin.as_deref(),
                outcome,
                fault.map(|fault| fault.reason),
            );
        }
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

impl Record<'_> {
    /// Counts the call where it belongs.
    fn count(&self, outcome: &'static str, taken: Duration) {
        let calls = &self.ends.metrics.calls;
        let plugin = self.plugin.as_ref().map(|plugin| plugin.id().as_str());
        match (&self.numbers, plugin, &self.method) {
            (Some(numbers), ..) => numbers.add(outcome, in_us(taken)),
            (None, Some(plugin), Method::ToolsCall) => {
                calls.of_tool(plugin, UNKNOWN).add(outcome, in_us(taken));
            }
            // The tools that the gateway has itself are the only ones that answer without a plugin.
            (None, None, Method::ToolsCall) if outcome == "answered" => {
                calls
                    .of_tool("toolgate", self.subject)
                    .add(outcome, in_us(taken));
            }
            (None, None, Method::ToolsCall) => calls.add_unknown(outcome),
            (None, plugin, method) => {
                let method = match method {
                    Method::Other(name) if name.contains(" /ext/") => "route",
                    method => method.known(),
                };
                calls.add_request(plugin.unwrap_or_default(), method, outcome);
            }
        }
        let is_call = self.method == Method::ToolsCall || self.numbers.is_some();
        if is_call && !self.is_errand {
            self.ends.metrics.recent.add(self.begun, taken, outcome);
        }
    }
}

/// Whether a result says `isError` (MCP, tools). Most do not have the word, which is seen without reading them.
fn says_error(result: &Json) -> bool {
    IS_ERROR.find(result.bytes()).is_some()
        && Members::of(result)
            .is_some_and(|result| result.get("isError").is_some_and(Json::is_true))
}

/// The beginning of the session's id, where the call has one.
pub(super) fn short_session(context: &CallContext) -> Option<&str> {
    let session = context.session.as_ref()?;
    Some(shown(&session.id))
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.written {
            self.write(FaultKind::Cancelled.as_str(), None, None);
        }
    }
}
