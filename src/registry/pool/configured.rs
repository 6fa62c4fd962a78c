//! Settings that are changed while instances run: those that take them keep running, all later ones start with them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::manifest::Manifest;
use crate::model::fault::Fault;
use crate::registry::pool::Pool;
use crate::runtime::Instance;

/// What became of settings that were given to instances that run.
#[derive(Debug)]
pub enum Taken {
    /// All have them, or none runs.
    Yes,
    /// They cannot be given to what runs: it has to be exchanged. Nothing was changed.
    No,
}

impl Pool {
    /// The manifest that the next instance starts with.
    pub fn next_manifest(&self) -> Arc<Manifest> {
        let configured = self.configured.load_full();
        configured.unwrap_or_else(|| Arc::clone(&self.manifest))
    }

    /// Has later instances start with the settings of `manifest`, which differs from the plugin's in nothing else. What
    /// runs goes on with those it has.
    pub fn configure(&self, manifest: &Arc<Manifest>) {
        self.configured.store(Some(Arc::clone(manifest)));
    }

    /// The same, and says of what runs that it has other settings until one is started again.
    pub fn defer(&self, manifest: &Arc<Manifest>) {
        self.configure(manifest);
        self.behind.store(true, Ordering::Relaxed);
    }

    /// Whether what runs has other settings than what is started next.
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed) && self.is_running()
    }

    /// The manifest of an instance that is started now.
    pub(super) fn manifest_for_start(&self) -> Arc<Manifest> {
        self.behind.store(false, Ordering::Relaxed);
        self.next_manifest()
    }

    /// The instances that run.
    pub fn instances(&self) -> Vec<Arc<dyn Instance>> {
        let slots = self.state().slots.clone();
        slots.iter().filter_map(|slot| slot.instance()).collect()
    }

    /// Gives the settings of `manifest` to what runs and to all that starts later. `Err` says that an instance did not
    /// want them: then all have those they had.
    pub async fn reconfigure(&self, manifest: &Arc<Manifest>) -> Result<Taken, Fault> {
        let (instances, is_starting) = {
            let state = self.state();
            let instances = state.slots.iter().filter_map(|slot| slot.instance());
            let instances: Vec<_> = instances.collect();
            let is_starting = state.slots.iter().any(|slot| {
                let is_ready = slot.instance().is_some();
                !is_ready && !slot.is_over()
            });
            (instances, is_starting)
        };
        if is_starting {
            // It began with the settings that were.
            return Ok(Taken::No);
        }
        let before = self.next_manifest();
        self.configure(manifest);
        for (at, instance) in instances.iter().enumerate() {
            let taken = instance.reconfigure(config_of(manifest)).await;
            if matches!(taken, Ok(true)) {
                continue;
            }
            self.configure(&before);
            for changed in &instances[..at] {
                // It had them before; what it says now is in the log.
                changed.reconfigure(config_of(&before)).await.ok();
            }
            return taken.map(|_| Taken::No);
        }
        Ok(Taken::Yes)
    }
}

fn config_of(manifest: &Manifest) -> serde_json::Value {
    serde_json::Value::Object(manifest.config.clone())
}
