//! A document that was read from TOML or JSON: values that know where they stand.
//!
//! Manifests and configs are read into this tree first, so that variables can be filled in, the operator's overrides
//! laid over a manifest, and every problem named with its line, whatever the format was.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Number;

use crate::manifest::problem::{Place, Problem, Problems};
use crate::manifest::{json_text, toml_text};

/// A value and the place where it starts.
#[derive(Clone)]
pub struct Node {
    pub place: Place,
    pub value: Value,
    /// Whether part of it came from the environment: such a text is never shown.
    pub from_env: bool,
}

/// What a document can hold.
#[derive(Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Node>),
    Table(Table),
    /// Stands for a value that was missing or wrong, so that the rest can still be looked at; the number says which
    /// of the harmless stand-ins is in turn.
    Hole(usize),
}

/// Keys in the order of the text.
pub type Table = IndexMap<String, Entry>;

/// One key of a table with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key: Place,
    pub node: Node,
}

/// The two ways to write a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Toml,
    /// JSON; comments and commas before a closing bracket are allowed, as editors write them.
    Json,
}

/// Any text in it may be a secret.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.place.line, self.place.column);
        f.debug_struct("Node")
            .field("line", &line)
            .field("column", &column)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Reads a document. `file` is named in every place of it.
    pub fn parse(
        format: Format,
        text: &str,
        file: Option<&std::path::Path>,
    ) -> Result<Self, Problems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = Lines::new(text, file.map(Arc::from));
        let mut node = match format {
            Format::Toml => toml_text::read(text, &lines)?,
            Format::Json => json_text::read(text, &lines)?,
        };
        // Editors put the address of the schema there.
        node.take("$schema");
        match node.value {
            Value::Table(_) => Ok(node),
            _ => Err(Problems(vec![Problem::at(
                &node.place,
                &[],
                "the document must be a table of keys",
            )])),
        }
    }

    pub fn new(place: Place, value: Value) -> Self {
        Self {
            place,
            value,
            from_env: false,
        }
    }

    /// An empty table standing at `place`.
    pub fn table_at(place: Place) -> Self {
        Self::new(place, Value::Table(Table::new()))
    }

    /// The value as a table, when it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value as a table that can be changed, when it is one.
    pub fn as_table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value as text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a truth value, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The value of `key`, when this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        Some(&self.as_table()?.get(key)?.node)
    }

    /// The value one step down, by key or by index.
    pub fn step(&self, step: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(table) => Some(&table.get(step)?.node),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The value that `path` leads to.
    pub fn lookup(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| node.step(step))
    }

    /// Where `path` stands: its key, else its value, else the nearest one above it that exists.
    pub fn place_of(&self, path: &[String]) -> &Place {
        let Some((last, above)) = path.split_last() else {
            return &self.place;
        };
        match self.lookup(above) {
            Some(Node {
                value: Value::Table(table),
                ..
            }) if table.contains_key(last) => &table[last].key,
            Some(node) => node.step(last).map_or(&node.place, |found| &found.place),
            None => self.place_of(above),
        }
    }

    /// Sets `key` of a table to a text, at the place of the table. Does nothing to other values.
    pub fn put(&mut self, key: &str, value: Value) {
        let place = self.place.clone();
        if let Some(table) = self.as_table_mut() {
            table.insert(
                key.to_owned(),
                Entry {
                    key: place.clone(),
                    node: Self::new(place, value),
                },
            );
        }
    }

    /// Takes `key` out of a table.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        self.as_table_mut()?.shift_remove(key)
    }

    /// Lays `over` on top of this document: tables are joined key by key, lists of tables that have a `name` are
    /// joined by that name, and everything else is replaced.
    pub fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(mine), Value::Table(theirs)) => {
                for (key, entry) in theirs {
                    match mine.get_mut(&key) {
                        Some(old) => {
                            old.key = entry.key;
                            old.node.merge(entry.node);
                        }
                        None => {
                            mine.insert(key, entry);
                        }
                    }
                }
            }
            (Value::Array(mine), Value::Array(theirs)) if all_named(mine) && all_named(&theirs) => {
                for item in theirs {
                    match mine.iter_mut().find(|old| old.name() == item.name()) {
                        Some(old) => old.merge(item),
                        None => mine.push(item),
                    }
                }
            }
            (_, value) => {
                *self = Self {
                    place: over.place,
                    value,
                    from_env: over.from_env,
                }
            }
        }
    }

    fn name(&self) -> Option<&str> {
        self.get("name")?.as_str()
    }
}

fn all_named(items: &[Node]) -> bool {
    items.iter().all(|item| item.name().is_some())
}

/// Turns byte offsets of a text into places.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    file: Option<Arc<std::path::Path>>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str, file: Option<Arc<std::path::Path>>) -> Self {
        let starts =
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        Self {
            text,
            starts: starts.collect(),
            file,
        }
    }

    /// The place of a byte offset; past the end it is the end.
    pub fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let column = self.text[self.starts[line - 1]..offset].chars().count() + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: self.file.clone(),
            line: small(line),
            column: small(column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Node {
        Node::parse(Format::Toml, text, None).expect("test text is valid")
    }

    #[test]
    fn merging_joins_tables_and_named_lists_and_replaces_the_rest() {
        let mut node = toml(
            "a = 1\nl = [1, 2]\n[t]\nx = 1\n[[tools]]\nname = 'p'\nd = 1\n[[tools]]\nname = 'q'",
        );
        node.merge(toml(
            "l = [3]\n[t]\ny = 2\n[[tools]]\nname = 'q'\nd = 5\n[[tools]]\nname = 'r'",
        ));
        let plain = crate::manifest::decode::decode::<serde_json::Value>(&node)
            .value
            .expect("any value fits");
        assert_eq!(
            plain.to_string(),
            r#"{"a":1,"l":[3],"t":{"x":1,"y":2},"tools":[{"name":"p","d":1},{"name":"q","d":5},{"name":"r"}]}"#
        );
    }

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("ä = 1\nöö = 2", None);
        let place = lines.place("ä = 1\nöö".len());
        assert_eq!((place.line, place.column), (2, 3));
    }
}
