//! Reads configuration and plugins again when something changes in the directories they lie in.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
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
    // What changed between the start of the gateway and this moment nobody has seen.
    changed.notify_one();
    loop {
        let complete = watched.look_at(control.places().await);
        tokio::select! {
            () = changed.notified() => settled(&changed).await,
            () = tokio::time::sleep(TRY_AGAIN), if !complete => continue,
            () = stop.cancelled() => return,
        }
        // New places are watched before they are read, so that nothing falls between.
        watched.look_at(control.places().await);
        tokio::select! {
            // What went wrong is logged there, and kept for the report.
            _ = control.reload() => {}
            () = stop.cancelled() => return,
        }
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
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may have swallowed a change.
            if event.as_ref().map_or(true, makes_a_difference) {
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
        // One that was watched already may be another directory of the same name by now.
        let begin = |place: &PathBuf| {
            let begun = self.watcher.watch(place, RecursiveMode::NonRecursive);
            if let Err(err) = &begun {
                tracing::debug!("Cannot watch `{}`: {err}", place.display());
            }
            begun.is_ok()
        };
        let all = places.len();
        self.places = places.into_iter().filter(begin).collect();
        self.places.len() == all
    }
}

/// Whether configuration or plugins may be others after `event`. Plugins write all kinds of files into their folders.
fn makes_a_difference(event: &Event) -> bool {
    // Configurations and manifests, ours and those of others, are written in these.
    let is_read = |path: &PathBuf| {
        let extension = path.extension().and_then(OsStr::to_str);
        matches!(extension, Some("toml" | "json" | "jsonc"))
    };
    let is_about_files = || event.paths.iter().any(is_read);
    match event.kind {
        // Whoever reads a file changes nothing.
        EventKind::Access(_) => false,
        EventKind::Create(CreateKind::Folder | CreateKind::Any | CreateKind::Other)
        | EventKind::Remove(RemoveKind::Folder | RemoveKind::Any | RemoveKind::Other)
        | EventKind::Modify(ModifyKind::Name(_)) => true,
        _ => event.need_rescan() || is_about_files(),
    }
}

#[cfg(test)]
mod tests {
    use notify::event::AccessKind;

    use super::*;

    #[test]
    fn only_what_is_read_makes_a_difference() {
        let check = |kind, path: &str, expect| {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(makes_a_difference(&event), expect, "{kind:?} {path}");
        };
        let written = EventKind::Modify(ModifyKind::Any);
        check(written, "p/plugin.toml", true);
        check(written, "p/toolgate.json", true);
        check(written, "p/log.txt", false);
        check(EventKind::Create(CreateKind::File), "p/x.sock", false);
        check(EventKind::Create(CreateKind::Folder), "plugins/new", true);
        check(EventKind::Remove(RemoveKind::Folder), "plugins/old", true);
        check(EventKind::Access(AccessKind::Any), "p/plugin.toml", false);
    }
}
