//! One event, one line: whatever a message holds, it neither begins another line nor speaks to a terminal.

use std::fmt::Write as _;
use std::io;

use tracing_subscriber::fmt::MakeWriter;

/// Writes what it is given as one line, control characters escaped.
#[derive(Clone)]
pub(super) struct OneLine<W> {
    inner: W,
    /// Whether colours are let through.
    colours: bool,
}

impl<W> OneLine<W> {
    pub(super) fn new(inner: W, colours: bool) -> Self {
        Self { inner, colours }
    }
}

impl<'a, W: io::Write + Clone + 'a> MakeWriter<'a> for OneLine<W> {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl<W: io::Write> io::Write for OneLine<W> {
    /// `event` is a whole one: the formatter writes each in one piece.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let body = event.strip_suffix(b"\n").unwrap_or(event);
        let has_colours = self.colours && body.contains(&ESCAPE);
        if has_colours || body.iter().any(|byte| is_suspect(*byte)) {
            let text = String::from_utf8_lossy(body);
            let mut line = escaped(&text, self.colours).into_bytes();
            line.push(b'\n');
            self.inner.write_all(&line)?;
        } else {
            self.inner.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

const ESCAPE: u8 = 0x1b;

/// Whether the byte is a control character, or may be part of one beyond ASCII.
fn is_suspect(byte: u8) -> bool {
    byte.is_ascii_control() || byte == 0xc2
}

fn escaped(text: &str, colours: bool) -> String {
    let mut line = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match colours {
            true => colour(rest),
            false => 0,
        };
        if length > 0 {
            line.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => drop(write!(line, "\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    line
}

/// How long the colour is that the text begins with: ESC, `[`, numbers, `m`.
fn colour(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let digits = numbers
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
        .count();
    match numbers.as_bytes().get(digits) {
        Some(b'm') => digits + 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let written = |event: &str, colours| {
            let mut line = OneLine::new(Vec::new(), colours);
            line.write_all(event.as_bytes()).expect("it is memory");
            String::from_utf8(line.inner).expect("UTF-8")
        };
        let plain = "an event with ümlauts \"quoted\"\n";
        assert_eq!(written(plain, false), plain);
        let forged = "a\u{1b}]0;x\u{7}\n{\"level\":\"error\"}\u{9b}2J\r\n";
        let expect = "a\\u001b]0;x\\u0007\\n{\"level\":\"error\"}\\u009b2J\\r\n";
        assert_eq!(written(forged, false), expect);
        assert_eq!(written(forged, true), expect);
        assert_eq!(
            written("\u{1b}[1;32mok\u{1b}[0m\u{1b}[2J\n", true),
            "\u{1b}[1;32mok\u{1b}[0m\\u001b[2J\n"
        );
    }
}
