//! The background work of one plugin in this process: it runs where the plugin runs, and ends after `on_stop`.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::background::Supervisor;
use crate::background::work::{Job, Rhythm, Work};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::Workers;

/// The most pieces of background work of one plugin.
const MAX_WORKS: usize = 64;

/// The shortest interval of periodic work.
const SHORTEST: Duration = Duration::from_millis(10);

/// The background work of one plugin.
pub(super) struct Crew {
    plugin: PluginId,
    granted: bool,
    supervisor: Supervisor,
    /// Where the plugin runs.
    home: OnceLock<Handle>,
    works: Mutex<Vec<Entry>>,
}

/// One piece of work, with what ends it alone.
struct Entry {
    work: Arc<Work>,
    supervisor: Supervisor,
}

impl Crew {
    pub(super) fn new(plugin: PluginId, granted: bool, supervisor: Supervisor) -> Arc<Self> {
        Arc::new(Self {
            plugin,
            granted,
            supervisor,
            home: OnceLock::new(),
            works: Mutex::default(),
        })
    }

    /// Says that the plugin runs where this is called.
    pub(super) fn settle_here(&self) {
        if let Ok(here) = Handle::try_current() {
            self.home.get_or_init(|| here);
        }
    }

    /// What there is of it.
    pub(super) fn works(&self) -> Vec<Arc<Work>> {
        let works = self.entries();
        works.iter().map(|entry| Arc::clone(&entry.work)).collect()
    }

    /// Ends all of it. It is forgotten at once: what it does may hold on to what holds this.
    pub(super) fn end(&self) -> Vec<Arc<Work>> {
        self.supervisor.stopping().cancel();
        let entries = std::mem::take(&mut *self.entries());
        entries.into_iter().map(|entry| entry.work).collect()
    }

    /// Ends all of it and waits for that, `bound` at the most.
    pub(super) async fn stop(&self, bound: Duration) {
        let works = self.end();
        let all = works.iter().map(|work| work.ended().cancelled());
        let ended = tokio::time::timeout(bound, futures::future::join_all(all)).await;
        if ended.is_err() {
            let left = works.iter().filter(|work| !work.ended().is_cancelled());
            let left: Vec<&str> = left.map(|work| work.name.as_str()).collect();
            let id = &self.plugin;
            tracing::warn!(plugin.id = %id, ?left, "Left background work of `{id}` behind: it did not end within {} s", bound.as_secs());
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.works.lock().expect("no holder of this lock panics")
    }

    fn refuse<T>(&self, kind: FaultKind, why: &str) -> Result<T, Fault> {
        let message = format!("plugin `{}` {why}", self.plugin);
        Err(Fault::new(kind, message))
    }
}

impl Workers for Crew {
    fn is_granted(&self) -> bool {
        self.granted
    }

    fn take_on(
        &self,
        name: &str,
        interval: Option<Duration>,
        work: crate::plugin::Work,
    ) -> Result<(), Fault> {
        let mut entries = self.entries();
        if entries.iter().any(|entry| entry.work.name == name) {
            let why = format!("has background work `{name}` already; names are unique");
            return self.refuse(FaultKind::BadInput, &why);
        }
        if entries.len() >= MAX_WORKS {
            let why = format!("has {MAX_WORKS} pieces of background work already");
            return self.refuse(FaultKind::Busy, &why);
        }
        if self.supervisor.stopping().is_cancelled() {
            return self.refuse(FaultKind::Unavailable, "is stopping");
        }
        let rhythm = match interval {
            None => Rhythm::Steady,
            Some(interval) => Rhythm::Every(interval.max(SHORTEST)),
        };
        let job: Job = Arc::new(move || {
            let work = work();
            Box::pin(async move { work.await.map(|()| true) })
        });
        let supervisor = self.supervisor.child();
        let work = Work::new(name, rhythm, job);
        work.begin(self.plugin.as_str(), &supervisor, self.home.get());
        entries.push(Entry { work, supervisor });
        Ok(())
    }

    fn dismiss(&self, name: &str) -> bool {
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| entry.work.name == name);
        let entry = at.map(|at| entries.swap_remove(at));
        drop(entries);
        // Its task ends, wherever this is called from: also from the work itself.
        entry.is_some_and(|entry| {
            entry.supervisor.stopping().cancel();
            true
        })
    }
}
