//! `tasks/list` over all plugins (MCP 2025-11-25, tasks): each is asked for its tasks, and only those of the caller are
//! listed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use crate::dispatch::address::Address;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, cancelled};
use crate::model::answer::Answer;
use crate::model::fault::Fault;
use crate::runtime::{CallContext, Request};
use crate::wire::error::{INVALID_PARAMS, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::revision::Era;

/// The most tasks of one plugin that are listed.
const MAX_LISTED: usize = 10_000;

impl Dispatcher {
    /// The caller's tasks in the plugins that have some, in one page. A plugin that does not answer within its time, or
    /// breaks the protocol, is left out.
    pub(super) async fn list_tasks(
        &self,
        addresses: &[Address],
        request: Request,
        context: &CallContext,
    ) -> Result<Answer, Fault> {
        let cursor = request.params.members.get("cursor");
        if cursor.is_some_and(|cursor| !cursor.is_null()) {
            let message = "Invalid params: `/params/cursor` is not known";
            let error = RpcError::new(INVALID_PARAMS, message);
            return Ok(Answer::error(error, Era::Legacy));
        }
        let caller = &context.caller;
        let having = addresses
            .iter()
            .filter(|address| self.tasks.are_in(&address.plugin.manifest.id, caller));
        let lists = join_all(having.map(|address| async {
            let bound = Duration::from_millis(address.timeout_ms(&request.method));
            let mut listed = Vec::new();
            let pages = self.pages(address, &request, context, &mut listed);
            if tokio::time::timeout(bound, pages).await.is_err() {
                let id = &address.plugin.manifest.id;
                tracing::debug!(plugin.id = %id, "Lists not all tasks: the plugin is slow");
            }
            listed
        }))
        .await;
        let tasks: Vec<Json> = lists.into_iter().flatten().collect();
        if context.cancel.is_cancelled() {
            return Err(cancelled());
        }
        let result = Json::of(&BTreeMap::from([("tasks", tasks)]));
        Ok(Answer::result(result, Era::Legacy))
    }

    /// Adds the caller's tasks in one plugin to `listed`, page by page.
    async fn pages(
        &self,
        address: &Address,
        request: &Request,
        context: &CallContext,
        listed: &mut Vec<Json>,
    ) {
        let manifest = &address.plugin.manifest;
        let is_own = |task: &Json| {
            let members = Members::of(task).unwrap_or_default();
            let id = members.string("taskId").unwrap_or_default();
            self.tasks.find(&id, &context.caller).as_ref() == Some(&manifest.id)
        };
        let mut request = request.clone();
        for _ in 0..manifest.limits.max_list_pages {
            let asked = self.carry(address, &Subject::Tasks, request.clone(), context);
            let page = match Box::pin(asked).await.map(|answer| answer.outcome) {
                Ok(Outcome::Result(reply)) => Members::of(&reply.result).unwrap_or_default(),
                Ok(Outcome::Error(error)) => {
                    return tracing::debug!(plugin.id = %manifest.id, "Lists no tasks: {}", error.message);
                }
                Err(fault) => {
                    return tracing::debug!(plugin.id = %manifest.id, "Lists no tasks: {fault}");
                }
            };
            let tasks = page
                .get("tasks")
                .and_then(|tasks| tasks.parse::<Vec<Json>>().ok());
            listed.extend(tasks.unwrap_or_default().into_iter().filter(is_own));
            listed.truncate(MAX_LISTED);
            match page.get("nextCursor") {
                Some(next) if next.is_string() && listed.len() < MAX_LISTED => {
                    request.params.members.set("cursor", next.clone());
                }
                _ => return,
            }
        }
    }
}
