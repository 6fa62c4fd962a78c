//! Bodies: requests read within bounds, answers written without copying what is large.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use serde_json::json;
use smallvec::{SmallVec, smallvec};

use crate::wire::json::Json;

/// Answers up to this size are put together in one piece, larger ones are written in parts.
const ONE_PIECE: usize = 16 << 10;

/// What the head and tail of a message around a result take, unless its id is long.
const HEAD: usize = 64;

/// The body of an answer.
pub(in crate::front) enum Body {
    /// A few pieces, known from the beginning.
    Parts(SmallVec<[Bytes; 3]>),
    /// Events, as they come.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// What a route of the table answers.
    Routed(axum::body::Body),
}

/// Why the body of a request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::front) enum Unreadable {
    TooLarge,
    TooSlow,
    Broken,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Parts(SmallVec::new())
    }

    pub(in crate::front) fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Self::empty();
        }
        Self::Parts(smallvec![bytes])
    }

    /// Memory for the head of an answer around `middle`, and for that too where it will be copied.
    pub(super) fn head_for(middle: &Bytes) -> Vec<u8> {
        let copied = if middle.len() <= ONE_PIECE {
            middle.len()
        } else {
            0
        };
        Vec::with_capacity(HEAD + copied)
    }

    /// `head`, `middle` and `tail` as one body; only a small middle is copied.
    pub(super) fn around(mut head: Vec<u8>, middle: Bytes, tail: &'static [u8]) -> Self {
        if middle.len() <= ONE_PIECE {
            head.extend_from_slice(&middle);
            head.extend_from_slice(tail);
            return Self::of(head);
        }
        Self::Parts(smallvec![head.into(), middle, Bytes::from_static(tail)])
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Self::Parts(parts) => {
                Poll::Ready((!parts.is_empty()).then(|| Ok(Frame::data(parts.remove(0)))))
            }
            Self::Stream(stream) => {
                let next = ready!(stream.as_mut().poll_next(context));
                Poll::Ready(next.map(|event| Ok(Frame::data(event))))
            }
            Self::Routed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Parts(parts) => parts.is_empty(),
            Self::Stream(_) => false,
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Parts(parts) => {
                SizeHint::with_exact(parts.iter().map(|part| part.len() as u64).sum())
            }
            Self::Stream(_) => SizeHint::default(),
            Self::Routed(body) => body.size_hint(),
        }
    }
}

/// Reads the body of a request: `max` bytes within `within`.
pub(in crate::front) async fn read<B>(
    body: B,
    max: usize,
    within: Duration,
) -> Result<Bytes, Unreadable>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let hint = body.size_hint();
    if hint.lower() > max as u64 {
        return Err(Unreadable::TooLarge);
    }
    if let Some(size) = hint.exact() {
        // Mostly all of it came with the headers.
        let mut body = body;
        let first = futures::future::poll_immediate(body.frame()).await;
        let first = match first {
            Some(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Some(Some(Err(_))) => return Err(Unreadable::Broken),
            Some(None) => return Ok(Bytes::new()),
            None => Bytes::new(),
        };
        if first.len() as u64 == size {
            return Ok(first);
        }
        return timed(body, first, max, within).await;
    }
    timed(body, Bytes::new(), max, within).await
}

async fn timed<B>(body: B, first: Bytes, max: usize, within: Duration) -> Result<Bytes, Unreadable>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    tokio::time::timeout(within, collect(body, first, max))
        .await
        .unwrap_or(Err(Unreadable::TooSlow))
}

async fn collect<B>(mut body: B, first: Bytes, max: usize) -> Result<Bytes, Unreadable>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let expected = usize::try_from(body.size_hint().lower())
        .unwrap_or(0)
        .min(max);
    let mut whole = BytesMut::with_capacity(first.len() + expected);
    whole.extend_from_slice(&first);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unreadable::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > max {
            return Err(Unreadable::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

impl Unreadable {
    pub(in crate::front) fn response(self, max: usize) -> Response<Body> {
        match self {
            Self::TooLarge => {
                let message =
                    format!("the body is larger than {max} bytes (`server.max_body_bytes`)");
                problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &message)
            }
            Self::TooSlow => problem(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "the body did not arrive in time",
            ),
            Self::Broken => problem(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "the body ended early",
            ),
        }
    }
}

/// A JSON answer.
pub(in crate::front) fn json_response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A refusal outside of JSON-RPC.
pub(in crate::front) fn problem(status: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let body = Json::of(&json!({ "error": { "reason": reason, "message": message } }));
    json_response(status, Body::of(body.bytes().clone()))
}

/// A stream that never fails, as a body.
pub(in crate::front) fn stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    Body::Stream(Box::pin(events))
}

/// For services that cannot fail.
pub(super) type Never = Infallible;
