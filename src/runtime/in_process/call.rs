//! One call of a tool in this process.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::model::answer::Answer;
use crate::model::drawer::Drawer;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{self, Cause, Drawers, Handler, ToolContext, ToolError, Weigh, Weight};
use crate::runtime::in_process::hooks::Life;
use crate::runtime::own_thread::panic_text;
use crate::runtime::{CallContext, Request};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::revision::Era;

/// A tool that can be called.
pub(super) struct Tool {
    pub(super) name: Arc<str>,
    pub(super) handler: Handler,
    pub(super) timeout: Option<Duration>,
    pub(super) weigh: Option<Weigh>,
}

/// One call, ready to run where its plugin runs.
pub(super) struct Call {
    life: Arc<Life>,
    tool: Arc<Tool>,
    arguments: Json,
    pub(super) context: ToolContext,
}

impl Drawers for Session {
    fn drawer(&self, plugin: &PluginId) -> Arc<Drawer> {
        Session::drawer(self, plugin)
    }
}

impl Call {
    pub(super) fn new(
        life: &Arc<Life>,
        tool: &Arc<Tool>,
        request: Request,
        context: &CallContext,
    ) -> Self {
        let arguments = request.params.members.get("arguments").cloned();
        Self {
            life: Arc::clone(life),
            tool: Arc::clone(tool),
            arguments: arguments.unwrap_or_else(|| Json::literal("{}")),
            context: surroundings(life, request.params.meta, context),
        }
    }

    /// Carries it out. A panic is an answer of the tool, like any other failure of it.
    pub(super) async fn run(self) -> Result<Answer, Fault> {
        let Self {
            life,
            tool,
            arguments,
            context,
        } = self;
        // Its thread may be another one than that of the gateway.
        let cause = context.cause();
        let work = cause.during(guarded(|| (tool.handler)(arguments, context)));
        let done = match tool.timeout {
            None => work.await,
            Some(bound) => match tokio::time::timeout(bound, work).await {
                Ok(done) => done,
                Err(_) => return Err(late(&tool.name, bound)),
            },
        };
        let result = match done {
            Ok(Ok(result)) if result.is_object() => result,
            Ok(Ok(_)) => {
                let message = format!("the tool `{}` gave a result that is no object", tool.name);
                return Err(Fault::new(FaultKind::Broken, message));
            }
            Ok(Err(error)) => error.to_result(),
            Err(panic) => panicked(&life, &tool, &panic_text(&*panic)).await,
        };
        Ok(Answer::result(result, Era::Legacy))
    }
}

impl Tool {
    /// Finds out what a call would do, where the tool says that. A call over which the plugin's code panics is not made.
    pub(super) fn weighing(&self, request: &Request) -> Option<BoxFuture<'static, Weight>> {
        let weigh = Arc::clone(self.weigh.as_ref()?);
        let name = Arc::clone(&self.name);
        let arguments = request.params.members.get("arguments").cloned();
        let arguments = arguments.unwrap_or_else(|| Json::literal("{}"));
        Some(Box::pin(async move {
            let weighed = guarded(move || weigh(arguments)).await;
            weighed.unwrap_or_else(|panic| {
                let why = panic_text(&*panic);
                tracing::warn!(tool.name = %name, "The tool panicked over what a call would do: {why}");
                let message = format!("the tool `{name}` panicked over what this call would do");
                Weight::Refused(ToolError::new(message))
            })
        }))
    }
}

/// What the plugin's code sees of a request.
pub(super) fn surroundings(life: &Life, meta: Members, context: &CallContext) -> ToolContext {
    let session = context.session.clone();
    ToolContext::new(plugin::Call {
        plugin: life.id.clone(),
        caller: Arc::clone(&context.caller),
        era: context.era(),
        log_level: context.log_level,
        meta,
        session: session.map(|session| session as Arc<dyn Drawers>),
        cancel: context.cancel.clone(),
        client: Arc::clone(&context.client),
        cause: Cause::now(),
    })
}

/// Runs the plugin's code; a panic is given back. The call to a handler can panic as well as the future it gives.
pub(super) async fn guarded<T>(
    handler: impl FnOnce() -> BoxFuture<'static, T>,
) -> std::thread::Result<T> {
    match std::panic::catch_unwind(AssertUnwindSafe(handler)) {
        Ok(work) => AssertUnwindSafe(work).catch_unwind().await,
        Err(panic) => Err(panic),
    }
}

async fn panicked(life: &Life, tool: &Tool, why: &str) -> Json {
    let message = format!("the tool `{}` panicked", tool.name);
    let fault = Fault::new(FaultKind::Broken, message.clone())
        .because("panic")
        .caused_by(why);
    let handled = life.tell(&fault).await;
    tracing::warn!(plugin.id = %life.id, tool.name = %tool.name, handled, "The tool panicked: {why}");
    ToolError::new(message).to_result()
}

fn late(tool: &str, bound: Duration) -> Fault {
    let message = format!(
        "Operation timed out after {} ms (the tool `{tool}` has this limit)",
        bound.as_millis()
    );
    Fault::new(FaultKind::Timeout, message)
}
