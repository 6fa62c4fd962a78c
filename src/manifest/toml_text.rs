//! TOML text into a document, keys in the order of the text.

use serde_json::Number;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::manifest::document::{Entry, Lines, Node, Table, Value};
use crate::manifest::problem::{Problem, Problems};

/// Reads TOML. Every syntax error is reported, none quotes the text around it.
pub fn read(text: &str, lines: &Lines<'_>) -> Result<Node, Problems> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let place = lines.place(error.span().map_or(0, |span| span.start));
            Problem::at(&place, &[], format!("not valid TOML: {}", error.message()))
        })
        .collect();
    let mut reader = Reader {
        lines,
        problems: &mut problems,
    };
    let table = reader.table(root.get_ref());
    if problems.is_empty() {
        Ok(Node::new(lines.place(0), Value::Table(table)))
    } else {
        Err(Problems(problems))
    }
}

struct Reader<'a> {
    lines: &'a Lines<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>) -> Table {
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        keys.into_iter()
            .map(|(key, value)| {
                let place = self.lines.place(key.span().start);
                let node = self.node(value.span().start, value.get_ref());
                (key.get_ref().to_string(), Entry { key: place, node })
            })
            .collect()
    }

    fn node(&mut self, offset: usize, value: &DeValue<'_>) -> Node {
        let place = self.lines.place(offset);
        let value = match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => self.number(offset, integer(number)),
            DeValue::Float(number) => self.number(
                offset,
                number.as_str().parse().ok().and_then(Number::from_f64),
            ),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.node(item.span().start, item.get_ref()))
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node::new(place, value)
    }

    fn number(&mut self, offset: usize, number: Option<Number>) -> Value {
        number.map(Value::Number).unwrap_or_else(|| {
            let place = self.lines.place(offset);
            self.problems
                .push(Problem::at(&place, &[], "this number is out of range"));
            Value::Null
        })
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Number> {
    let (text, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(text, radix).map(Number::from);
    signed
        .or_else(|_| u64::from_str_radix(text, radix).map(Number::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::document::Format;

    fn errors(text: &str) -> String {
        Node::parse(Format::Toml, text, Some(Path::new("x.toml")))
            .expect_err("is wrong")
            .to_string()
    }

    #[test]
    fn keys_keep_their_order_and_place() {
        let node = Node::parse(
            Format::Toml,
            "z = 0x1F\n[b]\na = 1.5\n\n[a]\nb = 1979-05-27\n",
            None,
        )
        .expect("valid");
        let keys: Vec<_> = node
            .as_table()
            .expect("a table")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["z", "b", "a"]);
        let place = node.place_of(&["a".into(), "b".into()]);
        assert_eq!((place.line, place.column), (6, 1));
    }

    #[test]
    fn every_syntax_error_is_reported_without_its_text() {
        let text = errors("a = \nb = 'secret\nc = 1\nc = 2\n");
        assert!(!text.contains("secret"), "{text}");
        assert!(
            text.contains("x.toml:1:") && text.contains("x.toml:2:"),
            "{text}"
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(errors("a = inf").contains("x.toml:1:5: this number is out of range"));
        assert!(errors("a = 99999999999999999999999").contains("out of range"));
    }
}
