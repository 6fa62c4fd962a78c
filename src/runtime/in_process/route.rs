//! One request to a plugin's own routes, carried out where the plugin runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::model::fault::{Fault, FaultKind};
use crate::plugin::Cause;
use crate::plugin::routes::{
    RouteContext, RouteRequest, RouteResponse, Routes, hold, is_stream, until,
};
use crate::runtime::CallContext;
use crate::runtime::in_process::hooks::Life;
use crate::runtime::own_thread::panic_text;

/// One request, ready to run where its plugin runs.
pub(super) struct Routed {
    life: Arc<Life>,
    routes: Routes,
    request: RouteRequest,
    /// Cancelled when the answer has been written or is not wanted any more, by whatever end that is.
    ended: CancellationToken,
    over: DropGuard,
}

impl Routed {
    /// `stop` is cancelled when the plugin stops.
    pub(super) fn new(
        life: &Arc<Life>,
        routes: Routes,
        mut request: RouteRequest,
        context: &CallContext,
        stop: &CancellationToken,
    ) -> Self {
        let ended = stop.child_token();
        let caller = Arc::clone(&context.caller);
        let asked = RouteContext::new(life.id.clone(), caller, ended.clone());
        request.extensions_mut().insert(asked);
        Self {
            life: Arc::clone(life),
            routes,
            request,
            over: ended.clone().drop_guard(),
            ended,
        }
    }

    /// Carries it out. What the routes of a plugin panic with is a fault of it.
    pub(super) async fn run(self) -> Result<Option<RouteResponse>, Fault> {
        let Self {
            life,
            routes,
            request,
            ended,
            over,
        } = self;
        let answer = AssertUnwindSafe(routes.answer(request)).catch_unwind();
        let response = match Cause::now().during(answer).await {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(None),
            Err(panic) => return Err(panicked(&life, &panic_text(&*panic)).await),
        };
        if !is_stream(&response) {
            return Ok(Some(response));
        }
        Ok(Some(hold(until(response, ended), over)))
    }
}

async fn panicked(life: &Life, why: &str) -> Fault {
    let id = &life.id;
    let message = format!("a route of plugin `{id}` panicked");
    let fault = Fault::new(FaultKind::Broken, message)
        .because("panic")
        .caused_by(why);
    let handled = life.tell(&fault).await;
    tracing::warn!(plugin.id = %id, handled, "A route of `{id}` panicked: {why}");
    fault
}
