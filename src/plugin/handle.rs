//! How a plugin reaches other plugins: through handles, whose calls go the way of all calls.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::caller::Caller;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::ToolContext;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// What a plugin is for, as its manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginKind {
    /// Offers tools.
    Tool,
    /// Offers something to other plugins.
    Provider,
    /// All of them together: every call passes through them.
    Filter,
    /// Takes over a kind of work.
    Handler,
    /// All of them together: they are told of events.
    Notifier,
}

/// Hands out handles, each plugin its own ones. Must not keep the gateway alive.
pub(crate) trait Supply: Send + Sync {
    /// The handle of `owner` to the plugins of this kind and name. The same question has the same answer.
    fn handle(
        &self,
        owner: &PluginId,
        kind: PluginKind,
        name: Option<&str>,
    ) -> Result<Arc<PluginHandle>, Fault>;

    /// The tools that `caller` is offered, after plugins that are being started had a moment.
    fn tools(&self, caller: Arc<Caller>) -> BoxFuture<'_, Result<Vec<ListedTool>, Fault>>;

    /// Calls a tool by the name that it is listed under, on behalf of `caller`, for `owner`.
    fn call_listed(
        &self,
        owner: &PluginId,
        tool: &str,
        arguments: Json,
        caller: Arc<Caller>,
    ) -> BoxFuture<'_, Result<Json, Fault>>;

    /// Says which lists have changed for `caller`, each time some have: at most once a second.
    fn changes(&self, caller: Arc<Caller>) -> BoxStream<'static, Vec<&'static str>>;

    /// How many sessions clients have.
    fn sessions(&self) -> usize;
}

/// A tool as it is listed.
#[derive(Debug, Clone)]
pub struct ListedTool {
    /// The name it is listed under.
    pub name: Arc<str>,
    /// Whose it is.
    pub plugin: PluginId,
    /// Its definition as clients see it: the object of `tools/list`.
    pub definition: Json,
}

/// What is behind a handle.
pub(crate) trait Reach: Send + Sync {
    fn call(
        &self,
        tool: &str,
        arguments: Json,
        caller: Option<Arc<Caller>>,
    ) -> BoxFuture<'_, Result<Json, Fault>>;

    fn chain(&self, tool: &str, arguments: Json) -> BoxFuture<'_, Result<Json, Fault>>;

    fn tell(&self, event: &str, message: &str);
}

/// Other plugins, as one plugin reaches them. A call goes the way of all calls: filters, limits, deadline, a record. It
/// does not keep the gateway alive; when that has stopped, calls fail.
pub struct PluginHandle {
    reach: Box<dyn Reach>,
}

impl PluginHandle {
    pub(crate) fn new(reach: impl Reach + 'static) -> Self {
        Self {
            reach: Box::new(reach),
        }
    }

    /// Calls a tool by the plugin's own name for it; `arguments` must be an object. Gives the whole `CallToolResult`,
    /// which may say that the tool failed. The record names the plugin that calls.
    pub async fn call(&self, tool: &str, arguments: Json) -> Result<Json, Fault> {
        self.reach.call(tool, arguments, None).await
    }

    /// The same on behalf of the caller of `context`: fails where that caller may not see the plugin, and the record
    /// names it.
    pub async fn call_for(
        &self,
        context: &ToolContext,
        tool: &str,
        arguments: Json,
    ) -> Result<Json, Fault> {
        let caller = Arc::new(context.caller().clone());
        let called = self.reach.call(tool, arguments, Some(caller));
        context.cause().during(called).await
    }

    /// Calls a tool and reads its structured content. A tool that failed is a fault with its words.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        tool: &str,
        arguments: &impl Serialize,
    ) -> Result<T, Fault> {
        let result = self.call(tool, Json::of(arguments)).await?;
        let members = Members::of(&result).unwrap_or_default();
        let broken =
            |why: String| Fault::new(FaultKind::Broken, format!("the tool `{tool}` {why}"));
        if members.get("isError").is_some_and(Json::is_true) {
            let words = first_text(&members).unwrap_or_default();
            return Err(broken(format!("failed: {words}")).because("tool_failed"));
        }
        let content = members.get("structuredContent");
        let content = content.ok_or_else(|| broken("gave no structured content".into()))?;
        content
            .parse()
            .map_err(|err| broken(format!("gave something else: {err}")))
    }

    /// Passes arguments through the filters, as those of a call that its owner makes of a tool `tool` of its own.
    pub async fn chain(&self, tool: &str, arguments: Json) -> Result<Json, Fault> {
        self.reach.chain(tool, arguments).await
    }

    /// Tells the notifiers of an event of the owner's own: `event` is `{owner}.{event}` to them. Never waits and never
    /// fails: what a full queue cannot take is dropped.
    pub fn tell(&self, event: &str, message: &str) {
        self.reach.tell(event, message);
    }
}

impl std::fmt::Debug for PluginHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PluginHandle")
    }
}

/// The text of the first part of a result's content.
pub(crate) fn first_text(result: &Members) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let content: Vec<Part> = result.get("content")?.parse().ok()?;
    content.into_iter().next()?.text
}

/// The plugins of the gateway, as one plugin may look them up: the resource `registry`.
#[derive(Clone)]
pub struct PluginRegistry {
    owner: PluginId,
    supply: Arc<dyn Supply>,
}

impl PluginRegistry {
    pub(crate) fn new(owner: PluginId, supply: Arc<dyn Supply>) -> Self {
        Self { owner, supply }
    }

    /// A handle to a plugin; without a name to the only one of its kind, or to all filters or notifiers together. The
    /// same kind and name give the same handle. Fails where there is none, or none is named and there are several.
    pub fn get(&self, kind: PluginKind, name: Option<&str>) -> Result<Arc<PluginHandle>, Fault> {
        self.supply.handle(&self.owner, kind, name)
    }

    /// The tools that `caller` is offered, in the order of `tools/list`.
    pub async fn tools(&self, caller: &Arc<Caller>) -> Result<Vec<ListedTool>, Fault> {
        self.supply.tools(Arc::clone(caller)).await
    }

    /// Calls a tool by the name that it is listed under, on behalf of `caller`: it is refused what that caller is refused,
    /// and the record names it. `arguments` must be an object. Gives the whole `CallToolResult`, which may say that the
    /// tool failed. Not for filters and notifiers, whose calls could go on for ever.
    pub async fn call_tool(
        &self,
        caller: &Arc<Caller>,
        tool: &str,
        arguments: Json,
    ) -> Result<Json, Fault> {
        let caller = Arc::clone(caller);
        self.supply
            .call_listed(&self.owner, tool, arguments, caller)
            .await
    }

    /// Says which of `tools`, `prompts` and `resources` have changed for `caller`, each time some have: at most once a
    /// second. The stream does not end by itself.
    pub fn list_changes(&self, caller: &Arc<Caller>) -> BoxStream<'static, Vec<&'static str>> {
        self.supply.changes(Arc::clone(caller))
    }

    /// How many sessions clients of the gateway have.
    pub fn sessions(&self) -> usize {
        self.supply.sessions()
    }
}

impl std::fmt::Debug for PluginRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PluginRegistry")
    }
}
