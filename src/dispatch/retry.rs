//! Calls that are made anew: of tools that may be called twice, when the tool asks for it or nothing was sent.

use std::time::Duration;

use tokio::time::Instant;

use crate::dispatch::address::Address;
use crate::dispatch::audit::Record;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, cancelled, results, shutting_down};
use crate::manifest::upkeep::Retry;
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::registry::catalog::Entry;
use crate::registry::pool::budget::jittered;
use crate::runtime::{CallContext, Request};

/// A call that has failed once.
pub(super) struct Failed<'a> {
    pub(super) address: &'a Address,
    pub(super) entry: &'a Entry,
    pub(super) subject: &'a Subject,
    pub(super) request: Request,
    pub(super) context: &'a CallContext,
    /// When the first attempt began.
    pub(super) begun: Instant,
}

impl Dispatcher {
    /// Makes a call anew until it goes well, or may not be made any more; gives what the last attempt came to. All
    /// attempts and the waits between them share the time of one call.
    pub(super) async fn again(
        &self,
        failed: Failed<'_>,
        retry: &Retry,
        mut ended: Result<Answer, Fault>,
        record: &mut Record<'_>,
    ) -> Result<Answer, Fault> {
        let Failed {
            address,
            entry,
            subject,
            request,
            context,
            begun,
        } = failed;
        let own = Duration::from_millis(entry.timeout_ms);
        let whole = context.timeout.map_or(own, |asked| asked.min(own));
        let mut wait = Duration::from_millis(retry.initial_ms);
        for _ in 1..retry.max_attempts {
            let pause = jittered(wait);
            let left = whole.saturating_sub(begun.elapsed() + pause);
            if left.is_zero() {
                break;
            }
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(cancelled()),
                () = self.closing.cancelled() => return Err(shutting_down()),
                () = tokio::time::sleep(pause) => {}
            }
            wait = wait.saturating_mul(2);
            record.attempt();
            let context = CallContext {
                timeout: Some(left),
                ..context.clone()
            };
            ended = self
                .carry(address, subject, request.clone(), &context)
                .await;
            if !results::judge(entry, &mut ended) {
                break;
            }
        }
        ended
    }
}
