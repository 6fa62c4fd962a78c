//! The one way through: every call, from whatever front, takes these steps in this order.
//!
//! record opens → the catalog finds the tool, if the caller may have it → arguments against the schema → permit → deadline → the
//! instance answers → the bridge between eras → record closes.

pub mod config;

mod arguments;

pub mod audit;

mod bridge;

mod deadline;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dispatch::audit::{Record, Sink};
use crate::dispatch::config::PolicyConfig;
use crate::manifest::runtime::RuntimeKind;
use crate::model::answer::Answer;
use crate::model::caller::Caller;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::Registry;
use crate::registry::catalog::{Catalog, Entry};
use crate::registry::pool::Lease;
use crate::runtime::{CallContext, Request};
use crate::wire::message::{Outcome, Params, Reply};
use crate::wire::method::Method;

/// How long a call waits for the start of a plugin whose tools are not known yet.
const WAKE_DEADLINE: Duration = Duration::from_secs(30);

/// Carries calls to plugins.
pub struct Dispatcher {
    registry: Arc<Registry>,
    policy: PolicyConfig,
    audit: Arc<dyn Sink>,
    calls: AtomicU64,
    /// Cancelled when calls that still run must end.
    closing: CancellationToken,
}

impl Dispatcher {
    /// A dispatcher to these plugins; records go to `audit`.
    pub fn new(registry: Arc<Registry>, policy: PolicyConfig, audit: Arc<dyn Sink>) -> Self {
        Self {
            registry,
            policy,
            audit,
            calls: AtomicU64::new(0),
            closing: CancellationToken::new(),
        }
    }

    /// The plugins it carries calls to.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// A number for the next call.
    pub fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends the calls that still run: their callers are told that the gateway stops.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Calls the tool `name`. One answer or one fault; one audit record, whatever happens, also when the future is
    /// dropped. The answer is in words of the caller's era.
    pub async fn call_tool(
        &self,
        name: &str,
        params: Params,
        context: CallContext,
    ) -> Result<Reply, CallError> {
        let mut record = Record::open(&*self.audit, name, &context);
        let called = self.walk(name, params, &context, &mut record).await;
        let outcome = called.and_then(|answer| bridge::to_client(answer, context.era()));
        record.close(&outcome);
        match outcome? {
            Outcome::Result(reply) => Ok(reply),
            Outcome::Error(error) => Err(CallError::Plugin(error)),
        }
    }

    async fn walk(
        &self,
        name: &str,
        mut params: Params,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let entry = self.find(name, context).await?;
        record.found(&entry);
        if entry.plugin.runtime == RuntimeKind::InProcess || self.policy.validate_remote_arguments {
            arguments::check(&entry, &params)?;
        }
        if entry.name != entry.tool {
            params.members.set("name", entry.tool_json.clone());
        }
        let own = Duration::from_millis(entry.timeout_ms);
        let deadline = deadline::Deadline::new(
            context.timeout.map_or(own, |asked| asked.min(own)),
            Duration::from_millis(entry.plugin.manifest.limits.max_call_ms),
            &*context.client,
        );
        let mut lease = None;
        let work = self.ask(&entry, params, context, &mut lease);
        let ended = tokio::select! {
            biased;
            answer = work => answer,
            () = context.cancel.cancelled() => Err(cancelled()),
            () = self.closing.cancelled() => Err(shutting_down()),
            () = deadline.passed() => Err(deadline.fault()),
        };
        if let Some(lease) = &lease {
            note(lease, &ended);
        }
        ended
    }

    /// Passes the gate, takes an instance and asks it. The lease is left to the caller: it is held until the call is
    /// known to be over.
    async fn ask(
        &self,
        entry: &Entry,
        params: Params,
        context: &CallContext,
        lease: &mut Option<Lease>,
    ) -> Result<Answer, Fault> {
        let plugin = &entry.plugin;
        if let Some(why) = &plugin.refused {
            return Err(Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{}`: {why}", plugin.manifest.id),
            ));
        }
        // What mostly needs no waiting is tried first; what may wait is kept out of the future of every call.
        let _permit = match plugin.gate.try_enter() {
            Some(permit) => permit,
            None => Box::pin(plugin.gate.enter())
                .await
                .map_err(|_| full(entry))?,
        };
        let lease = lease.insert(match plugin.pool.try_lease(context) {
            Some(lease) => lease,
            None => Box::pin(plugin.pool.lease(context)).await?,
        });
        lease
            .instance()
            .request(
                Request {
                    method: Method::ToolsCall,
                    params,
                },
                context,
            )
            .await
    }

    async fn find(&self, name: &str, context: &CallContext) -> Result<Arc<Entry>, Fault> {
        let found = |catalog: &Catalog| catalog.find(name, &context.caller).cloned();
        if let Some(entry) = self.registry.with_catalog(found) {
            return Ok(entry);
        }
        // A plugin that has just started is known a moment before its tools are listed.
        if self.registry.catch_up()
            && let Some(entry) = self.registry.with_catalog(found)
        {
            return Ok(entry);
        }
        if let Some(woken) = Box::pin(self.wake(name, context)).await {
            woken?;
            if let Some(entry) = self.registry.with_catalog(found) {
                return Ok(entry);
            }
        }
        Err(self.unknown(name, &context.caller))
    }

    /// Wakes the plugin that may have the tool, for as long as the caller would wait for the call.
    async fn wake(&self, name: &str, context: &CallContext) -> Option<Result<(), Fault>> {
        let bound = context.timeout.unwrap_or(WAKE_DEADLINE);
        tokio::select! {
            biased;
            woken = self.registry.wake(name, &context.caller) => woken,
            () = context.cancel.cancelled() => Some(Err(cancelled())),
            () = self.closing.cancelled() => Some(Err(shutting_down())),
            () = tokio::time::sleep(bound) => {
                let message = format!("Operation timed out after {} ms: the plugin is still being started", bound.as_millis());
                Some(Err(Fault::new(FaultKind::Timeout, message)))
            }
        }
    }

    /// The fault of a call to a tool that `caller` cannot see, with the reason if it may know it.
    pub fn unknown(&self, name: &str, caller: &Caller) -> Fault {
        let why = self.registry.why(name, caller);
        let why = why.unwrap_or_else(|| "`tools/list` names those there are".to_owned());
        Fault::new(FaultKind::NotFound, format!("Unknown tool `{name}`: {why}"))
    }
}

/// A call that did not give a result.
#[derive(Debug)]
pub enum CallError {
    /// The gateway failed.
    Fault(Fault),
    /// The plugin answered with a JSON-RPC error, which belongs to the client as it is.
    Plugin(crate::wire::error::RpcError),
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What the instance is to be thought of after this call.
fn note(lease: &Lease, ended: &Result<Answer, Fault>) {
    match ended {
        Ok(_) => lease.answered(),
        Err(fault) if fault.kind == FaultKind::Timeout || fault.reason == "upstream_blocked" => {
            lease.silent()
        }
        Err(_) => {}
    }
}

fn full(entry: &Entry) -> Fault {
    let manifest = &entry.plugin.manifest;
    let message = format!(
        "plugin `{}` is at its limit of {} calls with {} waiting",
        manifest.id, manifest.limits.max_concurrent_calls, manifest.limits.max_queue
    );
    Fault::new(FaultKind::Busy, message)
        .because("overloaded")
        .retry_after(Duration::from_secs(1))
}

fn cancelled() -> Fault {
    Fault::new(FaultKind::Cancelled, "the call was cancelled")
}

fn shutting_down() -> Fault {
    Fault::new(FaultKind::Unavailable, "the gateway is stopping").because("shutting_down")
}
