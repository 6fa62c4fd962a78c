//! What is listed, as one snapshot: a reader keeps the one it took, whatever happens meanwhile.

pub mod conduct;

mod definition;

mod hidden;

mod merged;

pub mod offer;

pub mod page;

pub mod shelf;

mod sight;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;

use crate::manifest::Kind;
use crate::metrics::Metrics;
use crate::metrics::calls::ToolNumbers;
use crate::model::caller::{Caller, Sight};
use crate::model::category::Category;
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::conduct::Conduct;
pub use crate::registry::catalog::hidden::{Cause, Hidden};
pub use crate::registry::catalog::offer::{Offer, Offers};
use crate::registry::catalog::shelf::{Item, Shelf};
use crate::registry::kinds;
use crate::registry::naming::{Alphabet, listed_name, unruled_name};
use crate::registry::plugin::Plugin;
use crate::registry::rules::Rules;
use crate::runtime::{Definition, Surface};
use crate::schema::Schema;
use crate::schema::defaults::Defaults;
use crate::wire::header::ParamHeader;
use crate::wire::json::Json;
use crate::wire::list::ListKind;

/// Why a tool is not listed that an operator has switched off.
const SWITCHED_OFF: &str = "an operator has switched it off";

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
    /// The same with the argument that names a session, where that is declared.
    pub(super) with_handle: Option<Json>,
    /// How long one call may take, in milliseconds.
    pub timeout_ms: u64,
    /// Whether it only looks or also changes things, where that is known.
    pub category: Option<Category>,
    /// How its calls are carried out.
    pub conduct: Conduct,
    /// The arguments that modern clients mirror into headers.
    pub param_headers: Vec<ParamHeader>,
    /// The filters that its calls pass, in order.
    pub filters: Vec<Arc<Plugin>>,
    numbers: OnceLock<Arc<ToolNumbers>>,
    /// Whether it is not listed, and only its own plugin's routes and the like call it.
    pub withheld: bool,
    input_schema: Json,
    compiled: OnceLock<Result<Schema, String>>,
    defaults: OnceLock<Option<Defaults>>,
}

/// All that is listed at one moment.
#[derive(Debug, Default)]
pub struct Catalog {
    /// What each plugin offered, in order, as far as that was known.
    offers: Offers,
    by_name: HashMap<Arc<str>, Arc<Entry>>,
    in_order: Vec<Arc<Entry>>,
    /// Tools that are not listed and that their plugins' own routes may call all the same.
    withheld: Vec<Arc<Entry>>,
    prompts: Shelf,
    resources: Shelf,
    templates: Shelf,
    hidden: Vec<Hidden>,
    /// The tools that would be listed if they were not switched off.
    switched_off: Vec<Arc<Entry>>,
    /// The filters, in order.
    filters: Vec<Arc<Plugin>>,
    /// What filters and notifiers may need before they can be asked.
    behind_filters: BTreeSet<PluginId>,
    kept: Mutex<HashMap<KeptKey, Bytes>>,
}

/// What was made, and for which callers.
type KeptKey = (&'static str, Sight);

impl Catalog {
    /// Takes in what the plugins offer, in their order. Whoever comes second with a name is the newcomer and is hidden.
    pub fn of(offers: Offers, alphabet: Alphabet, rules: &Rules) -> Self {
        let plugins: Vec<&Arc<Plugin>> = offers.iter().map(|offer| &offer.plugin).collect();
        let manifests: Vec<_> = plugins.iter().map(|plugin| &*plugin.manifest).collect();
        let filters = kinds::in_order(&plugins, Kind::Filter, |plugin| &plugin.manifest);
        let mut catalog = Self {
            filters: filters.into_iter().copied().cloned().collect(),
            behind_filters: kinds::behind_filters(&manifests),
            ..Self::default()
        };
        let mut taken = HashMap::new();
        for offer in &offers {
            let plugin = &offer.plugin;
            match (&offer.closed, offer.listed()) {
                (None, Some(surface)) => {
                    catalog.shelve(plugin, surface);
                    catalog.take_tools(plugin, surface, (alphabet, rules), &mut taken);
                }
                (None, None) => {
                    let surface = offer.known.as_ref().unwrap_or(plugin.declared());
                    catalog.take_tools(plugin, surface, (alphabet, rules), &mut taken);
                }
                (Some(why), _) => catalog.hide_tools(offer, why, alphabet),
            }
        }
        catalog.offers = offers;
        catalog
    }

    /// Notes why the tools of a plugin that is closed are not listed.
    fn hide_tools(&mut self, offer: &Offer, reason: &str, alphabet: Alphabet) {
        let manifest = &offer.plugin.manifest;
        let surface = offer.known.as_ref().unwrap_or(offer.plugin.declared());
        let tools = surface.list(ListKind::Tools).definitions.iter();
        self.hidden.extend(tools.map(|tool| {
            Hidden {
                name: listed_name(manifest, &tool.name, alphabet)
                    .unwrap_or_else(|_| unruled_name(manifest, &tool.name, alphabet)),
                plugin: manifest.id.clone(),
                cause: Cause::Closed,
                reason: reason.to_owned(),
            }
        }));
    }

    /// Takes in prompts, resources and templates.
    fn shelve(&mut self, plugin: &Arc<Plugin>, surface: &Surface) {
        let shelves = [
            (ListKind::Prompts, &mut self.prompts),
            (ListKind::Resources, &mut self.resources),
            (ListKind::ResourceTemplates, &mut self.templates),
        ];
        for (kind, shelf) in shelves {
            let hidden = shelf.take_in(kind, plugin, surface.list(kind));
            for hidden in &hidden {
                let (id, name) = (&hidden.plugin, &hidden.name);
                tracing::info!(plugin.id = %id, name = ?name, "Does not list a {}: {}", kind.noun(), hidden.reason);
            }
            self.hidden.extend(hidden);
        }
    }

    fn take_tools(
        &mut self,
        plugin: &Arc<Plugin>,
        surface: &Surface,
        (alphabet, rules): (Alphabet, &Rules),
        taken: &mut HashMap<String, PluginId>,
    ) {
        let id = &plugin.manifest.id;
        let listing = surface.list(ListKind::Tools);
        self.hidden
            .extend(listing.omitted.iter().map(|omitted| Hidden {
                name: omitted.name.clone(),
                plugin: id.clone(),
                cause: Cause::Definition,
                reason: omitted.reason.clone(),
            }));
        for tool in &listing.definitions {
            let entry = match listed_name(&plugin.manifest, &tool.name, alphabet) {
                Err(why) => {
                    let is_ruled = plugin.manifest.expose.listed_name(&tool.name).is_none();
                    let cause = [Cause::Definition, Cause::Expose][usize::from(is_ruled)];
                    Err((
                        unruled_name(&plugin.manifest, &tool.name, alphabet),
                        cause,
                        why,
                    ))
                }
                Ok(name) => match taken.get(&name.to_lowercase()) {
                    // Names that differ only in case are one name to many clients.
                    Some(first) => {
                        let why = format!("plugin `{first}` lists a tool of this name");
                        Err((name, Cause::Collision, why))
                    }
                    None => definition::entry(plugin, tool, &name, (&self.resources, rules))
                        .map_err(|why| (name, Cause::Definition, why)),
                },
            };
            let entry = entry.and_then(|entry| {
                if let Some(why) = plugin.withheld() {
                    return Err((entry.name.to_string(), Cause::Grant, why.to_owned()));
                }
                let by_kind = kinds::hides(&plugin.manifest, &tool.name);
                let by_rule = || rules.refuse(&entry.name, entry.category);
                let hidden = by_kind.map(|why| (Cause::Kind, why));
                match hidden.or_else(by_rule) {
                    Some((cause, why)) => Err((entry.name.to_string(), cause, why)),
                    None if rules.switches.is_off(&entry.name) => {
                        let name = entry.name.to_string();
                        taken.insert(name.to_lowercase(), id.clone());
                        self.switched_off.push(Arc::new(entry));
                        Err((name, Cause::Disabled, SWITCHED_OFF.to_owned()))
                    }
                    None => Ok(entry),
                }
            });
            match entry {
                Ok(mut entry) => {
                    entry.filters = self.filters_of(id, &tool.name);
                    taken.insert(entry.name.to_lowercase(), id.clone());
                    let entry = Arc::new(entry);
                    self.by_name
                        .insert(Arc::clone(&entry.name), Arc::clone(&entry));
                    self.in_order.push(entry);
                }
                Err((name, cause, reason)) => {
                    tracing::info!(plugin.id = %id, tool.name = ?name, "Does not list a tool: {reason}");
                    self.withhold((plugin, tool), &name, cause, rules);
                    let plugin = id.clone();
                    self.hidden.push(Hidden {
                        name,
                        plugin,
                        cause,
                        reason,
                    });
                }
            }
        }
    }

    fn filters_of(&self, plugin: &PluginId, tool: &str) -> Vec<Arc<Plugin>> {
        let applies = |filter: &&Arc<Plugin>| filter.manifest.filter.applies_to(plugin, tool);
        self.filters.iter().filter(applies).cloned().collect()
    }

    /// Keeps a tool that is not listed for its plugin's own routes and the like, unless the operator's policy or its
    /// definition is what speaks against it.
    fn withhold(
        &mut self,
        (plugin, tool): (&Arc<Plugin>, &Definition),
        name: &str,
        cause: Cause,
        rules: &Rules,
    ) {
        match cause {
            Cause::Policy
            | Cause::ReadOnly
            | Cause::Scope
            | Cause::Disabled
            | Cause::Definition
            | Cause::Closed => return,
            Cause::Expose | Cause::Kind | Cause::Collision | Cause::Grant => {}
        }
        let Ok(mut entry) = definition::entry(plugin, tool, name, (&self.resources, rules)) else {
            return;
        };
        if rules.refuse(&entry.name, entry.category).is_none() {
            entry.filters = self.filters_of(plugin.id(), &tool.name);
            entry.withheld = true;
            self.withheld.push(Arc::new(entry));
        }
    }

    /// What it was made from.
    pub(super) fn made_of(&self) -> &Offers {
        &self.offers
    }

    /// Whether it was made from just these offers: the same ones, not only equal ones.
    pub fn is_made_of(&self, offers: &Offers) -> bool {
        let mut pairs = self.offers.iter().zip(offers);
        self.offers.len() == offers.len() && pairs.all(|(one, other)| one.is(other))
    }

    /// The tool that the plugin knows by that name, if it is listed.
    pub fn tool_of(&self, plugin: &PluginId, tool: &str) -> Option<&Arc<Entry>> {
        let mut entries = self.in_order.iter();
        entries.find(|entry| *entry.tool == *tool && entry.plugin.manifest.id == *plugin)
    }

    /// The same, whether it is listed or not: for what the plugin itself has called. `None` where there is no such tool,
    /// or the operator's policy is against it.
    pub fn own_tool(&self, plugin: &PluginId, tool: &str) -> Option<&Arc<Entry>> {
        let mut withheld = self.withheld.iter();
        self.tool_of(plugin, tool).or_else(|| {
            withheld.find(|entry| *entry.tool == *tool && entry.plugin.manifest.id == *plugin)
        })
    }

    /// Whether filters or notifiers may wait for this plugin to start, so that they must not be asked about what it calls
    /// meanwhile, nor told of it.
    pub fn is_behind_filters(&self, plugin: &PluginId) -> bool {
        self.behind_filters.contains(plugin)
    }

    /// The prompt of that name, if `caller` may see it.
    pub fn find_prompt(&self, name: &str, caller: &Caller) -> Option<&Arc<Item>> {
        self.prompts.find(name, caller)
    }

    /// The resource of that URI that is listed, if `caller` may see it.
    pub fn find_resource(&self, uri: &str, caller: &Caller) -> Option<&Arc<Item>> {
        self.resources.find(uri, caller)
    }

    /// The template that is written like this, if `caller` may see it.
    pub fn find_template(&self, template: &str, caller: &Caller) -> Option<&Arc<Item>> {
        self.templates.find(template, caller)
    }

    /// The first template that `uri` fits and `caller` may see.
    pub fn fitting_template<'a>(&'a self, uri: &str, caller: &'a Caller) -> Option<&'a Arc<Item>> {
        let mut seen = self.templates.items(caller);
        seen.find(|item| item.fits(uri))
    }

    /// The plugins that `caller` may see, with what they offer as far as that is known.
    pub fn offers<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> impl Iterator<Item = (&'a Arc<Plugin>, Option<&'a Arc<Surface>>)> {
        let open = self.offers.iter().filter(|offer| offer.is_open());
        open.filter(|offer| caller.sees(offer.plugin.id()))
            .map(|offer| (&offer.plugin, offer.known.as_ref()))
    }

    /// The text `what` about this catalog for callers that see the same as `caller`; made at first use. The lock
    /// is not held meanwhile: two that come at the same time both make it.
    pub fn kept(
        &self,
        what: &'static str,
        caller: &Caller,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Bytes {
        let key = (what, caller.sight());
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

    /// How many tools are listed.
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether no tool is listed.
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

    /// Where its calls are counted; looked up once.
    pub fn numbers(&self, metrics: &Metrics) -> &Arc<ToolNumbers> {
        let of_tool = || metrics.calls.of_tool(self.plugin.id().as_str(), &self.name);
        self.numbers.get_or_init(of_tool)
    }

    /// The defaults that its schema gives, where they are filled in.
    pub fn defaults(&self) -> Option<&Defaults> {
        if !self.conduct.fills_defaults {
            return None;
        }
        let found = self
            .defaults
            .get_or_init(|| Defaults::of(&self.input_schema));
        found.as_ref()
    }

    /// The schema of its arguments as text.
    pub fn input_schema(&self) -> &Json {
        &self.input_schema
    }
}
