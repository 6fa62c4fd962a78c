//! Server-Sent Events: how the stream is cut into chunks never matters, nothing over the limit is given out, and
//! whatever bytes are written as an event are one event for the reader.
//!
//! Input: one byte for the limit, one for the size of the chunks, then the stream.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use toolgate::wire::sse::{Decoder, Event, SseError, write_comment, write_event};

fuzz_target!(|input: &[u8]| {
    let [limit, size, stream @ ..] = input else {
        return;
    };
    let limit = usize::from(*limit);
    let whole = decode(limit, [stream]);
    assert_eq!(decode(limit, stream.chunks(usize::from(*size) + 1)), whole);
    for event in whole.iter().flatten() {
        assert!(event.data.len() <= limit);
    }

    let id = String::from_utf8_lossy(&stream[..stream.len().min(limit)]);
    let mut written = Vec::new();
    write_comment(&mut written);
    write_event(&mut written, Some(&id), stream);
    let events = decode(usize::MAX, [written.as_slice()]);
    let [Ok(event)] = events.as_slice() else {
        panic!("one event was written, {events:?} was read");
    };
    assert_eq!((&event.event, event.retry), (&None, None));
    assert!(event.id.is_none() || event.id.as_deref() == Some(&id));
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(stream) {
        let read: serde_json::Value = serde_json::from_slice(&event.data).expect("JSON stays JSON");
        assert_eq!(read, value);
    }
});

fn decode<'a>(
    limit: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<Event, SseError>> {
    let mut decoder = Decoder::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        let mut chunk = Bytes::copy_from_slice(chunk);
        while let Some(event) = decoder.next_event(&mut chunk) {
            events.push(event);
        }
        assert!(chunk.is_empty());
    }
    events
}
