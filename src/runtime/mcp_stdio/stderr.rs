//! The last words of a child: its stderr, read to the end, kept within bounds, logged in measure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::model::plugin_id::PluginId;
use crate::runtime::LogLine;
use crate::wire::line::{LineDecoder, LineError};

/// The longest line that is kept; of longer ones is only said that they were there.
const MAX_LINE: usize = 4096;

/// The most lines per second that go to the log.
const LOGGED_PER_SECOND: u32 = 50;

/// The last lines of a child's stderr.
#[derive(Debug)]
pub(super) struct Tail {
    lines: Mutex<(VecDeque<(SystemTime, String)>, usize)>,
    max_bytes: usize,
    /// Cancelled when the end was read, or nobody reads any more.
    over: CancellationToken,
}

impl Tail {
    /// Reads `stderr` until its end.
    pub(super) fn follow<R>(
        stderr: R,
        max_bytes: usize,
        plugin: &PluginId,
        supervisor: &Supervisor,
    ) -> Arc<Self>
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let tail = Arc::new(Self {
            lines: Mutex::default(),
            max_bytes,
            over: CancellationToken::new(),
        });
        let (reading, plugin) = (Arc::clone(&tail), plugin.clone());
        supervisor.spawn(format!("{plugin} stderr"), move |stop| async move {
            let _over = reading.over.clone().drop_guard();
            tokio::select! {
                () = reading.read(stderr, &plugin) => {}
                () = stop.cancelled() => {}
            }
        });
        tail
    }

    /// Waits until all is read that the child wrote, `bound` at the most: its children may hold its stderr open.
    pub(super) async fn complete(&self, bound: Duration) {
        tokio::time::timeout(bound, self.over.cancelled())
            .await
            .ok();
    }

    async fn read<R: AsyncRead + Unpin>(&self, mut stderr: R, plugin: &PluginId) {
        let mut decoder = LineDecoder::new(MAX_LINE);
        let mut second = Instant::now();
        let mut logged = 0;
        loop {
            let room = decoder.room();
            room.reserve(16 << 10);
            if !matches!(stderr.read_buf(room).await, Ok(1..)) {
                if let Some(LineError::Unfinished(rest)) = decoder.finish() {
                    self.keep(String::from_utf8_lossy(&rest).into_owned());
                }
                return;
            }
            while let Some(line) = decoder.next_line() {
                let line = match line {
                    Ok(line) => String::from_utf8_lossy(&line).into_owned(),
                    Err(err) => format!("({err})"),
                };
                if second.elapsed() >= Duration::from_secs(1) {
                    (second, logged) = (Instant::now(), 0);
                }
                logged += 1;
                if logged <= LOGGED_PER_SECOND {
                    tracing::debug!(plugin.id = %plugin, line = ?line, "Plugin wrote to stderr");
                }
                self.keep(line);
            }
            tokio::task::yield_now().await;
        }
    }

    fn keep(&self, line: String) {
        let mut kept = self.lines.lock().expect("no holder of this lock panics");
        let (lines, bytes) = &mut *kept;
        *bytes += line.len();
        lines.push_back((SystemTime::now(), line));
        while *bytes > self.max_bytes {
            let Some(oldest) = lines.pop_front() else {
                break;
            };
            *bytes -= oldest.1.len();
        }
    }

    /// All lines that are kept, the oldest first; control characters are escaped.
    pub(super) fn lines(&self) -> Vec<LogLine> {
        let kept = self.lines.lock().expect("no holder of this lock panics");
        let lines = kept.0.iter().map(|(time, line)| LogLine {
            time: *time,
            stream: "stderr",
            text: escaped(line),
        });
        lines.collect()
    }

    /// The last `count` lines as the end of a sentence; control characters are escaped. Empty when there are none.
    pub(super) fn quoted(&self, count: usize) -> String {
        let kept = self.lines.lock().expect("no holder of this lock panics");
        let lines = &kept.0;
        if lines.is_empty() {
            return String::new();
        }
        let last = lines.iter().skip(lines.len().saturating_sub(count));
        let escaped = last.map(|(_, line)| escaped(line));
        format!(
            "; its last lines on stderr:\n  {}",
            escaped.collect::<Vec<_>>().join("\n  ")
        )
    }
}

/// The line without anything that a terminal would obey.
fn escaped(line: &str) -> String {
    let escaped = line.escape_debug().to_string();
    escaped.replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn last_words_that_are_still_on_their_way_are_waited_for() {
        let (mut child, stderr) = tokio::io::duplex(64);
        let plugin = "p".parse().expect("an id");
        let tail = Tail::follow(stderr, 200, &plugin, &Supervisor::new());
        let dies = async {
            tokio::task::yield_now().await;
            let written = child.write_all(b"out of cheese").await;
            written.expect("it is read");
            drop(child);
        };
        let bound = Duration::from_secs(5);
        tokio::join!(tail.complete(bound), dies);
        assert!(
            tail.quoted(1).ends_with("out of cheese"),
            "{}",
            tail.quoted(1)
        );
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_within_the_bound_and_escaped() {
        let supervisor = Supervisor::new();
        let text: Vec<u8> = (0..100)
            .flat_map(|n| format!("line {n} \u{1b}[31m\n").into_bytes())
            .collect();
        let tail = Tail::follow(
            std::io::Cursor::new(text),
            200,
            &"p".parse().expect("an id"),
            &supervisor,
        );
        while tail
            .lines
            .lock()
            .expect("fine")
            .0
            .back()
            .is_none_or(|(_, line)| !line.starts_with("line 99"))
        {
            tokio::task::yield_now().await;
        }
        let words = tail.quoted(2);
        assert!(
            words.contains("line 98") && words.ends_with("line 99 \\u{1b}[31m"),
            "{words}"
        );
        assert!(!words.contains('\u{1b}') && !words.contains("line 97"));
        assert!(tail.lines.lock().expect("fine").1 <= 200);
    }
}
