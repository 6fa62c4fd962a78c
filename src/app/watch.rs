//! Reads configuration and plugins again when something changes in the directories they lie in.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::control::Control;

/// Nothing is read before it has been quiet for so long: files are written in several steps, folders copied file by file.
const QUIET: Duration = Duration::from_millis(250);

/// What never becomes quiet is read after this time all the same.
const AT_LAST: Duration = Duration::from_secs(2);

/// How often the places are watched anew where the system could not watch all of them.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// Watches until `stop` is cancelled.
pub(super) async fn watch(control: Arc<Control>, stop: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let mut watched = match Watched::new(&changed) {
        Ok(watched) => watched,
        Err(err) => {
            tracing::warn!("Changes of the configuration are not noticed: {err}");
            return;
        }
    };
    loop {
        let complete = watched.look_at(control.places().await);
        tokio::select! {
            () = changed.notified() => settled(&changed).await,
            () = tokio::time::sleep(TRY_AGAIN), if !complete => continue,
            () = stop.cancelled() => return,
        }
        // New places are watched before they are read, so that nothing falls between.
        watched.look_at(control.places().await);
        // What went wrong is logged there, and kept for the report.
        control.reload().await.ok();
    }
}

/// Waits until nothing has changed for a moment.
async fn settled(changed: &Notify) {
    let at_last = Instant::now() + AT_LAST;
    loop {
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(QUIET) => return,
            () = tokio::time::sleep_until(at_last) => return,
        }
    }
}

/// The directories that are watched, each for itself: what lies deeper is not looked at.
struct Watched {
    watcher: RecommendedWatcher,
    places: BTreeSet<PathBuf>,
}

impl Watched {
    fn new(changed: &Arc<Notify>) -> notify::Result<Self> {
        let changed = Arc::clone(changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Whoever reads a file changes nothing. An error may have swallowed a change.
            let is_read = |event: &notify::Event| matches!(event.kind, EventKind::Access(_));
            if !event.as_ref().is_ok_and(is_read) {
                changed.notify_one();
            }
        })?;
        Ok(Self {
            watcher,
            places: BTreeSet::new(),
        })
    }

    /// Watches these places and no others. Whether all of them could be.
    fn look_at(&mut self, places: BTreeSet<PathBuf>) -> bool {
        for gone in self.places.difference(&places) {
            // What is no longer there is no longer watched either.
            self.watcher.unwatch(gone).ok();
        }
        let mut complete = true;
        let mut now = BTreeSet::new();
        for place in places {
            let known = self.places.contains(&place) && place.is_dir();
            match known || self.begin(&place) {
                true => drop(now.insert(place)),
                false => complete = false,
            }
        }
        self.places = now;
        complete
    }

    fn begin(&mut self, place: &PathBuf) -> bool {
        let begun = self.watcher.watch(place, RecursiveMode::NonRecursive);
        if let Err(err) = &begun {
            tracing::debug!("Cannot watch `{}`: {err}", place.display());
        }
        begun.is_ok()
    }
}
