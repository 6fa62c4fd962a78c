//! What modern clients ask for on a pipe: calls, round by round, and subscriptions.

use std::pin::{Pin, pin};
use std::sync::Arc;

use futures::future::OptionFuture;

use crate::front::desk::Reply;
use crate::front::rounds::{Next, Round};
use crate::front::stdio::{Answering, Pipe};
use crate::front::subscription::Subscription;
use crate::model::caller::ClientProfile;
use crate::session::InFlight;
use crate::wire::message::{Id, Params, write_notification};
use crate::wire::method::Method;

impl Pipe {
    /// Answers a modern request: a call, or the next round of one.
    pub(super) async fn modern(
        self: Arc<Self>,
        (id, method, mut params): (Id, Method, Params),
        profile: Arc<ClientProfile>,
        in_flight: InFlight,
        answering: Answering,
    ) {
        let received = self
            .rounds
            .receive(&self.caller, &profile, &method, &mut params);
        match received {
            Err(error) => return self.end(&id, in_flight, Reply::Error(error)).await,
            Ok(Some(next)) => return self.later_round(next, &id, in_flight).await,
            Ok(None) => {}
        }
        let calls = (&self.caller, &profile);
        let request = (&method, &params);
        let cancel = in_flight.cancel.clone();
        let (dialogue, mut context) = self.desk.modern_call(&self.rounds, calls, request, cancel);
        context.farewell = Some(in_flight.farewell.clone());
        let mut round = dialogue.first();
        let work = self.desk.answer(&method, params, context);
        let mut work = pin!(OptionFuture::from(Some(work)));
        let parked = loop {
            let next = tokio::select! {
                biased;
                reply = &mut work => {
                    for message in round.end() {
                        self.writer.offer(message);
                    }
                    let reply = dialogue.sealed(reply.unwrap_or(Reply::Nothing));
                    return self.end(&id, in_flight, reply).await;
                }
                next = round.next() => next,
            };
            match next {
                Next::Message(message) => self.writer.offer(message),
                Next::Parked(result) => break result,
                Next::Answered(reply) => return self.end(&id, in_flight, reply).await,
            }
        };
        // From here on later requests read what comes of the call, and this task only drives it.
        drop(round);
        let told = async {
            self.end(&id, in_flight, Reply::Result(parked)).await;
            drop(answering);
        };
        let mut rest = Rest(work);
        let dialogue_of_work = Arc::clone(&dialogue);
        let work = async move {
            let reply = rest.0.as_mut().await;
            dialogue_of_work.sealed(reply.unwrap_or(Reply::Nothing))
        };
        tokio::join!(told, Arc::clone(&dialogue).drive(work));
    }

    async fn later_round(&self, mut round: Round, id: &Id, in_flight: InFlight) {
        loop {
            let next = tokio::select! {
                biased;
                // Dropping the round cancels the call.
                () = in_flight.cancel.cancelled() => return,
                next = round.next() => next,
            };
            let reply = match next {
                Next::Message(message) => {
                    self.writer.offer(message);
                    continue;
                }
                Next::Parked(result) => Reply::Result(result),
                Next::Answered(reply) => reply,
            };
            return self.end(id, in_flight, reply).await;
        }
    }

    /// `subscriptions/listen` on a pipe: its messages stand between the others, marked with its id.
    pub(super) async fn listen(
        &self,
        id: &Id,
        params: &Params,
        profile: Arc<ClientProfile>,
        in_flight: &InFlight,
    ) {
        let opened = Subscription::open(&self.desk, id.clone(), params, &self.caller, profile);
        let opened = tokio::select! {
            biased;
            () = in_flight.cancel.cancelled() => return,
            opened = opened => opened,
        };
        let mut subscription = match opened {
            Ok(subscription) => subscription,
            Err(error) => return self.refuse(Some(id), &error).await,
        };
        // What is granted must be known, however slowly the client reads.
        let acknowledged = subscription.next().await;
        tokio::select! {
            biased;
            () = in_flight.cancel.cancelled() => return,
            _ = self.writer.send(acknowledged) => {}
        }
        loop {
            tokio::select! {
                biased;
                () = in_flight.cancel.cancelled() => return,
                message = subscription.next() => self.writer.offer(message),
                () = self.stopping.cancelled() => {
                    // Ours to end (MCP 2026-07-28, subscriptions).
                    self.take_back(id).await;
                    return self.result(id, subscription.result().bytes()).await;
                }
            }
        }
    }

    /// Says that the request of the client will not go on.
    async fn take_back(&self, id: &Id) {
        let mut params = Params::default();
        params.members.set("requestId", id.json().clone());
        let mut out = Vec::with_capacity(160);
        write_notification(&mut out, &Method::Cancelled, &params);
        self.writer.send(out.into()).await;
    }
}

/// The rest of a call's work. Dropping it ends that, though it stays pinned where it began: the call may be remembered
/// for longer than it works.
struct Rest<'a, F>(Pin<&'a mut OptionFuture<F>>);

impl<F> Drop for Rest<'_, F> {
    fn drop(&mut self) {
        self.0.set(None.into());
    }
}
