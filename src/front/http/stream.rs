//! The pieces that answers are made of: a message in JSON, events.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::front::desk::Reply;
use crate::front::http::body::Body;
use crate::wire::error::RpcError;
use crate::wire::message::{Id, write_error, write_result_head};
use crate::wire::sse::write_event;

/// A message that answers a request, in the pieces it is written in.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) head: Vec<u8>,
    pub(super) result: Bytes,
    pub(super) tail: &'static [u8],
    /// The scope that the caller lacks, if the message says that.
    pub(super) scope: Option<Box<str>>,
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
                    scope: None,
                }
            }
            // Clients that can get themselves another token look at the status (MCP 2025-11-25, authorization).
            Reply::Denied(result, scope) => Self {
                status: StatusCode::FORBIDDEN,
                scope: Some(scope),
                ..Self::of(id, Reply::Result(result), status)
            },
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
            scope: None,
        }
    }

    /// No answer is owed.
    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            head: Vec::new(),
            result: Bytes::new(),
            tail: b"",
            scope: None,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.head.is_empty()
    }

    /// The message in one piece, if one is owed.
    pub(super) fn message(mut self) -> Option<Bytes> {
        if self.is_nothing() {
            return None;
        }
        self.head.extend_from_slice(&self.result);
        self.head.extend_from_slice(self.tail);
        Some(self.head.into())
    }

    pub(super) fn event(self) -> Option<Bytes> {
        self.message().map(|message| event(&message))
    }
}

/// A message as an event.
pub(super) fn event(message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 32);
    write_event(&mut out, None, message);
    out.into()
}

/// An answer that is a stream of events.
pub(in crate::front) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
