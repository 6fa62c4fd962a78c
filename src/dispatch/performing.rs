//! A call once its arguments are final, filters having passed: what is looked at before it goes to its plugin, and what
//! is made of the answer.

use tokio::time::Instant;

use crate::dispatch::address::Address;
use crate::dispatch::audit::Record;
use crate::dispatch::dry_run::{self, Wish};
use crate::dispatch::retry::Failed;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, arguments, defaults, results};
use crate::manifest::runtime::RuntimeKind;
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::registry::catalog::Entry;
use crate::runtime::{CallContext, Request};
use crate::wire::meta::AGREED;

impl Dispatcher {
    /// Takes the last steps of a call, in this order: defaults, dry run, arguments against the schema, approval, written
    /// where it changes things, to the plugin, rules of results. All but the way to the plugin are about tools.
    pub(super) async fn perform(
        &self,
        address: &Address,
        subject: &Subject,
        mut request: Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let Some(entry) = &address.tool else {
            return self.carry(address, subject, request, context).await;
        };
        defaults::fill(entry, &mut request.params);
        let wish = dry_run::wish(entry, &mut request.params)?;
        if wish == Wish::Ours {
            record.dry_run();
            arguments::check(entry, &request.params)?;
            let requires_approval = self.needs_approval(entry, context, None);
            return Ok(dry_run::answer(entry, &request.params, requires_approval));
        }
        self.check_arguments(address, &request)?;
        if wish == Wish::OfTool {
            record.dry_run();
        }
        // The gateway alone says so.
        request.params.meta.remove(AGREED);
        if self.needs_approval(entry, context, None) {
            // What may wait is kept out of the future of every call.
            let asked = (&mut request, wish);
            let agreed = Box::pin(self.agree(entry, subject, asked, context, record)).await?;
            if let Some(answer) = agreed {
                return Ok(answer);
            }
        }
        if self.must_be_admitted(entry) {
            Box::pin(self.admit(entry, record)).await?;
        }
        self.execute(address, entry, subject, request, context, record)
            .await
    }

    /// Carries the call of a tool to its plugin and reads the result; makes the call anew where it may be.
    async fn execute(
        &self,
        address: &Address,
        entry: &Entry,
        subject: &Subject,
        request: Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let (plugin, tool, call) = (entry.plugin.id(), &*entry.name, context.id);
        tracing::debug!(plugin.id = %plugin, tool.name = tool, call, "plugin.execute.start");
        let retry = entry.conduct.retry.as_ref();
        let spare = retry.map(|retry| (retry, request.clone(), Instant::now()));
        let mut ended = self.carry(address, subject, request, context).await;
        if results::judge(entry, &mut ended)
            && let Some((retry, request, begun)) = spare
        {
            let failed = Failed {
                address,
                entry,
                subject,
                request,
                context,
                begun,
            };
            ended = Box::pin(self.again(failed, retry, ended, record)).await;
        }
        match &ended {
            Ok(_) => {
                tracing::debug!(plugin.id = %plugin, tool.name = tool, call, "plugin.execute.success");
            }
            Err(fault) => {
                let reason = fault.reason;
                tracing::debug!(plugin.id = %plugin, tool.name = tool, call, reason, "plugin.execute.failed");
            }
        }
        Ok(self.publish_from(&address.plugin, subject, ended?))
    }

    /// Asks the schema of the tool, where it is one whose arguments are checked.
    pub(super) fn check_arguments(
        &self,
        address: &Address,
        request: &Request,
    ) -> Result<(), Fault> {
        match &address.tool {
            Some(entry)
                if address.plugin.runtime == RuntimeKind::InProcess
                    || self.policy.validate_remote_arguments =>
            {
                arguments::check(entry, &request.params)
            }
            _ => Ok(()),
        }
    }
}
