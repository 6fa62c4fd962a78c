//! HTTP requests to plugins, and the calls that the routes of a manifest stand for. They take the steps of every call:
//! gate, deadline, an instance, one record.
//!
//! Of an answer that is a stream the deadline bounds the head only. The stream holds its instance, and no place at the
//! gate: a plugin that is stopped does not wait for it, but ends it.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::address::{Address, denied};
use crate::dispatch::audit::Record;
use crate::dispatch::carrying::{Held, enter};
use crate::dispatch::errand::params;
use crate::dispatch::subject::Subject;
use crate::dispatch::{CallError, Dispatcher, WAKE_DEADLINE, bridge, cancelled, shutting_down};
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::routes::{RouteRequest, RouteResponse, hold, is_stream};
use crate::registry::catalog::Entry;
use crate::registry::plugin::Plugin;
use crate::registry::rules::Denied;
use crate::runtime::{CallContext, Request};
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Reply};
use crate::wire::method::Method;

/// The most bytes of a path that a record holds.
const MAX_LABEL: usize = 256;

/// What became of a request to a plugin's own routes.
pub enum Served {
    /// One of them has answered.
    Answer(RouteResponse),
    /// None of them is for this path.
    Nothing,
    /// The caller lacks this scope.
    Denied(String),
}

/// The scope of those who may use the routes and the files of a plugin.
pub fn scope_of(plugin: &Plugin) -> String {
    format!("ext:{}:routes", plugin.id())
}

/// What a request is called in its record: `GET /ext/hello/greet`.
pub fn label(method: &str, path: &str) -> String {
    let end = path.len().min(MAX_LABEL);
    let end = (0..=end).rev().find(|end| path.is_char_boundary(*end));
    format!("{method} {}", &path[..end.unwrap_or_default()])
}

impl Dispatcher {
    /// Has the plugin's own routes answer `request`, whose path begins behind `/ext/{id}`. The plugin is started if it
    /// does not run. One record, called `label`, unless no route is for the path.
    pub async fn serve(
        &self,
        plugin: &Arc<Plugin>,
        label: &str,
        request: RouteRequest,
        context: &CallContext,
    ) -> Result<Served, Fault> {
        let mut record = Record::open(&self.audit, &Method::of(label), "", context);
        record.found(plugin);
        let bound = Duration::from_millis(plugin.manifest.limits.call_timeout_ms);
        let work = self.hand_over(plugin, request, context);
        let served = tokio::select! {
            biased;
            served = work => served,
            () = context.cancel.cancelled() => Err(cancelled()),
            () = self.closing.cancelled() => Err(shutting_down()),
            () = tokio::time::sleep(bound) => {
                let message = format!("Operation timed out after {} ms", bound.as_millis());
                Err(Fault::new(FaultKind::Timeout, message))
            }
        };
        match &served {
            Ok(Served::Answer(response)) => record.served(response.status().is_server_error()),
            Ok(Served::Nothing) => record.forget(),
            Ok(Served::Denied(_)) => {
                let denied = Fault::new(FaultKind::Denied, "a scope is missing");
                record.close(Err(&denied.because("insufficient_scope")));
            }
            Err(fault) => record.close(Err(fault)),
        }
        served
    }

    async fn hand_over(
        &self,
        plugin: &Arc<Plugin>,
        request: RouteRequest,
        context: &CallContext,
    ) -> Result<Served, Fault> {
        let mut held = Held::default();
        let entered = enter(plugin, context, &mut held).await;
        // Looked at with the permit in hand, as for a call: nothing was sent yet, so it goes to the one that is there now.
        if plugin.has_left()
            && let Some(next) = self.registry.present(plugin)
            && !Arc::ptr_eq(&next, plugin)
        {
            drop(entered);
            drop(held);
            return Box::pin(self.hand_over(&next, request, context)).await;
        }
        let (permit, lease) = entered?;
        let instance = Arc::clone(lease.instance());
        if let Some(routes) = instance.routes() {
            let scope = routes.scope().map(ToString::to_string);
            let scope = scope.unwrap_or_else(|| scope_of(plugin));
            if !context.caller.may(&scope) {
                return Ok(Served::Denied(scope));
            }
        }
        let served = instance.serve(request, context).await;
        let Some(response) = served.map_err(|fault| lease.explain(fault))? else {
            return Ok(Served::Nothing);
        };
        drop(permit);
        let response = match is_stream(&response) {
            true => hold(response, held.into_lease()),
            false => response,
        };
        Ok(Served::Answer(response))
    }

    /// Calls a plugin's own tool for one of its routes, whether clients are offered the tool or not. The operator's policy
    /// holds here, too. One record, called `label`.
    pub async fn call_own(
        &self,
        plugin: &Arc<Plugin>,
        tool: &str,
        arguments: Json,
        label: &str,
        context: &CallContext,
    ) -> Result<Reply, CallError> {
        let method = Method::of(label);
        let mut record = Record::open(&self.audit, &method, tool, context);
        let subject = Subject::Tool(tool.to_owned());
        let called = async {
            let entry = self.tool_of_plugin(plugin, tool, context).await?;
            let address = Address::of_call_between(entry, false);
            let request = Request {
                method: Method::ToolsCall,
                params: params(tool, arguments),
            };
            let called = self.go(&address, &subject, request, context, &mut record);
            Box::pin(called).await
        };
        let called = called.await;
        let outcome = called.and_then(|answer| bridge::to_client(answer, &subject, context.era()));
        record.close(outcome.as_ref());
        match outcome? {
            Outcome::Result(reply) => Ok(reply),
            Outcome::Error(error) => Err(CallError::Plugin(error)),
        }
    }

    /// Starts a plugin that does not run and waits for it, for so long as a call would.
    pub async fn wake_up(&self, plugin: &Plugin) -> Result<(), Fault> {
        tokio::select! {
            biased;
            woken = plugin.warm() => woken,
            () = self.closing.cancelled() => Err(shutting_down()),
            () = tokio::time::sleep(WAKE_DEADLINE) => {
                let message = format!("plugin `{}` is still being started", plugin.id());
                Err(Fault::new(FaultKind::Unavailable, message))
            }
        }
    }

    /// The plugin's own tool; waits for a plugin that is not known yet.
    pub async fn tool_of_plugin(
        &self,
        plugin: &Arc<Plugin>,
        tool: &str,
        context: &CallContext,
    ) -> Result<Arc<Entry>, Fault> {
        if !plugin.is_known() {
            tokio::select! {
                biased;
                woken = self.wake_up(plugin) => woken?,
                () = context.cancel.cancelled() => return Err(cancelled()),
            }
        }
        self.registry.catch_up();
        let own = |catalog: &crate::registry::catalog::Catalog| {
            catalog.own_tool(plugin.id(), tool).cloned()
        };
        let entry = self.registry.with_catalog(own).ok_or_else(|| {
            let id = plugin.id();
            let message = format!(
                "plugin `{id}` has no tool `{tool}` that could be called: it offers none of this name, or a rule of `policy` is against it"
            );
            Fault::new(FaultKind::NotFound, message)
        })?;
        match Denied::as_read_only(&context.caller, entry.category) {
            Some(why) => Err(denied(&entry, &why)),
            None => Ok(entry),
        }
    }
}
