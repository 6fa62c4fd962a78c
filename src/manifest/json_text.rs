//! JSON text into a document, with the comments and trailing commas that editors allow in their settings.

use crate::manifest::document::{Entry, Lines, Node, Table, Value};
use crate::manifest::problem::{Problem, Problems};

/// How deep a document may be nested.
const MAX_DEPTH: usize = 128;

/// Reads JSON. The first syntax error ends it; a key that stands twice is an error.
pub fn read(text: &str, lines: &Lines<'_>) -> Result<Node, Problems> {
    let mut reader = Reader { text, at: 0, lines };
    let result = reader.node(0).and_then(|node| {
        reader.blank()?;
        match reader.peek() {
            None => Ok(node),
            Some(_) => Err(reader.wrong(reader.at, "text after the end of the document")),
        }
    });
    result.map_err(|problem| Problems(vec![problem]))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    lines: &'t Lines<'t>,
}

impl Reader<'_> {
    fn node(&mut self, depth: usize) -> Result<Node, Problem> {
        self.blank()?;
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(self.wrong(start, "nested deeper than 128 levels"));
        }
        let value = match self.peek() {
            Some(b'{') => Value::Table(self.table(depth)?),
            Some(b'[') => Value::Array(self.array(depth)?),
            Some(b'"') => Value::String(self.string()?),
            Some(_) => self.word()?,
            None => return Err(self.wrong(start, "the text ends where a value is expected")),
        };
        Ok(Node::new(self.lines.place(start), value))
    }

    fn table(&mut self, depth: usize) -> Result<Table, Problem> {
        let mut table = Table::new();
        self.at += 1;
        loop {
            self.blank()?;
            let start = self.at;
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') => {}
                _ => return Err(self.wrong(start, "expected a key in quotes, or `}`")),
            }
            let key = self.string()?;
            self.blank()?;
            if self.peek() != Some(b':') {
                return Err(self.wrong(self.at, "expected `:` after the key"));
            }
            self.at += 1;
            let entry = Entry {
                node: self.node(depth + 1)?,
                key: self.lines.place(start),
            };
            if table.insert(key.clone(), entry).is_some() {
                return Err(self.wrong(start, format!("the key `{key}` stands here a second time")));
            }
            if !self.comma(b'}')? {
                break;
            }
        }
        self.at += 1;
        Ok(table)
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.blank()?;
            if self.peek() == Some(b']') {
                break;
            }
            items.push(self.node(depth + 1)?);
            if !self.comma(b']')? {
                break;
            }
        }
        self.at += 1;
        Ok(items)
    }

    /// Whether another item may follow; stops in front of `end` otherwise.
    fn comma(&mut self, end: u8) -> Result<bool, Problem> {
        self.blank()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => Ok(false),
            _ => Err(self.wrong(self.at, format!("expected `,` or `{}`", char::from(end)))),
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if byte == b'"' {
                let text = serde_json::from_slice(&bytes[start..self.at]);
                return text.map_err(|_| {
                    self.wrong(
                        start,
                        "not a valid text: a bad escape or a control character",
                    )
                });
            }
        }
        Err(self.wrong(start, "this text has no closing quote"))
    }

    fn word(&mut self) -> Result<Value, Problem> {
        let start = self.at;
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        self.at += self.text.as_bytes()[start..]
            .iter()
            .take_while(|byte| inside(byte))
            .count();
        match &self.text[start..self.at] {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            word => serde_json::from_str(word).map(Value::Number).map_err(|_| {
                self.wrong(
                    start,
                    "expected a value: text in quotes, number, true, false, null, list or table",
                )
            }),
        }
    }

    /// Steps over white space and comments.
    fn blank(&mut self) -> Result<(), Problem> {
        loop {
            let rest = &self.text[self.at..];
            let white = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.at += white;
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest
                    .find("*/")
                    .ok_or_else(|| self.wrong(self.at, "this comment has no end"))?;
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, offset: usize, message: impl std::fmt::Display) -> Problem {
        Problem::at(
            &self.lines.place(offset),
            &[],
            format!("not valid JSON: {message}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::document::Format;

    fn check(text: &str, expect: Result<&str, &str>) {
        match Node::parse(Format::Json, text, None) {
            Ok(node) => {
                let plain = crate::manifest::decode::decode::<serde_json::Value>(&node)
                    .value
                    .expect("any value fits");
                assert_eq!(Ok(plain.to_string().as_str()), expect, "{text}");
            }
            Err(problems) => assert_eq!(Err(problems.to_string().as_str()), expect, "{text}"),
        }
    }

    #[test]
    fn json_as_editors_write_it() {
        check("\u{feff}{}", Ok("{}"));
        check(
            "// top\n{ \"a\": [1, -2.5e3, \"x\\u0041\\\"\",], /* in */ \"b\": {\"c\": null, \"d\": true,}, }\n// end",
            Ok(r#"{"a":[1,-2500.0,"xA\""],"b":{"c":null,"d":true}}"#),
        );
        check(r#"{"url": "http://x//y"}"#, Ok(r#"{"url":"http://x//y"}"#));
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        check(
            "{\n  \"a\": 1\n  \"b\": 2\n}",
            Err("line 3, column 3: not valid JSON: expected `,` or `}`"),
        );
        check(
            "{\"a\": 1, \"a\": 2}",
            Err("line 1, column 10: not valid JSON: the key `a` stands here a second time"),
        );
        check(
            "{\"a\": ",
            Err("line 1, column 7: not valid JSON: the text ends where a value is expected"),
        );
        check(
            "{\"a\": \"b\\",
            Err("line 1, column 7: not valid JSON: this text has no closing quote"),
        );
        check(
            "{\"a\": \"\\ud800\"}",
            Err(
                "line 1, column 7: not valid JSON: not a valid text: a bad escape or a control character",
            ),
        );
        check(
            "{} {}",
            Err("line 1, column 4: not valid JSON: text after the end of the document"),
        );
        check(
            "{a: 1}",
            Err("line 1, column 2: not valid JSON: expected a key in quotes, or `}`"),
        );
        check(
            "[]",
            Err("line 1, column 1: the document must be a table of keys"),
        );
        check(
            "{/*",
            Err("line 1, column 2: not valid JSON: this comment has no end"),
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = format!("{{\"a\": {}", "[".repeat(100_000));
        assert!(Node::parse(Format::Json, &text, None).is_err());
    }
}
