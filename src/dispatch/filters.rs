//! The filters: plugins that every call of a tool passes, with its arguments on the way in and its result on the way out.
//!
//! They are asked one after the other, each about what the one before made of it (`registry/kinds.rs`). One that cannot
//! be asked or answers something else refuses the call, unless its manifest says that it may be passed over.
//!
//! Filters come and go while calls are under way. One that was exchanged is asked in its new form, if that is still for
//! this tool. One that the operator has taken out is not asked, whatever its manifest said of failures: it is no filter of
//! this gateway any more, and the call is as one that comes now. One that is stopped but there has failed.

mod verdict;

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::address::Address;
use crate::dispatch::audit::{Record, short_session};
use crate::dispatch::errand::gateway_for;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, WAKE_DEADLINE, cancelled, shutting_down};
use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Entry;
use crate::registry::kinds::{Step, Verdict, step};
use crate::registry::plugin::Plugin;
use crate::runtime::{CallContext, Request};
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Reply};
use crate::wire::meta::TASKS;

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Arguments, on their way to the plugin.
    In,
    /// A result, on its way to the caller.
    Out,
}

/// The call that filters are asked about.
pub(super) struct About<'a> {
    pub(super) plugin: &'a PluginId,
    /// The plugin's own name of the tool.
    pub(super) tool: &'a str,
    pub(super) context: &'a CallContext,
    /// The arguments that the plugin got, on the way out.
    pub(super) arguments: Option<&'a Json>,
}

impl Way {
    /// The member that holds the value.
    fn key(self) -> &'static str {
        match self {
            Self::In => "arguments",
            Self::Out => "result",
        }
    }

    /// The tool that is asked where the filter's manifest does not say.
    fn usual_tool(self) -> &'static str {
        match self {
            Self::In => "filter_arguments",
            Self::Out => "filter_result",
        }
    }

    /// The tool that the filter's manifest names.
    fn named_tool(self, filter: &Plugin) -> Option<&str> {
        let section = &filter.manifest.filter;
        match self {
            Self::In => section.arguments.as_deref(),
            Self::Out => section.result.as_deref(),
        }
    }
}

impl About<'_> {
    /// What a filter is called with.
    fn shown(&self, way: Way, value: &Json) -> Json {
        let mut shown = Members::default();
        shown.set("plugin", Json::of(self.plugin.as_str()));
        shown.set("tool", Json::of(self.tool));
        shown.set("caller", Json::of(&*self.context.caller.principal));
        if let Some(session) = short_session(self.context) {
            shown.set("session", Json::of(session));
        }
        if let Some(arguments) = self.arguments {
            shown.set("arguments", arguments.clone());
        }
        shown.set(way.key(), value.clone());
        shown.to_json()
    }
}

impl Dispatcher {
    /// Carries a call of a tool through the filters to its plugin, and its result back through them.
    pub(super) async fn filtered(
        &self,
        address: &Address,
        entry: &Entry,
        subject: &Subject,
        mut request: Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let arguments = request.params.members.get("arguments").cloned();
        let about = About {
            plugin: &address.plugin.manifest.id,
            tool: &entry.tool,
            context,
            arguments: None,
        };
        let given = arguments.unwrap_or_else(|| Json::literal("{}"));
        let arguments = self
            .pass(Way::In, &entry.filters, &about, given.clone())
            .await?;
        if arguments != given {
            request.params.members.set("arguments", arguments.clone());
        }
        // What becomes of a task is asked for by other requests; a filter would not see it.
        request.params.members.remove("task");
        let without = context.profile.declares(TASKS).then(|| CallContext {
            profile: Arc::new(context.profile.without_extension(TASKS)),
            ..context.clone()
        });
        let context = without.as_ref().unwrap_or(context);
        let answer = self
            .perform(address, subject, request, context, record)
            .await?;
        let about = About {
            context,
            arguments: Some(&arguments),
            ..about
        };
        self.pass_result(entry, &about, answer).await
    }

    async fn pass_result(
        &self,
        entry: &Entry,
        about: &About<'_>,
        mut answer: Answer,
    ) -> Result<Answer, Fault> {
        let Outcome::Result(reply) = &mut answer.outcome else {
            return Ok(answer);
        };
        match kind_of(reply) {
            Some(ResultKind::Complete) => {}
            // It is no result yet: the client answers the plugin's questions and calls again.
            Some(ResultKind::InputRequired) => return Ok(answer),
            Some(ResultKind::Task) | None => {
                let message = "the plugin answered with something that its filters could not see";
                return Err(Fault::new(FaultKind::Broken, message).because("not_filtered"));
            }
        }
        let before = reply.result.clone();
        let result = self
            .pass(Way::Out, &entry.filters, about, before.clone())
            .await?;
        if result != before {
            *reply = changed(reply, &result);
        }
        Ok(answer)
    }

    /// Passes a value through filters.
    pub(super) async fn pass(
        &self,
        way: Way,
        filters: &[Arc<Plugin>],
        about: &About<'_>,
        mut value: Json,
    ) -> Result<Json, Fault> {
        for filter in filters {
            let Some(filter) = &self.filter_now(filter, about) else {
                continue;
            };
            let said = self.ask_filter(filter, way, about, &value).await;
            // Nobody waits for the answer any more.
            if about.context.cancel.is_cancelled() {
                return Err(cancelled());
            }
            if self.closing.is_cancelled() {
                return Err(shutting_down());
            }
            let id = &filter.manifest.id;
            if let Err(fault) = &said {
                tracing::debug!(plugin.id = %id, reason = fault.reason, "The filter `{id}` failed: {fault}");
            }
            value = match step(value, said, filter.manifest.filter.on_failure) {
                Step::Next(value) => value,
                Step::Stop(value) => return Ok(value),
                Step::Refused(why) => {
                    let message = format!("the filter `{id}` refused the call: {why}");
                    return Err(Fault::new(FaultKind::Denied, message).because("filtered"));
                }
                Step::Failed(fault) => return Err(failed(filter, &fault)),
            };
        }
        Ok(value)
    }

    /// The filter as it is now; `None` when it is none of this tool any more.
    fn filter_now(&self, filter: &Arc<Plugin>, about: &About<'_>) -> Option<Arc<Plugin>> {
        let now = self.registry.present(filter)?;
        let is_asked =
            Arc::ptr_eq(&now, filter) || now.manifest.filter.applies_to(about.plugin, about.tool);
        is_asked.then_some(now)
    }

    async fn ask_filter(
        &self,
        filter: &Arc<Plugin>,
        way: Way,
        about: &About<'_>,
        value: &Json,
    ) -> Result<Verdict<Json>, Fault> {
        if !filter.is_known() {
            self.await_filter(filter, about.context).await?;
        }
        let Some(tool) = tool_of(filter, way)? else {
            return Ok(Verdict::Unchanged);
        };
        let own = Duration::from_millis(filter.manifest.filter.timeout_ms);
        let timeout = about.context.timeout.map_or(own, |asked| asked.min(own));
        let caller = gateway_for(Some(&about.context.caller.principal));
        let context = self.errand(caller, Some(timeout), about.context.cancel.clone());
        let shown = about.shown(way, value);
        let result = self.run_errand(filter, tool, shown, &context).await?;
        let verdict = verdict::read(&result, way.key())
            .map_err(|why| Fault::new(FaultKind::Broken, why).because("protocol_error"))?;
        match &verdict {
            Verdict::Changed(value) if way == Way::Out && !is_complete(value) => Err(Fault::new(
                FaultKind::Broken,
                "its `result` is not a complete result",
            )),
            _ => Ok(verdict),
        }
    }

    /// Waits for a filter that is being started, or starts it.
    async fn await_filter(&self, filter: &Plugin, context: &CallContext) -> Result<(), Fault> {
        tokio::select! {
            biased;
            warm = filter.warm() => warm,
            () = context.cancel.cancelled() => Err(cancelled()),
            () = self.closing.cancelled() => Err(shutting_down()),
            () = tokio::time::sleep(WAKE_DEADLINE) => Err(Fault::new(
                FaultKind::Unavailable,
                "it is still being started",
            )),
        }
    }
}

/// The tool of the filter that is asked this way; `None` where it wants to see the other way only.
fn tool_of(filter: &Plugin, way: Way) -> Result<Option<&str>, Fault> {
    if let Some(named) = way.named_tool(filter) {
        return Ok(Some(named));
    }
    let surface = filter.surface();
    let lists = |way: Way| {
        let mut tools = surface.list(ListKind::Tools).definitions.iter();
        tools.any(|tool| *tool.name == *way.usual_tool())
    };
    if lists(way) {
        return Ok(Some(way.usual_tool()));
    }
    let other = match way {
        Way::In => Way::Out,
        Way::Out => Way::In,
    };
    if other.named_tool(filter).is_some() || lists(other) {
        return Ok(None);
    }
    let message = "it lists neither `filter_arguments` nor `filter_result`, and its manifest names no other tool";
    Err(Fault::new(FaultKind::Unavailable, message))
}

/// The refusal of a call because a filter failed. What the filter did wrong is not the caller's doing.
fn failed(filter: &Plugin, fault: &Fault) -> Fault {
    let kind = match fault.kind {
        FaultKind::Timeout | FaultKind::Busy | FaultKind::Unavailable => fault.kind,
        FaultKind::NotFound
        | FaultKind::BadInput
        | FaultKind::Denied
        | FaultKind::Broken
        | FaultKind::Cancelled => FaultKind::Broken,
    };
    let id = &filter.manifest.id;
    let message = format!("the call is refused because the filter `{id}` failed: {fault}");
    let refusal = Fault::new(kind, message).because("filter_failed");
    match fault.retry_after {
        Some(wait) => refusal.retry_after(wait),
        None => refusal,
    }
}

fn result_type(result: &Json) -> Option<Box<str>> {
    let members = Members::of(result)?;
    let kind = members.string("resultType")?;
    Some(kind.into_owned().into_boxed_str())
}

fn is_complete(result: &Json) -> bool {
    let kind = result_type(result);
    kind.is_none_or(|kind| *kind == *"complete")
}

/// The reply with another result. What kind of result it is stays said where it was.
fn changed(before: &Reply, result: &Json) -> Reply {
    let mut result = result.clone();
    if let (Some(kind), None) = (&before.result_type, result_type(&result)) {
        let mut members = Members::of(&result).unwrap_or_default();
        members.set("resultType", Json::of(&**kind));
        result = members.to_json();
    }
    Reply {
        result_type: result_type(&result),
        result,
    }
}
