//! `loki.query`: log lines by LogQL.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::monitoring::backend::Backend;
use crate::builtin::monitoring::moment::{self, Moment};
use crate::plugin::{Clock, ToolError, Worded, utc};

/// The most lines of one answer.
const MAX_LINES: u32 = 1_000;

/// How many lines are asked for where the caller does not say.
const USUAL_LINES: u32 = 100;

/// The most bytes of one line in the text; there are more in the structured content.
const MAX_SHOWN: usize = 500;

/// The most bytes of one line in the structured content.
const MAX_LINE: usize = 16 << 10;

/// The most bytes of all lines together.
const MAX_BYTES: usize = 256 << 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The LogQL expression, such as `{app="shop"} |= "error"`: labels choose streams, what follows filters their lines.
    /// Expressions that count, such as `rate(..)`, are refused.
    #[schemars(length(min = 1, max = 4000))]
    query: String,
    /// From when on: `-1h` (default), `-15m`, RFC 3339, or seconds since 1970.
    #[serde(default)]
    start: Option<Moment>,
    /// Until when: `now` (default), or as `start`.
    #[serde(default)]
    end: Option<Moment>,
    /// At most so many lines.
    #[serde(default = "usual_lines")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// Which lines where there are more: the `newest` or the `oldest`.
    #[serde(default)]
    first: First,
}

fn usual_lines() -> u32 {
    USUAL_LINES
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum First {
    #[default]
    Newest,
    Oldest,
}

/// What came of a query.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Found {
    lines: Vec<Line>,
    omitted: usize,
    may_have_more: bool,
}

/// One line.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Line {
    time: String,
    labels: BTreeMap<String, String>,
    line: String,
    #[serde(skip_serializing_if = "is_zero")]
    cut_bytes: usize,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Stream {
    stream: BTreeMap<String, String>,
    /// Nanoseconds since 1970, and the line; newer versions may add more to each.
    values: Vec<Vec<serde_json::Value>>,
}

/// Asks for lines.
pub(super) async fn query(
    loki: &Backend,
    clock: Clock,
    wanted: Query,
) -> Result<Worded<Found>, ToolError> {
    let now = clock.unix_ms() as f64 / 1_000.0;
    let start = moment::read(wanted.start.as_ref(), "-1h", now)?;
    let end = moment::read(wanted.end.as_ref(), "now", now)?;
    if end <= start {
        return Err(ToolError::new("`end` must be after `start`"));
    }
    let (start, end) = (nanoseconds(start), nanoseconds(end));
    let most = wanted.limit.clamp(1, MAX_LINES);
    let limit = most.to_string();
    let direction = match wanted.first {
        First::Newest => "backward",
        First::Oldest => "forward",
    };
    let asked = [
        ("query", wanted.query.as_str()),
        ("start", &start),
        ("end", &end),
        ("limit", &limit),
        ("direction", direction),
    ];
    let answer: Answer = loki.get("/loki/api/v1/query_range", &asked).await?;
    if answer.data.result_type != "streams" {
        return Err(ToolError::new(
            "the query counts lines instead of giving them: leave out functions such as `rate`, or ask Prometheus",
        ));
    }
    let streams: Vec<Stream> = serde_json::from_value(answer.data.result)?;
    let mut lines = lines_of(streams)?;
    let may_have_more = lines.len() >= most as usize;
    let omitted = bound(&mut lines, wanted.first);
    Ok(worded(Found {
        lines: lines.into_iter().map(|(_, line)| line).collect(),
        omitted,
        may_have_more,
    }))
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn nanoseconds(seconds: f64) -> String {
    format!("{:.0}", seconds * 1e9)
}

/// All lines, by time.
fn lines_of(streams: Vec<Stream>) -> Result<Vec<(u64, Line)>, ToolError> {
    let mut lines = Vec::new();
    for stream in streams {
        for value in stream.values {
            let text = |at: usize| value.get(at).and_then(serde_json::Value::as_str);
            let at = text(0).and_then(|at| at.parse().ok());
            let (Some(at), Some(line)) = (at, text(1)) else {
                return Err(ToolError::new(
                    "Loki answered a line without a time or a text",
                ));
            };
            let kept = &line[..line.floor_char_boundary(MAX_LINE)];
            let line = Line {
                time: utc(Duration::from_nanos(at)),
                labels: stream.stream.clone(),
                line: kept.to_owned(),
                cut_bytes: line.len() - kept.len(),
            };
            lines.push((at, line));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    Ok(lines)
}

/// Leaves out what is more than can be read; how many lines that was. What was asked for first stays.
fn bound(lines: &mut Vec<(u64, Line)>, first: First) -> usize {
    let all = lines.len();
    let mut bytes = 0;
    let mut fits = |line: &(u64, Line)| {
        let labels = line.1.labels.iter();
        let labels: usize = labels
            .map(|(name, value)| name.len() + value.len() + 8)
            .sum();
        bytes += line.1.line.len() + labels + 64;
        bytes <= MAX_BYTES
    };
    match first {
        First::Oldest => {
            let kept = lines.iter().take_while(|line| fits(line)).count();
            lines.truncate(kept);
        }
        First::Newest => {
            let kept = lines.iter().rev().take_while(|line| fits(line)).count();
            lines.drain(..all - kept);
        }
    }
    all - lines.len()
}

fn worded(found: Found) -> Worded<Found> {
    let mut words = String::new();
    if found.lines.is_empty() {
        words.push_str("No lines.");
    }
    for line in &found.lines {
        let shown = shown(&line.line);
        let labels: Vec<String> = line
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.push_str(&format!("{} [{}] {shown}\n", line.time, labels.join(" ")));
    }
    if found.omitted > 0 {
        words.push_str(&format!(
            "… {} lines were left out: they are too much to read at once\n",
            found.omitted
        ));
    } else if found.may_have_more {
        words.push_str("… there may be more lines: ask for a shorter time or a greater limit\n");
    }
    Worded {
        words,
        value: found,
    }
}

/// A line as it can be read: on one line, and not too long.
fn shown(line: &str) -> String {
    let end = line.floor_char_boundary(MAX_SHOWN);
    let flat = line[..end]
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut shown: String = flat.collect();
    if end < line.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, text: &str) -> (u64, Line) {
        let line = Line {
            time: String::new(),
            labels: BTreeMap::new(),
            line: text.to_owned(),
            cut_bytes: 0,
        };
        (at, line)
    }

    #[test]
    fn what_was_asked_for_first_stays() {
        let half = "x".repeat(MAX_BYTES / 2);
        for (first, expect) in [(First::Newest, 3), (First::Oldest, 1)] {
            let mut lines = vec![line(1, &half), line(2, &half), line(3, &half)];
            assert_eq!(bound(&mut lines, first), 2);
            assert_eq!(lines[0].0, expect);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_hides_no_other() {
        let long = "é".repeat(MAX_BYTES);
        let stream = Stream {
            stream: BTreeMap::from([("app".to_owned(), "x".repeat(MAX_BYTES))]),
            values: vec![vec!["1".into(), long.as_str().into()]],
        };
        let mut lines = lines_of(vec![stream]).expect("it is a line");
        assert_eq!(
            (lines[0].1.line.len(), lines[0].1.cut_bytes),
            (MAX_LINE, 2 * MAX_BYTES - MAX_LINE)
        );
        // Labels count as well.
        assert_eq!(bound(&mut lines, First::Newest), 1);
    }

    #[test]
    fn a_line_is_shown_on_one_line() {
        assert_eq!(shown("a\n\u{1b}[1mb"), "a  [1mb");
        let long = shown(&"é".repeat(MAX_SHOWN));
        assert_eq!(long.chars().count(), MAX_SHOWN / 2 + 1);
    }
}
