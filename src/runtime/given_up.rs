//! Calls whose callers gave up. What a server still says about one of them is none of the next caller's business.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::revision::Era;

/// How long after its caller gave up a legacy server may still say something about a call, if it does not answer it.
const STILL_AT_WORK: Duration = Duration::from_secs(60);

/// The same of a modern server. Others share it, and are not to go without what is theirs for long.
const LATE_WORDS: Duration = Duration::from_secs(5);

/// The most such calls that are remembered.
const MAX_REMEMBERED: usize = 1024;

/// The calls that were given up on one connection, by the ids of their requests.
#[derive(Debug, Default)]
pub(crate) struct GivenUp(HashMap<u64, Call>);

#[derive(Debug)]
struct Call {
    until: Instant,
    era: Era,
    /// The principal of its caller, where that wanted log messages.
    logs: Option<Arc<str>>,
}

impl GivenUp {
    /// The caller of a call to a server of `era` gave it up.
    pub(crate) fn add(&mut self, id: u64, era: Era, logs: Option<Arc<str>>) {
        let now = Instant::now();
        self.0.retain(|_, call| now < call.until);
        if self.0.len() < MAX_REMEMBERED {
            let bound = match era {
                Era::Legacy => STILL_AT_WORK,
                Era::Modern => LATE_WORDS,
            };
            let until = now + bound;
            self.0.insert(id, Call { until, era, logs });
        }
    }

    /// The server has answered the call all the same: it says no more about it.
    pub(crate) fn answered(&mut self, id: u64) {
        self.0.remove(&id);
    }

    /// Whether the server may be at work for one of them, so that it is of no use to the next caller. Never of a modern
    /// one, which everyone shares.
    pub(crate) fn is_at_work(&self) -> bool {
        self.has(|call| call.era == Era::Legacy)
    }

    /// Whether a log message may be about one of them whose caller had asked for log messages and was not `principal`.
    pub(crate) fn may_log_for_another(&self, principal: &str) -> bool {
        self.has(|call| {
            call.logs
                .as_deref()
                .is_some_and(|theirs| theirs != principal)
        })
    }

    /// The one of `callers`, given with the ids of their requests, that something without an address can be for: the only
    /// one that waits, or, where all belong to one session, the one that came last.
    pub(crate) fn addressee<'a, T>(
        &self,
        callers: impl Iterator<Item = (u64, &'a T)>,
        one_session: bool,
    ) -> Option<&'a T> {
        let mut callers = callers;
        if one_session {
            // Ids count upwards.
            return callers.max_by_key(|(id, _)| *id).map(|(_, caller)| caller);
        }
        if self.has(|_| true) {
            return None;
        }
        let (_, only) = callers.next()?;
        callers.next().is_none().then_some(only)
    }

    fn has(&self, what: impl Fn(&Call) -> bool) -> bool {
        let now = Instant::now();
        let mut calls = self.0.values();
        calls.any(|call| now < call.until && what(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressee(given_up: &GivenUp, callers: &[u64], one_session: bool) -> Option<u64> {
        let callers = callers.iter().map(|id| (*id, id));
        given_up.addressee(callers, one_session).copied()
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_address_is_for_nobody_while_a_call_that_was_given_up_may_be_meant() {
        let table = [(Era::Legacy, STILL_AT_WORK), (Era::Modern, LATE_WORDS)];
        for (era, bound) in table {
            let mut given_up = GivenUp::default();
            assert_eq!(addressee(&given_up, &[7], false), Some(7));
            assert_eq!(addressee(&given_up, &[7, 8], false), None);
            given_up.add(6, era, None);
            assert_eq!(given_up.is_at_work(), era == Era::Legacy);
            assert_eq!(addressee(&given_up, &[7], false), None, "{era:?}");
            assert_eq!(addressee(&given_up, &[8, 7], true), Some(8));
            tokio::time::advance(bound).await;
            assert_eq!(addressee(&given_up, &[7], false), Some(7), "{era:?}");
            assert!(!given_up.is_at_work());
            given_up.add(9, era, None);
            given_up.answered(9);
            assert_eq!(addressee(&given_up, &[7], false), Some(7), "{era:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_call_that_wanted_log_messages_may_log() {
        let mut given_up = GivenUp::default();
        given_up.add(1, Era::Modern, None);
        assert!(!given_up.may_log_for_another("bob"));
        given_up.add(2, Era::Modern, Some("ann".into()));
        assert!(given_up.may_log_for_another("bob"));
        assert!(!given_up.may_log_for_another("ann"));
        tokio::time::advance(LATE_WORDS).await;
        assert!(!given_up.may_log_for_another("bob"));
    }
}
