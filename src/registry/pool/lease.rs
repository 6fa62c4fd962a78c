//! An instance for one call, and places in slots whose instances are not there yet.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::model::fault::{Fault, FaultKind};
use crate::registry::pool::Pool;
use crate::registry::pool::slot::Slot;
use crate::runtime::Instance;
use crate::runtime::updates::Updates;

/// After so many calls in a row that were not answered in time an instance is asked whether it is there.
const SUSPICIOUS: u32 = 3;

/// How long it may take to answer that.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// The reason of calls whose instance was ended because it did not answer.
const UNRESPONSIVE: &str = "unresponsive";

/// An instance for one call. Dropping it gives the instance back.
pub struct Lease {
    pub(super) pool: Arc<Pool>,
    pub(super) slot: Arc<Slot>,
    pub(super) instance: Arc<dyn Instance>,
}

impl Lease {
    /// The instance.
    pub fn instance(&self) -> &Arc<dyn Instance> {
        &self.instance
    }

    /// Who hears of updates of its resources.
    pub fn updates(&self) -> &Arc<Updates> {
        &self.slot.updates
    }

    /// The same fault, or a clearer one where the gateway itself has ended the instance during the call.
    pub fn explain(&self, fault: Fault) -> Fault {
        match self.slot.why_ended.get() {
            Some(why) if fault.kind == FaultKind::Unavailable => why.again(),
            _ => fault,
        }
    }

    /// The plugin answered, whatever it said.
    pub fn answered(&self) {
        if self.slot.silent.load(Ordering::Relaxed) != 0 {
            self.slot.silent.store(0, Ordering::Relaxed);
        }
    }

    /// The plugin did not answer in time, or does not read. After the third such call in a row it is asked whether it is
    /// there, and ended if not: the next call starts another.
    pub fn silent(&self) {
        if self.slot.silent.fetch_add(1, Ordering::Relaxed) + 1 != SUSPICIOUS {
            return;
        }
        let (pool, slot, instance) = (
            Arc::clone(&self.pool),
            Arc::clone(&self.slot),
            Arc::clone(&self.instance),
        );
        self.pool.supervisor.spawn(format!("{} probe", self.pool.manifest.id), |_| async move {
            if instance.probe(PROBE_DEADLINE).await.is_ok() {
                slot.silent.store(0, Ordering::Relaxed);
                return;
            }
            let id = &pool.manifest.id;
            let message = format!("plugin `{id}` was ended: it did not answer {SUSPICIOUS} calls in a row, nor whether it is there");
            let why = Fault::new(FaultKind::Unavailable, message).because(UNRESPONSIVE);
            pool.put_down(&slot, &instance, &why);
        });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.release(&self.slot);
    }
}

/// A place in a slot whose instance is not there yet.
pub(super) struct Reserved<'a> {
    pub(super) pool: &'a Pool,
    pub(super) slot: &'a Arc<Slot>,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.pool.release(self.slot);
    }
}
