//! The only place that prints.

use std::borrow::Cow;
use std::io::Write;

use crate::model::text::{cut, flat};

/// Prints a line for whoever called the command. A closed output is not worth an error.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{}", plain(text)).is_ok() {
        out.flush().ok();
    }
}

/// Prints a line about what went wrong, or about what goes on while standard output is for something else.
pub(super) fn complain(text: &str) {
    writeln!(std::io::stderr().lock(), "{}", plain(text)).ok();
}

/// The text without anything that a terminal would obey: what it quotes may be anyone's. JSON stays the JSON it is.
fn plain(text: &str) -> Cow<'_, str> {
    let is_suspect = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_suspect) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_suspect(c) {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// A cell is one line.
fn cell(text: &str) -> String {
    text.replace('\n', "\\n").replace('\t', " ")
}

/// Prints rows under headings, each column as wide as it needs to be.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|text| plain(&cell(text)).into_owned())
                .collect()
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([headings[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    say(&line(&mut headings.iter().copied()));
    for row in &rows {
        say(&line(&mut row.iter().map(String::as_str)));
    }
}

/// Prints a value as JSON.
pub(super) fn say_json(value: &serde_json::Value) {
    say(&serde_json::to_string_pretty(value).expect("values have string keys"));
}

/// A span of time for people: `12 s`, `3 min`, `5 h`, `2 d`.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6_000.0 => format!("{:.0} min", s / 60.0),
        s if s < 360_000.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// A number of bytes for people: `12 KiB`, `3.4 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const KIB: f64 = 1024.0;
    match count as f64 {
        b if b < 10.0 * KIB => format!("{b:.0} B"),
        b if b < KIB * KIB => format!("{:.0} KiB", b / KIB),
        b if b < KIB * KIB * KIB => format!("{:.1} MiB", b / (KIB * KIB)),
        b => format!("{:.1} GiB", b / (KIB * KIB * KIB)),
    }
}

/// A text on one line without control characters, cut after `max` characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let words = flat(text);
    match words.chars().count() > max {
        true => cut(words, max - 1),
        false => words,
    }
}
