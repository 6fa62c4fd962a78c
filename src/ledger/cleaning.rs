//! What the ledger does by itself: it shows that this gateway is alive, closes the calls of gateways that are not, and
//! deletes what is too old or too much.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ledger::Inner;
use crate::ledger::engine::StoreError;
use crate::ledger::ids::{first_of, now_ms};
use crate::ledger::store::Store;

/// How often a gateway shows that it is alive.
const BEAT: Duration = Duration::from_secs(2);

/// How long after its last sign a gateway is taken for dead.
pub(super) const DEAD: Duration = Duration::from_secs(10);

/// How many signs there are between two looks for what is too old.
const BEATS_PER_CLEANING: u32 = 30;

/// How many rows of a kind are deleted in one go, and how long the writer has before the next.
const FEW: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// How much of `max_bytes` is left filled, in hundredths, so that not every look finds something.
const FILLED: u64 = 95;

const DAY_MS: u64 = 86_400_000;

/// Runs until `stop` is cancelled.
pub(super) async fn run(inner: &Inner, stop: &CancellationToken) {
    let mut stores = inner.store.subscribe();
    let work = async {
        // Nothing to look after before there is a database.
        let Ok(store) = stores
            .wait_for(Option::is_some)
            .await
            .map(|store| store.clone())
        else {
            return;
        };
        let Some(store) = store else { return };
        let mut beats: u32 = 0;
        loop {
            if let Err(error) = round(inner, &store, beats).await {
                tracing::debug!("The ledger could not be looked after: {error}");
            }
            beats += 1;
            tokio::time::sleep(BEAT).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = inner.closing.cancelled() => {}
        () = work => {}
    }
}

async fn round(inner: &Inner, store: &Arc<Store>, beats: u32) -> Result<(), StoreError> {
    let now = now_ms();
    store.beat(now).await?;
    let dead = u64::try_from(DEAD.as_millis()).unwrap_or(u64::MAX);
    let closed = store.close_orphans(now.saturating_sub(dead)).await?;
    if closed > 0 {
        tracing::warn!(
            closed,
            "Closed calls that a gateway has left behind: what they came to is not known"
        );
    }
    if beats.is_multiple_of(BEATS_PER_CLEANING) {
        // May take long; the others must not think meanwhile that this gateway is dead.
        let cleaning = clean(store, inner.config.keep_days, inner.config.max_bytes);
        tokio::pin!(cleaning);
        loop {
            tokio::select! {
                done = &mut cleaning => return done,
                () = tokio::time::sleep(BEAT) => store.beat(now_ms()).await?,
            }
        }
    }
    Ok(())
}

/// Deletes what is older than `keep_days`, and the oldest while more than `max_bytes` are in use.
pub(super) async fn clean(store: &Store, keep_days: u32, max_bytes: u64) -> Result<(), StoreError> {
    let oldest = now_ms().saturating_sub(u64::from(keep_days) * DAY_MS);
    while store.forget(first_of(oldest), FEW).await? > 0 {
        tokio::time::sleep(PAUSE).await;
    }
    if !store.can_shrink() || store.bytes().await? <= max_bytes {
        return Ok(());
    }
    let filled = max_bytes / 100 * FILLED;
    while store.bytes().await? > filled {
        let Some(few) = store.oldest_few(FEW).await? else {
            break;
        };
        if store.forget(few, FEW).await? == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
