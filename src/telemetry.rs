//! The log: lines on standard error, written by a thread of its own so that a reader who does not read stops nobody.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// The most lines that wait to be written; what comes then is dropped.
const MAX_WAITING: usize = 16_384;

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Begins to log. `filter` is in the words of `tracing-subscriber` (`info`, `toolgate=debug`). What is still waiting is
/// written when the guard is dropped.
pub fn start(filter: &str, format: Format) -> Result<WorkerGuard, String> {
    let filter = EnvFilter::builder().parse(filter).map_err(|err| format!("the log filter `{filter}` is malformed: {err}"))?;
    let stderr = std::io::stderr();
    let colours = stderr.is_terminal();
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_WAITING).finish(stderr);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours).with_target(false);
    let set = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    set.map_err(|err| err.to_string())?;
    Ok(guard)
}
