//! Newline framing, as stdio transports use it.
//!
//! A message is one line. Reading is bounded: a line over the limit is refused as soon as the limit
//! is passed, and the decoder finds its place again at the next newline without keeping what lies
//! between.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};
use thiserror::Error;

/// Room that [`LineDecoder::room`] makes for one read, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// Why a line is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// The line is longer than `limit` bytes. Reported once; reading goes on behind the next
    /// newline.
    #[error("line is longer than the limit of {limit} bytes")]
    TooLong { limit: usize },
    /// The stream ended inside this line.
    #[error("stream ended inside a line, after {} bytes of it", .0.len())]
    Unfinished(Bytes),
}

/// Cuts a stream of bytes into lines.
///
/// After bytes were added, by [`push`](Self::push) or through [`room`](Self::room), call
/// [`next_line`](Self::next_line) until it gives `None`. Then at most the limit is held, whatever
/// the peer sends. Every byte is looked at once.
#[derive(Debug)]
pub struct LineDecoder {
    max_line_bytes: usize,
    buffer: BytesMut,
    /// Bytes at the start of `buffer` known to hold no newline.
    n_scanned: usize,
    /// An over-long line was reported; everything up to its newline is dropped.
    skipping: bool,
}

impl LineDecoder {
    /// A decoder whose lines have at most `max_line_bytes` bytes before their newline, a carriage
    /// return included.
    pub fn new(max_line_bytes: usize) -> Self {
        Self {
            max_line_bytes,
            buffer: BytesMut::new(),
            n_scanned: 0,
            skipping: false,
        }
    }

    /// Adds a copy of `chunk`.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The buffer to read into, with room for at least 16 KiB. Only append to it.
    pub fn room(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ_BYTES);
        &mut self.buffer
    }

    /// The next whole line, without its newline and without a carriage return before that. Empty
    /// lines are skipped. The line shares memory with the read buffer, nothing is copied. `None`:
    /// more bytes are needed.
    pub fn next_line(&mut self) -> Option<Result<Bytes, LineError>> {
        loop {
            let Some(at) = memchr(b'\n', &self.buffer[self.n_scanned..]) else {
                return self.rest_of_buffer();
            };
            let end = self.n_scanned + at;
            self.n_scanned = 0;
            if std::mem::take(&mut self.skipping) {
                self.buffer.advance(end + 1);
            } else if end > self.max_line_bytes {
                self.buffer.advance(end + 1);
                return Some(Err(self.too_long()));
            } else if matches!(self.buffer[..end], [] | [b'\r']) {
                self.buffer.advance(end + 1);
            } else {
                let mut line = self.buffer.split_to(end + 1);
                line.truncate(end);
                return Some(Ok(without_cr(line.freeze())));
            }
        }
    }

    /// What is left at the end of the stream, once [`next_line`](Self::next_line) gave `None`: an
    /// unfinished line, or nothing.
    pub fn finish(&mut self) -> Option<LineError> {
        self.n_scanned = 0;
        let rest = without_cr(self.buffer.split().freeze());
        let dropped = std::mem::take(&mut self.skipping);
        (!dropped && !rest.is_empty()).then_some(LineError::Unfinished(rest))
    }

    /// The buffer holds no newline: keep it, or drop it when it belongs to an over-long line.
    fn rest_of_buffer(&mut self) -> Option<Result<Bytes, LineError>> {
        self.n_scanned = self.buffer.len();
        if !self.skipping && self.buffer.len() <= self.max_line_bytes {
            return None;
        }
        self.n_scanned = 0;
        if self.skipping {
            self.buffer.clear();
            return None;
        }
        self.skipping = true;
        self.buffer = BytesMut::new();
        Some(Err(self.too_long()))
    }

    fn too_long(&self) -> LineError {
        LineError::TooLong {
            limit: self.max_line_bytes,
        }
    }
}

/// Appends the JSON text `message` as exactly one line. Newlines between its tokens become spaces;
/// inside JSON strings there are none.
pub fn write_line(out: &mut Vec<u8>, message: &[u8]) {
    out.reserve(message.len() + 1);
    let mut rest = message;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b' ');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'\n');
}

fn without_cr(mut line: Bytes) -> Bytes {
    if line.last() == Some(&b'\r') {
        line.truncate(line.len() - 1);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds the chunks one by one; errors appear as text in angle brackets.
    fn decode(limit: usize, chunks: &[&[u8]]) -> Vec<String> {
        let mut decoder = LineDecoder::new(limit);
        let mut found = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(line) = decoder.next_line() {
                found.push(show(line));
            }
            assert!(decoder.buffer.len() <= limit, "held more than the limit");
        }
        found.extend(decoder.finish().map(|rest| show(Err(rest))));
        assert!(decoder.finish().is_none());
        found
    }

    fn show(line: Result<Bytes, LineError>) -> String {
        match line {
            Ok(line) => String::from_utf8_lossy(&line).into_owned(),
            Err(LineError::TooLong { limit }) => format!("<over {limit}>"),
            Err(LineError::Unfinished(rest)) => format!("<cut {}>", String::from_utf8_lossy(&rest)),
        }
    }

    #[test]
    fn lines_are_cut_at_newlines() {
        let table: &[(&[&[u8]], &[&str])] = &[
            (&[b"{}\n"], &["{}"]),
            (&[b"a\nb\r\nc\n"], &["a", "b", "c"]),
            (&[b"a", b"b\nc", b"\n"], &["ab", "c"]),
            (&[b"a\r", b"\nb\n"], &["a", "b"]),
            (&[b"\n\r\n\n", b"a\n\n"], &["a"]),
            (&[b"a\rb\n"], &["a\rb"]),
            (&[b" \n"], &[" "]),
            (&[b"a\nb"], &["a", "<cut b>"]),
            (&[b"a\nb\r"], &["a", "<cut b>"]),
            (&[b"a\n\r"], &["a"]),
            (&[b"\xff\n"], &["\u{fffd}"]),
            (&[], &[]),
        ];
        for (chunks, expect) in table {
            assert_eq!(decode(8, chunks), *expect, "{chunks:?}");
        }
    }

    #[test]
    fn a_line_over_the_limit_is_one_error_and_then_the_next_line() {
        let table: &[(&[&[u8]], &[&str])] = &[
            (&[b"12345678\nok\n"], &["12345678", "ok"]),
            (&[b"123456789\nok\n"], &["<over 8>", "ok"]),
            (&[b"1234567\r\nok\n"], &["1234567", "ok"]),
            (&[b"12345678\r\nok\n"], &["<over 8>", "ok"]),
            (&[b"12345678", b"\r", b"\nok\n"], &["<over 8>", "ok"]),
            (
                &[b"1234", b"56789", b"more", b" more\nok\n"],
                &["<over 8>", "ok"],
            ),
            (
                &[b"123456789", b"\n123456789\n", b"ok\n"],
                &["<over 8>", "<over 8>", "ok"],
            ),
            (&[b"123456789", b"and the end"], &["<over 8>"]),
        ];
        for (chunks, expect) in table {
            assert_eq!(decode(8, chunks), *expect, "{chunks:?}");
        }
    }

    #[test]
    fn a_flood_without_newline_is_refused_at_the_limit_and_not_kept() {
        let mut decoder = LineDecoder::new(64 * 1024);
        let chunk = [b'x'; 1024];
        let mut errors = Vec::new();
        for n_chunks in 1..=10 * 1024 {
            decoder.push(&chunk);
            assert!(decoder.n_scanned <= decoder.buffer.len());
            if let Some(line) = decoder.next_line() {
                errors.push((n_chunks, line));
            }
            assert!(decoder.buffer.capacity() <= 2 * 64 * 1024 + READ_BYTES);
        }
        assert_eq!(errors, [(65, Err(LineError::TooLong { limit: 64 * 1024 }))]);
        decoder.push(b"\n{}\n");
        assert_eq!(decoder.next_line(), Some(Ok(Bytes::from_static(b"{}"))));
    }

    #[test]
    fn a_long_line_in_small_chunks_is_scanned_once() {
        let mut decoder = LineDecoder::new(1 << 20);
        for n_chunks in 1..=1024 {
            decoder.push(&[b'x'; 1024]);
            assert_eq!(decoder.next_line(), None);
            assert_eq!(decoder.n_scanned, n_chunks * 1024);
        }
    }

    #[test]
    fn lines_share_the_memory_they_were_read_into() {
        let mut decoder = LineDecoder::new(64);
        decoder.room().extend_from_slice(b"first\nsecond\n");
        let start = decoder.buffer.as_ptr();
        let first = decoder.next_line().expect("a line").expect("a good line");
        assert_eq!(first.as_ptr(), start);
        assert_eq!(decoder.next_line(), Some(Ok(Bytes::from_static(b"second"))));
    }

    #[test]
    fn errors_name_the_limit() {
        assert_eq!(
            LineError::TooLong { limit: 9 }.to_string(),
            "line is longer than the limit of 9 bytes"
        );
        assert_eq!(
            LineError::Unfinished(Bytes::from_static(b"ab")).to_string(),
            "stream ended inside a line, after 2 bytes of it"
        );
    }

    #[test]
    fn written_messages_are_one_line() {
        let table: &[(&str, &str)] = &[
            ("{}", "{}\n"),
            ("", "\n"),
            ("{\n  \"a\": 1\r\n}\n", "{   \"a\": 1  } \n"),
            (r#"{"a":"\n"}"#, "{\"a\":\"\\n\"}\n"),
            ("{}\n{\"forged\":1}", "{} {\"forged\":1}\n"),
        ];
        for (message, expect) in table {
            let mut out = Vec::new();
            write_line(&mut out, message.as_bytes());
            assert_eq!(out, expect.as_bytes(), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_never_matter(
            pieces in prop::collection::vec("[a\r\n]{0,12}", 0..12),
            limit in 0_usize..10,
        ) {
            let whole = pieces.concat();
            let chunks: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            prop_assert_eq!(decode(limit, &chunks), decode(limit, &[whole.as_bytes()]));
        }

        #[test]
        fn what_is_written_is_read(messages in prop::collection::vec("[^\r\n]{1,20}", 0..6)) {
            let mut out = Vec::new();
            for message in &messages {
                write_line(&mut out, message.as_bytes());
            }
            prop_assert_eq!(decode(100, &[&out]), messages);
        }
    }
}
