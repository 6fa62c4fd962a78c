//! Which plugin a request goes to, and under which name it knows what the request is about.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, tasks};
use crate::model::caller::Caller;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::shelf::{Item, SCHEME};
use crate::registry::catalog::{Catalog, Cause, Entry};
use crate::registry::plugin::Plugin;
use crate::registry::pool::Who;
use crate::registry::rules::Denied;
use crate::runtime::{CallContext, Surface};
use crate::wire::json::Json;
use crate::wire::method::Method;

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) plugin: Arc<Plugin>,
    /// The tool, if it is one.
    pub(super) tool: Option<Arc<Entry>>,
    /// The plugin's own name for the subject, where the caller knows it by another.
    pub(super) own: Option<Json>,
    /// Whether no filter is asked.
    pub(super) unfiltered: bool,
}

/// Mostly one.
pub(super) type Addresses = SmallVec<[Address; 1]>;

impl Address {
    fn of_tool(entry: Arc<Entry>) -> Self {
        let renamed = entry.name != entry.tool;
        Self {
            plugin: Arc::clone(&entry.plugin),
            own: renamed.then(|| entry.tool_json.clone()),
            tool: Some(entry),
            unfiltered: false,
        }
    }

    /// Of a call that names the tool as its plugin does.
    pub(super) fn of_call_between(entry: Arc<Entry>, unfiltered: bool) -> Self {
        Self {
            plugin: Arc::clone(&entry.plugin),
            tool: Some(entry),
            own: None,
            unfiltered,
        }
    }

    fn of_item(item: &Item) -> Self {
        Self {
            plugin: Arc::clone(&item.plugin),
            tool: None,
            own: item.is_moved().then(|| item.own_json.clone()),
            unfiltered: false,
        }
    }

    pub(super) fn of_plugin(plugin: &Arc<Plugin>) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            tool: None,
            own: None,
            unfiltered: false,
        }
    }

    /// How long the request may take, in milliseconds.
    pub(super) fn timeout_ms(&self, method: &Method) -> u64 {
        let limits = &self.plugin.manifest.limits;
        match &self.tool {
            Some(entry) => entry.timeout_ms,
            // It waits until its task is done (MCP 2025-11-25, tasks).
            None if method.as_str() == "tasks/result" => limits.max_call_ms,
            None => limits.call_timeout_ms.min(limits.max_call_ms),
        }
    }
}

/// The places in a catalog where `subject` may be at home, the likeliest first. More than one only where no list names
/// it.
fn in_catalog(catalog: &Catalog, subject: &Subject, caller: &Caller) -> Addresses {
    let item = |item: Option<&Arc<Item>>| item.map(|item| Address::of_item(item));
    let found = match subject {
        Subject::Tool(name) => catalog
            .find(name, caller)
            .map(|entry| Address::of_tool(Arc::clone(entry))),
        Subject::Prompt(name) => item(catalog.find_prompt(name, caller)),
        Subject::Template(template) => item(catalog.find_template(template, caller)),
        Subject::Resource(uri) => item(catalog.find_resource(uri, caller))
            .or_else(|| moved(catalog, uri, caller))
            .or_else(|| item(catalog.fitting_template(uri, caller))),
        Subject::Task(_) | Subject::Tasks | Subject::Extension(_) => None,
    };
    found.map_or_else(
        || unlisted(catalog, subject, caller),
        |found| smallvec![found],
    )
}

/// The resource behind a URI that was made here because the plugin's own is taken.
fn moved(catalog: &Catalog, uri: &str, caller: &Caller) -> Option<Address> {
    let (id, own) = uri.strip_prefix(SCHEME)?.split_once('/')?;
    let mut plugins = catalog.offers(caller).map(|(plugin, _)| plugin);
    let plugin = plugins.find(|plugin| plugin.manifest.id.as_str() == id)?;
    Some(Address {
        own: Some(Json::of(own)),
        ..Address::of_plugin(plugin)
    })
}

/// The plugins that may know what none of them lists: resources that tools have linked to, arguments of resources that
/// are no templates, methods of extensions.
fn unlisted(catalog: &Catalog, subject: &Subject, caller: &Caller) -> Addresses {
    let declaring = |declares: &dyn Fn(&Surface) -> bool| {
        let offers = catalog.offers(caller);
        let known = offers.filter_map(|(plugin, surface)| Some((plugin, surface?)));
        known
            .filter(|(_, surface)| declares(surface))
            .map(|(plugin, _)| Address::of_plugin(plugin))
            .collect::<Addresses>()
    };
    match subject {
        Subject::Resource(_) => declaring(&|surface| surface.has("resources")),
        Subject::Template(_) => declaring(&|surface| surface.has("completions")),
        Subject::Tasks => declaring(&|surface| surface.has("tasks")),
        Subject::Extension(method) => {
            let mut named = declaring(&|surface| surface.declares_for(method));
            let others = declaring(&|surface| {
                !surface.declares_for(method)
                    && (surface.has("extensions") || surface.has("experimental"))
            });
            named.extend(others);
            named
        }
        Subject::Tool(_) | Subject::Prompt(_) | Subject::Task(_) => Addresses::new(),
    }
}

impl Dispatcher {
    /// Where a request about `subject` may go as the catalog stands; empty if that does not say. Waits for nothing.
    pub(super) fn listed(&self, subject: &Subject, context: &CallContext) -> Addresses {
        self.registry
            .with_catalog(|catalog| in_catalog(catalog, subject, &context.caller))
    }

    /// Where a request about `subject` may go; never empty.
    pub(super) async fn find(
        &self,
        subject: &Subject,
        context: &CallContext,
    ) -> Result<Addresses, Fault> {
        if let Subject::Task(id) = subject {
            return self
                .of_task(id, &context.caller)
                .map(|plugin| smallvec![plugin]);
        }
        let found = |catalog: &Catalog| in_catalog(catalog, subject, &context.caller);
        if let Some(refused) = self.denied(subject, &context.caller) {
            return Err(refused);
        }
        let known = self.listed(subject, context);
        if !known.is_empty() {
            return Ok(known);
        }
        // A plugin that has just started is known a moment before its tools are listed.
        if self.registry.catch_up() {
            let known = self.registry.with_catalog(found);
            if !known.is_empty() {
                return Ok(known);
            }
        }
        // It may be offered to this client only.
        let known = found(&self.registry.view(&Who::of(context)));
        if !known.is_empty() {
            return Ok(known);
        }
        // It may belong to a plugin that is being started, as a list would wait for.
        if !self.registry.is_settled() {
            self.settled(context).await?;
            let known = found(&self.registry.view(&Who::of(context)));
            if !known.is_empty() {
                return Ok(known);
            }
        }
        // A plugin may have said that its lists are others now, and they are not read yet.
        if self.caught_up(context).await? {
            let known = found(&self.registry.view(&Who::of(context)));
            if !known.is_empty() {
                return Ok(known);
            }
        }
        let woken = match subject {
            Subject::Tool(name) | Subject::Prompt(name) => Box::pin(self.wake(name, context)).await,
            _ => None,
        };
        if let Some(woken) = woken {
            woken?;
            let known = found(&self.registry.view(&Who::of(context)));
            if !known.is_empty() {
                return Ok(known);
            }
        }
        Err(self.unknown(subject, &context.caller))
    }

    fn of_task(&self, id: &str, caller: &Caller) -> Result<Address, Fault> {
        let known = self.tasks.find(id, caller);
        let plugin = known.and_then(|known| {
            let plugins = self.registry.plugins();
            let mut plugins = plugins.iter();
            plugins
                .find(|plugin| plugin.manifest.id == known && caller.sees(&known))
                .map(Address::of_plugin)
        });
        plugin.ok_or_else(|| tasks::unknown(id))
    }

    /// The refusal of a tool that is there, but not for `caller`. Waits for nothing.
    fn denied(&self, subject: &Subject, caller: &Caller) -> Option<Fault> {
        let Subject::Tool(name) = subject else {
            return None;
        };
        self.registry.with_catalog(|catalog| {
            if let Some((entry, why)) = catalog.denied(name, caller) {
                return Some(denied(entry, &why));
            }
            let mut hidden = catalog.hidden(caller);
            let hidden = hidden.find(|hidden| hidden.name == *name)?;
            (hidden.cause == Cause::ReadOnly).then(|| {
                let message = format!("`{name}` is refused: {}", hidden.reason);
                Fault::new(FaultKind::Denied, message).because("read_only")
            })
        })
    }

    /// The fault of a request about something that `caller` cannot see, with the reason if it may know it.
    pub fn unknown(&self, subject: &Subject, caller: &Caller) -> Fault {
        let name = subject.name();
        if let Some(refused) = self.denied(subject, caller) {
            return refused;
        }
        let message = match subject {
            Subject::Tool(_) => {
                let why = self.registry.why(name, caller);
                format!("Unknown tool `{name}`: {why}")
            }
            Subject::Prompt(_) => {
                format!("Unknown prompt `{name}`: `prompts/list` names those there are")
            }
            Subject::Resource(_) => format!("Resource not found: `{name}`"),
            Subject::Template(_) => {
                format!(
                    "Unknown resource template `{name}`: `resources/templates/list` names those there are"
                )
            }
            Subject::Task(_) => return tasks::unknown(name),
            Subject::Tasks => "Method not found: tasks/list".to_owned(),
            Subject::Extension(_) => format!("Method not found: {name}"),
        };
        Fault::new(FaultKind::NotFound, message)
    }
}

/// The refusal of a tool that is there, but not for this caller.
pub(super) fn denied(entry: &Entry, why: &Denied) -> Fault {
    let message = format!("`{}` is refused: {}", entry.name, why.reason());
    match why {
        Denied::Scope(scope) => Fault::lacking(scope, message),
        Denied::ReadOnly => Fault::new(FaultKind::Denied, message).because("read_only"),
    }
}
