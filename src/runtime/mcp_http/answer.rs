//! The bodies of answers: one JSON message, or a stream of events; read within bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::model::fault::Fault;
use crate::runtime::mcp_http::trouble::Upstream;
use crate::wire::message::Message;
use crate::wire::sse::Decoder;

/// How many times the bound of one message all events of one answer may be long together.
const MAX_TOTAL: usize = 4;

/// How long the rest of a stream may take whose answer has come, so that its connection can be kept.
const REST: Duration = Duration::from_secs(1);

/// How many bytes it may have.
const MAX_REST: usize = 64 << 10;

/// The most bytes of an event's id that are sent back.
const MAX_EVENT_ID: usize = 1024;

/// The forms a body can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON text.
    Json,
    /// Server-sent events.
    Events,
}

/// The form that `headers` announce. Encoded bodies are refused: none was asked for, and a small one can be endless.
pub(super) fn form(upstream: &Upstream, headers: &HeaderMap) -> Result<Form, Fault> {
    check_encoding(upstream, headers)?;
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(upstream.broken("bad_content_type", "its answer has no content type"));
    };
    let media = value.as_bytes().split(|byte| *byte == b';').next();
    let media = media.unwrap_or_default().trim_ascii();
    if media.eq_ignore_ascii_case(b"application/json") {
        Ok(Form::Json)
    } else if media.eq_ignore_ascii_case(b"text/event-stream") {
        Ok(Form::Events)
    } else {
        let media = String::from_utf8_lossy(&media[..media.len().min(100)]);
        let what = format_args!(
            "it answered in `{}`, not in JSON; is `mcp_http.url` its MCP endpoint?",
            media.escape_debug()
        );
        Err(upstream.broken("bad_content_type", what))
    }
}

/// Refuses bodies that would have to be unpacked.
pub(super) fn check_encoding(upstream: &Upstream, headers: &HeaderMap) -> Result<(), Fault> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(upstream.broken(
        "bad_content_type",
        "its answer is compressed, which was not asked for",
    ))
}

/// Reads a whole body of at most `max` bytes. One that comes in one piece is not copied.
pub(super) async fn collect(
    upstream: &Upstream,
    mut body: Incoming,
    max: usize,
) -> Result<Bytes, Fault> {
    let declared = body.size_hint().exact().unwrap_or(0);
    if declared > max as u64 {
        return Err(upstream.too_large(max));
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else {
            break;
        };
        let Ok(data) = frame.map_err(|err| upstream.cut_off(err))?.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > max {
            return Err(upstream.too_large(max));
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if !first.is_empty() {
            whole.reserve((declared as usize).max(first.len() + data.len()));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// The messages in one text: one, or where `batches` are known, those of an array (MCP 2025-03-26).
pub(super) fn messages(
    upstream: &Upstream,
    text: Bytes,
    batches: bool,
) -> Result<Vec<Message>, Fault> {
    let malformed = |what: String| {
        upstream.broken(
            "protocol_error",
            format_args!("it sent a malformed message: {what}"),
        )
    };
    let batch = batches.then(|| Message::parse_batch(&text)).flatten();
    let items = batch.unwrap_or_else(|| Ok(vec![Message::parse(text)]));
    let items = items.map_err(|reject| malformed(reject.error.message))?;
    let read: Result<Vec<_>, _> = items.into_iter().collect();
    read.map_err(|reject| malformed(reject.error.message))
}

/// A stream of events.
pub(super) struct Events {
    body: Incoming,
    decoder: Decoder,
    chunk: Bytes,
    max_message: usize,
    left: usize,
    /// How long the server wants to be left alone before the stream is opened again.
    pub(super) retry: Option<Duration>,
    /// The event up to which the stream was read, where it can be taken up again from there.
    pub(super) last_id: Option<HeaderValue>,
    /// How often it was taken up again since its last event.
    pub(super) n_quiet: u32,
    /// Whether it is over: the connection broke, or the server ended it.
    pub(super) is_cut: bool,
}

impl Events {
    /// The events that answer one request: bounded together, too.
    pub(super) fn of_call(body: Incoming, max_message: usize) -> Self {
        Self {
            body,
            decoder: Decoder::new(max_message),
            chunk: Bytes::new(),
            max_message,
            left: max_message.saturating_mul(MAX_TOTAL),
            retry: None,
            last_id: None,
            n_quiet: 0,
            is_cut: false,
        }
    }

    /// The events of a stream that stays open.
    pub(super) fn standing(body: Incoming, max_message: usize) -> Self {
        Self {
            left: usize::MAX,
            ..Self::of_call(body, max_message)
        }
    }

    /// Goes on with what comes in `body`. An event that had not come to its end is forgotten: it comes again.
    pub(super) fn go_on(&mut self, body: Incoming) {
        self.body = body;
        self.decoder = Decoder::new(self.max_message);
        self.chunk = Bytes::new();
        self.is_cut = false;
    }

    /// The text of the next message; `None` at the end of the stream. Can be dropped and called again.
    pub(super) async fn next(&mut self, upstream: &Upstream) -> Result<Option<Bytes>, Fault> {
        loop {
            while let Some(event) = self.decoder.next_event(&mut self.chunk) {
                let event = event.map_err(|_| upstream.too_large(self.max_message))?;
                self.n_quiet = 0;
                self.retry = event.retry.map(Duration::from_millis).or(self.retry);
                if let Some(id) = event.id {
                    self.last_id = event_id(&id);
                }
                if event.event.is_none() && !event.data.is_empty() {
                    return Ok(Some(event.data));
                }
            }
            let frame = self.body.frame().await;
            self.is_cut = !matches!(frame, Some(Ok(_)));
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|err| upstream.cut_off(err))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if self.left != usize::MAX {
                let left = self.left.checked_sub(data.len());
                self.left = left.ok_or_else(|| flooded(upstream))?;
            }
            self.chunk = data;
        }
    }

    /// Whether the server has ended the stream, as far as can be seen without waiting.
    pub(super) fn is_over(&mut self) -> bool {
        self.body.is_end_stream() || matches!(self.body.frame().now_or_never(), Some(None))
    }

    /// Reads what is left, so that the connection can be used again. Bounded; what is read is of no use to anybody.
    pub(super) async fn rest(mut self) {
        let reading = async {
            let mut n_read = 0;
            while let Some(Ok(frame)) = self.body.frame().await {
                n_read += frame.data_ref().map_or(0, Bytes::len);
                if n_read > MAX_REST {
                    break;
                }
            }
        };
        // One that takes longer costs a connection, nothing else.
        drop(tokio::time::timeout(REST, reading).await);
    }
}

/// An event's id as the header that names it. An empty one takes back those before (WHATWG HTML, server-sent events);
/// one that no header can hold is none.
fn event_id(id: &str) -> Option<HeaderValue> {
    let fits = (1..=MAX_EVENT_ID).contains(&id.len());
    let mut value = fits.then(|| HeaderValue::from_bytes(id.as_bytes()).ok())??;
    value.set_sensitive(true);
    Some(value)
}

fn flooded(upstream: &Upstream) -> Fault {
    upstream.broken(
        "too_large",
        format_args!(
            "the events of one answer are longer than {MAX_TOTAL} times `limits.max_message_bytes`"
        ),
    )
}
