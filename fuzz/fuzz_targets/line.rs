//! Lines: how the stream is cut into chunks never matters, nothing over the limit is held or given out, and a line
//! that was given out can be written and read again.
//!
//! Input: one byte for the limit, one for the size of the chunks, then the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use toolgate::wire::line::{LineDecoder, LineError, write_line};

fuzz_target!(|input: &[u8]| {
    let [limit, size, stream @ ..] = input else {
        return;
    };
    let limit = usize::from(*limit);
    let whole = decode(limit, [stream]);
    assert_eq!(decode(limit, stream.chunks(usize::from(*size) + 1)), whole);

    let mut written = Vec::new();
    let lines: Vec<_> = whole.into_iter().filter_map(Result::ok).collect();
    for line in &lines {
        assert!(!line.is_empty() && line.len() <= limit && !line.contains(&b'\n'));
        write_line(&mut written, line);
    }
    assert_eq!(
        written.iter().filter(|&&byte| byte == b'\n').count(),
        lines.len()
    );
    assert_eq!(decode(limit, [written.as_slice()]).len(), lines.len());
});

fn decode<'a>(
    limit: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<bytes::Bytes, LineError>> {
    let mut decoder = LineDecoder::new(limit);
    let mut lines = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(line) = decoder.next_line() {
            lines.push(line);
        }
    }
    lines.extend(decoder.finish().map(Err));
    lines
}
