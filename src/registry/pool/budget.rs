//! When a plugin that failed is not started again yet.

use std::time::Duration;

use crate::model::fault::{Fault, FaultKind};
use crate::registry::pool::{Pool, State};

impl Pool {
    /// Refuses to start a plugin that failed too often, or just now.
    pub(super) fn check_budget(&self, state: &State) -> Result<(), Fault> {
        let restart = &self.manifest.restart;
        let within = Duration::from_millis(restart.within_ms);
        let Some(last) = state.failures.back() else {
            return Ok(());
        };
        let recent = state
            .failures
            .iter()
            .filter(|failure| failure.at.elapsed() < within)
            .count();
        let (wait, words) = if recent > restart.max as usize {
            let first = &state.failures[state.failures.len() - recent];
            let words = format!("it failed {recent} times within {} s", within.as_secs());
            (within.saturating_sub(first.at.elapsed()), words)
        } else if state.failed_in_a_row >= 2 {
            let doubled = restart
                .backoff_initial_ms
                .saturating_mul(1 << (state.failed_in_a_row - 2).min(20));
            let backoff = Duration::from_millis(doubled.min(restart.backoff_max_ms));
            (
                backoff.saturating_sub(last.at.elapsed()),
                "it failed just now".to_owned(),
            )
        } else {
            return Ok(());
        };
        if wait.is_zero() {
            return Ok(());
        }
        let why = state
            .last_failure
            .as_ref()
            .map_or_else(String::new, |fault| format!(": {fault}"));
        let reason = state
            .last_failure
            .as_ref()
            .map_or("unavailable", |fault| fault.reason);
        let message = format!(
            "plugin `{}` is not started again yet, {words}{why}",
            self.manifest.id
        );
        Err(Fault::new(FaultKind::Unavailable, message)
            .because(reason)
            .retry_after(wait))
    }
}
