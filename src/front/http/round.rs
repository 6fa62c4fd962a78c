//! One round of a modern call, as the answer to one request: JSON when the client is told nothing before the end of the
//! round, a stream of events otherwise.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::unfold;
use http::{Response, StatusCode};

use crate::background::Supervisor;
use crate::front::desk::Reply;
use crate::front::http::Active;
use crate::front::http::body::{Body, stream};
use crate::front::http::mcp::accepted;
use crate::front::http::modern::whole;
use crate::front::http::stream::{Answered, event, events};
use crate::front::rounds::{Next, Round};
use crate::wire::error::RpcError;
use crate::wire::message::Id;

/// The request that a round answers.
pub(super) struct Asking {
    pub(super) id: Id,
    /// Given back at the end of the round: a parked call does not run.
    pub(super) active: Active,
    /// What an error is told with.
    pub(super) status: fn(&RpcError) -> StatusCode,
}

/// The work of a call. Boxed where it is made: it is large, and would be copied on its way here.
pub(super) type Work = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Runs `work` in the first round of its call. Once the client is to be told or asked something the work goes on in a
/// task of its own: a client that does not read holds up nobody else, and the call outlives the request. Dropping the
/// future or the body of the answer cancels the call.
pub(super) async fn first(
    mut round: Round,
    mut work: Work,
    asking: Asking,
    supervisor: &Supervisor,
) -> Response<Body> {
    let next = tokio::select! {
        biased;
        reply = &mut work => return at_once(&mut round, asking, reply),
        next = round.next() => next,
    };
    supervisor.spawn_request(Arc::clone(round.dialogue()).drive(work));
    respond(round, next, asking)
}

/// Answers with a later round of a call.
pub(super) async fn later(mut round: Round, asking: Asking) -> Response<Body> {
    let next = round.next().await;
    respond(round, next, asking)
}

/// The answer of a call that was over before its client had to be told anything, or just then.
fn at_once(round: &mut Round, asking: Asking, reply: Reply) -> Response<Body> {
    let before = round.end();
    let answered = asking.end(Next::Answered(reply));
    if before.is_empty() {
        return complete(answered);
    }
    let mut messages: Vec<Bytes> = before.iter().map(|message| event(message)).collect();
    messages.extend(answered.event());
    events(stream(futures::stream::iter(messages)))
}

fn respond(round: Round, next: Next, asking: Asking) -> Response<Body> {
    match next {
        Next::Message(first) => {
            let begin = Running {
                round,
                asking: Some(asking),
                next: Some(event(&first)),
            };
            events(stream(unfold(begin, Running::step)))
        }
        end @ (Next::Parked(_) | Next::Answered(_)) => complete(asking.end(end)),
    }
}

fn complete(answered: Answered) -> Response<Body> {
    if answered.is_nothing() {
        return accepted();
    }
    whole(answered)
}

impl Asking {
    /// The message that ends the round.
    fn end(self, end: Next) -> Answered {
        let Self { id, active, status } = self;
        drop(active);
        let reply = match end {
            Next::Answered(reply) => reply,
            Next::Parked(result) | Next::Message(result) => Reply::Result(result),
        };
        Answered::of(&id, reply, status)
    }
}

/// A round that is told as a stream.
struct Running {
    round: Round,
    asking: Option<Asking>,
    /// An event that came before the stream began.
    next: Option<Bytes>,
}

impl Running {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if let Some(event) = self.next.take() {
            return Some((event, self));
        }
        let asking = self.asking.take()?;
        match self.round.next().await {
            Next::Message(message) => {
                self.asking = Some(asking);
                Some((event(&message), self))
            }
            end @ (Next::Parked(_) | Next::Answered(_)) => {
                let last = asking.end(end).event()?;
                Some((last, self))
            }
        }
    }
}
