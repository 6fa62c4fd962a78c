//! Lists that are read again: because their server says that they are others now, or because the time for which it lets
//! them be kept is over (MCP 2026-07-28, caching).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::runtime::Surface;
use crate::runtime::changed::Changed;
use crate::wire::list::ListKind;

/// The least time for which a list is kept unless the server says that it is another, however short its `ttlMs` is.
const LEAST: Duration = Duration::from_secs(30);

/// The longest time for which a list with a `ttlMs` is kept.
const MOST: Duration = Duration::from_secs(24 * 3_600);

/// Reads lists by `again` whenever they may be others, with a `pause` between. Never comes back.
pub(crate) async fn follow<F>(
    plugin: &PluginId,
    changed: &Changed,
    surface: &watch::Sender<Arc<Surface>>,
    pause: Duration,
    again: impl Fn(Arc<Surface>, Vec<ListKind>) -> F,
) where
    F: Future<Output = Result<Surface, Fault>>,
{
    let mut over = expiry(&surface.borrow());
    loop {
        let told = tokio::select! {
            kinds = changed.next() => Some(kinds),
            () = reached(over) => None,
        };
        let taken = changed.taken();
        let known = Arc::clone(&surface.borrow());
        let is_told = told.is_some();
        let kinds = told.unwrap_or_else(|| perishable(&known).map(|(kind, _)| kind).collect());
        let mut wait = None;
        match again(Arc::clone(&known), kinds).await {
            // It said that its lists are others now; clients are told so whether or not we see a difference.
            Ok(now) if is_told => drop(surface.send_replace(Arc::new(now))),
            Ok(now) if now != *known => {
                drop(surface.send_replace(Arc::new(now.sharing(&known))));
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(plugin.id = %plugin, reason = fault.reason, "Kept the old list: {fault}");
                wait = fault.retry_after.filter(|_| is_told);
            }
        }
        if !is_told || over.is_none() {
            over = expiry(&surface.borrow());
        }
        changed.done(taken);
        changed
            .pause(pause.max(wait.unwrap_or_default().min(MOST)))
            .await;
        if wait.is_some() {
            // The server wanted to be left alone. What it said before is as true as ever.
            changed.mark_all();
        }
    }
}

/// The lists that may be kept for a time, and for how long. A `ttlMs` of 0 is for those who ask one by one.
fn perishable(surface: &Surface) -> impl Iterator<Item = (ListKind, Duration)> {
    ListKind::ALL.into_iter().filter_map(|kind| {
        let hints = surface.list(kind).hints?;
        let time = Duration::from_millis(hints.ttl_ms).clamp(LEAST, MOST);
        (hints.ttl_ms > 0).then_some((kind, time))
    })
}

/// When the first of its lists is over.
fn expiry(surface: &Surface) -> Option<Instant> {
    let least = perishable(surface).map(|(_, time)| time).min();
    least.map(|time| Instant::now() + time)
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::runtime::Listing;
    use crate::wire::cache::CacheHints;
    use crate::wire::list::Topic;
    use crate::wire::members::Members;

    /// Tools that may be kept for `ttl_ms`, with a mark that tells them from others.
    fn tools(ttl_ms: u64, mark: u32) -> Surface {
        let mut rest = Members::default();
        rest.set("mark", crate::wire::json::Json::of(&mark));
        let hints = Some(CacheHints {
            ttl_ms,
            public: true,
        });
        let mut surface = Surface::default();
        let list = Listing {
            hints,
            rest,
            ..Listing::default()
        };
        surface.set(ListKind::Tools, Arc::new(list));
        surface
    }

    #[tokio::test(start_paused = true)]
    async fn lists_are_read_again_when_their_time_is_over() {
        let plugin: PluginId = "p".parse().expect("an id");
        let (changed, reads) = (Changed::default(), AtomicU32::new(0));
        let surface = watch::Sender::new(Arc::new(tools(60_000, 1)));
        let mut seen = surface.subscribe();
        // The second reading shows something else.
        let again = |_, kinds: Vec<ListKind>| {
            assert_eq!(kinds, [ListKind::Tools]);
            let mark = reads.fetch_add(1, Ordering::SeqCst);
            async move { Ok(tools(60_000, 1 + mark)) }
        };
        let following = follow(&plugin, &changed, &surface, Duration::from_secs(1), again);
        let began = Instant::now();
        tokio::select! {
            () = following => unreachable!("it never comes back"),
            told = seen.changed() => told.expect("it is there"),
        }
        // What is as before is not told.
        assert_eq!(reads.load(Ordering::SeqCst), 2);
        let passed = began.elapsed().as_secs();
        assert!((120..125).contains(&passed), "{passed} s");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_does_not_wait_for_its_time() {
        let plugin: PluginId = "p".parse().expect("an id");
        let changed = Changed::default();
        let surface = watch::Sender::new(Arc::new(tools(0, 1)));
        let mut seen = surface.subscribe();
        let again = |known: Arc<Surface>, _| async move { Ok(Surface::clone(&known)) };
        let following = follow(&plugin, &changed, &surface, Duration::from_secs(1), again);
        tokio::pin!(following);
        let day = tokio::time::timeout(Duration::from_secs(86_400), &mut following);
        assert!(day.await.is_err() && !seen.has_changed().expect("it is there"));
        changed.mark(Topic::Tools);
        tokio::select! {
            () = following => unreachable!("it never comes back"),
            told = seen.changed() => told.expect("it is there"),
        }
    }
}
