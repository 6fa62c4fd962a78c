//! Server-Sent Events, read.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};
use thiserror::Error;

/// What one event said. Unknown fields and comments are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The id to resume from, from this event on; an empty one takes back what earlier events said.
    /// `None`: unchanged.
    pub id: Option<String>,
    /// The type, `None` for `message`, the default. Only such events carry MCP messages.
    pub event: Option<String>,
    /// The data lines joined by newlines, bytes as sent. Empty in events that only bring `id` or
    /// `retry`.
    pub data: Bytes,
    /// Milliseconds to wait before reconnecting, from now on.
    pub retry: Option<u64>,
}

/// Why an event cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SseError {
    /// The event is longer than `limit` bytes. Reported once per event; reading goes on behind the
    /// event's end.
    #[error("server-sent event is longer than the limit of {limit} bytes")]
    TooLarge { limit: usize },
}

/// Cuts a stream of bytes into events. An event that the stream does not end with an empty line is
/// never given out.
///
/// Holds at most the limit, plus the chunk a data line was read from until its event ends. Every
/// byte is looked at once, however the stream is cut into chunks.
#[derive(Debug)]
pub struct Decoder {
    max_event_bytes: usize,
    /// The start of a line whose end has not come.
    partial: BytesMut,
    /// The line break before was CR; an LF that comes next belongs to it.
    after_cr: bool,
    /// No line has ended yet, so a byte order mark may come.
    at_start: bool,
    /// The event went over the limit and is dropped up to its end; says whether its current line
    /// has bytes.
    skipping: Option<bool>,
    pending: Pending,
}

impl Decoder {
    /// A decoder that holds at most `max_event_bytes` of one event: its id, type and data, and the
    /// line being read with its field name.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            partial: BytesMut::new(),
            after_cr: false,
            at_start: true,
            skipping: None,
            pending: Pending::default(),
        }
    }

    /// Takes bytes from the front of `chunk` up to the end of the next event. `None`: `chunk` is
    /// used up, the next one is needed. Data that lies in one chunk is not copied.
    pub fn next_event(&mut self, chunk: &mut Bytes) -> Option<Result<Event, SseError>> {
        loop {
            if self.after_cr && !chunk.is_empty() {
                self.after_cr = false;
                if chunk[0] == b'\n' {
                    chunk.advance(1);
                }
            }
            let Some(end) = memchr2(b'\r', b'\n', chunk) else {
                return self.keep(chunk).err().map(Err);
            };
            let rest = chunk.split_to(end);
            self.after_cr = chunk[0] == b'\r';
            chunk.advance(1);
            if let Some(done) = self.end_line(rest).transpose() {
                return Some(done);
            }
        }
    }

    /// No line ends in `chunk`.
    fn keep(&mut self, chunk: &mut Bytes) -> Result<(), SseError> {
        let rest = std::mem::take(chunk);
        if let Some(in_line) = &mut self.skipping {
            *in_line |= !rest.is_empty();
            return Ok(());
        }
        if self.is_over(rest.len()) {
            return Err(self.skip(true));
        }
        self.partial.extend_from_slice(&rest);
        Ok(())
    }

    /// The current line ends with `rest`.
    fn end_line(&mut self, rest: Bytes) -> Result<Option<Event>, SseError> {
        if let Some(in_line) = self.skipping {
            let is_event_end = !in_line && rest.is_empty();
            self.skipping = (!is_event_end).then_some(false);
            return Ok(None);
        }
        if self.is_over(rest.len()) {
            return Err(self.skip(false));
        }
        let mut line = if self.partial.is_empty() {
            rest
        } else {
            self.partial.extend_from_slice(&rest);
            std::mem::take(&mut self.partial).freeze()
        };
        if std::mem::take(&mut self.at_start) && line.starts_with(b"\xEF\xBB\xBF") {
            line.advance(3);
        }
        if line.is_empty() {
            return Ok(std::mem::take(&mut self.pending).into_event());
        }
        self.pending.field(&line);
        Ok(None)
    }

    fn is_over(&self, n_more: usize) -> bool {
        self.pending.len() + self.partial.len() + n_more > self.max_event_bytes
    }

    fn skip(&mut self, in_line: bool) -> SseError {
        self.partial = BytesMut::new();
        self.pending = Pending::default();
        self.at_start = false;
        self.skipping = Some(in_line);
        SseError::TooLarge {
            limit: self.max_event_bytes,
        }
    }
}

/// The fields of the event being read.
#[derive(Debug, Default)]
struct Pending {
    id: Option<String>,
    event: Option<String>,
    data: Data,
    retry: Option<u64>,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    Line(Bytes),
    Joined(BytesMut),
}

impl Pending {
    /// Bytes held. Every data line adds at least one, so their number is bounded too.
    fn len(&self) -> usize {
        let data = match &self.data {
            Data::None => 0,
            Data::Line(line) => line.len() + 1,
            Data::Joined(lines) => lines.len() + 1,
        };
        data + self.id.as_ref().map_or(0, String::len) + self.event.as_ref().map_or(0, String::len)
    }

    fn field(&mut self, line: &Bytes) {
        let colon = memchr(b':', line).unwrap_or(line.len());
        let start = match line.get(colon + 1) {
            Some(b' ') => colon + 2,
            _ => (colon + 1).min(line.len()),
        };
        let value = &line[start..];
        match &line[..colon] {
            b"data" => self.add_data(line.slice(start..)),
            b"event" => {
                let name = String::from_utf8_lossy(value);
                self.event = (!matches!(&*name, "" | "message")).then(|| name.into_owned());
            }
            b"id" if memchr(0, value).is_none() => {
                self.id = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            _ => {}
        }
    }

    fn add_data(&mut self, line: Bytes) {
        self.data = match std::mem::take(&mut self.data) {
            Data::None => Data::Line(line),
            Data::Line(first) => {
                let mut lines = BytesMut::with_capacity(first.len() + 1 + line.len());
                lines.extend_from_slice(&first);
                Data::Joined(joined(lines, &line))
            }
            Data::Joined(lines) => Data::Joined(joined(lines, &line)),
        };
    }

    /// Nothing for a block without data, id and retry.
    fn into_event(self) -> Option<Event> {
        let data = match self.data {
            Data::None if self.id.is_none() && self.retry.is_none() => return None,
            Data::None => Bytes::new(),
            Data::Line(line) => line,
            Data::Joined(lines) => lines.freeze(),
        };
        Some(Event {
            id: self.id,
            event: self.event,
            data,
            retry: self.retry,
        })
    }
}

fn joined(mut lines: BytesMut, line: &[u8]) -> BytesMut {
    lines.extend_from_slice(b"\n");
    lines.extend_from_slice(line);
    lines
}

/// Digits only; a number beyond `u64` is ignored like every other bad one.
fn milliseconds(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Chunks<'a> = &'a [&'a [u8]];

    fn decode(limit: usize, chunks: Chunks<'_>) -> Vec<Result<Event, SseError>> {
        let mut decoder = Decoder::new(limit);
        let mut events = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while let Some(event) = decoder.next_event(&mut chunk) {
                events.push(event);
            }
            assert!(chunk.is_empty());
            assert!(decoder.pending.len() + decoder.partial.len() <= limit);
        }
        events
    }

    fn event(data: &str) -> Event {
        Event {
            data: Bytes::copy_from_slice(data.as_bytes()),
            ..Event::default()
        }
    }

    #[test]
    fn data_is_read_as_the_standard_says() {
        let table: &[(Chunks<'_>, &[&str])] = &[
            (&[b"data: a\n\n"], &["a"]),
            (&[b"data:a\n\n"], &["a"]),
            (&[b"data:  a \n\n"], &[" a "]),
            (&[b"data: a\ndata: b\ndata\n\n"], &["a\nb\n"]),
            (&[b"data\n\n"], &[""]),
            (
                &[b"data: a\r\rdata: b\r\n\r\ndata: c\n\n"],
                &["a", "b", "c"],
            ),
            (
                &[b"data: a\r", b"\n\r", b"\ndata: b\r\n", b"\r\n"],
                &["a", "b"],
            ),
            (&[b"data: a\r\r", b"\ndata: b\n\n"], &["a", "b"]),
            (&[b"\xEF\xBB\xBFdata: a\n\n"], &["a"]),
            (&[b"\xEF", b"\xBB", b"\xBFda", b"ta: a\n\n"], &["a"]),
            (&[b"\n\xEF\xBB\xBFdata: a\n\n"], &[]),
            (&[b": note\ndata: a\n:\n: :\n\n"], &["a"]),
            (
                &[b"x: 1\ndata: a\nDATA: b\n data: c\ndatax: d\nevil\n\n"],
                &["a"],
            ),
            (&[b"data: a: b\n\n"], &["a: b"]),
            (&[b"event: message\ndata: a\n\n"], &["a"]),
            (&[b"event:\ndata: a\n\n"], &["a"]),
            (&[b"event: ping\n\n", b"data: a\n\n"], &["a"]),
            (&[b"\n\n\r\n:\n\n"], &[]),
            (&[b"data: a\n"], &[]),
            (&[b"data: a\n\ndata: b"], &["a"]),
            (&[], &[]),
        ];
        for (chunks, expect) in table {
            let expect: Vec<_> = expect.iter().map(|data| Ok(event(data))).collect();
            assert_eq!(decode(100, chunks), expect, "{chunks:?}");
        }
    }

    #[test]
    fn id_type_and_retry_are_read_as_the_standard_says() {
        let read = |text: &[u8]| match decode(100, &[text]).as_slice() {
            [Ok(event)] => (event.id.clone(), event.event.clone(), event.retry),
            other => panic!("one event from {text:?}, not {other:?}"),
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(b"id: 1\n\n"), (some("1"), None, None));
        assert_eq!(read(b"id\ndata: a\n\n"), (some(""), None, None));
        assert_eq!(
            read(b"id: 1\nid: 2\0\ndata: a\n\n"),
            (some("1"), None, None)
        );
        assert_eq!(read(b"id: \xff\n\n"), (some("\u{fffd}"), None, None));
        assert_eq!(
            read(b"event: endpoint\ndata: /x\n\n"),
            (None, some("endpoint"), None)
        );
        assert_eq!(
            read(b"event: x\nevent: message\ndata: a\n\n"),
            (None, None, None)
        );
        assert_eq!(read(b"retry: 1500\n\n"), (None, None, Some(1500)));
        for bad in ["", "-1", "+1", "1.5", "1 ", "99999999999999999999", "x"] {
            let text = format!("retry: 7\nretry: {bad}\n\n");
            assert_eq!(read(text.as_bytes()), (None, None, Some(7)), "{bad:?}");
        }
    }

    #[test]
    fn an_event_over_the_limit_is_one_error_and_then_the_next_event() {
        let over = || Err(SseError::TooLarge { limit: 12 });
        let ok = |data: &str| Ok(event(data));
        let table: &[(Chunks<'_>, &[Result<Event, SseError>])] = &[
            (&[b"data: 123456\n\n"], &[ok("123456")]),
            (&[b"data: 1234567\n\ndata: b\n\n"], &[over(), ok("b")]),
            (
                &[b"data: 12345678", b"9", b"\n", b"x: 1\n", b"\ndata: b\n\n"],
                &[over(), ok("b")],
            ),
            (
                &[b"data: 1234\ndata: 12\n\ndata: b\n\n"],
                &[over(), ok("b")],
            ),
            (&[b"data\n\n", &b"data\n".repeat(10)], &[ok(""), over()]),
            (
                &[
                    b"data: 1234567\n",
                    b"data: 12345678901\r",
                    b"\n\r",
                    b"\ndata: b\n\n",
                ],
                &[over(), ok("b")],
            ),
            (&[b": 3456789012345\n\ndata: b\n\n"], &[over(), ok("b")]),
            (&[b"id: 123456789\n\n", b"data: b\n\n"], &[over(), ok("b")]),
        ];
        for (chunks, expect) in table {
            assert_eq!(decode(12, chunks), *expect, "{chunks:?}");
        }
        assert_eq!(
            SseError::TooLarge { limit: 12 }.to_string(),
            "server-sent event is longer than the limit of 12 bytes"
        );
    }

    #[test]
    fn floods_are_refused_at_the_limit_and_not_kept() {
        let floods: [&[u8]; 4] = [b"x", b"data: x\n", b"data\n", b"id: 1\nevent: y\ndata:\n"];
        for flood in floods {
            let flood = Bytes::from(flood.repeat(1024 / flood.len()));
            let mut decoder = Decoder::new(64 * 1024);
            let mut n_errors = 0;
            for _ in 0..4 * 1024 {
                let mut chunk = flood.clone();
                while let Some(event) = decoder.next_event(&mut chunk) {
                    assert_eq!(event, Err(SseError::TooLarge { limit: 64 * 1024 }));
                    n_errors += 1;
                }
                assert!(decoder.partial.capacity() <= 128 * 1024);
                assert!(decoder.pending.len() <= 64 * 1024);
            }
            assert_eq!(n_errors, 1);
            let mut end = Bytes::from_static(b"\n\ndata: b\n\n");
            assert_eq!(decoder.next_event(&mut end), Some(Ok(event("b"))));
        }
    }

    #[test]
    fn data_in_one_chunk_is_not_copied() {
        let mut chunk = Bytes::from_static(b"event: message\ndata: {}\n\n");
        let place = chunk[21..].as_ptr();
        let event = Decoder::new(100)
            .next_event(&mut chunk)
            .expect("an event")
            .expect("a good event");
        assert_eq!(event.data.as_ptr(), place);
    }

    proptest! {
        #[test]
        fn chunks_never_matter(
            pieces in prop::collection::vec("(data|id|event|retry|x|: ?|[a1]|\r|\n|\n\n|\u{feff}){0,6}", 0..12),
            limit in 0_usize..40,
        ) {
            let whole = pieces.concat();
            let chunks: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            let bytes: Vec<&[u8]> = whole.as_bytes().chunks(1).collect();
            let expect = decode(limit, &[whole.as_bytes()]);
            prop_assert_eq!(&decode(limit, &chunks), &expect);
            prop_assert_eq!(&decode(limit, &bytes), &expect);
        }
    }
}
