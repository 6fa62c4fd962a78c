//! What a tool can reach while it runs: its caller, its session, and whether it is still wanted.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use futures::future::BoxFuture;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::model::caller::Caller;
use crate::model::client::{Client, Deaf};
use crate::model::drawer::Drawer;
use crate::model::plugin_id::PluginId;
use crate::plugin::{Cause, ToolError};
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// Holds the drawers of a session.
pub trait Drawers: Send + Sync {
    /// The drawer of one plugin.
    fn drawer(&self, plugin: &PluginId) -> Arc<Drawer>;
}

/// One call of a tool, as the tool sees it. Clones see the same call.
#[derive(Clone)]
pub struct ToolContext(Arc<Shared>);

/// What a [`ToolContext`] is made of.
pub(crate) struct Call {
    pub(crate) plugin: PluginId,
    pub(crate) caller: Arc<Caller>,
    pub(crate) era: Era,
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) meta: Members,
    pub(crate) session: Option<Arc<dyn Drawers>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) client: Arc<dyn Client>,
    pub(crate) cause: Cause,
}

struct Shared {
    call: Call,
    life: Mutex<Life>,
    /// Stands in for a session where the call has none.
    own_drawer: OnceLock<Drawer>,
}

#[derive(Default)]
struct Life {
    over: bool,
    /// Made when the tool first waits for the end of the call.
    token: Option<CancellationToken>,
}

/// Ends the call for all clones of its context when dropped.
pub(crate) struct AtEnd(ToolContext);

#[derive(Serialize)]
struct Progress<'a> {
    #[serde(rename = "progressToken")]
    token: &'a Json,
    progress: serde_json::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct LogMessage<'a, T: ?Sized> {
    level: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logger: Option<&'a str>,
    data: &'a T,
}

impl ToolContext {
    pub(crate) fn new(call: Call) -> Self {
        Self(Arc::new(Shared {
            call,
            life: Mutex::default(),
            own_drawer: OnceLock::new(),
        }))
    }

    /// A call without session and client, for tests of tools.
    pub fn detached() -> Self {
        Self::new(Call {
            plugin: "detached".parse().expect("the name is a plugin id"),
            caller: Arc::new(Caller::anonymous()),
            era: Era::Modern,
            log_level: None,
            meta: Members::default(),
            session: None,
            cancel: CancellationToken::new(),
            client: Arc::new(Deaf),
            cause: Cause::Other,
        })
    }

    pub(crate) fn at_end(&self) -> AtEnd {
        AtEnd(self.clone())
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.life.lock().expect("no holder of this lock panics")
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.0.call.caller
    }

    /// The `_meta` of the request, as the caller sent it.
    pub fn meta(&self) -> &Members {
        &self.0.call.meta
    }

    /// Whether the call is to change nothing, and to say what it would do. Only tools whose manifest says `dry_run = true` are
    /// called then.
    pub fn is_dry_run(&self) -> bool {
        self.meta().get(meta::DRY_RUN).is_some_and(Json::is_true)
    }

    /// Refuses where the call would do something else than what somebody has agreed to, as its tool has told it beforehand.
    pub(crate) fn hold_to<T: Serialize + ?Sized>(&self, identity: &T) -> Result<(), ToolError> {
        match self.meta().get(meta::AGREED) {
            Some(agreed) if *agreed != Json::of(identity) => Err(ToolError::new(
                "what this call would do is not any more what was agreed to: nothing was done; send the call again",
            )),
            _ => Ok(()),
        }
    }

    /// Tells the caller how far the work is. Does nothing unless the caller asked for progress, which `true` says.
    /// `progress` must grow from call to call (MCP 2025-11-25, progress); numbers that are not finite are not sent.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) -> bool {
        let call = &self.0.call;
        let Some(token) = call.meta.get(meta::PROGRESS_TOKEN) else {
            return false;
        };
        let Some(progress) = number(progress) else {
            return false;
        };
        let total = total.and_then(number);
        let params = Params::of(&Progress {
            token,
            progress,
            total,
            message,
        });
        call.client.notify(&Method::Progress, &params);
        true
    }

    /// Sends the caller a log message, if it wants those of this level.
    pub fn log<T: Serialize + ?Sized>(&self, level: LogLevel, logger: Option<&str>, data: &T) {
        let call = &self.0.call;
        let wanted = match (call.log_level, call.era) {
            (Some(least), _) => level >= least,
            // A legacy client that named no level leaves the choice to the server (MCP 2025-11-25, logging).
            (None, Era::Legacy) => level >= LogLevel::Info,
            (None, Era::Modern) => false,
        };
        if !wanted {
            return;
        }
        let message = LogMessage {
            level: level.as_str(),
            logger,
            data,
        };
        match serde_json::to_vec(&message).map(|text| Json::scan(text.into())) {
            Ok(Ok(text)) => call.client.notify(&Method::LogMessage, &text.into()),
            Ok(Err(err)) => {
                tracing::debug!(plugin.id = %call.plugin, "Dropped a log message: {err}")
            }
            Err(err) => tracing::debug!(plugin.id = %call.plugin, "Dropped a log message: {err}"),
        }
    }

    /// Asks the client of this call: elicitation, sampling, roots. The answer is its result or its error.
    pub fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        self.0.call.client.ask(method, params)
    }

    /// Why it is called.
    pub(crate) fn cause(&self) -> Cause {
        self.0.call.cause
    }

    /// Whether the answer is no longer wanted.
    pub fn is_cancelled(&self) -> bool {
        self.0.call.cancel.is_cancelled() || self.life().over
    }

    /// Waits until the answer is no longer wanted. The tool's own future is dropped soon after; this is for work that
    /// it has started elsewhere.
    pub async fn cancelled(&self) {
        let token = {
            let mut life = self.life();
            if life.over {
                return;
            }
            life.token
                .get_or_insert_with(|| self.0.call.cancel.child_token())
                .clone()
        };
        token.cancelled().await;
    }

    /// What this plugin keeps for the session of the call: one value per type, made at first use. A call without a
    /// session has a drawer of its own.
    pub fn drawer<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let call = &self.0.call;
        match &call.session {
            Some(session) => session.drawer(&call.plugin).get(),
            None => self.0.own_drawer.get_or_init(Drawer::default).get(),
        }
    }
}

impl std::fmt::Debug for ToolContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolContext")
            .field("plugin", &self.0.call.plugin)
            .field("caller", &self.0.call.caller)
            .finish_non_exhaustive()
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let token = {
            let mut life = self.0.life();
            life.over = true;
            life.token.take()
        };
        if let Some(token) = token {
            token.cancel();
        }
    }
}

/// A number as people write it: `1`, not `1.0`.
fn number(value: f64) -> Option<serde_json::Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Some(serde_json::Number::from(value as i64));
    }
    serde_json::Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_call_reaches_all_clones() {
        let context = ToolContext::detached();
        let clone = context.clone();
        let mut waiting = Box::pin(clone.cancelled());
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(context.at_end());
        waiting.await;
        assert!(clone.is_cancelled());
        clone.cancelled().await;
    }

    #[test]
    fn a_call_without_a_session_has_a_drawer_of_its_own() {
        let read = |context: &ToolContext| *context.drawer::<Mutex<u8>>().lock().expect("fine");
        let context = ToolContext::detached();
        let clone = context.clone();
        *context.drawer::<Mutex<u8>>().lock().expect("fine") = 7;
        assert_eq!(read(&clone), 7);
        assert_eq!(read(&ToolContext::detached()), 0);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let text = |value| number(value).map(|number| number.to_string());
        assert_eq!(text(3.0).as_deref(), Some("3"));
        assert_eq!(text(0.25).as_deref(), Some("0.25"));
        assert_eq!(text(f64::NAN), None);
    }
}
