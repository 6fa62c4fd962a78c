//! The rounds of a modern plugin's answer on behalf of a client that is not answered with questions: the plugin answers
//! that it needs input, the client is asked, the plugin is asked again with what the client said (MCP 2026-07-28, multi
//! round-trip requests).

use futures::future::{BoxFuture, join_all};

use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::client::Client;
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::{CallContext, Instance, Request};
use crate::session::table::new_id;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params, Reply};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most rounds of one request.
const MAX_ROUNDS: usize = 16;

/// The most questions of one round.
const MAX_QUESTIONS: usize = 32;

/// Asks `instance`. For a client that is not answered with questions, a legacy one and one that comes back for a task, the
/// plugin's questions are asked and answered on the way; each round is a request of its own, with an id of its own.
pub(super) fn request<'a>(
    instance: &'a dyn Instance,
    mut request: Request,
    context: &'a CallContext,
) -> BoxFuture<'a, Result<Answer, Fault>> {
    let is_modern = context.era() == Era::Modern;
    if instance.era() == Era::Legacy && is_modern {
        // It asks for a task of revision 2025-11-25, which this client could not read.
        request.params.members.remove("task");
    }
    if instance.era() == Era::Legacy || (is_modern && !context.client.may_stop_waiting()) {
        return instance.request(request, context);
    }
    Box::pin(in_rounds(instance, request, context))
}

async fn in_rounds(
    instance: &dyn Instance,
    mut request: Request,
    context: &CallContext,
) -> Result<Answer, Fault> {
    for _ in 0..MAX_ROUNDS {
        let answer = instance.request(request.clone(), context).await?;
        let Outcome::Result(reply) = &answer.outcome else {
            return Ok(answer);
        };
        if kind_of(reply) != Some(ResultKind::InputRequired)
            || (context.era() == Era::Modern && context.client.takes_questions())
        {
            return Ok(answer);
        }
        answer_questions(reply, &mut request.params, &*context.client).await?;
    }
    let message = format!("the plugin asked for input more than {MAX_ROUNDS} times");
    Err(Fault::new(FaultKind::Broken, message).because("too_many_rounds"))
}

/// Asks the client what the plugin wants to know, and puts the answers and the plugin's state into `params`.
async fn answer_questions(
    reply: &Reply,
    params: &mut Params,
    client: &dyn Client,
) -> Result<(), Fault> {
    let members = Members::of(&reply.result).unwrap_or_default();
    let questions = match members.get("inputRequests") {
        None => Members::default(),
        Some(questions) => {
            Members::of(questions).ok_or_else(|| malformed("`inputRequests` is not an object"))?
        }
    };
    if questions.iter().count() > MAX_QUESTIONS {
        return Err(malformed("it asks too many questions at once"));
    }
    let asked = join_all(questions.iter().map(|(_, question)| ask(question, client))).await;
    let mut text = b"{".to_vec();
    for ((key, _), answer) in questions.iter().zip(asked) {
        if text.len() > 1 {
            text.push(b',');
        }
        text.push(b'"');
        text.extend_from_slice(key);
        text.extend_from_slice(b"\":");
        text.extend_from_slice(answer?.bytes());
    }
    text.push(b'}');
    match members.get("requestState") {
        Some(state) => params.members.set("requestState", state.clone()),
        None => drop(params.members.remove("requestState")),
    }
    params.members.set("inputResponses", Json::assembled(text));
    Ok(())
}

async fn ask(question: &Json, client: &dyn Client) -> Result<Json, Fault> {
    let members = Members::of(question).unwrap_or_default();
    let Some(method) = members.string("method").map(|name| Method::of(&name)) else {
        return Err(malformed("a question has no `method`"));
    };
    if !matches!(method, Method::Elicit | Method::Sample | Method::RootsList) {
        return Err(malformed(&format!("it asks for `{method}`")));
    }
    let params = members.get("params").cloned();
    let mut params = params.map_or_else(Params::default, Params::from);
    let by_url =
        method == Method::Elicit && params.members.string("mode").as_deref() == Some("url");
    if by_url && params.members.get("elicitationId").is_none() {
        // Legacy clients want one; modern plugins have none (MCP 2025-11-25, elicitation by URL).
        params.members.set("elicitationId", Json::of(&*new_id()));
    }
    let name = method.to_string();
    client.ask(method, params).await.map_err(|error| {
        let message = format!("the plugin needs `{name}`: {}", error.message);
        Fault::new(FaultKind::Unavailable, message).because("input_required")
    })
}

fn malformed(what: &str) -> Fault {
    let message = format!("the plugin's request for input is malformed: {what}");
    Fault::new(FaultKind::Broken, message).because("protocol_error")
}
