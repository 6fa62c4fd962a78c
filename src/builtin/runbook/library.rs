//! The folder while it is watched: what is in it is read again before the next answer after something has changed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::builtin::runbook::folder;
use crate::builtin::runbook::shelf::{Shelf, uri};
use crate::plugin::Notifier;

/// The folder and what is known of it.
#[derive(Default)]
pub(super) struct Library {
    /// Set when something in the folder may have changed.
    stale: AtomicBool,
    state: Mutex<State>,
    pub(super) notifier: OnceLock<Notifier>,
}

#[derive(Default)]
struct State {
    folder: PathBuf,
    shelf: Option<Shelf>,
    watcher: Option<RecommendedWatcher>,
    /// Why the folder cannot be read now.
    trouble: Option<String>,
}

impl Library {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Reads another folder. When that fails, everything stays as it was.
    pub(super) fn open(self: &Arc<Self>, folder: PathBuf) -> Result<(), String> {
        let watcher = self.watch(&folder);
        let mut shelf = Shelf::new().map_err(no_index)?;
        let found = folder::read(&folder).map_err(|err| unreadable(&folder, &err))?;
        shelf.update(found).map_err(no_index)?;
        for why in &shelf.left_out.why {
            tracing::warn!("A runbook was left out: {why}");
        }
        *self.state() = State {
            folder,
            shelf: Some(shelf),
            watcher,
            trouble: None,
        };
        self.tell();
        Ok(())
    }

    /// Watches nothing any more.
    pub(super) fn close(&self) {
        *self.state() = State::default();
    }

    /// Works with the runbooks as they are now, and with what keeps them from being read.
    pub(super) fn with<T>(
        self: &Arc<Self>,
        work: impl FnOnce(&Shelf, Option<&str>) -> T,
    ) -> Option<T> {
        let mut state = self.state();
        let is_stale = self.stale.swap(false, Ordering::AcqRel);
        if is_stale || state.watcher.is_none() || state.trouble.is_some() {
            self.refresh(&mut state);
        }
        let shelf = state.shelf.as_ref()?;
        Some(work(shelf, state.trouble.as_deref()))
    }

    /// Reads what has changed. A folder that cannot be read any more leaves all as it was, and is tried again.
    fn refresh(self: &Arc<Self>, state: &mut State) {
        let State {
            folder,
            shelf,
            watcher,
            trouble,
        } = state;
        let Some(shelf) = shelf else { return };
        // New folders are watched before they are read, so that nothing falls between.
        let is_watched = watcher
            .as_mut()
            .is_some_and(|watcher| look_after(watcher, folder).is_ok());
        if !is_watched {
            *watcher = self.watch(folder);
        }
        let found = folder::read(folder).map_err(|err| unreadable(folder, &err));
        let changes = found.and_then(|found| shelf.update(found).map_err(no_index));
        match changes {
            Ok(changes) => {
                *trouble = None;
                if changes.moved {
                    self.tell();
                }
                if let Some(notifier) = self.notifier.get() {
                    let other = changes.other.iter();
                    other.for_each(|path| notifier.updated(&uri(path)));
                }
            }
            Err(why) => {
                if trouble.as_ref() != Some(&why) {
                    tracing::warn!("The runbooks stay as they were: {why}");
                }
                *trouble = Some(why);
            }
        }
    }

    /// Tells clients that there may be other runbooks.
    fn tell(&self) {
        if let Some(notifier) = self.notifier.get() {
            notifier.lists_changed();
        }
    }

    /// Notes and tells what happens in the folder and in those below. Nothing where the system does not let us: then it is
    /// read before each answer.
    fn watch(self: &Arc<Self>, folder: &Path) -> Option<RecommendedWatcher> {
        let library = Arc::downgrade(self);
        let heard = move |event: notify::Result<notify::Event>| {
            let is_read = event.is_ok_and(|event| event.kind.is_access());
            let Some(library) = library.upgrade().filter(|_| !is_read) else {
                return;
            };
            library.stale.store(true, Ordering::Release);
            library.tell();
        };
        let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
            look_after(&mut watcher, folder)?;
            Ok(watcher)
        });
        watcher
            .inspect_err(|err| {
                let at = folder.display();
                tracing::debug!("`{at}` is not watched, so it is read each time: {err}");
            })
            .ok()
    }
}

/// Watches the folder and those below it. One that is watched already is so once.
fn look_after(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    for folder in folder::folders(folder)? {
        // It may be gone by now; whether all are watched shows in those that are there.
        match watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Err(_) if !folder.exists() => {}
            done => done?,
        }
    }
    Ok(())
}

fn unreadable(folder: &Path, err: &std::io::Error) -> String {
    let at = folder.display();
    format!("the folder `{at}` (`dir` in the plugin's config) cannot be read: {err}")
}

fn no_index(err: tantivy::TantivyError) -> String {
    format!("the index could not be made: {err}")
}
