//! Reads configuration and plugins again when something changes in the directories they lie in.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::control::Control;
use crate::manifest::FILE_NAMES;
use crate::manifest::import::FILE_NAMES as FOREIGN_FILE_NAMES;

/// Nothing is read before it has been quiet for so long: files are written in several steps, folders copied file by file.
const QUIET: Duration = Duration::from_millis(250);

/// What never becomes quiet is read after this time all the same.
const AT_LAST: Duration = Duration::from_secs(2);

/// How often the places are watched anew where the system could not watch all of them.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// Watches until `stop` is cancelled. `configuration` is the name of the operator's file.
pub(super) async fn watch(control: Arc<Control>, configuration: OsString, stop: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let mut watched = match Watched::new(configuration, &changed) {
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
    known: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// Tells what makes a difference from all that happens in these directories: plugins write all kinds of files there.
struct Ear {
    configuration: OsString,
    /// The directories that are watched, or were before: what went is there no more to be looked at.
    known: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Watched {
    fn new(configuration: OsString, changed: &Arc<Notify>) -> notify::Result<Self> {
        let (changed, known) = (Arc::clone(changed), Arc::default());
        let ear = Ear {
            configuration,
            known: Arc::clone(&known),
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may have swallowed a change.
            if event.as_ref().map_or(true, |event| ear.pricks_up(event)) {
                changed.notify_one();
            }
        })?;
        Ok(Self {
            watcher,
            places: BTreeSet::new(),
            known,
        })
    }

    /// Watches these places and no others. Whether all of them could be.
    fn look_at(&mut self, places: BTreeSet<PathBuf>) -> bool {
        // The lock is not held while the watcher is spoken to, which may be waiting for it.
        let known = self.places.union(&places).cloned().collect();
        *self.known.lock().expect("no holder of this lock panics") = known;
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

impl Ear {
    /// Whether configuration or plugins may be others after `event`.
    fn pricks_up(&self, event: &Event) -> bool {
        if event.need_rescan() {
            return true;
        }
        let mut paths = event.paths.iter();
        match event.kind {
            // Whoever reads a file changes nothing.
            EventKind::Access(_) => false,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
                paths.any(|path| self.is_read(path))
            }
            EventKind::Any
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Other => {
                paths.any(|path| self.is_read(path) || self.is_directory(&event.kind, path))
            }
        }
    }

    /// Whether it is a file that is read: the configuration, or a manifest, ours or another system's.
    fn is_read(&self, path: &Path) -> bool {
        let mut names = FILE_NAMES.into_iter().chain(FOREIGN_FILE_NAMES);
        path.file_name().is_some_and(|name| {
            name == self.configuration || names.any(|known| name == OsStr::new(known))
        })
    }

    /// Whether it is a directory that came or went, where plugins are looked for: not inside of one.
    fn is_directory(&self, kind: &EventKind, path: &Path) -> bool {
        let is_told = matches!(
            kind,
            EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder)
        );
        let was_one = || {
            let known = self.known.lock().expect("no holder of this lock panics");
            known.contains(path)
        };
        (was_one() || is_told || path.is_dir()) && !path.parent().is_some_and(is_plugin)
    }
}

/// Whether a directory is a plugin's own, of which nothing deeper is looked at.
fn is_plugin(directory: &Path) -> bool {
    let mut names = FILE_NAMES.into_iter();
    names.any(|name| directory.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, RenameMode};

    use super::*;

    #[test]
    fn only_what_is_read_makes_a_difference() {
        let root = tempfile::tempdir().expect("temp dir");
        let of = |path: &str| root.path().join(path);
        for folder in [
            "plugins/here",
            "plugins/new",
            "plugins/here/cache",
            "..data",
        ] {
            std::fs::create_dir_all(of(folder)).expect("temp dir is writable");
        }
        std::fs::write(of("plugins/here/plugin.toml"), "").expect("temp dir is writable");
        let ear = Ear {
            configuration: "gate.conf".into(),
            known: Arc::new(Mutex::new(BTreeSet::from([of("plugins/moved")]))),
        };
        let check = |kind, path: &str, expect| {
            let event = Event::new(kind).add_path(of(path));
            assert_eq!(ear.pricks_up(&event), expect, "{kind:?} {path}");
        };
        let written = EventKind::Modify(ModifyKind::Any);
        let renamed = |how| EventKind::Modify(ModifyKind::Name(how));
        check(written, "plugins/here/plugin.toml", true);
        check(written, "plugins/here/dagstack.toml", true);
        check(written, "gate.conf", true);
        check(renamed(RenameMode::To), "gate.conf", true);
        check(EventKind::Access(AccessKind::Any), "gate.conf", false);
        for other in ["audit.json", "Cargo.toml", "plugins/here/log.txt"] {
            check(written, other, false);
            check(EventKind::Create(CreateKind::File), other, false);
            check(EventKind::Remove(RemoveKind::File), other, false);
            check(renamed(RenameMode::Any), other, false);
        }
        check(EventKind::Create(CreateKind::Folder), "plugins/new", true);
        check(EventKind::Remove(RemoveKind::Folder), "plugins/old", true);
        check(renamed(RenameMode::To), "plugins/new", true);
        check(renamed(RenameMode::From), "plugins/moved", true);
        // A directory of settings that is exchanged as a whole.
        check(renamed(RenameMode::To), "..data", true);
        check(
            EventKind::Create(CreateKind::Folder),
            "plugins/here/cache",
            false,
        );
    }
}
