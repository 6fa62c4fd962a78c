//! A document into a typed value, with every problem on the way and not only the first.
//!
//! serde stops at the first mistake. Here a mistake is noted and patched: an unknown key is taken out, a missing or
//! wrong value is replaced by a [`Value::Hole`] that reads as something harmless, and the document is read again.
//! A correct document is read once and never copied.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use crate::manifest::document::{Entry, Node, Table, Value};
use crate::manifest::problem::{Problem, Problems, nearest};
use crate::manifest::read_node::{Fault, FaultKind, HOLE_TEXTS};

/// After this many mistakes in one document the rest is not looked at.
const MAX_ROUNDS: usize = 500;

/// What came of reading a document.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The value; where problems were found, with stand-ins in their places. Good for further checks only.
    pub value: Option<T>,
    pub problems: Vec<Problem>,
    /// The paths that problems were already reported for.
    pub blamed: Vec<Vec<String>>,
}

impl<T> Decoded<T> {
    /// The value, unless there is a problem.
    pub fn finish(self) -> Result<T, Problems> {
        match self.value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Problems(self.problems)),
        }
    }
}

/// Reads `node` as a `T`.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Decoded<T> {
    let mut report = Report::new(node, Vec::new());
    let mut patched = Cow::Borrowed(node);
    for _ in 0..MAX_ROUNDS {
        match T::deserialize(&*patched) {
            Ok(value) => return report.decoded(Some(value)),
            Err(fault) => {
                let path = fault.path();
                let message = fault.message(patched.lookup(&path[..path.len().saturating_sub(1)]));
                report.add(&path, message);
                let Some(emptied) = patch(patched.to_mut(), &path, &fault.kind) else {
                    break;
                };
                report.blamed.push(emptied);
            }
        }
    }
    report.decoded(None)
}

/// Collects problems of one document, at most one per value.
#[derive(Debug)]
pub struct Report<'n> {
    root: &'n Node,
    problems: Vec<Problem>,
    blamed: Vec<Vec<String>>,
}

impl<'n> Report<'n> {
    /// A report on `root`; values below the `blamed` paths are not complained about again.
    pub fn new(root: &'n Node, blamed: Vec<Vec<String>>) -> Self {
        Self {
            root,
            problems: Vec::new(),
            blamed,
        }
    }

    /// Notes a problem with the value at `path`, unless that value has one already.
    pub fn add(&mut self, path: &[String], message: impl Into<String>) {
        self.note(path, message.into(), None);
    }

    /// Like [`Report::add`], with what to do about it.
    pub fn add_with_mend(&mut self, path: &[String], message: impl Into<String>, mend: &str) {
        self.note(path, message.into(), Some(mend));
    }

    fn note(&mut self, path: &[String], message: String, mend: Option<&str>) {
        let is_hole = matches!(
            self.root.lookup(path),
            Some(Node {
                value: Value::Hole(_),
                ..
            })
        );
        if is_hole || self.blamed.iter().any(|blamed| path.starts_with(blamed)) {
            return;
        }
        let message = hide_environment(message, self.root.lookup(path));
        let mut problem = Problem::at(self.root.place_of(path), path, message);
        problem.mend = mend.map(str::to_owned);
        self.problems.push(problem);
        self.blamed.push(path.to_vec());
    }

    /// Whether the value at `path`, or part of it, has a problem already.
    pub fn blames(&self, path: &[String]) -> bool {
        self.blamed
            .iter()
            .any(|blamed| blamed.starts_with(path) || path.starts_with(blamed))
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn decoded<T>(self, value: Option<T>) -> Decoded<T> {
        Decoded {
            value,
            problems: self.problems,
            blamed: self.blamed,
        }
    }
}

/// Path steps from texts.
pub fn path<const N: usize>(steps: [&str; N]) -> Vec<String> {
    steps.map(str::to_owned).to_vec()
}

/// The path of an item of a list, or of something in it.
pub fn in_list(list: &[&str], index: usize, inside: &[&str]) -> Vec<String> {
    let index = index.to_string();
    list.iter()
        .chain([&index.as_str()])
        .chain(inside)
        .map(|step| (*step).to_owned())
        .collect()
}

/// A value from the environment may be a secret, so a message never quotes it.
fn hide_environment(message: String, node: Option<&Node>) -> String {
    match node {
        Some(Node {
            from_env: true,
            value: Value::String(text),
            ..
        }) if !text.is_empty() => message.replace(text, "***"),
        _ => message,
    }
}

impl Fault {
    fn message(&self, table: Option<&Node>) -> String {
        match &self.kind {
            FaultKind::UnknownKey { key, valid } => {
                let taken = |word: &&str| table.is_none_or(|table| table.get(word).is_none());
                let free = nearest(key, valid.iter().copied().filter(taken));
                match free.or_else(|| nearest(key, valid.iter().copied())) {
                    Some(word) => format!("unknown key `{key}`; did you mean `{word}`?"),
                    None if valid.is_empty() => format!("unknown key `{key}`"),
                    None => format!("unknown key `{key}`; valid here: {}", valid.join(", ")),
                }
            }
            FaultKind::Missing(key) => format!("missing key `{key}`"),
            FaultKind::BadKey(_, message) | FaultKind::Wrong(message) => message.clone(),
        }
    }
}

/// Makes the document readable past the fault, and tells which value is no longer what was written. `None` when
/// nothing more can be done.
fn patch(root: &mut Node, path: &[String], kind: &FaultKind) -> Option<Vec<String>> {
    let (last, above) = path.split_last()?;
    match kind {
        FaultKind::UnknownKey { .. } | FaultKind::BadKey(..) => {
            descend(root, above)?.take(last)?;
            Some(path.to_vec())
        }
        FaultKind::Missing(_) | FaultKind::Wrong(_) => match descend(root, path) {
            Some(Node {
                value: Value::Hole(turn),
                ..
            }) if *turn + 1 >= HOLE_TEXTS.len() => dig(root, above),
            Some(Node {
                value: Value::Hole(turn),
                ..
            }) => {
                *turn += 1;
                Some(path.to_vec())
            }
            _ => dig(root, path),
        },
    }
}

/// Puts a hole at `path`, which is given back; a hole on the way becomes a table.
fn dig(root: &mut Node, path: &[String]) -> Option<Vec<String>> {
    let (last, above) = path.split_last()?;
    let parent = descend(root, above)?;
    let hole = Node::new(parent.place.clone(), Value::Hole(0));
    if let Value::Hole(_) = parent.value {
        parent.value = Value::Table(Table::new());
    }
    match &mut parent.value {
        Value::Table(table) => {
            table.insert(
                last.clone(),
                Entry {
                    key: hole.place.clone(),
                    node: hole,
                },
            );
        }
        Value::Array(items) => *items.get_mut(last.parse::<usize>().ok()?)? = hole,
        _ => return None,
    }
    Some(path.to_vec())
}

fn descend<'n>(root: &'n mut Node, path: &[String]) -> Option<&'n mut Node> {
    path.iter()
        .try_fold(root, |node, step| match &mut node.value {
            Value::Table(table) => Some(&mut table.get_mut(step)?.node),
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::manifest::document::Format;
    use crate::model::plugin_id::PluginId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Sample {
        id: PluginId,
        color: Color,
        #[serde(default)]
        count: u8,
        inner: Inner,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        map: BTreeMap<PluginId, bool>,
        runtime: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Inner {
        x: u32,
        y: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Color {
        Red,
        Blue,
    }

    fn check(text: &str, expect: &[&str]) {
        let node = Node::parse(Format::Toml, text, None).expect("valid TOML");
        let decoded = decode::<Sample>(&node);
        let found: Vec<String> = decoded
            .problems
            .iter()
            .map(|p| format!("{}:{} {} {}", p.line, p.column, p.path, p.message))
            .collect();
        assert_eq!(found, expect);
        assert!(decoded.value.is_some(), "the rest could be read");
    }

    #[test]
    fn a_correct_document_has_no_problem() {
        check("id = 'a'\ncolor = 'red'\n[inner]\nx = 1\ny = ''", &[]);
    }

    #[test]
    fn every_mistake_is_found_in_one_go() {
        check(
            "rutime = 'x'\ncolor = 'bleu'\ncount = 300\nmap = { 'A B' = true, b = 1 }\nlist = [{x = 1, z = 2}, 7]\n[inner]\nx = 'secret'\nxx = 1",
            &[
                "1:1 /rutime unknown key `rutime`; did you mean `runtime`?",
                "2:1 /color `bleu` is not one of `red`, `blue`; did you mean `blue`?",
                "3:1 /count the number is out of range: a whole number from 0 to 255 is expected",
                "4:9 /map/A B `A B` is not a plugin id: one to 64 characters `a-z 0-9 _ . -`, the first a letter or a digit",
                "4:23 /map/b expected true or false, found a number",
                "5:17 /list/0/z unknown key `z`; did you mean `y`?",
                "5:9 /list/0/y missing key `y`",
                "5:25 /list/1 expected a table, found a number",
                "7:1 /inner/x expected a whole number of 0 or more, found a text",
                "8:1 /inner/xx unknown key `xx`; did you mean `x`?",
                "6:1 /inner/y missing key `y`",
                "1:1 /id missing key `id`",
            ],
        );
    }

    #[test]
    fn missing_everything_is_still_readable() {
        check(
            "",
            &[
                "1:1 /id missing key `id`",
                "1:1 /color missing key `color`",
                "1:1 /inner missing key `inner`",
            ],
        );
    }
}
