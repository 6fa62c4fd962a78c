//! When a plugin that failed is not started again yet.

use std::time::Duration;

use crate::model::fault::{Fault, FaultKind};
use crate::registry::pool::{Pool, State};

/// Whoever wants a plugin that is to start again within so long waits for that.
const SOON: Duration = Duration::from_secs(2);

/// Why no instance is started.
pub(super) enum NotNow {
    /// It may be tried after this time, which is worth waiting for.
    Soon(Duration),
    /// It may not.
    Refused(Fault),
}

impl From<Fault> for NotNow {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl Pool {
    /// Refuses to start a plugin that failed too often, or just now.
    pub(super) fn check_budget(&self, state: &State) -> Result<(), NotNow> {
        let within = Duration::from_millis(self.manifest.restart.within_ms);
        let Some(last) = state.failures.back() else {
            return Ok(());
        };
        let recent = self.recent_failures(state);
        let spent = self.is_spent(state);
        // A remote server that said when to come again.
        let told = state
            .last_failure
            .as_ref()
            .and_then(|fault| fault.retry_after);
        let told = told.unwrap_or_default();
        let (wait, words) = if spent {
            let first = &state.failures[state.failures.len() - recent];
            let words = format!("it failed {recent} times within {} s", within.as_secs());
            (within.saturating_sub(first.at.elapsed()), words)
        } else {
            let wait = state.backoff.max(told).saturating_sub(last.at.elapsed());
            (wait, "it failed just now".to_owned())
        };
        if wait.is_zero() {
            return Ok(());
        }
        if !spent && told.is_zero() && wait <= SOON {
            return Err(NotNow::Soon(wait));
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
        let fault = Fault::new(FaultKind::Unavailable, message).because(reason);
        Err(NotNow::Refused(fault.retry_after(wait)))
    }

    /// Whether it failed more often than it may be started again.
    pub(super) fn is_spent(&self, state: &State) -> bool {
        self.recent_failures(state) > self.manifest.restart.max as usize
    }

    fn recent_failures(&self, state: &State) -> usize {
        let within = Duration::from_millis(self.manifest.restart.within_ms);
        let failures = state.failures.iter();
        failures
            .filter(|failure| failure.at.elapsed() < within)
            .count()
    }

    /// Counts a failure, and decides how long nothing is started after it: not at all after the first, then for a time
    /// that doubles with each, between the half and the whole of it so that many plugins do not come back at once.
    pub(super) fn count_failure(&self, state: &mut State) {
        state.failed_in_a_row += 1;
        let restart = &self.manifest.restart;
        state.backoff = match state.failed_in_a_row {
            0 | 1 => Duration::ZERO,
            n => {
                let doubled = restart
                    .backoff_initial_ms
                    .saturating_mul(1 << (n - 2).min(20));
                jittered(Duration::from_millis(doubled.min(restart.backoff_max_ms)))
            }
        };
    }

    /// Forgets what failed.
    pub(super) fn forgive(&self, state: &mut State) {
        state.failures.clear();
        state.failed_in_a_row = 0;
        state.backoff = Duration::ZERO;
        state.last_failure = None;
    }
}

/// Between the half and the whole of `wait`.
pub(crate) fn jittered(wait: Duration) -> Duration {
    let mut bits = [0];
    // Without random bits the whole is waited.
    let share = getrandom::fill(&mut bits).map_or(255, |()| bits[0]);
    wait / 2 + (wait / 2) * u32::from(share) / 255
}
