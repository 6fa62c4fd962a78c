//! Streams of events that show what happens at this moment: bounded, kept open by comments, ended by the drain.

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::Response;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::front::http::HttpFront;
use crate::front::http::body::{Body, stream as body_of};
use crate::front::http::listen::{KEEP_ALIVE, comment};
use crate::front::http::stream::events;
use crate::wire::json::Json;
use crate::wire::sse::write_named_event;

/// Where the events of a stream come from.
pub(super) trait Source: Send + 'static {
    /// The next event, as it is written; `None` ends the stream. Dropped while it waits, it loses nothing.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// What is told to all who listen, each as `write` writes it, or leaves it out. Who reads too slowly misses some, and is
/// told how many.
pub(super) struct Broadcast<T, W> {
    pub(super) receiver: Receiver<T>,
    pub(super) write: W,
}

/// An answer that is a stream of what comes from `source`. It ends with the gateway.
pub(super) fn live(front: &HttpFront, source: impl Source) -> Response<Body> {
    let stop = front.draining().clone();
    // Something at once, so that whoever opens it knows that it is open.
    let first = stream::once(std::future::ready(comment()));
    let rest = stream::unfold(source, move |mut source| {
        let stop = stop.clone();
        async move {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                next = source.next() => next?,
                () = tokio::time::sleep(KEEP_ALIVE) => comment(),
            };
            Some((next, source))
        }
    });
    events(body_of(first.chain(rest)))
}

/// An event with its name and, if it has one, its id.
pub(super) fn written(name: &'static str, id: Option<&str>, data: &Json) -> Bytes {
    let mut out = Vec::with_capacity(data.bytes().len() + 96);
    write_named_event(&mut out, name, id, data.bytes());
    out.into()
}

/// Says how many events who listens has missed.
pub(super) fn missed(count: u64) -> Bytes {
    written("missed", None, &Json::of(&json!({ "missed": count })))
}

impl<T, W> Source for Broadcast<T, W>
where
    T: Clone + Send + 'static,
    W: Fn(T) -> Option<Bytes> + Send + 'static,
{
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.receiver.recv().await {
                Ok(one) => {
                    if let Some(event) = (self.write)(one) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(count)) => return Some(missed(count)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
