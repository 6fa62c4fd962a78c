//! The last step of a call: through the gate and the breaker of its plugin to an instance, within its deadline.
//!
//! A plugin may be exchanged while a call is on its way to it: in a filter, or in the queue before the gate. Nothing was
//! sent yet then, so the call goes to the plugin that is there now, once. One that was sent comes to its end where it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;

use crate::dispatch::address::Address;
use crate::dispatch::deadline::Deadline;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, cancelled, full, rounds, shutting_down, tasks, traced};
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::breaker::guard::Pass;
use crate::registry::plugin::Plugin;
use crate::registry::pool::{Lease, Who};
use crate::runtime::{CallContext, Request};

/// What a call holds until it is known to be over.
#[derive(Default)]
pub(super) struct Held {
    lease: Option<Lease>,
    pass: Option<Pass>,
    /// The plugin that it went to where that is not the one it was for.
    moved: Option<Arc<Plugin>>,
}

impl Held {
    /// The instance, for as long as this is kept.
    pub(super) fn into_lease(self) -> Option<Lease> {
        self.lease
    }
}

impl Dispatcher {
    /// Carries a request to one plugin, within its deadline.
    pub(super) async fn carry(
        &self,
        address: &Address,
        subject: &Subject,
        request: Request,
        context: &CallContext,
    ) -> Result<Answer, Fault> {
        let plugin = &address.plugin;
        let wants_task = request.params.members.get("task").is_some();
        let own = Duration::from_millis(address.timeout_ms(&request.method));
        let deadline = Deadline::new(
            context.timeout.map_or(own, |asked| asked.min(own)),
            Duration::from_millis(plugin.manifest.limits.max_call_ms),
            &*context.client,
        );
        let mut held = Held::default();
        let work = self.ask(address, subject, request, context, &mut held);
        let ended = tokio::select! {
            biased;
            answer = work => answer,
            () = context.cancel.cancelled() => Err(cancelled()),
            () = self.closing.cancelled() => Err(shutting_down()),
            () = deadline.passed() => Err(deadline.fault()),
        };
        let Held { lease, pass, moved } = held;
        if let Some(pass) = pass {
            let hurried = context.timeout.is_some_and(|asked| asked < own);
            leave(pass, &ended, lease.as_ref(), hurried);
        }
        if let Some(lease) = &lease {
            note(lease, &ended);
        }
        if let (Ok(answer), Subject::Tool(_)) = (&ended, subject)
            && let Some(task) = tasks::begun(answer, wants_task)
        {
            let plugin = moved.as_ref().unwrap_or(plugin);
            self.tasks.note(&task, plugin, &context.caller);
        }
        ended
    }

    /// Takes an instance and asks it.
    async fn ask(
        &self,
        address: &Address,
        subject: &Subject,
        request: Request,
        context: &CallContext,
        held: &mut Held,
    ) -> Result<Answer, Fault> {
        let plugin = &address.plugin;
        let entered = enter(plugin, context, held).await;
        // Looked at with the permit in hand: one that leaves after this waits for the call.
        if plugin.has_left()
            && let Some(next) = self.registry.present(plugin)
        {
            drop(entered);
            *held = Held::default();
            let asked = self.ask_next(next, address, subject, request, context, held);
            return Box::pin(asked).await;
        }
        let (_permit, lease) = entered?;
        self.say(plugin, lease, request, context).await
    }

    /// Asks `next`, which has taken the place of the plugin that the request was for.
    async fn ask_next(
        &self,
        next: Arc<Plugin>,
        address: &Address,
        subject: &Subject,
        mut request: Request,
        context: &CallContext,
        held: &mut Held,
    ) -> Result<Answer, Fault> {
        let was = address;
        let address = self.readdress(next, was, subject, context).await?;
        if let (Some(entry), Some(was)) = (&address.tool, &was.tool) {
            // Nobody was asked about the call as it would be now.
            if self.needs_approval(entry, context, None) && !self.needs_approval(was, context, None)
            {
                let message = format!(
                    "`{}` needs an approval since a moment ago; send the call again",
                    entry.name
                );
                return Err(Fault::new(FaultKind::Denied, message).because("approval_needed"));
            }
            subject.rename(&mut request.params, entry.tool_json.clone());
        }
        self.check_arguments(&address, &request)?;
        held.moved = Some(Arc::clone(&address.plugin));
        let (_permit, lease) = enter(&address.plugin, context, held).await?;
        self.say(&address.plugin, lease, request, context).await
    }

    /// Asks the instance. Where a tracing system is told of that, the plugin is told of its place in the trace.
    async fn say(
        &self,
        plugin: &Plugin,
        lease: &Lease,
        mut request: Request,
        context: &CallContext,
    ) -> Result<Answer, Fault> {
        let spans = self.metrics().spans();
        let asked = spans.and_then(|spans| traced::ask(spans, plugin, &mut request));
        let Some(span) = asked else {
            return say(lease, request, context).await;
        };
        let answer = Box::pin(say(lease, request, context)).await;
        span.answered(&answer);
        answer
    }

    /// The place of the same thing in `next`. A tool must be listed there as well: the operator may have exchanged the
    /// plugin to take it away. Whatever else there is keeps the plugin's own name, and the plugin knows it or does not.
    async fn readdress(
        &self,
        next: Arc<Plugin>,
        address: &Address,
        subject: &Subject,
        context: &CallContext,
    ) -> Result<Address, Fault> {
        let Some(was) = &address.tool else {
            return Ok(Address {
                plugin: next,
                ..address.clone()
            });
        };
        let who = Who::of(context);
        let find = || {
            let catalog = self.registry.view(&who);
            let mut entries = catalog.entries(&context.caller);
            let same =
                entries.find(|entry| Arc::ptr_eq(&entry.plugin, &next) && entry.tool == was.tool);
            let own = || {
                catalog
                    .own_tool(next.id(), &was.tool)
                    .filter(|_| was.withheld)
            };
            same.or_else(own).cloned()
        };
        let mut entry = find();
        if entry.is_none() {
            // It may not be known yet what it offers to this client.
            next.pool.warm_for(&who).await?;
            entry = find();
        }
        let entry = entry.ok_or_else(|| self.unknown(subject, &context.caller))?;
        Ok(Address {
            plugin: next,
            tool: Some(entry),
            ..address.clone()
        })
    }
}

/// Passes the gate and the breaker and takes an instance. Lease and pass are left to the caller: they are held until the
/// call is known to be over.
pub(super) async fn enter<'a>(
    plugin: &'a Plugin,
    context: &CallContext,
    held: &'a mut Held,
) -> Result<(SemaphorePermit<'a>, &'a Lease), Fault> {
    if let Some(breaker) = &plugin.breaker {
        // Nobody waits at the gate for a refusal.
        breaker.check(|| plugin.pool.last_heard())?;
    }
    // What may wait is kept out of the future of every call.
    let permit = match plugin.gate.try_enter() {
        Some(permit) => permit,
        None => Box::pin(plugin.gate.enter())
            .await
            .map_err(|_| full(plugin))?,
    };
    held.pass = plugin.enter()?;
    let lease = held.lease.insert(match plugin.pool.try_lease(context) {
        Some(lease) => lease,
        None => Box::pin(plugin.pool.lease(context)).await?,
    });
    Ok((permit, lease))
}

async fn say(lease: &Lease, request: Request, context: &CallContext) -> Result<Answer, Fault> {
    let answer = rounds::request(&**lease.instance(), request, context).await;
    answer.map_err(|fault| lease.explain(fault))
}

/// Tells the breaker what the call has shown. A deadline that its caller has shortened shows nothing.
fn leave(pass: Pass, ended: &Result<Answer, Fault>, lease: Option<&Lease>, hurried: bool) {
    let late = |fault: &Fault| fault.kind == FaultKind::Timeout;
    if !(hurried && ended.as_ref().is_err_and(late)) {
        let heard = lease.and_then(|lease| lease.instance().last_heard());
        pass.ended(ended, heard);
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
