//! Calls of tools that say beforehand what each would do. Of the gateway's own code only; all others are what their
//! definition says.

use crate::dispatch::Dispatcher;
use crate::manifest::runtime::RuntimeKind;
use crate::plugin::Weight;
use crate::registry::catalog::Entry;
use crate::runtime::Request;

impl Dispatcher {
    /// What the tool says that this call would do; `None` where it does not say, or does not run.
    pub(super) fn weigh(&self, entry: &Entry, request: &Request) -> Option<Weight> {
        // Only approvals ask for it.
        if !entry.conduct.requires_approval || entry.plugin.runtime != RuntimeKind::InProcess {
            return None;
        }
        entry.plugin.pool.any_instance()?.weigh(request)
    }
}
