//! The end of instances: of one, of all, and what starts again after that.

use std::sync::Arc;

use crate::model::fault::Fault;
use crate::registry::life_events::LifeKind;
use crate::registry::pool::slot::Slot;
use crate::registry::pool::{Pool, State};
use crate::runtime::Instance;

impl Pool {
    /// Starts things again after [`Pool::stop`], as if nothing had ever failed.
    pub fn open(&self) {
        let mut state = self.state();
        state.stopped = false;
        self.forgive(&mut state);
    }

    /// Starts nothing more. What runs goes on.
    pub fn close(&self) {
        self.state().stopped = true;
    }

    /// Stops everything and starts nothing more. Says what went wrong meanwhile.
    pub async fn stop(&self) -> Vec<Fault> {
        let instances = {
            let mut state = self.state();
            state.stopped = true;
            let slots = std::mem::take(&mut state.slots);
            // What is still being started sees this, and ends by itself.
            slots.iter().for_each(|slot| slot.retired.cancel());
            let ready = slots.iter().filter_map(|slot| slot.instance());
            let mut instances = state.leaving.clone();
            instances.extend(ready);
            instances
        };
        let stops = instances.iter().map(|instance| instance.stop());
        let faults = futures::future::join_all(stops).await;
        instances
            .iter()
            .for_each(|instance| self.remember(&**instance));
        faults.into_iter().flatten().collect()
    }

    /// Stops an instance that leaves.
    pub(super) async fn end(&self, instance: &Arc<dyn Instance>) {
        instance.stop().await;
        self.remember(&**instance);
        self.state()
            .leaving
            .retain(|leaving| !Arc::ptr_eq(leaving, instance));
    }

    /// Stops an instance that is no longer in the pool.
    pub(super) fn retire(self: &Arc<Self>, state: &mut State, slot: Arc<Slot>) {
        slot.retired.cancel();
        let Some(instance) = slot.instance() else {
            return;
        };
        state.leaving.push(Arc::clone(&instance));
        let pool = Arc::clone(self);
        self.supervisor
            .spawn(format!("{} stop", self.manifest.id), |_| async move {
                pool.happened(LifeKind::Stopped, None);
                pool.end(&instance).await;
            });
    }
}
