//! The one bound on every wait of a test.

use std::time::Duration;

/// How long anything may take. Far more than it should, far less than a person waits.
const DEADLINE: Duration = Duration::from_secs(5);

/// How often a condition that nobody announces is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// Waits for `work`. Fails the test, naming `what`, when that takes too long.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, work: F) -> impl Future<Output = F::Output> + use<F> {
    let (what, place) = (what.to_owned(), std::panic::Location::caller());
    async move {
        let done = tokio::time::timeout(DEADLINE, work).await;
        done.unwrap_or_else(|_| panic!("{place}: {what}: nothing within {DEADLINE:?}"))
    }
}

/// Waits until `holds` does, for states that nobody announces.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    within(what, async move {
        let mut looks = tokio::time::interval(LOOK);
        while !holds() {
            looks.tick().await;
        }
    })
}
