//! What carries values from a foreign document to a native one and keeps book of what it could not carry.

use crate::manifest::document::{Entry, Node, Table, Value};
use crate::manifest::import::identity::{native_id, native_version};
use crate::manifest::import::{ForeignFormat, Imported, Refused, Unrunnable, in_usual_order};
use crate::manifest::problem::{Place, Problem, Problems};
use crate::model::plugin_id::PluginId;

/// What stands in the kept original instead of a secret.
const MASK: &str = "***";

/// One import on its way. Paths name values of the foreign document, below `above`.
pub(crate) struct Carry<'d> {
    pub(crate) format: ForeignFormat,
    whole: &'d Node,
    root: &'d Node,
    above: Vec<String>,
    out: Node,
    notes: Vec<Problem>,
    problems: Vec<Problem>,
    unrunnable: Option<Unrunnable>,
    secrets: Vec<Vec<String>>,
}

impl<'d> Carry<'d> {
    pub(crate) fn new(format: ForeignFormat, whole: &'d Node) -> Self {
        Self {
            format,
            whole,
            root: whole,
            above: Vec::new(),
            out: Node::table_at(whole.place.clone()),
            notes: Vec::new(),
            problems: Vec::new(),
            unrunnable: None,
            secrets: Vec::new(),
        }
    }

    /// Reads from the table `key` of the document from now on, if there is one.
    pub(crate) fn descend(&mut self, key: &str) {
        if let Some(table) = self
            .root
            .get(key)
            .filter(|table| table.as_table().is_some())
        {
            self.root = table;
            self.above.push(key.to_owned());
        }
    }

    /// The value at `path`. `null` is as good as nothing.
    pub(crate) fn node(&self, path: &[&str]) -> Option<&'d Node> {
        let found = path
            .iter()
            .try_fold(self.root, |node, step| node.step(step));
        found.filter(|node| !matches!(node.value, Value::Null))
    }

    pub(crate) fn has(&self, path: &[&str]) -> bool {
        self.node(path).is_some()
    }

    /// The first of `paths` that has a value.
    pub(crate) fn first<'p>(&self, paths: &[&'p [&'p str]]) -> Option<&'p [&'p str]> {
        paths.iter().copied().find(|path| self.has(path))
    }

    pub(crate) fn text(&mut self, path: &[&str]) -> Option<&'d str> {
        let node = self.node(path)?;
        let text = node.as_str();
        self.expect(text, path, "a text")
    }

    pub(crate) fn flag(&mut self, path: &[&str]) -> Option<bool> {
        let flag = match self.node(path)?.value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        };
        self.expect(flag, path, "true or false")
    }

    /// A whole number; written as a text it counts too.
    pub(crate) fn whole(&mut self, path: &[&str]) -> Option<i64> {
        let number = match &self.node(path)?.value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        self.expect(number, path, "a whole number")
    }

    /// A time in seconds above 0, as milliseconds.
    pub(crate) fn seconds(&mut self, path: &[&str]) -> Option<u64> {
        let seconds = match &self.node(path)?.value {
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        let fits = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 2_592_000.0);
        let seconds = self.expect(fits, path, "a number of seconds above 0")?;
        // In range, so neither sign nor digits get lost.
        Some(((seconds * 1000.0).round() as u64).max(1))
    }

    pub(crate) fn table(&mut self, path: &[&str]) -> Option<&'d Table> {
        let table = self.node(path)?.as_table();
        self.expect(table, path, "a table")
    }

    /// A list of texts, each with its place.
    pub(crate) fn texts(&mut self, path: &[&str]) -> Option<Vec<(&'d str, &'d Place)>> {
        let node = self.node(path)?;
        let texts = match &node.value {
            Value::Array(items) => items
                .iter()
                .map(|item| Some((item.as_str()?, &item.place)))
                .collect(),
            _ => None,
        };
        self.expect(texts, path, "a list of texts")
    }

    fn expect<T>(&mut self, value: Option<T>, path: &[&str], what: &str) -> Option<T> {
        if value.is_none() {
            self.problem(path, format!("expected {what}"), None);
        }
        value
    }

    /// Sets a value of the native document, for the foreign value at `from`.
    pub(crate) fn put(&mut self, native: &[&str], value: Value, from: &[&str]) {
        let steps = self.steps(from);
        let place = self.whole.place_of(&steps).clone();
        let Some((last, above)) = native.split_last() else {
            return;
        };
        let mut table = &mut self.out;
        for step in above {
            if table.get(step).and_then(Node::as_table).is_none() {
                set(table, step, Node::table_at(place.clone()));
            }
            match table.as_table_mut().and_then(|keys| keys.get_mut(*step)) {
                Some(entry) => table = &mut entry.node,
                None => return,
            }
        }
        set(table, last, Node::new(place, value));
    }

    pub(crate) fn put_text(&mut self, native: &[&str], text: impl Into<String>, from: &[&str]) {
        self.put(native, Value::String(text.into()), from);
    }

    pub(crate) fn put_number(&mut self, native: &[&str], number: u64, from: &[&str]) {
        self.put(native, Value::Number(number.into()), from);
    }

    pub(crate) fn put_texts(&mut self, native: &[&str], texts: Vec<String>, from: &[&str]) {
        let place = self.whole.place_of(&self.steps(from)).clone();
        let item = |text| Node::new(place.clone(), Value::String(text));
        self.put(
            native,
            Value::Array(texts.into_iter().map(item).collect()),
            from,
        );
    }

    /// Puts the foreign value itself, with all that is in it.
    pub(crate) fn put_same(&mut self, native: &[&str], from: &[&str]) {
        if let Some(node) = self.node(from) {
            self.put(native, node.value.clone(), from);
        }
    }

    /// What has been carried to `key` of the native document so far: one text or several.
    pub(crate) fn carried(&self, key: &str) -> Vec<&str> {
        match self.out.get(key).map(|node| &node.value) {
            Some(Value::Array(items)) => items.iter().filter_map(Node::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    /// Says what was changed or left behind.
    pub(crate) fn note(&mut self, path: &[&str], message: impl Into<String>, mend: Option<&str>) {
        let note = self.at(path, message.into(), mend);
        self.notes.push(note);
    }

    /// Says what is plainly wrong.
    pub(crate) fn problem(
        &mut self,
        path: &[&str],
        message: impl Into<String>,
        mend: Option<&str>,
    ) {
        let problem = self.at(path, message.into(), mend);
        self.problems.push(problem);
    }

    fn at(&self, path: &[&str], message: String, mend: Option<&str>) -> Problem {
        let steps = self.steps(path);
        let mut problem = Problem::at(self.whole.place_of(&steps), &steps, message);
        problem.mend = mend.map(str::to_owned);
        problem
    }

    fn steps(&self, path: &[&str]) -> Vec<String> {
        let below = path.iter().map(|step| (*step).to_owned());
        self.above.iter().cloned().chain(below).collect()
    }

    /// Has the text at `path` masked in the original that is kept.
    pub(crate) fn secret(&mut self, path: &[&str]) {
        let steps = self.steps(path);
        self.secrets.push(steps);
    }

    /// The id, from the text at `path`. It must be there.
    pub(crate) fn id(&mut self, path: &[&str]) -> Option<PluginId> {
        if !self.has(path) {
            self.missing(path);
            return None;
        }
        let text = self.text(path)?;
        let id = self.foreign_id(text, path)?;
        self.put_text(&["id"], id.as_str(), path);
        Some(id)
    }

    /// The native id for a foreign one; a change is noted.
    pub(crate) fn foreign_id(&mut self, text: &str, path: &[&str]) -> Option<PluginId> {
        match native_id(text) {
            Ok(id) => {
                if id.as_str() != text {
                    let mend = "use the new id in the configuration and in `depends_on`";
                    self.note(path, format!("the id `{text}` becomes `{id}`"), Some(mend));
                }
                Some(id)
            }
            Err(error) => {
                self.problem(path, error.to_string(), Some("give it an id of that form"));
                None
            }
        }
    }

    /// The version, from the text at `path`; without one it is `0.0.0`.
    pub(crate) fn version(&mut self, path: &[&str]) {
        if !self.has(path) {
            let message = "it says no version of its own: `0.0.0` stands in for it";
            self.note(path, message, Some("write `version` when there is one"));
            self.put_text(&["version"], "0.0.0", path);
            return;
        }
        let Some(text) = self.text(path) else {
            return;
        };
        match native_version(text) {
            Some(version) => {
                if version != text {
                    self.note(
                        path,
                        format!("the version `{text}` becomes `{version}`"),
                        None,
                    );
                }
                self.put_text(&["version"], version, path);
            }
            None => self.problem(
                path,
                format!("`{text}` is not a version such as `1.2.0`"),
                Some("write three numbers with dots between (SemVer)"),
            ),
        }
    }

    /// Name and description. A `${` in them is text here and no variable.
    pub(crate) fn wording(&mut self, keys: &[&str]) {
        for key in keys {
            if let Some(text) = self.text(&[key]) {
                self.put_text(&[key], text.replace("${", "$${"), &[key]);
            }
        }
    }

    /// The list of ids at `path` into `depends_on`.
    pub(crate) fn depends_on(&mut self, path: &[&str]) {
        let Some(texts) = self.texts(path) else {
            return;
        };
        let mut ids: Vec<String> = Vec::new();
        for (index, (text, _)) in texts.into_iter().enumerate() {
            let index = index.to_string();
            let at: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
            ids.extend(self.foreign_id(text, &at).map(|id| id.to_string()));
        }
        if !ids.is_empty() {
            self.put_texts(&["depends_on"], ids, path);
        }
    }

    pub(crate) fn missing(&mut self, path: &[&str]) {
        let key = path.last().copied().unwrap_or_default();
        self.problem(path, format!("missing key `{key}`"), None);
    }

    /// Notes every key that is not among `known`.
    pub(crate) fn note_unknown(&mut self, table: &[&str], known: &[&str]) {
        let Some(keys) = self.node(table).and_then(Node::as_table) else {
            return;
        };
        let unknown = keys.keys().filter(|key| !known.contains(&key.as_str()));
        for key in unknown {
            let path: Vec<&str> = table.iter().copied().chain([key.as_str()]).collect();
            let message = format!("`{key}` says nothing to toolgate and is only kept as metadata");
            self.note(&path, message, None);
        }
    }

    /// Says that the code at `path` cannot run here, and how to begin with a program that can.
    pub(crate) fn cannot_run(&mut self, path: &[&str], message: String, suggestion: &[&str]) {
        self.put_text(&["runtime"], "mcp_stdio", path);
        let id = self.out.get("id").and_then(Node::as_str).unwrap_or("ID");
        // TOML takes a dot for the end of a key.
        let quote = if id.contains('.') { "\"" } else { "" };
        let mend = format!(
            "make it a program that speaks MCP on its standard streams, and name that as `command` in `[mcp_stdio]` of a `plugin.toml` (`toolgate manifest import` prints one), or in `[plugins.{quote}{id}{quote}.mcp_stdio]` of the configuration"
        );
        self.unrunnable = Some(Unrunnable {
            problem: self.at(path, message, Some(&mend)),
            suggestion: suggestion.iter().map(|word| (*word).to_owned()).collect(),
        });
    }

    /// The import, with the original in its metadata.
    pub(crate) fn finish(mut self) -> Result<Imported, Refused> {
        if !self.problems.is_empty() {
            let id = self.out.get("id").and_then(Node::as_str);
            return Err(Refused {
                id: id.and_then(|id| id.parse().ok()),
                problems: Problems(self.problems),
            });
        }
        let mut original = self.whole.clone();
        for path in &self.secrets {
            mask(&mut original, path);
        }
        self.above.clear();
        self.put_text(
            &["metadata", "imported", "format"],
            self.format.as_str(),
            &[],
        );
        self.put(&["metadata", "imported", "original"], original.value, &[]);
        in_usual_order(&mut self.out);
        Ok(Imported {
            format: self.format,
            document: self.out,
            notes: self.notes,
            unrunnable: self.unrunnable,
        })
    }
}

fn set(table: &mut Node, key: &str, node: Node) {
    let entry = Entry {
        key: node.place.clone(),
        node,
    };
    if let Some(keys) = table.as_table_mut() {
        keys.insert(key.to_owned(), entry);
    }
}

fn mask(node: &mut Node, path: &[String]) {
    match (path.split_first(), &mut node.value) {
        (None, value) => *value = Value::String(MASK.into()),
        (Some((step, below)), Value::Table(table)) => {
            if let Some(entry) = table.get_mut(step) {
                mask(&mut entry.node, below);
            }
        }
        (Some(_), _) => {}
    }
}
