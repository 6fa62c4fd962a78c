//! What the gateway tells of itself: the log here, spans of calls in `traces`.
//!
//! The log is lines on standard error, written by a thread of its own so that a reader who does not read stops nobody.

pub mod config;

pub(crate) mod traces;

mod one_line;

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use time::OffsetDateTime;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::dispatch::audit::{Audited, Sink};
use crate::ledger::ids::shown;
use crate::metrics::page::Page;
use crate::telemetry::one_line::OneLine;

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

/// The log while it runs. What is still waiting is written when it is dropped.
pub struct Log {
    _guard: WorkerGuard,
    writer: NonBlocking,
    format: Format,
}

/// Begins to log. `filter` is in the words of `tracing-subscriber` (`info`, `toolgate=debug`).
pub fn start(filter: &str, format: Format) -> Result<Log, String> {
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|err| format!("the log filter `{filter}` is malformed: {err}"))?;
    let stderr = std::io::stderr();
    let colours = stderr.is_terminal();
    let builder = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_WAITING);
    let (writer, guard) = builder.finish(stderr);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(OneLine::new(writer.clone(), colours))
        .with_ansi(colours)
        .with_target(false);
    let set = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    set.map_err(|err| err.to_string())?;
    Ok(Log {
        _guard: guard,
        writer,
        format,
    })
}

impl Log {
    /// How many lines were dropped because nobody read fast enough, written as a number.
    pub fn measure(&self) -> impl Fn(&mut Page) + Send + Sync + 'static {
        let dropped = self.writer.error_counter();
        move |page| {
            let help = "Lines of the log that were dropped because nobody read fast enough";
            let count = dropped.dropped_lines() as u64;
            page.counter("toolgate_log_lines_dropped", help, &[], count);
        }
    }

    /// Where audit records go: a line each, at level info under the target `toolgate::audit`.
    pub fn audit(&self) -> Arc<dyn Sink> {
        Arc::new(AuditLines {
            writer: self.writer.clone(),
            format: self.format,
        })
    }
}

/// Audit records as lines of the log. Written by hand: this is on the path of every call, and going through the
/// formatter of `tracing` costs as much as all the rest of a call.
struct AuditLines {
    writer: NonBlocking,
    format: Format,
}

impl Sink for AuditLines {
    fn write(&self, record: &Audited<'_>) {
        if !tracing::enabled!(target: "toolgate::audit", tracing::Level::INFO) {
            return;
        }
        let mut line = Vec::with_capacity(320);
        match self.format {
            Format::Text => text(&mut line, record),
            Format::Json => json(&mut line, record),
        }
        line.push(b'\n');
        // A full queue drops the line; the writer counts those.
        self.writer.clone().write_all(&line).ok();
    }
}

fn text(line: &mut Vec<u8>, record: &Audited<'_>) {
    timestamp(line);
    line.extend_from_slice(b"  INFO Called call=");
    line.extend_from_slice(shown(record.call).as_bytes());
    if record.method == "tools/call" {
        line.extend_from_slice(b" tool.name=");
    } else {
        line.extend_from_slice(b" method=");
        quoted(line, record.method);
        line.extend_from_slice(b" subject=");
    }
    quoted(line, record.subject);
    for (name, value) in [
        (" plugin.id=", record.plugin),
        (" session=", record.session),
        (" reason=", record.reason),
        (" approval=", record.approval),
    ] {
        if let Some(value) = value {
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(value.as_bytes());
        }
    }
    line.extend_from_slice(b" principal=");
    quoted(line, record.principal);
    line.extend_from_slice(b" era=");
    line.extend_from_slice(record.era.as_str().as_bytes());
    line.extend_from_slice(b" outcome=");
    line.extend_from_slice(record.outcome.as_bytes());
    if record.dry_run {
        line.extend_from_slice(b" dry_run=true");
    }
    if record.attempts > 1 {
        line.extend_from_slice(b" attempts=");
        number(line, record.attempts.into());
    }
    line.extend_from_slice(b" duration_us=");
    number(line, record.taken_us);
}

fn json(line: &mut Vec<u8>, record: &Audited<'_>) {
    line.extend_from_slice(b"{\"timestamp\":\"");
    timestamp(line);
    line.extend_from_slice(b"\",\"level\":\"INFO\",\"message\":\"Called\",\"call\":\"");
    line.extend_from_slice(shown(record.call).as_bytes());
    line.push(b'"');
    let (method, key) = match record.method {
        "tools/call" => (None, "tool.name"),
        method => (Some(method), "subject"),
    };
    let texts = [
        ("method", method),
        (key, Some(record.subject)),
        ("plugin.id", record.plugin),
        ("session", record.session),
        ("principal", Some(record.principal)),
        ("era", Some(record.era.as_str())),
        ("outcome", Some(record.outcome)),
        ("reason", record.reason),
        ("approval", record.approval),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            line.extend_from_slice(b",\"");
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(b"\":");
            quoted(line, value);
        }
    }
    if record.dry_run {
        line.extend_from_slice(b",\"dry_run\":true");
    }
    if record.attempts > 1 {
        line.extend_from_slice(b",\"attempts\":");
        number(line, record.attempts.into());
    }
    line.extend_from_slice(b",\"duration_us\":");
    number(line, record.taken_us);
    line.push(b'}');
}

/// A text in quotes, escaped as JSON does, and ASCII only: no line break, no control character, no direction mark.
fn quoted(line: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    line.push(b'"');
    if text.bytes().all(plain) {
        line.extend_from_slice(text.as_bytes());
    } else {
        for unit in text.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if plain(byte) => line.push(byte),
                _ => line.extend_from_slice(format!("\\u{unit:04x}").as_bytes()),
            }
        }
    }
    line.push(b'"');
}

fn number(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

/// The time now, UTC, as RFC 3339 writes it, to the microsecond.
fn timestamp(line: &mut Vec<u8>) {
    line.extend_from_slice(&rfc3339(OffsetDateTime::now_utc()));
}

fn rfc3339(time: OffsetDateTime) -> [u8; 27] {
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    put(&mut text[..4], u32::try_from(time.year()).unwrap_or(0));
    put(&mut text[5..7], u8::from(time.month()).into());
    put(&mut text[8..10], time.day().into());
    put(&mut text[11..13], time.hour().into());
    put(&mut text[14..16], time.minute().into());
    put(&mut text[17..19], time.second().into());
    put(&mut text[20..26], time.microsecond());
    text
}

/// Writes a number in as many digits as there is room for.
fn put(room: &mut [u8], mut number: u32) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_does() {
        let text = |nanos| {
            let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("a time");
            String::from_utf8(rfc3339(time).to_vec()).expect("ASCII")
        };
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        let long = text(1_795_614_509_000_045_999);
        assert_eq!(long, "2026-11-25T13:48:29.000045Z");
    }

    #[test]
    fn a_record_is_one_line_whatever_it_is_called() {
        let record = Audited {
            call: 7,
            method: "tools/call",
            subject: "\u{1b}]0;x\u{7}\n{\"level\":\"error\"}é",
            plugin: None,
            principal: "ann",
            session: Some("0123"),
            era: crate::wire::revision::Era::Legacy,
            outcome: "not_found",
            reason: Some("not_found"),
            taken_us: 12,
            dry_run: true,
            attempts: 3,
            approval: None,
            whole: None,
        };
        let (mut plain, mut object) = (Vec::new(), Vec::new());
        text(&mut plain, &record);
        json(&mut object, &record);
        assert!(
            plain
                .iter()
                .chain(&object)
                .all(|byte| (b' '..=b'~').contains(byte))
        );
        let object: serde_json::Value = serde_json::from_slice(&object).expect("JSON");
        assert_eq!(object["tool.name"], record.subject);
        assert_eq!(object["duration_us"], 12);
        assert_eq!(
            (&object["dry_run"], &object["attempts"]),
            (&true.into(), &3.into())
        );
    }
}
