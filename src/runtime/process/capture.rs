//! What a program writes: its beginning and its end are kept, the rest is counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::plugin::Kept;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// What is kept of one stream. Holds its bound at the most, however much there is.
#[derive(Debug, Default)]
pub(super) struct Capture {
    /// The most bytes of the head, and of the tail.
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

/// The streams of a program were more than it may write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Capture {
    /// Keeps so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            half: (bytes / 2).max(1),
            ..Self::default()
        }
    }

    /// Reads a stream to its end. `total` counts the bytes of all streams; beyond `bound` it fails.
    pub(super) async fn read<R: AsyncRead + Unpin>(
        &mut self,
        mut pipe: R,
        total: &AtomicU64,
        bound: u64,
    ) -> Result<(), TooMuch> {
        let mut chunk = vec![0; CHUNK];
        loop {
            // What was read before an error is as good as any.
            let count = pipe.read(&mut chunk).await.unwrap_or(0);
            if count == 0 {
                return Ok(());
            }
            self.take(&chunk[..count]);
            let count = count as u64;
            if total.fetch_add(count, Ordering::Relaxed) + count > bound {
                return Err(TooMuch);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let skipped = rest.len().saturating_sub(self.half);
        self.tail.extend(&rest[skipped..]);
        let over = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..over);
        self.left_out += (skipped + over) as u64;
    }

    pub(super) fn kept(self) -> Kept {
        Kept {
            head: self.head,
            tail: self.tail.into(),
            left_out: self.left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(half: usize, chunks: &[&str]) -> (String, String, u64) {
        let mut capture = Capture::new(2 * half);
        chunks
            .iter()
            .for_each(|chunk| capture.take(chunk.as_bytes()));
        let kept = capture.kept();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text");
        (text(kept.head), text(kept.tail), kept.left_out)
    }

    #[test]
    fn both_ends_are_kept() {
        let expect =
            |head: &str, tail: &str, left_out| (head.to_owned(), tail.to_owned(), left_out);
        assert_eq!(kept(3, &["ab"]), expect("ab", "", 0));
        assert_eq!(kept(3, &["abcd", "ef"]), expect("abc", "def", 0));
        assert_eq!(kept(3, &["abcdefghij"]), expect("abc", "hij", 4));
        assert_eq!(
            kept(3, &["a", "bcde", "f", "ghij", "k"]),
            expect("abc", "ijk", 5)
        );
    }

    #[tokio::test]
    async fn too_much_is_said() {
        let (mut capture, total) = (Capture::new(4), AtomicU64::new(0));
        assert_eq!(capture.read(&b"abcdef"[..], &total, 6).await, Ok(()));
        assert_eq!(capture.read(&b"g"[..], &total, 6).await, Err(TooMuch));
        assert_eq!(capture.kept().left_out, 3);
    }
}
