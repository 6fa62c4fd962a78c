//! Who looks at the lists.

use std::sync::Arc;

use crate::model::caller::Caller;
use crate::registry::pool::Who;
use crate::runtime::CallContext;
use crate::session::Session;

/// Who looks at the lists.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Decides which plugins are seen.
    pub caller: Arc<Caller>,
    /// Decides what they offer.
    pub who: Who,
}

impl Viewer {
    /// Who makes this call.
    pub fn of(context: &CallContext) -> Self {
        Self {
            caller: Arc::clone(&context.caller),
            who: Who::of(context),
        }
    }

    /// A session, as its client sees things.
    pub fn of_session(caller: &Arc<Caller>, session: &Arc<Session>) -> Self {
        Self {
            caller: Arc::clone(caller),
            who: Who {
                principal: Arc::clone(&caller.principal),
                profile: Arc::clone(&session.profile),
                session: Some(Arc::clone(session)),
            },
        }
    }

    /// A caller without a session whose client says nothing of itself.
    pub fn bare(caller: Arc<Caller>) -> Self {
        let who = Who::nobody();
        Self { caller, who }
    }
}
