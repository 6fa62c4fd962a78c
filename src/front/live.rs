//! Streams of events that show what happens at this moment: bounded, kept open by comments, ended by the drain.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::front::http::HttpFront;
use crate::front::http::body::{Body, stream as body_of};
use crate::front::http::stream::events;
use crate::wire::json::Json;
use crate::wire::sse::{write_comment, write_named_event};

/// How long a stream says nothing before it says that it is there.
const QUIET: Duration = Duration::from_secs(15);

/// An answer that is a stream of what comes from `receiver`: `shown` makes each into the data of an event called `name`,
/// or leaves it out. Who reads too slowly misses some. It ends with the gateway.
pub(super) fn live<T, S>(
    front: &Arc<HttpFront>,
    name: &'static str,
    receiver: Receiver<T>,
    shown: S,
) -> Response<Body>
where
    T: Clone + Send + 'static,
    S: Fn(T) -> Option<Json> + Send + 'static,
{
    let stop = front.draining().clone();
    // Something at once, so that whoever opens it knows that it is open.
    let first = stream::once(std::future::ready(comment()));
    let rest = stream::unfold((receiver, shown), move |(mut receiver, shown)| {
        let stop = stop.clone();
        async move {
            loop {
                let received = tokio::select! {
                    biased;
                    () = stop.cancelled() => return None,
                    received = receiver.recv() => received,
                    () = tokio::time::sleep(QUIET) => return Some((comment(), (receiver, shown))),
                };
                match received {
                    Ok(one) => {
                        if let Some(data) = shown(one) {
                            let mut out = Vec::with_capacity(data.bytes().len() + 32);
                            write_named_event(&mut out, name, None, data.bytes());
                            return Some((Bytes::from(out), (receiver, shown)));
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        }
    });
    events(body_of(futures::StreamExt::chain(first, rest)))
}

fn comment() -> Bytes {
    let mut out = Vec::with_capacity(4);
    write_comment(&mut out);
    out.into()
}
