//! What plugins wrote beside the protocol.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::control::Control;
use crate::control::error::ControlError;
use crate::plugin::utc;

/// One line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it was read, in UTC, as RFC 3339 writes it.
    pub time: String,
    /// Where it came from: `stderr`.
    pub stream: &'static str,
    /// The line, control characters escaped.
    pub text: String,
}

impl Control {
    /// The last `limit` lines of a plugin that are kept, the oldest first; also of processes that have ended.
    pub fn logs(&self, id: &str, limit: usize) -> Result<Vec<Line>, ControlError> {
        let kept = self.named(id)?.pool.log_lines();
        let over = kept.len().saturating_sub(limit);
        let lines = kept.into_iter().skip(over).map(|line| Line {
            time: utc(line.time.duration_since(UNIX_EPOCH).unwrap_or_default()),
            stream: line.stream,
            text: line.text,
        });
        Ok(lines.collect())
    }
}
