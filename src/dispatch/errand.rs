//! Calls that the gateway makes of its own accord: of filters and notifiers. They pass the gate and the deadline and are
//! recorded like all others, but nobody is told of them and no filter is asked about them, nor about what a filter or a
//! notifier calls by its handles while it is asked: that could go on for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dispatch::address::Address;
use crate::dispatch::audit::Record;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, bridge};
use crate::metrics::spans::within;
use crate::model::answer::Answer;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::Deaf;
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::{Cause, first_text};
use crate::registry::plugin::Plugin;
use crate::runtime::{CallContext, Request};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;
use crate::wire::revision::Revision;

/// The gateway itself, at work for `principal` or for nobody in particular.
pub(super) fn gateway_for(principal: Option<&str>) -> Arc<Caller> {
    let name = match principal {
        Some(principal) => format!("toolgate:{principal}"),
        None => "toolgate".to_owned(),
    };
    named(&name)
}

/// A caller of this name that sees every plugin.
pub(super) fn named(name: &str) -> Arc<Caller> {
    Arc::new(Caller {
        principal: name.into(),
        ..Caller::anonymous()
    })
}

/// The params of a call.
pub(super) fn params(tool: &str, arguments: Json) -> Params {
    let mut params = Params::default();
    params.members.set("name", Json::of(tool));
    params.members.set("arguments", arguments);
    params
}

impl Dispatcher {
    /// What surrounds a call that no client makes: nobody can be asked or told anything on its way.
    pub(super) fn errand(
        &self,
        caller: Arc<Caller>,
        timeout: Option<Duration>,
        cancel: CancellationToken,
    ) -> CallContext {
        CallContext {
            id: self.next_call(),
            caller,
            // What a modern plugin asks on the way is then refused at once, and not handed to us as an answer.
            profile: Arc::new(ClientProfile {
                revision: Revision::NEWEST_LEGACY,
                ..ClientProfile::bare()
            }),
            session: None,
            log_level: None,
            timeout,
            cancel,
            farewell: None,
            client: Arc::new(Deaf),
        }
    }

    /// Calls the plugin's own tool of that name. Gives the members of a result; a tool that failed is a fault.
    pub(super) async fn run_errand(
        &self,
        plugin: &Arc<Plugin>,
        tool: &str,
        arguments: Json,
        context: &CallContext,
    ) -> Result<Members, Fault> {
        let name = format!("{}{tool}", plugin.manifest.effective_prefix());
        let mut record = Record::open(&self.audit, &Method::ToolsCall, &name, context);
        record.found(plugin);
        record.is_errand_of(plugin);
        let (address, subject) = (Address::of_plugin(plugin), Subject::Tool(name.clone()));
        let mut params = params(tool, arguments);
        record.sent(&mut params);
        let trace = record.trace(&mut params);
        let request = Request {
            method: Method::ToolsCall,
            params,
        };
        let carried = Cause::Errand.during(self.carry(&address, &subject, request, context));
        let called = match trace {
            None => carried.await,
            Some(trace) => within(trace, carried).await,
        };
        tool_result(record, called, &subject, context, &name)
    }
}

/// Closes the record of a call of the gateway's own. Gives the members of a result; a tool that failed is a fault.
pub(super) fn tool_result(
    record: Record<'_>,
    called: Result<Answer, Fault>,
    subject: &Subject,
    context: &CallContext,
    name: &str,
) -> Result<Members, Fault> {
    let outcome = called.and_then(|answer| bridge::to_client(answer, subject, context.era()));
    record.close(outcome.as_ref());
    let broken = |why: &str| Fault::new(FaultKind::Broken, format!("`{name}` failed: {why}"));
    match outcome? {
        Outcome::Error(error) => Err(broken(&error.message).because("refused_by_plugin")),
        Outcome::Result(reply) => {
            let result = Members::of(&reply.result).unwrap_or_default();
            if result.get("isError").is_some_and(Json::is_true) {
                let words = first_text(&result);
                let words = words.as_deref().unwrap_or("it does not say why");
                return Err(broken(words).because("tool_failed"));
            }
            Ok(result)
        }
    }
}
