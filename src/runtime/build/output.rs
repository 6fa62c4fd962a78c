//! What a build writes: stdout and stderr as they come, the end of it kept.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::runtime::build::Echo;

/// How many bytes are kept, the latest.
const KEPT: usize = 64 << 10;

/// The end of what a build wrote.
pub(super) struct Output {
    kept: Mutex<VecDeque<u8>>,
    echo: Option<Echo>,
}

impl Output {
    pub(super) fn new(echo: Option<Echo>) -> Self {
        Self {
            kept: Mutex::default(),
            echo,
        }
    }

    /// Reads a pipe to its end.
    pub(super) async fn read<R: AsyncRead + Unpin>(&self, mut pipe: R) {
        let mut chunk = vec![0; 8 << 10];
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            self.add(&chunk[..length]);
            // One that writes without end is not to keep the others from running.
            tokio::task::yield_now().await;
        }
    }

    fn add(&self, bytes: &[u8]) {
        if let Some(echo) = &self.echo {
            echo(bytes);
        }
        let mut kept = self.kept.lock().expect("no holder of this lock panics");
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }

    /// What is kept. A line that was cut is left out; what is not UTF-8 is replaced.
    pub(super) fn text(&self) -> String {
        let kept = self.kept.lock().expect("no holder of this lock panics");
        let bytes: Vec<u8> = kept.iter().copied().collect();
        let whole = match (bytes.len() == KEPT, memchr::memchr(b'\n', &bytes)) {
            (true, Some(end)) => &bytes[end + 1..],
            _ => &bytes[..],
        };
        String::from_utf8_lossy(whole).into_owned()
    }

    /// The last `count` lines as the end of a sentence; control characters are escaped. Empty when there are none.
    pub(super) fn quoted(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            return String::new();
        }
        let last = lines[lines.len().saturating_sub(count)..].iter();
        let escaped = last.map(|line| {
            let line = line.escape_debug().to_string();
            line.replace("\\\"", "\"").replace("\\'", "'")
        });
        let escaped = escaped.collect::<Vec<_>>().join("\n  ");
        format!("; its last lines:\n  {escaped}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_in_whole_lines() {
        let output = Output::new(None);
        assert_eq!((output.text(), output.quoted(20)), Default::default());
        for number in 0..20_000 {
            output.add(format!("line {number}\n").as_bytes());
        }
        let text = output.text();
        assert!(text.len() <= KEPT && text.starts_with("line "));
        assert!(text.ends_with("line 19999\n"));
        assert_eq!(
            output.quoted(2),
            "; its last lines:\n  line 19998\n  line 19999"
        );
    }

    #[test]
    fn what_is_quoted_cannot_move_the_cursor() {
        let output = Output::new(None);
        output.add(b"it's \x1b[31mred\n");
        assert_eq!(output.quoted(1), "; its last lines:\n  it's \\u{1b}[31mred");
    }
}
