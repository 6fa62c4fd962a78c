//! Where handlers of events run: where their plugin does.

use std::sync::Weak;

use futures::future::BoxFuture;

use crate::model::fault::{Fault, FaultKind};
use crate::plugin::{Cause, Events, HookResult, Workplace};
use crate::runtime::in_process::Resident;
use crate::runtime::in_process::call::guarded;
use crate::runtime::own_thread::panic_text;

/// The seat of one plugin.
pub(super) struct AtSeat(pub(super) Weak<Resident>);

/// Ends what a plugin has asked to hear of, unless it comes to its start.
pub(super) struct Closing(Option<Events>);

impl Closing {
    pub(super) fn of(events: &Events) -> Self {
        Self(Some(events.clone()))
    }

    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(events) = &self.0 {
            events.close();
        }
    }
}

impl Workplace for AtSeat {
    fn run(&self, work: BoxFuture<'static, HookResult>) -> BoxFuture<'static, Result<(), String>> {
        let resident = self.0.upgrade();
        Box::pin(async move {
            let resident = resident.ok_or("the plugin has ended")?;
            let work = async move {
                match Cause::Event.during(guarded(|| work)).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(Fault::new(FaultKind::Broken, error.to_string())),
                    Err(panic) => {
                        let message = format!("the handler panicked: {}", panic_text(&*panic));
                        Err(Fault::new(FaultKind::Broken, message))
                    }
                }
            };
            let ran = resident.seat.run(&resident.life, work).await;
            ran.map_err(|fault| fault.message)
        })
    }
}
