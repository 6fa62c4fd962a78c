//! `runbook`: finds what to do in a folder of Markdown. Each file is a resource, too.
//!
//! The folder is watched; what has changed in it is read again before the next answer.

mod folder;

mod section;

mod shelf;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use async_trait::async_trait;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::runbook::shelf::{Hit, Shelf, uri};
use crate::plugin::{
    Category, HookResult, Notifier, Plugin, PluginContext, Resources, ToolContext, ToolError,
    Tools, Worded,
};

/// The most places of one answer.
const MAX_HITS: usize = 50;

/// The plugin.
#[derive(Default)]
pub(super) struct Runbooks(Arc<Library>);

/// The folder and what is known of it.
#[derive(Default)]
struct Library {
    /// Set when something in the folder may have changed.
    stale: AtomicBool,
    state: Mutex<State>,
    notifier: OnceLock<Notifier>,
}

#[derive(Default)]
struct State {
    folder: PathBuf,
    shelf: Option<Arc<Shelf>>,
    watcher: Option<RecommendedWatcher>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The folder with the runbooks.
    dir: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What to look for: words, `"a phrase"`, `-without`, `+must`.
    query: String,
    /// At most so many places, 5 if not given; 50 is the most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 50))]
    limit: Option<usize>,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    /// The places that fit best, the best first.
    hits: Vec<Hit>,
    /// How many places fit at all.
    total: usize,
    /// How many runbooks there are.
    runbooks: usize,
}

#[async_trait]
impl Plugin for Runbooks {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let Settings { dir } = context.settings()?;
        let shelf = read(&dir)?;
        for why in &shelf.left_out {
            tracing::warn!(parent: context.span(), "A runbook was left out: {why}");
        }
        let watcher = self.0.watch(&dir)?;
        {
            let mut state = self.0.state();
            state.folder = dir;
            state.shelf = Some(Arc::new(shelf));
            state.watcher = Some(watcher);
        }
        self.0.tell();
        Ok(())
    }

    async fn on_stop(&self) -> HookResult {
        self.0.state().watcher = None;
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        let library = Arc::clone(&self.0);
        tools
            .add(
                "runbook.search",
                "Searches the runbooks: what to do when something is wrong, written by those who run it",
                move |wanted: Search, _: ToolContext| {
                    let library = Arc::clone(&library);
                    async move { library.search(&wanted) }
                },
            )
            .title("Search runbooks")
            .category(Category::Diagnostic)
            .read_only();
    }

    fn resources(&self, resources: &mut Resources) {
        self.0.notifier.set(resources.notifier()).ok();
        let Some(shelf) = self.0.shelf() else { return };
        for runbook in &shelf.runbooks {
            let (library, path) = (Arc::clone(&self.0), runbook.path.clone());
            resources
                .add(uri(&path), path.clone(), move |_: ToolContext| {
                    let text = library.text(&path);
                    async move { text }
                })
                .mime_type("text/markdown");
        }
    }
}

impl Library {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Tells clients that there may be other runbooks.
    fn tell(&self) {
        if let Some(notifier) = self.notifier.get() {
            notifier.lists_changed();
        }
    }

    /// Watches the folders, and notes that something is others now.
    fn watch(self: &Arc<Self>, dir: &Path) -> notify::Result<RecommendedWatcher> {
        let library = Arc::downgrade(self);
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                let is_read = event.is_ok_and(|event| event.kind.is_access());
                let Some(library) = library.upgrade().filter(|_| !is_read) else {
                    return;
                };
                library.stale.store(true, Ordering::Release);
                library.tell();
            })?;
        for folder in folder::folders(dir) {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }

    /// The index, made anew if something has changed. A folder that cannot be read any more leaves it as it was.
    fn shelf(self: &Arc<Self>) -> Option<Arc<Shelf>> {
        if !self.stale.swap(false, Ordering::AcqRel) {
            return self.state().shelf.clone();
        }
        let folder = self.state().folder.clone();
        // New folders are watched before they are read, so that nothing falls between.
        let watcher = self.watch(&folder);
        match (read(&folder), watcher) {
            (Ok(shelf), Ok(watcher)) => {
                let mut state = self.state();
                let changed = changes(state.shelf.as_deref(), &shelf);
                state.shelf = Some(Arc::new(shelf));
                state.watcher = Some(watcher);
                drop(state);
                if let Some(notifier) = self.notifier.get() {
                    changed.iter().for_each(|path| notifier.updated(&uri(path)));
                }
            }
            (Err(err), _) => tracing::warn!("The runbooks stay as they were: {err}"),
            (_, Err(err)) => tracing::warn!("The runbooks are not watched any more: {err}"),
        }
        self.state().shelf.clone()
    }

    fn text(self: &Arc<Self>, path: &str) -> Option<String> {
        let shelf = self.shelf()?;
        let mut runbooks = shelf.runbooks.iter();
        let found = runbooks.find(|runbook| runbook.path == path);
        found.map(|runbook| runbook.text.clone())
    }

    fn search(self: &Arc<Self>, wanted: &Search) -> Result<Worded<Found>, ToolError> {
        let shelf = self
            .shelf()
            .ok_or_else(|| ToolError::new("the runbooks are not read yet"))?;
        let limit = wanted.limit.unwrap_or(5).clamp(1, MAX_HITS);
        let (hits, total) = shelf.search(&wanted.query, limit)?;
        let mut words = match hits.is_empty() {
            true => format!("None of {} runbooks fits.\n", shelf.runbooks.len()),
            false => String::new(),
        };
        for hit in &hits {
            let headings = hit.headings.join(" > ");
            words.push_str(&format!(
                "{}:{} – {headings}\n    {}\n    {}\n",
                hit.path, hit.line, hit.snippet, hit.uri
            ));
        }
        if total > hits.len() {
            words.push_str(&format!("… {} more places fit\n", total - hits.len()));
        }
        let runbooks = shelf.runbooks.len();
        let value = Found {
            hits,
            total,
            runbooks,
        };
        Ok(Worded { words, value })
    }
}

/// The files that are in both and differ.
fn changes(before: Option<&Shelf>, now: &Shelf) -> Vec<String> {
    let before = before.map_or(&[][..], |shelf| &shelf.runbooks);
    let differs = before.iter().filter(|old| {
        let mut all = now.runbooks.iter();
        all.any(|new| new.path == old.path && new.text != old.text)
    });
    differs.map(|runbook| runbook.path.clone()).collect()
}

fn read(folder: &Path) -> Result<Shelf, String> {
    let at = folder.display();
    let found = folder::read(folder).map_err(|err| {
        format!("the folder `{at}` (`dir` in the plugin's config) cannot be read: {err}")
    })?;
    Shelf::of(found.runbooks, found.left_out)
        .map_err(|err| format!("the index could not be made: {err}"))
}
