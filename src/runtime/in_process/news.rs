//! What a plugin in this process tells outside of any call.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::plugin::Announce;
use crate::runtime::in_process::Resident;
use crate::runtime::updates::Updates;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// How long the lists stay as they are at the least, so that a plugin that always says they changed costs little.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes what the plugin tells.
#[derive(Debug)]
pub(super) struct News {
    updates: Arc<Updates>,
    changed: Notify,
}

impl News {
    pub(super) fn new(updates: Arc<Updates>) -> Self {
        Self {
            updates,
            changed: Notify::new(),
        }
    }

    /// Asks `resident` what it offers whenever that is another thing, until `stop`.
    pub(super) async fn keep_lists(
        self: Arc<Self>,
        resident: Weak<Resident>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = stop.cancelled() => return,
            }
            let Some(resident) = resident.upgrade() else {
                return;
            };
            let renewed = tokio::select! {
                renewed = resident.renew() => renewed,
                () = stop.cancelled() => return,
            };
            if !renewed {
                self.changed.notify_one();
            }
            drop(resident);
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

impl Announce for News {
    fn updated(&self, uri: &str) {
        let params = Params::of(&json!({ "uri": uri }));
        self.updates.tell(&Method::ResourcesUpdated, &params);
    }

    fn lists_changed(&self) {
        self.changed.notify_one();
    }
}
