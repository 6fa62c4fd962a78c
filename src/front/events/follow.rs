//! A stream of events that somebody follows.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::Response;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::events::tail::{Next, Tail};
use crate::front::events::sees;
use crate::front::http::HttpFront;
use crate::front::http::body::{self, Body};
use crate::front::http::stream::events;
use crate::model::caller::Caller;
use crate::model::event::{Event, EventId};
use crate::wire::json::Json;
use crate::wire::sse::{write_comment, write_named_event};

/// How long a stream says nothing before it says that it is there.
const QUIET: Duration = Duration::from_secs(15);

struct Following {
    caller: Arc<Caller>,
    tail: Tail,
    missed: VecDeque<Arc<Event>>,
    /// Those that were sent from what was kept, and may come again.
    sent: HashSet<EventId>,
    stop: CancellationToken,
}

/// An answer that is a stream of `missed` and then of what `tail` brings. It ends with the gateway.
pub(super) fn follow(
    front: &HttpFront,
    caller: Arc<Caller>,
    tail: Tail,
    missed: Vec<Arc<Event>>,
) -> Response<Body> {
    let following = Following {
        caller,
        tail,
        sent: missed.iter().map(|event| event.id).collect(),
        missed: missed.into(),
        stop: front.draining().clone(),
    };
    // Something at once, so that whoever opens it knows that it is open.
    let first = stream::once(std::future::ready(comment()));
    let rest = stream::unfold(following, |mut following| async move {
        let next = following.next().await?;
        Some((next, following))
    });
    events(body::stream(first.chain(rest)))
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        while let Some(event) = self.missed.pop_front() {
            if sees(&self.caller, &event) {
                return Some(written(&event));
            }
        }
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                next = self.tail.next() => next,
                () = tokio::time::sleep(QUIET) => return Some(comment()),
            };
            match next {
                Next::Event(event) if self.sent.remove(&event.id) => {}
                Next::Event(event) if sees(&self.caller, &event) => return Some(written(&event)),
                Next::Event(_) => {}
                Next::Missed(count) => {
                    let mut out = Vec::new();
                    let data = Json::of(&json!({ "missed": count }));
                    write_named_event(&mut out, "missed", None, data.bytes());
                    return Some(out.into());
                }
                Next::End => return None,
            }
        }
    }
}

fn written(event: &Event) -> Bytes {
    let data = Json::of(event);
    let mut out = Vec::with_capacity(data.bytes().len() + 96);
    write_named_event(&mut out, "event", Some(&event.id.to_string()), data.bytes());
    out.into()
}

fn comment() -> Bytes {
    let mut out = Vec::with_capacity(4);
    write_comment(&mut out);
    out.into()
}
