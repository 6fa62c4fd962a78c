//! Calls of modern clients on a pipe, round by round.

use std::pin::{Pin, pin};
use std::sync::Arc;

use futures::future::OptionFuture;

use crate::front::desk::Reply;
use crate::front::rounds::{Next, Round};
use crate::front::stdio::{Answering, Pipe};
use crate::model::caller::ClientProfile;
use crate::session::InFlight;
use crate::wire::message::{Id, Params};
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
}

/// The rest of a call's work. Dropping it ends that, though it stays pinned where it began: the call may be remembered
/// for longer than it works.
struct Rest<'a, F>(Pin<&'a mut OptionFuture<F>>);

impl<F> Drop for Rest<'_, F> {
    fn drop(&mut self) {
        self.0.set(None.into());
    }
}
