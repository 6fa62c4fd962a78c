//! The way back to the client of a legacy session, whatever carries the messages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::front::outgoing::{Logs, notification, now};
use crate::model::client::{Client, Farewell, Pulse};
use crate::model::offer;
use crate::session::Session;
use crate::session::questions::{MAX_OPEN, Question};
use crate::session::streams::STANDALONE;
use crate::wire::error::{INTERNAL_ERROR, RpcError};
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Params, write_notification, write_request};
use crate::wire::method::Method;

/// The call of questions that belong to none.
const OUTSIDE: u64 = u64::MAX;

/// How long such a question waits for its answer.
const OUTSIDE_DEADLINE: Duration = Duration::from_secs(60);

/// The standalone stream of a session, as a way to its client.
#[derive(Debug)]
pub(crate) struct StandaloneWay(pub(crate) Arc<Session>);

impl Way for StandaloneWay {
    fn offer(&self, message: Bytes) {
        if !self.0.streams().offer(STANDALONE, message) {
            tracing::debug!("Dropped a message for a client that does not read");
        }
    }

    async fn send(&self, message: Bytes) -> bool {
        self.0.streams().send(STANDALONE, message)
    }
}

/// Carries messages of one call to its client, in order.
pub(crate) trait Way: Send + Sync + 'static {
    /// Takes a message, or drops it when too many wait. Never waits.
    fn offer(&self, message: Bytes);

    /// Takes a message that must arrive; may wait for a place. `false` when it cannot arrive any more.
    fn send(&self, message: Bytes) -> impl Future<Output = bool> + Send;
}

/// The client of one call.
#[derive(Debug)]
pub(crate) struct SessionClient<W: Way> {
    me: Weak<Self>,
    session: Arc<Session>,
    call: u64,
    logs: Logs,
    pulse: Pulse,
    /// Nothing is asked any more.
    is_over: AtomicBool,
    way: W,
}

/// Ends a call for its client when dropped: open questions are taken back, new ones are refused.
pub(crate) struct AtEnd<W: Way>(Arc<SessionClient<W>>);

impl<W: Way> SessionClient<W> {
    /// The client of the call `call`, which is unique in this process.
    pub(crate) fn new(session: &Arc<Session>, call: u64, logs: Logs, way: W) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            session: Arc::clone(session),
            call,
            logs,
            pulse: Pulse::default(),
            is_over: AtomicBool::new(false),
            way,
        })
    }

    /// The client outside of any call.
    pub(crate) fn outside(session: &Arc<Session>, way: W) -> Arc<dyn Client> {
        Self::new(session, OUTSIDE, Logs::All, way)
    }

    pub(crate) fn at_end(self: &Arc<Self>) -> AtEnd<W> {
        AtEnd(Arc::clone(self))
    }

    /// Tells the client that a question needs no answer any more (MCP 2025-11-25, cancellation).
    fn take_back(&self, id: u64, farewell: Option<&Farewell>) {
        let params = Farewell::params(farewell, id);
        let mut text = Vec::with_capacity(96);
        write_notification(&mut text, &Method::Cancelled, &params);
        self.way.offer(text.into());
    }

    async fn put(
        &self,
        method: &Method,
        params: &Params,
        farewell: Option<Farewell>,
    ) -> Result<Json, RpcError> {
        offer::check(&self.session.profile, method, params)?;
        // The client is waited for from here on, also where its reading is.
        let _asking = self.pulse.asking(now);
        let Some(Question { id, answer }) = self.session.question(self.call) else {
            let text = format!("{MAX_OPEN} questions to this client are open");
            return Err(RpcError::new(INTERNAL_ERROR, text));
        };
        let mut open = OpenQuestion {
            client: self,
            id,
            was_put: false,
            farewell,
        };
        // The call may have ended before the question was noted.
        if self.is_over.load(Ordering::SeqCst) {
            return Err(over());
        }
        let mut text = Vec::with_capacity(256);
        write_request(&mut text, id, method, params);
        open.was_put = true;
        if let Some(farewell) = &open.farewell {
            let me = self.me.clone();
            // Told before whatever the plugin says next, which may be the end of the call.
            farewell.then(move |said| {
                if let Some(me) = me.upgrade() {
                    // Also of one that was answered meanwhile the client hears what the plugin says.
                    me.session.forget(id);
                    me.take_back(id, Some(said));
                }
            });
        }
        let sent = self.within_reach(self.way.send(text.into())).await;
        if sent != Some(true) {
            open.was_put = false;
            let text = "the client has gone away, or does not read";
            return Err(RpcError::new(INTERNAL_ERROR, text));
        }
        // A call that ended just before has told the client so before it was asked. Twice does no harm.
        if self.is_over.load(Ordering::SeqCst) {
            self.take_back(id, None);
        }
        match self.within_reach(answer).await {
            Some(Ok(Outcome::Result(reply))) => Ok(reply.result),
            Some(Ok(Outcome::Error(error))) => Err(error),
            Some(Err(_)) => Err(over()),
            None => Err(RpcError::new(INTERNAL_ERROR, "the client did not answer")),
        }
    }

    /// Waits for something of the client: no call's deadline bounds what is asked outside of any, and perhaps nobody
    /// reads.
    async fn within_reach<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        match self.call {
            OUTSIDE => tokio::time::timeout(OUTSIDE_DEADLINE, wait).await.ok(),
            _ => Some(wait.await),
        }
    }
}

fn over() -> RpcError {
    RpcError::new(
        INTERNAL_ERROR,
        "the call that the question belongs to is over",
    )
}

impl<W: Way> Client for SessionClient<W> {
    fn notify(&self, method: &Method, params: &Params) {
        if *method == Method::Progress {
            self.pulse.beat(now());
        }
        if let Some(message) = notification(self.logs, method, params) {
            self.way.offer(message);
        }
    }

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        Box::pin(async move { self.put(&method, &params, None).await })
    }

    fn ask_until(
        &self,
        method: Method,
        params: Params,
        farewell: Farewell,
    ) -> BoxFuture<'_, Result<Json, RpcError>> {
        Box::pin(async move { self.put(&method, &params, Some(farewell)).await })
    }

    fn pulse(&self) -> Option<&Pulse> {
        Some(&self.pulse)
    }
}

impl<W: Way> Drop for AtEnd<W> {
    fn drop(&mut self) {
        let client = &self.0;
        client.is_over.store(true, Ordering::SeqCst);
        for id in client.session.forget_all(client.call) {
            client.take_back(id, None);
        }
    }
}

/// A question on its way. Dropping it takes it back, unless it was answered.
struct OpenQuestion<'a, W: Way> {
    client: &'a SessionClient<W>,
    id: u64,
    was_put: bool,
    farewell: Option<Farewell>,
}

impl<W: Way> Drop for OpenQuestion<'_, W> {
    fn drop(&mut self) {
        if self.client.session.forget(self.id) && self.was_put {
            self.client.take_back(self.id, self.farewell.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
