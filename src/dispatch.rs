//! The one way through: every call, from whatever front, takes these steps in this order.
//!
//! record opens → the catalog finds the tool, prompt or resource, if the caller may have it → defaults → arguments against
//! the schema → approval → permit → deadline → the instance answers → rules of results → the bridge between eras → record
//! closes. Where there are filters, they are asked before the defaults and after the answer.

pub mod config;

pub mod subject;

mod address;

mod admission;

pub mod approval;

mod arguments;

pub mod audit;

pub mod background;

mod bridge;

mod carrying;

mod deadline;

mod defaults;

pub mod dry_run;

mod errand;

pub mod events;

mod filters;

mod handles;

mod kept;

pub mod measured;

mod listed;

mod notices;

mod performing;

mod reach;

mod results;

mod retry;

mod rounds;

pub mod schedule;

pub mod serving;

mod task_list;

mod tasks;

mod telling;

mod traced;

pub mod watching;

mod weighing;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::dispatch::address::Address;
use crate::dispatch::approval::Approvals;
use crate::dispatch::audit::{Ends, Record, Sink};
use crate::dispatch::background::Jobs;
use crate::dispatch::config::PolicyConfig;
use crate::dispatch::events::Events;
use crate::dispatch::handles::Handles;
use crate::dispatch::kept::Kept;
use crate::dispatch::notices::Notices;
use crate::dispatch::subject::Subject;
use crate::dispatch::tasks::Tasks;
use crate::dispatch::watching::Watching;
use crate::events::config::EventsConfig;
use crate::ledger::Ledger;
use crate::ledger::ids::Ids;
use crate::metrics::Metrics;
use crate::metrics::spans::within;
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::Registry;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Who;
use crate::runtime::{CallContext, Request};
use crate::session::table::Bounds;
use crate::wire::error::{INVALID_PARAMS, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND};
use crate::wire::message::{Outcome, Params, Reply};
use crate::wire::method::Method;

/// How long a call waits for the start of a plugin whose tools are not known yet.
const WAKE_DEADLINE: Duration = Duration::from_secs(30);

/// Carries calls to plugins.
pub struct Dispatcher {
    registry: Arc<Registry>,
    policy: PolicyConfig,
    audit: Arc<Ends>,
    supervisor: Supervisor,
    calls: Ids,
    ledger: Ledger,
    tasks: Tasks,
    watching: Watching,
    handles: Handles,
    kept: Kept,
    notices: Notices,
    jobs: Jobs,
    events: Arc<Events>,
    approvals: Approvals,
    /// Cancelled when calls that still run must end.
    closing: CancellationToken,
}

impl Dispatcher {
    /// A dispatcher to these plugins; records go to `audit`. Calls that must be written before they are carried are by
    /// `ledger`.
    pub fn new(
        registry: Arc<Registry>,
        policy: PolicyConfig,
        (audit, ledger): (Arc<dyn Sink>, Ledger),
        supervisor: Supervisor,
        handles: Bounds,
    ) -> Self {
        let metrics = Arc::clone(&registry.surroundings().metrics);
        let events = Arc::new(Events::new(&EventsConfig::default()));
        Self {
            approvals: Approvals::new(policy.approval.clone()),
            registry,
            policy,
            audit: Arc::new(Ends {
                sink: audit,
                metrics,
            }),
            supervisor,
            calls: Ids::default(),
            ledger,
            tasks: Tasks::default(),
            watching: Watching::default(),
            handles: Handles::new(handles),
            kept: Kept::default(),
            notices: Notices::new(&events),
            events,
            jobs: Jobs::default(),
            closing: CancellationToken::new(),
        }
    }

    /// The same with a bus of these settings.
    #[must_use]
    pub fn with_events(mut self, config: &EventsConfig) -> Self {
        self.events = Arc::new(Events::new(config));
        self.notices = Notices::new(&self.events);
        self
    }

    /// The plugins it carries calls to.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.audit.metrics
    }

    /// A number for the next call, which is its number in the ledger as well.
    pub fn next_call(&self) -> u64 {
        self.calls.next()
    }

    /// Ends the calls that still run: their callers are told that the gateway stops.
    pub fn close(&self) {
        self.closing.cancel();
        self.handles.close_all();
    }

    /// Carries a request to the plugin that it is for. One answer or one fault; one audit record, whatever happens, also
    /// when the future is dropped. The answer is in words of the caller's era.
    pub async fn request(
        &self,
        method: Method,
        subject: &Subject,
        params: Params,
        context: CallContext,
    ) -> Result<Reply, CallError> {
        self.request_again(method, subject, params, context, None)
            .await
    }

    /// The same for a call that sends the arguments of another one again, whose number is told.
    pub async fn request_again(
        &self,
        method: Method,
        subject: &Subject,
        mut params: Params,
        context: CallContext,
        replay_of: Option<u64>,
    ) -> Result<Reply, CallError> {
        let name = subject.name();
        let mut record = Record::open(&self.audit, &method, name, &context);
        record.sent(&mut params);
        record.replays(replay_of);
        record.tell(&self.notices);
        let trace = record.trace(&mut params);
        let request = Request { method, params };
        let walk = self.walk(subject, request, &context, &mut record);
        let called = match trace {
            None => walk.await,
            Some(trace) => within(trace, walk).await,
        };
        let outcome = called.and_then(|answer| bridge::to_client(answer, subject, context.era()));
        record.close(outcome.as_ref());
        match outcome? {
            Outcome::Result(reply) => Ok(reply),
            Outcome::Error(error) => Err(CallError::Plugin(error)),
        }
    }

    async fn walk(
        &self,
        subject: &Subject,
        mut request: Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        if let Some(answer) = self.own_tool(subject, &request, context) {
            return answer;
        }
        // What mostly needs no waiting is tried first; what may wait is kept out of the future of every call.
        let mut addresses = self.listed(subject, context);
        if addresses.is_empty() {
            addresses = Box::pin(self.find(subject, context)).await?;
        }
        if *subject == Subject::Tasks {
            return Box::pin(self.list_tasks(&addresses, request, context)).await;
        }
        let last = addresses.pop();
        for address in addresses {
            // Nobody lists it: whoever does not know it has done nothing.
            let again = request.clone();
            let asked = self.go(&address, subject, again, context, record);
            let answer = Box::pin(asked).await;
            if !answer
                .as_ref()
                .is_ok_and(|answer| is_unknown(answer, subject))
            {
                return answer;
            }
        }
        let Some(address) = last else {
            return Err(self.unknown(subject, &context.caller));
        };
        if let Some(own) = &address.own {
            subject.rename(&mut request.params, own.clone());
        }
        self.go(&address, subject, request, context, record).await
    }

    async fn go(
        &self,
        address: &Address,
        subject: &Subject,
        mut request: Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let plugin = &address.plugin;
        record.found(plugin);
        if let Some(entry) = &address.tool {
            record.is_of(entry);
        }
        let (context, _in_flight) = self.bound(plugin, &mut request.params, context)?;
        let context = &*context;
        if let Some(session) = &context.session {
            record.within(session);
        }
        if let Some(entry) = &address.tool
            && !entry.filters.is_empty()
            && !address.unfiltered
        {
            let filtered = self.filtered(address, entry, subject, request, context, record);
            return Box::pin(filtered).await;
        }
        if request.method == Method::ResourcesRead {
            return Box::pin(self.read(address, subject, request, context)).await;
        }
        self.perform(address, subject, request, context, record)
            .await
    }

    /// Reads a resource, or gives what is kept of it. Its parts are named as the caller names it.
    async fn read(
        &self,
        address: &Address,
        subject: &Subject,
        request: Request,
        context: &CallContext,
    ) -> Result<Answer, Fault> {
        let (who, principal) = (Who::of(context), &context.caller.principal);
        let wanted = kept::Wanted::of(&request, &address.plugin, principal, &who);
        let known = wanted.as_ref().and_then(|wanted| self.kept.get(wanted));
        let answer = match known {
            Some(answer) => answer,
            None => {
                let answer = self.carry(address, subject, request, context).await?;
                if let Some(wanted) = &wanted {
                    self.kept.put(wanted, &answer);
                }
                answer
            }
        };
        Ok(match (&address.own, subject) {
            (Some(own), Subject::Resource(listed)) => bridge::read_under(answer, own, listed),
            _ => answer,
        })
    }

    /// Waits for plugins that are being started, for as long as a list would.
    async fn settled(&self, context: &CallContext) -> Result<(), Fault> {
        tokio::select! {
            biased;
            () = self.registry.settle() => Ok(()),
            () = context.cancel.cancelled() => Err(cancelled()),
            () = self.closing.cancelled() => Err(shutting_down()),
        }
    }

    /// Waits until lists have been read that plugins say are others now; whether there were any.
    async fn caught_up(&self, context: &CallContext) -> Result<bool, Fault> {
        tokio::select! {
            biased;
            caught = self.registry.catch_up_with_plugins(&context.caller) => Ok(caught),
            () = context.cancel.cancelled() => Err(cancelled()),
            () = self.closing.cancelled() => Err(shutting_down()),
        }
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

/// Whether a plugin that was asked on the off chance does not know what it was asked about.
fn is_unknown(answer: &Answer, subject: &Subject) -> bool {
    let Outcome::Error(error) = &answer.outcome else {
        return false;
    };
    match subject {
        Subject::Resource(_) | Subject::Template(_) => {
            matches!(
                error.code,
                RESOURCE_NOT_FOUND | INVALID_PARAMS | METHOD_NOT_FOUND
            )
        }
        _ => error.code == METHOD_NOT_FOUND,
    }
}

fn full(plugin: &Plugin) -> Fault {
    let manifest = &plugin.manifest;
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
