//! What a tracing system is told of calls, in the words of the conventions of OpenTelemetry for MCP.
//!
//! A call is a span of kind server; each time a plugin is asked on its way is one of kind client below it. A call belongs
//! to the trace that its `_meta` names (`traceparent`), and the plugin is told of the span it is asked in. Where nothing is
//! recorded, what a client says of its trace passes through as it is.

use crate::dispatch::audit::short_session;
use crate::metrics::spans::{OpenSpan, Side, Spans};
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::registry::plugin::Plugin;
use crate::runtime::{CallContext, Request};
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;
use crate::wire::trace::{TRACEPARENT, TraceContext};

/// A span that is told of by its call.
pub(super) struct Traced(OpenSpan);

/// Begins the span of a call, and writes its place into what goes on. `None` where it is not to be recorded.
pub(super) fn begin(
    spans: &Spans,
    (method, subject): (&Method, &str),
    params: &mut Params,
    context: &CallContext,
) -> Option<Traced> {
    let mut span = spans.begin(parent(params), Side::Server)?;
    describe(&mut span, method, subject);
    span.note("mcp.protocol.version", context.profile.revision.as_str());
    if let Some(session) = short_session(context) {
        span.note("mcp.session.id", session);
    }
    name_in(params, &span);
    Some(Traced(span))
}

/// Begins the span of a request to a plugin, below the one of the call.
pub(super) fn ask(spans: &Spans, plugin: &Plugin, request: &mut Request) -> Option<Traced> {
    let mut span = spans.begin(parent(&request.params), Side::Client)?;
    let param = request.method.name_param();
    let subject = param.and_then(|param| request.params.members.string(param));
    let subject = subject.unwrap_or_default().into_owned();
    describe(&mut span, &request.method, &subject);
    span.note("toolgate.plugin", plugin.id().as_str());
    name_in(&mut request.params, &span);
    Some(Traced(span))
}

impl Traced {
    pub(super) fn context(&self) -> TraceContext {
        self.0.context()
    }

    /// The call has come to this.
    pub(super) fn ended(mut self, plugin: Option<&Plugin>, outcome: &str, reason: Option<&str>) {
        if let Some(plugin) = plugin {
            self.0.note("toolgate.plugin", plugin.id().as_str());
        }
        let failed = outcome != "answered";
        let word = failed.then(|| reason.unwrap_or(outcome).to_owned());
        self.0.end(word);
    }

    /// The plugin has answered, or has not.
    pub(super) fn answered(mut self, answer: &Result<Answer, Fault>) {
        let word = match answer.as_ref().map(|answer| &answer.outcome) {
            Ok(Outcome::Result(_)) => None,
            Ok(Outcome::Error(error)) => {
                self.0
                    .note("rpc.response.status_code", error.code.to_string());
                Some(error.code.to_string())
            }
            Err(fault) => Some(fault.reason.to_owned()),
        };
        self.0.end(word);
    }
}

/// What the request says it is a part of.
fn parent(params: &Params) -> Option<TraceContext> {
    TraceContext::parse(&params.meta.string(TRACEPARENT)?)
}

fn name_in(params: &mut Params, span: &OpenSpan) {
    let place = span.context().to_string();
    params.meta.set(TRACEPARENT, Json::of(place.as_str()));
}

fn describe(span: &mut OpenSpan, method: &Method, subject: &str) {
    // Anyone can make a name up: it belongs into an attribute, and into the name only where it is one of a few.
    let name = match method {
        Method::ToolsCall | Method::PromptsGet if !subject.is_empty() => {
            format!("{} {subject}", method.known())
        }
        _ => method.known().to_owned(),
    };
    span.named(name);
    span.note("mcp.method.name", method.as_str());
    match method {
        Method::ToolsCall => {
            span.note("gen_ai.tool.name", subject);
            span.note("gen_ai.operation.name", "execute_tool");
        }
        Method::PromptsGet => span.note("gen_ai.prompt.name", subject),
        Method::ResourcesRead => span.note("mcp.resource.uri", subject),
        _ => {}
    }
}
