//! The tools of the gateway for a plugin that offers them in another way: listed and called on behalf of its callers.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use tokio_util::sync::CancellationToken;

use crate::dispatch::errand::params;
use crate::dispatch::reach::{Handles, at_home, not_for};
use crate::dispatch::subject::Subject;
use crate::dispatch::{CallError, Dispatcher};
use crate::model::caller::Caller;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{Cause, ListedTool};
use crate::registry::Viewer;
use crate::wire::json::Json;
use crate::wire::list::Topic;
use crate::wire::method::Method;

impl Handles {
    pub(super) async fn tools_of(&self, caller: Arc<Caller>) -> Result<Vec<ListedTool>, Fault> {
        at_home(
            &self.dispatcher,
            self.home.as_ref(),
            |dispatcher| async move {
                let viewer = Viewer::bare(Arc::clone(&caller));
                let catalog = dispatcher.registry.settled_view(&viewer).await;
                let tools = catalog.entries(&caller).map(|entry| ListedTool {
                    name: Arc::clone(&entry.name),
                    plugin: entry.plugin.id().clone(),
                    definition: entry.definition.clone(),
                });
                Ok(tools.collect())
            },
        )
        .await
    }

    pub(super) async fn call_of(
        &self,
        owner: PluginId,
        tool: String,
        arguments: Json,
        caller: Arc<Caller>,
    ) -> Result<Json, Fault> {
        let cause = Cause::now();
        at_home(
            &self.dispatcher,
            self.home.as_ref(),
            |dispatcher| async move {
                if dispatcher.exempt(&owner, cause).1 {
                    return Err(not_for(
                        "filters and notifiers call plugins by their handles",
                    ));
                }
                dispatcher.call_listed(tool, arguments, caller).await
            },
        )
        .await
    }

    pub(super) fn changes_for(&self, caller: Arc<Caller>) -> BoxStream<'static, Vec<&'static str>> {
        let Some(dispatcher) = self.dispatcher.upgrade() else {
            return futures::stream::empty().boxed();
        };
        let changes = dispatcher.registry.changes(Viewer::bare(caller));
        let step = |mut changes: crate::registry::changes::Changes| async move {
            let topics = changes.next().await;
            let words: Vec<&'static str> = topics.into_iter().map(word).collect();
            Some((words, changes))
        };
        unfold(changes, step).boxed()
    }
}

impl Dispatcher {
    async fn call_listed(
        &self,
        tool: String,
        arguments: Json,
        caller: Arc<Caller>,
    ) -> Result<Json, Fault> {
        if !arguments.is_object() {
            let message = format!("the arguments of `{tool}` must be an object");
            return Err(Fault::new(FaultKind::BadInput, message));
        }
        let context = self.errand(caller, None, CancellationToken::new());
        let params = params(&tool, arguments);
        let subject = Subject::Tool(tool);
        let called = self.request(Method::ToolsCall, &subject, params, context);
        match called.await {
            Ok(reply) => Ok(reply.result),
            Err(CallError::Fault(fault)) => Err(fault),
            Err(CallError::Plugin(error)) => {
                Err(Fault::new(FaultKind::Broken, error.message).because("refused_by_plugin"))
            }
        }
    }
}

fn word(topic: Topic) -> &'static str {
    match topic {
        Topic::Tools => "tools",
        Topic::Prompts => "prompts",
        Topic::Resources => "resources",
    }
}
