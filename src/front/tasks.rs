//! Tasks that the gateway makes of slow calls: which calls, and what their clients ask about them (the extension
//! `io.modelcontextprotocol/tasks`).

use std::sync::Arc;

use crate::front::desk::{Desk, Reply, undeclared};
use crate::front::rounds::{Dialogue, Tasks, responses};
use crate::model::caller::{Caller, ClientProfile};
use crate::runtime::CallContext;
use crate::wire::error::INVALID_PARAMS;
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::meta::TASKS;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The method that stands for those of the extension.
const GET: &str = "tasks/get";

/// What is told of a request about a task that has no result.
const DONE: &str = r#"{"resultType":"complete"}"#;

impl Desk {
    /// The tasks that a request becomes one of when it takes long; `None` where it does not: its client does not know
    /// tasks, its tool makes none, or its plugin makes them itself.
    pub(crate) fn tasks_for(
        &self,
        method: &Method,
        params: &Params,
        (caller, profile): (&Caller, &ClientProfile),
    ) -> Option<Arc<Tasks>> {
        if *method != Method::ToolsCall || !profile.declares(TASKS) {
            return None;
        }
        let name = params.members.string("name")?;
        let makes_tasks = self.registry().with_catalog(|catalog| {
            let entry = catalog.find(&name, caller)?;
            let plugin = &entry.plugin;
            if !plugin.manifest.makes_task_of(&entry.tool) {
                return None;
            }
            let mut offers = catalog.offers(caller);
            let (_, surface) = offers.find(|(other, _)| Arc::ptr_eq(other, plugin))?;
            Some(!surface.is_some_and(|surface| surface.declares_for(GET)))
        });
        makes_tasks
            .unwrap_or(false)
            .then(|| Arc::clone(&self.tasks))
    }

    /// Answers a request about a task of ours; `None` when it is about none. Whatever it says of a task reaches only the
    /// principal that made the call.
    pub(crate) fn about_task(
        &self,
        method: &Method,
        params: &Params,
        context: &CallContext,
    ) -> Option<Reply> {
        let Method::Other(name) = method else {
            return None;
        };
        let answer: fn(&Dialogue, &Params) -> Option<Reply> = match &**name {
            GET => get,
            "tasks/update" => update,
            "tasks/cancel" => cancel,
            _ => return None,
        };
        if context.era() != Era::Modern {
            return None;
        }
        if !context.profile.declares(TASKS) {
            return Some(Reply::Error(undeclared(TASKS)));
        }
        let id = params.members.string("taskId")?;
        let task = self.tasks.find(&id, &context.caller)?;
        answer(&task, params)
    }
}

fn get(task: &Dialogue, _: &Params) -> Option<Reply> {
    let state = task.task()?;
    let mut text = br#"{"resultType":"complete","#.to_vec();
    text.extend_from_slice(&state);
    text.push(b'}');
    Some(Reply::Result(text.into()))
}

fn update(task: &Dialogue, params: &Params) -> Option<Reply> {
    if params.members.get("inputResponses").is_none() {
        let message = "Invalid params: `/params/inputResponses` must be an object";
        return Some(Reply::Error(RpcError::new(INVALID_PARAMS, message)));
    }
    Some(match responses(params) {
        Ok(responses) => {
            task.update_task(&responses);
            done()
        }
        Err(error) => Reply::Error(error),
    })
}

fn cancel(task: &Dialogue, _: &Params) -> Option<Reply> {
    task.cancel_task();
    Some(done())
}

fn done() -> Reply {
    Reply::Result(Json::literal(DONE).bytes().clone())
}
