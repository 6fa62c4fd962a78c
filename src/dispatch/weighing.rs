//! Calls of tools that say beforehand what each would do, and the person who must agree to that. Of the gateway's own code
//! only; all others are what their definition says.

use std::time::Duration;

use crate::dispatch::Dispatcher;
use crate::dispatch::audit::Record;
use crate::dispatch::dry_run::Wish;
use crate::dispatch::subject::Subject;
use crate::manifest::runtime::RuntimeKind;
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::{ToolError, Weight};
use crate::registry::catalog::Entry;
use crate::runtime::{CallContext, Request};
use crate::wire::meta::AGREED;
use crate::wire::revision::Era;

/// How long a tool may take to say what a call would do; the call's own deadline bounds it as well.
const WEIGHING: Duration = Duration::from_secs(10);

impl Dispatcher {
    /// Has a person agree to a call that needs it, and tells the tool what was agreed to. An answer where the tool says
    /// beforehand that it is not going to make the call.
    pub(super) async fn agree(
        &self,
        entry: &Entry,
        subject: &Subject,
        (request, wish): (&mut Request, Wish),
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Option<Answer>, Fault> {
        let ours = entry.plugin.runtime == RuntimeKind::InProcess;
        let weight = match wish {
            // Code of ours changes nothing when it is told not to.
            Wish::OfTool if ours => Some(Weight::Looks),
            Wish::OfTool | Wish::Ours => None,
            Wish::Call => self.weigh(entry, request).await?,
        };
        if let Some(Weight::Refused(error)) = &weight {
            return Ok(Some(Answer::result(error.to_result(), Era::Legacy)));
        }
        if self.needs_approval(entry, context, weight.as_ref()) {
            let asked = (entry, weight.as_ref());
            self.approve(asked, request, context, record).await?;
            // Who was asked has agreed to what the call was at that time.
            if wish == Wish::Call && weight.is_some() && self.weigh(entry, request).await? != weight
            {
                return Err(moved(entry));
            }
            // It may have been taken away meanwhile.
            if self.registry.is_switched_off(&entry.name) {
                return Err(self.unknown(subject, &context.caller));
            }
        }
        // It may be another thing again by the time the tool gets to it.
        if wish == Wish::Call
            && let Some(pin) = weight.as_ref().and_then(Weight::pin)
        {
            request.params.meta.set(AGREED, pin);
        }
        Ok(None)
    }

    /// What the tool says that this call would do; `None` where it does not say.
    async fn weigh(&self, entry: &Entry, request: &Request) -> Result<Option<Weight>, Fault> {
        let plugin = &entry.plugin;
        if plugin.runtime != RuntimeKind::InProcess {
            return Ok(None);
        }
        // One that does not run could not say anything, and would be called all the same.
        if plugin.pool.any_instance().is_none() {
            self.wake_up(plugin).await?;
        }
        let Some(instance) = plugin.pool.any_instance() else {
            let message = format!("plugin `{}` does not run; send the call again", plugin.id());
            return Err(Fault::new(FaultKind::Unavailable, message));
        };
        let weighed = tokio::time::timeout(WEIGHING, instance.weigh(request)).await;
        Ok(weighed.unwrap_or_else(|_| Some(Weight::Refused(late(entry)))))
    }
}

fn late(entry: &Entry) -> ToolError {
    ToolError::new(format!(
        "`{}` could not see within {} s what this call would do, so nobody was asked, and nothing was done; try again",
        entry.name,
        WEIGHING.as_secs()
    ))
}

fn moved(entry: &Entry) -> Fault {
    let message = format!(
        "what this call of `{}` would do is not any more what was agreed to; send the call again",
        entry.name
    );
    Fault::new(FaultKind::Denied, message).because("approval_needed")
}

#[cfg(test)]
mod tests;
