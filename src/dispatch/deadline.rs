//! How long a call may take. Progress gives a call its time again, and so does an answer of its client, up to a bound
//! that nothing moves.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::client::Client;
use crate::model::fault::{Fault, FaultKind};

/// The deadline of one call.
pub(super) struct Deadline<'a> {
    begun: Instant,
    /// How long the call may go without a sign of life.
    quiet: Duration,
    /// How long it may take in all.
    total: Duration,
    client: &'a dyn Client,
}

impl<'a> Deadline<'a> {
    pub(super) fn new(quiet: Duration, total: Duration, client: &'a dyn Client) -> Self {
        Self {
            begun: Instant::now(),
            quiet,
            total,
            client,
        }
    }

    /// When it passes, as far as is known now. While the client is being asked the call is not the one to wait for, and
    /// of a call that has become a task nobody waits for the answer: only the whole time is bounded then.
    fn at(&self) -> Instant {
        let last = match self.client.pulse().map(|pulse| pulse.read()) {
            Some((_, true)) => Instant::now(),
            Some((Some(last), false)) => Instant::from_std(last),
            Some((None, false)) | None => self.begun,
        };
        (last + self.quiet).min(self.begun + self.total)
    }

    /// Waits until it has passed.
    pub(super) async fn passed(&self) {
        loop {
            let at = self.at();
            tokio::time::sleep_until(at).await;
            if self.at() <= at {
                return;
            }
        }
    }

    pub(super) fn fault(&self) -> Fault {
        let after = self.at().duration_since(self.begun);
        Fault::new(
            FaultKind::Timeout,
            format!("Operation timed out after {} ms", after.as_millis()),
        )
    }
}
