//! A call once its arguments are final, filters having passed: what is looked at before it goes to its plugin.

use crate::dispatch::address::Address;
use crate::dispatch::audit::Record;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, arguments};
use crate::manifest::runtime::RuntimeKind;
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::runtime::{CallContext, Request};

impl Dispatcher {
    /// Takes the last steps of a call, in this order: arguments against the schema, then to the plugin.
    pub(super) async fn perform(
        &self,
        address: &Address,
        subject: &Subject,
        request: Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let _ = record;
        self.check_arguments(address, &request)?;
        let answer = self.carry(address, subject, request, context).await?;
        Ok(self.publish_from(&address.plugin, subject, answer))
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
