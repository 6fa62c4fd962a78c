//! Servers as assistants and editors write them (`mcpServers`, or `servers` in VS Code), turned into plugins.
//!
//! These files belong to other programs: keys that only those understand are passed over.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::env::Env;
use crate::config::plugin_entry::PluginEntry;
use crate::manifest::document::{Entry, Node, Table, Value};
use crate::manifest::problem::{Place, Problem};
use crate::model::plugin_id::PluginId;

/// Where the servers stand, the first that exists counts.
const PLACES: [&[&str]; 3] = [&["mcpServers"], &["servers"], &["mcp", "servers"]];

/// Keys that change nothing about how the server is reached.
const PASSED_OVER: [&str; 15] = [
    "alwaysAllow",
    "autoApprove",
    "autoStart",
    "dev",
    "disabledTools",
    "excludeTools",
    "gallery",
    "icon",
    "includeTools",
    "initTimeout",
    "oauth",
    "timeout",
    "tools",
    "trust",
    "version",
];

/// Takes the table of servers out of a document, with its path.
pub fn take_servers(root: &mut Node) -> Option<(Vec<String>, Table)> {
    let place = PLACES.iter().find(|place| {
        let path: Vec<String> = place.iter().map(|step| (*step).to_owned()).collect();
        root.lookup(&path)
            .is_some_and(|node| node.as_table().is_some())
    })?;
    let (last, above) = place.split_last()?;
    let mut node = root;
    for step in above {
        node = &mut node.as_table_mut()?.get_mut(*step)?.node;
    }
    match node.take(last)?.node.value {
        Value::Table(table) => Some((place.iter().map(|step| (*step).to_owned()).collect(), table)),
        _ => None,
    }
}

/// Whether `take_servers` would find something.
pub fn has_servers(root: &Node) -> bool {
    take_servers(&mut root.clone()).is_some()
}

/// The words editors fill in, for a file at `file`.
pub fn editor_words(file: &Path, env: &Env) -> BTreeMap<&'static str, String> {
    let mut folder = file.parent().unwrap_or(file);
    if folder
        .file_name()
        .is_some_and(|name| name == ".vscode" || name == ".cursor")
    {
        folder = folder.parent().unwrap_or(folder);
    }
    let text = |path: &Path| path.display().to_string();
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let separator = std::path::MAIN_SEPARATOR_STR.to_owned();
    let mut words = BTreeMap::from([
        ("workspaceFolder", text(folder)),
        ("workspaceFolderBasename", name),
        ("cwd", text(env.cwd())),
        ("pathSeparator", separator.clone()),
        ("/", separator),
    ]);
    if let Some(home) = env.get("HOME").or_else(|| env.get("USERPROFILE")) {
        words.insert("userHome", home.to_owned());
    }
    words
}

/// The plugin id for a server's name: lower case, other characters as `-`.
pub fn id_of(name: &str) -> Option<PluginId> {
    let mut id = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '_' | '.' => id.push(c),
            _ if id.ends_with('-') => {}
            _ => id.push('-'),
        }
    }
    let id: String = id
        .trim_matches(['-', '_', '.'])
        .chars()
        .take(crate::model::plugin_id::MAX_LEN)
        .collect();
    id.parse().ok()
}

/// How long such a server may take to start, in milliseconds: it is often fetched by `npx` or `uvx` at that moment.
const START_TIMEOUT_MS: u64 = 60_000;

/// The variables that assistants hand down to the servers they start. The packages that were fetched before are found
/// by `HOME`.
const HANDED_DOWN: [&str; 5] = ["HOME", "LOGNAME", "SHELL", "TERM", "USER"];

/// Whether the file says that this server is not to be used.
pub fn is_disabled(server: &Node) -> bool {
    let says = |key: &str, word: bool| matches!(server.get(key), Some(Node { value: Value::Bool(b), .. }) if *b == word);
    says("disabled", true) || says("enabled", false)
}

/// Turns one server, variables filled in, into a plugin. `path` leads to it. What is ignored is added to `notes`.
pub fn read_server(
    name: &str,
    entry: Entry,
    path: &[String],
    notes: &mut Vec<Problem>,
) -> Result<PluginEntry, Vec<Problem>> {
    let place = entry.key.clone();
    let wrong = |message: &str| vec![Problem::at(&place, path, message)];
    let id = id_of(name)
        .ok_or_else(|| wrong("no plugin id can be made of this name: it has no letter or digit"))?;
    if entry.node.as_table().is_none() {
        return Err(wrong("expected a table with `command` or `url`"));
    }
    let enabled = !is_disabled(&entry.node);
    let mut server = Server {
        place: &place,
        path,
        node: entry.node,
        notes,
    };
    let overrides = server.manifest(name, &id)?;
    server.note_rest();
    Ok(PluginEntry {
        id,
        enabled,
        grants: None,
        overrides,
        place: place.clone(),
        path: path.to_vec(),
    })
}

struct Server<'a> {
    place: &'a Place,
    path: &'a [String],
    node: Node,
    notes: &'a mut Vec<Problem>,
}

impl Server<'_> {
    fn manifest(&mut self, name: &str, id: &PluginId) -> Result<Node, Vec<Problem>> {
        let transport = self.take(&["type", "transport"]);
        let transport = transport
            .as_ref()
            .and_then(Node::as_str)
            .unwrap_or_default()
            .to_owned();
        let command = self.take(&["command"]);
        let url = self.take(&["url", "httpUrl", "serverUrl"]);
        let (kind, section) = match (command, url) {
            (Some(command), None) => ("mcp_stdio", self.stdio(command)?),
            (None, Some(_)) if transport == "sse" => {
                let mend = "give the server's streamable HTTP address and `\"type\": \"http\"`";
                return Err(vec![
                    self.wrong(&["type"], "the old SSE transport is not supported")
                        .mend(mend),
                ]);
            }
            (None, Some(url)) => ("mcp_http", self.http(url)),
            (Some(_), Some(_)) => {
                return Err(vec![self.wrong(&[], "both `command` and `url` are given")]);
            }
            (None, None) => {
                return Err(vec![
                    self.wrong(&[], "neither `command` nor `url` is given"),
                ]);
            }
        };
        let mut manifest = Node::table_at(self.place.clone());
        manifest.put("id", Value::String(id.to_string()));
        manifest.put("name", Value::String(name.to_owned()));
        manifest.put("version", Value::String("0.0.0".into()));
        manifest.put("runtime", Value::String(kind.into()));
        self.move_into(&mut manifest, "description", "description");
        manifest.put(kind, section.value);
        let mut limits = Node::table_at(self.place.clone());
        limits.put("start_timeout_ms", Value::Number(START_TIMEOUT_MS.into()));
        manifest.put("limits", limits.value);
        Ok(manifest)
    }

    fn stdio(&mut self, command: Node) -> Result<Node, Vec<Problem>> {
        let mut section = Node::table_at(self.place.clone());
        let mut words = vec![command];
        match self.take(&["args"]).map(|args| args.value) {
            None | Some(Value::Null) => {}
            Some(Value::Array(args)) => words.extend(args),
            Some(_) => return Err(vec![self.wrong(&["args"], "expected a list of texts")]),
        }
        section.put("command", Value::Array(words));
        self.move_into(&mut section, "env", "env");
        if let Some(env) = section
            .as_table_mut()
            .and_then(|table| table.get_mut("env"))
        {
            as_texts(&mut env.node);
        }
        let names =
            HANDED_DOWN.map(|name| Node::new(self.place.clone(), Value::String(name.to_owned())));
        section.put("env_passthrough", Value::Array(names.into()));
        self.move_into(&mut section, "cwd", "cwd");
        if self.take(&["envFile"]).is_some() {
            let mend = "set its variables in the environment and name them in `env`";
            self.notes
                .push(self.wrong(&["envFile"], "`envFile` is not read").mend(mend));
        }
        Ok(section)
    }

    fn http(&mut self, url: Node) -> Node {
        let mut section = Node::table_at(self.place.clone());
        if let Some(table) = section.as_table_mut() {
            table.insert(
                "url".into(),
                Entry {
                    key: url.place.clone(),
                    node: url,
                },
            );
        }
        self.move_into(&mut section, "headers", "headers");
        // Whoever wrote this address for an assistant has decided to send the headers there.
        section.put("allow_plain_http", Value::Bool(true));
        section
    }

    fn note_rest(&mut self) {
        let known = |key: &str| PASSED_OVER.contains(&key) || key == "disabled" || key == "enabled";
        let Some(table) = self.node.as_table() else {
            return;
        };
        for (key, entry) in table.iter().filter(|(key, _)| !known(key)) {
            let path: Vec<String> = self.path.iter().cloned().chain([key.clone()]).collect();
            self.notes.push(Problem::at(
                &entry.key,
                &path,
                format!("`{key}` is not known here and is ignored"),
            ));
        }
    }

    fn take(&mut self, keys: &[&str]) -> Option<Node> {
        keys.iter()
            .find_map(|key| self.node.take(key))
            .map(|entry| entry.node)
    }

    fn move_into(&mut self, target: &mut Node, from: &str, to: &str) {
        if let Some(entry) = self.node.take(from)
            && !matches!(entry.node.value, Value::Null)
            && let Some(table) = target.as_table_mut()
        {
            table.insert(to.to_owned(), entry);
        }
    }

    fn wrong(&self, keys: &[&str], message: &str) -> Problem {
        let steps = keys.iter().map(|key| (*key).to_owned());
        let path: Vec<String> = self.path.iter().cloned().chain(steps).collect();
        Problem::at(self.place, &path, message)
    }
}

/// Numbers and truth values in `env` are meant as texts; null means not set.
fn as_texts(env: &mut Node) {
    let Some(table) = env.as_table_mut() else {
        return;
    };
    table.retain(|_, entry| !matches!(entry.node.value, Value::Null));
    for entry in table.values_mut() {
        let text = match &entry.node.value {
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => continue,
        };
        entry.node.value = Value::String(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_of_names() {
        for (name, expect) in [
            ("github", Some("github")),
            ("My Server (2)", Some("my-server-2")),
            ("@scope/pkg", Some("scope-pkg")),
            ("__x__", Some("x")),
            ("Ünïcode", Some("n-code")),
            ("日本", None),
        ] {
            assert_eq!(id_of(name).as_ref().map(PluginId::as_str), expect, "{name}");
        }
        assert_eq!(
            id_of(&"a".repeat(99)).expect("cut to fit").as_str().len(),
            64
        );
    }
}
