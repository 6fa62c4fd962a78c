//! What is listed, as one snapshot: a reader keeps the one it took, whatever happens meanwhile.

mod definition;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use serde::Serialize;

use crate::manifest::expose::Category;
use crate::model::caller::Caller;
use crate::model::plugin_id::PluginId;
use crate::registry::naming::{Alphabet, listed_name};
use crate::registry::plugin::Plugin;
use crate::registry::rules::Rules;
use crate::schema::Schema;
use crate::wire::header::ParamHeader;
use crate::wire::json::Json;
use crate::wire::revision::Era;

/// How long a modern client may take a list for fresh, in milliseconds; changes are told to those that listen.
const LIST_TTL_MS: u64 = 5_000;

/// The most texts about a catalog that are kept ready.
const MAX_KEPT: usize = 64;

/// One tool that is listed.
#[derive(Debug)]
pub struct Entry {
    /// The name it is listed under.
    pub name: Arc<str>,
    /// The plugin's own name for it.
    pub tool: Arc<str>,
    /// The plugin's own name as JSON, as it goes into a call.
    pub tool_json: Json,
    /// Whose it is.
    pub plugin: Arc<Plugin>,
    /// The definition as it is listed.
    pub definition: Json,
    /// How long one call may take, in milliseconds.
    pub timeout_ms: u64,
    /// Whether it only looks or also changes things, where that is known.
    pub category: Option<Category>,
    /// The arguments that modern clients mirror into headers.
    pub param_headers: Vec<ParamHeader>,
    input_schema: Json,
    compiled: OnceLock<Result<Schema, String>>,
}

/// A tool that is not listed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// The name it would be listed under, or the plugin's own where it has none.
    pub name: String,
    /// Whose it is.
    pub plugin: PluginId,
    /// Why, in a sentence.
    pub reason: String,
}

/// All tools at one moment.
#[derive(Debug, Default)]
pub struct Catalog {
    by_name: HashMap<Arc<str>, Arc<Entry>>,
    in_order: Vec<Arc<Entry>>,
    hidden: Vec<Hidden>,
    kept: Mutex<HashMap<KeptKey, Bytes>>,
}

/// What was made, and for the callers of which plugins.
type KeptKey = (&'static str, Option<Arc<[PluginId]>>);

impl Catalog {
    /// Takes in what the plugins offer, in their order. Whoever comes second with a name is the newcomer and is hidden.
    pub fn of(plugins: &[Arc<Plugin>], alphabet: Alphabet, rules: &Rules) -> Self {
        let mut catalog = Self::default();
        let mut taken = HashMap::new();
        for plugin in plugins {
            catalog.take_in(plugin, (alphabet, rules), &mut taken);
        }
        catalog
    }

    fn take_in(
        &mut self,
        plugin: &Arc<Plugin>,
        (alphabet, rules): (Alphabet, &Rules),
        taken: &mut HashMap<String, PluginId>,
    ) {
        let surface = plugin.surface();
        let id = &plugin.manifest.id;
        let hide = |name: &str, reason: String| Hidden {
            name: name.to_owned(),
            plugin: id.clone(),
            reason,
        };
        self.hidden.extend(
            surface
                .omitted
                .iter()
                .map(|omitted| hide(&omitted.name, omitted.reason.clone())),
        );
        for tool in &surface.tools {
            let entry = match listed_name(&plugin.manifest, &tool.name, alphabet) {
                Err(why) => Err((tool.name.to_string(), why)),
                Ok(name) => match taken.get(&name.to_lowercase()) {
                    // Names that differ only in case are one name to many clients.
                    Some(first) => {
                        Err((name, format!("plugin `{first}` lists a tool of this name")))
                    }
                    None => definition::entry(plugin, tool, &name).map_err(|why| (name, why)),
                },
            };
            let entry = entry.and_then(|entry| match rules.refuse(&entry.name, entry.category) {
                Some(why) => Err((entry.name.to_string(), why)),
                None => Ok(entry),
            });
            match entry {
                Ok(entry) => {
                    taken.insert(entry.name.to_lowercase(), id.clone());
                    let entry = Arc::new(entry);
                    self.by_name
                        .insert(Arc::clone(&entry.name), Arc::clone(&entry));
                    self.in_order.push(entry);
                }
                Err((name, reason)) => {
                    tracing::info!(plugin.id = %id, tool.name = ?name, "Does not list a tool: {reason}");
                    self.hidden.push(hide(&name, reason));
                }
            }
        }
    }

    /// The tool of that name, if `caller` may see it.
    pub fn find(&self, name: &str, caller: &Caller) -> Option<&Arc<Entry>> {
        self.by_name
            .get(name)
            .filter(|entry| caller.sees(&entry.plugin.manifest.id))
    }

    /// The tools that `caller` may see, in their stable order.
    pub fn entries<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.in_order
            .iter()
            .filter(|entry| caller.sees(&entry.plugin.manifest.id))
    }

    /// The tools that are not listed, of plugins that `caller` may see.
    pub fn hidden<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Hidden> {
        self.hidden
            .iter()
            .filter(|hidden| caller.sees(&hidden.plugin))
    }

    /// The result of `tools/list`. Made once per era and group of callers.
    pub fn list(&self, caller: &Caller, era: Era) -> Bytes {
        self.kept(era.as_str(), caller, || self.write_list(caller, era))
    }

    /// The text `what` about this catalog for callers that see the same plugins as `caller`; made at first use. The lock
    /// is not held meanwhile: two that come at the same time both make it.
    pub fn kept(
        &self,
        what: &'static str,
        caller: &Caller,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Bytes {
        let key = (what, caller.plugins.clone());
        let kept = || self.kept.lock().expect("no holder of this lock panics");
        if let Some(text) = kept().get(&key) {
            return text.clone();
        }
        let text = Bytes::from(make());
        let mut kept = kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key, text.clone());
        text
    }

    fn write_list(&self, caller: &Caller, era: Era) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(br#"{"tools":["#);
        for (at, entry) in self.entries(caller).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(entry.definition.bytes());
        }
        out.push(b']');
        if era == Era::Modern {
            // Who may see what depends on the credential, so no one may keep a list for others.
            let hints =
                format!(r#","resultType":"complete","ttlMs":{LIST_TTL_MS},"cacheScope":"private""#);
            out.extend_from_slice(hints.as_bytes());
        }
        out.push(b'}');
        out
    }

    /// Whether both leave out the same, for the same reasons.
    pub fn hides_same_as(&self, other: &Self) -> bool {
        self.hidden == other.hidden
    }

    /// Whether both list the same to everyone.
    pub fn same_as(&self, other: &Self) -> bool {
        let definitions = |catalog: &Self| {
            catalog
                .in_order
                .iter()
                .map(|entry| entry.definition.clone())
                .collect::<Vec<_>>()
        };
        definitions(self) == definitions(other)
    }

    /// How many tools are listed.
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }
}

impl Entry {
    /// The schema of its arguments, compiled at first use; or why it is none.
    pub fn schema(&self) -> Result<&Schema, &str> {
        let compiled = self
            .compiled
            .get_or_init(|| Schema::compile(&self.input_schema));
        compiled.as_ref().map_err(String::as_str)
    }

    /// The schema of its arguments as text.
    pub fn input_schema(&self) -> &Json {
        &self.input_schema
    }
}
