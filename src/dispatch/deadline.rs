//! How long a call may take. Progress gives a call its time again, up to a bound that nothing moves.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::model::client::Client;
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::CallContext;
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// The deadline of one call.
pub(super) struct Deadline {
    begun: Instant,
    /// How long the call may go without progress.
    quiet: Duration,
    /// How long it may take in all.
    total: Duration,
    progress: Option<Arc<Heard>>,
}

/// Passes on what the client is told, and notes when that was.
struct Heard {
    client: Arc<dyn Client>,
    last: Mutex<Instant>,
}

impl Deadline {
    pub(super) fn new(quiet: Duration, total: Duration) -> Self {
        Self {
            begun: Instant::now(),
            quiet,
            total,
            progress: None,
        }
    }

    /// The deadline and context of a call that reports progress if `reports`.
    pub(super) fn watching(
        mut self,
        context: &CallContext,
        reports: bool,
    ) -> (Self, Cow<'_, CallContext>) {
        if !reports {
            return (self, Cow::Borrowed(context));
        }
        let heard = Arc::new(Heard {
            client: Arc::clone(&context.client),
            last: Mutex::new(self.begun),
        });
        self.progress = Some(Arc::clone(&heard));
        (
            self,
            Cow::Owned(CallContext {
                client: heard,
                ..context.clone()
            }),
        )
    }

    fn at(&self) -> Instant {
        let last = self
            .progress
            .as_ref()
            .map_or(self.begun, |heard| heard.last());
        (last + self.quiet).min(self.begun + self.total)
    }

    /// Waits until it has passed.
    pub(super) async fn passed(&self) {
        loop {
            let at = self.at();
            tokio::time::sleep_until(at).await;
            if self.at() <= at {
                return;
            }
        }
    }

    pub(super) fn fault(&self) -> Fault {
        let after = self.at().duration_since(self.begun);
        Fault::new(
            FaultKind::Timeout,
            format!("Operation timed out after {} ms", after.as_millis()),
        )
    }
}

impl Heard {
    fn last(&self) -> Instant {
        *self.last.lock().expect("no holder of this lock panics")
    }
}

impl Client for Heard {
    fn notify(&self, method: &Method, params: &Params) {
        if *method == Method::Progress {
            *self.last.lock().expect("no holder of this lock panics") = Instant::now();
        }
        self.client.notify(method, params);
    }

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        self.client.ask(method, params)
    }
}
