//! Server-Sent Events, written and read.
//!
//! Rules: WHATWG HTML, section "Server-sent events". What we write is narrower than what we read:
//! one `data` line per event, holding one JSON message, and no text of a plugin in any other field.

mod decoder;

use memchr::{memchr, memchr3};

pub use crate::wire::sse::decoder::{Decoder, Event, SseError};

/// Appends one event holding the JSON text `data`.
///
/// The event says `event: message`. That is the default and readers must not need it; the reference
/// SDKs write it, so every reader has met it. In `data` newlines between tokens become spaces. The
/// line ends of Unicode (U+0085, U+2028, U+2029), at which some readers cut lines, become JSON
/// escapes; valid JSON has them only inside strings. An `id` that could not stand on its line (CR,
/// LF, NUL) is left out.
pub fn write_event(out: &mut Vec<u8>, id: Option<&str>, data: &[u8]) {
    write_named_event(out, "message", id, data);
}

/// The same under another name, which is a fixed word of ours.
pub fn write_named_event(out: &mut Vec<u8>, name: &'static str, id: Option<&str>, data: &[u8]) {
    out.reserve(data.len() + id.map_or(0, str::len) + 32);
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    if let Some(id) = id {
        write_id(out, id);
    }
    out.extend_from_slice(b"data: ");
    write_json(out, data);
    out.extend_from_slice(b"\n\n");
}

/// Appends the event that opens a resumable stream in revision 2025-11-25: an id, no data, and
/// after how many milliseconds to reconnect. Clients of older revisions try to read its data as
/// JSON and must not be sent it.
pub fn write_priming(out: &mut Vec<u8>, id: &str, retry_ms: u64) {
    write_id(out, id);
    out.extend_from_slice(format!("retry: {retry_ms}\ndata: \n\n").as_bytes());
}

/// Appends a comment, which keeps a quiet connection open and means nothing to the reader.
pub fn write_comment(out: &mut Vec<u8>) {
    out.extend_from_slice(b":\n\n");
}

fn write_id(out: &mut Vec<u8>, id: &str) {
    if memchr3(b'\r', b'\n', 0, id.as_bytes()).is_none() {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
    }
}

/// The bytes that may begin something to rewrite: a newline, or the UTF-8 form of U+2028, U+2029
/// and U+0085.
fn is_suspect(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0xE2 | 0xC2)
}

fn write_json(out: &mut Vec<u8>, mut data: &[u8]) {
    if memchr3(b'\r', b'\n', 0xE2, data).is_none() && memchr(0xC2, data).is_none() {
        return out.extend_from_slice(data);
    }
    while let Some(at) = data.iter().position(|&byte| is_suspect(byte)) {
        out.extend_from_slice(&data[..at]);
        data = &data[at..];
        let (written, n_read): (&[u8], usize) = match data {
            [b'\r' | b'\n', ..] => (b" ", 1),
            [0xE2, 0x80, 0xA8, ..] => (b"\\u2028", 3),
            [0xE2, 0x80, 0xA9, ..] => (b"\\u2029", 3),
            [0xC2, 0x85, ..] => (b"\\u0085", 2),
            _ => (&data[..1], 1),
        };
        out.extend_from_slice(written);
        data = &data[n_read..];
    }
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::new(1 << 20);
        let mut text = Bytes::copy_from_slice(text);
        std::iter::from_fn(|| decoder.next_event(&mut text))
            .map(|event| event.expect("a small event"))
            .collect()
    }

    fn written(id: Option<&str>, data: &str) -> String {
        let mut out = Vec::new();
        write_event(&mut out, id, data.as_bytes());
        String::from_utf8(out).expect("UTF-8 in, UTF-8 out")
    }

    #[test]
    fn one_message_is_one_data_line() {
        let table = [
            (None, "{}", "event: message\ndata: {}\n\n"),
            (Some("s1/7"), "{}", "event: message\nid: s1/7\ndata: {}\n\n"),
            (
                None,
                "{\n \"a\":\r\n1}\r",
                "event: message\ndata: {  \"a\":  1} \n\n",
            ),
            (
                None,
                "{\"a\":\"é„“世\"}",
                "event: message\ndata: {\"a\":\"é„“世\"}\n\n",
            ),
            (
                None,
                "\"\u{2028}\u{2029}\u{85}\"",
                "event: message\ndata: \"\\u2028\\u2029\\u0085\"\n\n",
            ),
        ];
        for (id, data, expect) in table {
            assert_eq!(written(id, data), expect, "{data:?}");
        }
    }

    #[test]
    fn nothing_forges_an_event() {
        let table = [
            (None, "{}\n\nevent: message\ndata: {\"forged\":1}\n\n"),
            (None, "{}\r\rdata: {\"forged\":1}\r\r"),
            (None, "{}\r\n\r\nid: 1\r\nretry: 1\r\n\r\n"),
            (None, "{\"a\":\"\u{2028}data: forged\u{2029}\u{2029}\"}"),
            (Some("1\n\ndata: forged"), "{}"),
            (Some("1\rdata: forged"), "{}"),
            (Some("1\0"), "{}"),
        ];
        for (id, data) in table {
            let text = written(id, data);
            let fields: Vec<&str> = text
                .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
                .collect();
            assert_eq!(fields.len(), 4, "{text:?}");
            assert_eq!(fields[0], "event: message");
            assert!(fields[1].starts_with("data: "), "{text:?}");
            assert_eq!(read(text.as_bytes()).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn priming_and_comments_carry_no_message() {
        let mut out = Vec::new();
        write_comment(&mut out);
        write_priming(&mut out, "s1/0", 1500);
        assert_eq!(out, b":\n\nid: s1/0\nretry: 1500\ndata: \n\n");
        let expect = Event {
            id: Some("s1/0".to_owned()),
            retry: Some(1500),
            ..Event::default()
        };
        assert_eq!(read(&out), [expect]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            texts in prop::collection::vec((proptest::option::of("[!-~]{1,8}"), any::<String>()), 0..6),
        ) {
            let mut out = Vec::new();
            for (id, text) in &texts {
                let json = serde_json::to_vec_pretty(&[text]).expect("strings are JSON");
                write_comment(&mut out);
                write_event(&mut out, id.as_deref(), &json);
            }
            let events = read(&out);
            prop_assert_eq!(events.len(), texts.len());
            for (event, (id, text)) in events.into_iter().zip(texts) {
                prop_assert_eq!((&event.id, &event.event, event.retry), (&id, &None, None));
                let read: [String; 1] = serde_json::from_slice(&event.data).expect("still JSON");
                prop_assert_eq!(&read[0], &text);
            }
        }
    }
}
