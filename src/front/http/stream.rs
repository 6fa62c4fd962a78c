//! One request, one answer: JSON when nothing precedes it, a stream of events otherwise.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use tokio_util::task::AbortOnDropHandle;

use crate::background::Supervisor;
use crate::front::desk::Reply;
use crate::front::http::body::{Body, stream};
use crate::front::http::mcp::accepted;
use crate::front::http::modern::whole;
use crate::front::outgoing::Outgoing;
use crate::wire::error::RpcError;
use crate::wire::message::{Id, write_error, write_result_head};
use crate::wire::sse::write_event;

/// A message that answers a request, in the pieces it is written in.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) head: Vec<u8>,
    pub(super) result: Bytes,
    pub(super) tail: &'static [u8],
}

impl Answered {
    /// The message that answers the request `id` with a reply; `status` says what an error is told with.
    pub(super) fn of(id: &Id, reply: Reply, status: impl FnOnce(&RpcError) -> StatusCode) -> Self {
        match reply {
            Reply::Asks(result) => Self::of(id, Reply::Result(result.bytes().clone()), status),
            Reply::Result(result) => {
                let mut head = Body::head_for(&result);
                write_result_head(&mut head, id);
                Self {
                    status: StatusCode::OK,
                    head,
                    result,
                    tail: b"}",
                }
            }
            Reply::Error(error) => Self::error(status(&error), id, &error),
            Reply::Nothing => Self::nothing(),
        }
    }

    fn error(status: StatusCode, id: &Id, error: &RpcError) -> Self {
        let mut head = Vec::with_capacity(256);
        write_error(&mut head, Some(id), error);
        Self {
            status,
            head,
            result: Bytes::new(),
            tail: b"",
        }
    }

    /// No answer is owed.
    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            head: Vec::new(),
            result: Bytes::new(),
            tail: b"",
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.head.is_empty()
    }

    pub(super) fn event(mut self) -> Option<Bytes> {
        if self.is_nothing() {
            return None;
        }
        self.head.extend_from_slice(&self.result);
        self.head.extend_from_slice(self.tail);
        Some(event(&self.head))
    }
}

type Work = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// Runs `work` and answers with what it gives. When the client is to be told something before that, the answer becomes
/// a stream. The work then goes on in a task of its own, so that a client that does not read holds up nobody else;
/// dropping the stream drops the work.
pub(super) async fn one_stream<F>(
    outgoing: Arc<Outgoing>,
    work: F,
    supervisor: &Supervisor,
) -> Response<Body>
where
    F: Future<Output = Answered> + Send + 'static,
{
    let mut work: Work = Box::pin(work);
    let first = tokio::select! {
        biased;
        answered = &mut work => {
            return match outgoing.outbox.try_next() {
                None if answered.is_nothing() => accepted(),
                None => whole(answered),
                Some(first) => events(stream(futures::stream::iter(rest(&outgoing, first, answered)))),
            };
        }
        first = outgoing.outbox.next() => first,
    };
    let work = AbortOnDropHandle::new(supervisor.spawn_request(work));
    let begin = Running {
        outgoing,
        work: Some(work),
        next: first,
    };
    events(stream(unfold(begin, Running::step)))
}

/// What waits in the outbox, and then the answer.
fn rest(outgoing: &Outgoing, first: Bytes, answered: Answered) -> Vec<Bytes> {
    let mut messages = vec![event(&first)];
    messages
        .extend(std::iter::from_fn(|| outgoing.outbox.try_next()).map(|message| event(&message)));
    messages.extend(answered.event());
    messages
}

struct Running {
    outgoing: Arc<Outgoing>,
    work: Option<AbortOnDropHandle<Answered>>,
    /// A message that came before the stream began.
    next: Option<Bytes>,
}

impl Running {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if let Some(message) = self.next.take() {
            return Some((event(&message), self));
        }
        let mut work = self.work.take()?;
        tokio::select! {
            // What the client is told before the answer stands before it.
            biased;
            message = self.outgoing.outbox.next() => {
                self.work = Some(work);
                Some((event(&message?), self))
            }
            answered = &mut work => {
                let mut last = Vec::new();
                while let Some(message) = self.outgoing.outbox.try_next() {
                    last.extend_from_slice(&event(&message));
                }
                // Work that panicked has no answer.
                let answered = answered.unwrap_or_else(|_| Answered::nothing());
                last.extend_from_slice(&answered.event().unwrap_or_default());
                Some((last.into(), self))
            }
        }
    }
}

/// A message as an event.
pub(super) fn event(message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 32);
    write_event(&mut out, None, message);
    out.into()
}

/// An answer that is a stream of events.
pub(super) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
