//! A stream of events that somebody follows.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::events::tail::{Next, Tail};
use crate::front::events::sees;
use crate::front::http::HttpFront;
use crate::front::http::body::Body;
use crate::front::live::{Source, live, missed, written};
use crate::model::caller::Caller;
use crate::model::event::{Event, EventId};
use crate::wire::json::Json;

struct Following {
    caller: Arc<Caller>,
    tail: Tail,
    kept: VecDeque<Arc<Event>>,
    /// Those that were sent from what was kept, and may come again.
    sent: HashSet<EventId>,
}

/// An answer that is a stream of `kept` and then of what `tail` brings. It ends with the gateway.
pub(super) fn follow(
    front: &HttpFront,
    caller: Arc<Caller>,
    tail: Tail,
    kept: Vec<Arc<Event>>,
) -> Response<Body> {
    let following = Following {
        caller,
        tail,
        sent: kept.iter().map(|event| event.id).collect(),
        kept: kept.into(),
    };
    live(front, following)
}

impl Source for Following {
    async fn next(&mut self) -> Option<Bytes> {
        while let Some(event) = self.kept.pop_front() {
            if sees(&self.caller, &event) {
                return Some(shown(&event));
            }
        }
        loop {
            match self.tail.next().await {
                Next::Event(event) if self.sent.remove(&event.id) => {}
                Next::Event(event) if sees(&self.caller, &event) => return Some(shown(&event)),
                Next::Event(_) => {}
                Next::Missed(count) => return Some(missed(count)),
                Next::End => return None,
            }
        }
    }
}

fn shown(event: &Event) -> Bytes {
    written("event", Some(&event.id.to_string()), &Json::of(event))
}
