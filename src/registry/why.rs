//! Why a tool is listed, or why not: the one place that says so, to models, in lists and to operators.

use std::sync::Arc;

use serde::Serialize;

use crate::manifest::Grant;
use crate::manifest::problem::nearest;
use crate::model::caller::{Caller, tools_of};
use crate::model::category::Category;
use crate::model::plugin_id::PluginId;
use crate::registry::Registry;
use crate::registry::catalog::{Catalog, Cause, Entry, Hidden};
use crate::registry::health::HealthReport;
use crate::registry::life::State;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Standing;

/// What there is to be said about a name as a client would call it.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// The name.
    pub tool: String,
    /// Whether a tool is listed under it.
    pub listed: bool,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence.
    pub message: String,
    /// What to do about it, where something can be done.
    pub mend: Option<String>,
    /// A name that is listed and may have been meant.
    pub near: Option<String>,
    /// Whose it is, or would be.
    pub plugin: Option<About>,
    /// What is listed under it.
    pub entry: Option<Listed>,
}

/// Why a tool is listed or not, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is listed.
    Listed,
    /// A rule of `policy` hides it.
    Policy,
    /// It may change something, and only what does not is let through: for all, or for this caller.
    ReadOnly,
    /// The caller lacks the scope for tools of the plugin.
    Scope,
    /// An operator has switched it off.
    Disabled,
    /// The plugin's `expose` hides it.
    Expose,
    /// Its plugin is of a kind whose tools are not for clients.
    Kind,
    /// Another plugin lists a tool of this name.
    Collision,
    /// Its definition is none.
    Definition,
    /// Its plugin was stopped, or waits for the operator to start it.
    Stopped,
    /// What its plugin needs is not there.
    Blocked,
    /// Its plugin may not offer tools.
    NotGranted,
    /// Its plugin failed.
    Failed,
    /// Its plugin is being started.
    Starting,
    /// Its plugin offers other tools.
    NotOffered,
    /// Its plugin was found and is not in the registry.
    NotRegistered,
    /// No plugin is known that it could belong to.
    Unknown,
}

/// The plugin of a tool.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// Its id.
    pub id: String,
    /// The runtime it uses, where that is decided.
    pub runtime: Option<&'static str>,
    /// Where it stands.
    pub state: State,
    /// For how many seconds.
    pub state_seconds: f64,
    /// How it is.
    pub health: Option<HealthReport>,
    /// What is wrong with it, or was, with the last lines that it wrote to stderr where they say more.
    pub error: Option<String>,
}

/// A tool that is listed.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The plugin's own name for it.
    pub own_name: String,
    /// Whether it only looks or also changes things, where that is known.
    pub category: Option<Category>,
    /// The filters that its calls pass, in order.
    pub filters: Vec<PluginId>,
}

impl Registry {
    /// Why no tool of that name is listed, for people and models.
    pub fn why(&self, name: &str, caller: &Caller) -> String {
        self.explain(&self.catalog(), name, caller).message
    }

    /// What can be said about a name in `catalog`. Nothing of plugins that `caller` may not see.
    pub fn explain(&self, catalog: &Catalog, name: &str, caller: &Caller) -> Why {
        if let Some(entry) = catalog.find(name, caller) {
            return listed(entry);
        }
        let near = near(catalog, name, caller);
        if let Some(hidden) = catalog.hidden(caller).find(|hidden| hidden.name == name) {
            let plugins = self.plugins();
            let mut plugins = plugins.iter();
            let plugin = plugins.find(|plugin| *plugin.id() == hidden.plugin);
            return not_listed(name, &hidden, plugin.map(|plugin| &**plugin));
        }
        match self.by_prefix(name, caller) {
            Some(plugin) => Why {
                near: near.clone(),
                ..of_plugin(name, &plugin, near)
            },
            None => {
                let hint = did_you_mean(near.as_deref());
                let message =
                    format!("no plugin offers it{hint}; `tools/list` names those there are");
                Why {
                    near,
                    ..Why::new(name, Reason::Unknown, message)
                }
            }
        }
    }

    /// The plugin that a tool of that name would belong to.
    fn by_prefix(&self, name: &str, caller: &Caller) -> Option<Arc<Plugin>> {
        let plugins = self.plugins();
        let seen = plugins.iter().filter(|plugin| caller.sees(plugin.id()));
        let fits = seen.filter(|plugin| {
            let prefix = plugin.manifest.effective_prefix();
            !prefix.is_empty() && name.starts_with(&prefix)
        });
        let longest = fits.max_by_key(|plugin| plugin.manifest.effective_prefix().len());
        longest.cloned()
    }
}

impl Why {
    /// A tool that is not listed.
    pub fn new(tool: &str, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            tool: tool.to_owned(),
            listed: false,
            reason,
            message: message.into(),
            mend: None,
            near: None,
            plugin: None,
            entry: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

impl About {
    /// A plugin in the registry.
    pub fn of(plugin: &Plugin) -> Self {
        let life = plugin.life.snapshot();
        Self {
            id: plugin.id().to_string(),
            runtime: Some(plugin.runtime.as_str()),
            state: life.state,
            state_seconds: life.in_state.as_secs_f64(),
            health: Some(plugin.health().report(&life)),
            error: life.error,
        }
    }
}

fn listed(entry: &Entry) -> Why {
    let plugin = About::of(&entry.plugin);
    let (id, own) = (&plugin.id, &entry.tool);
    let message = match (plugin.state, &plugin.error) {
        (State::Error | State::Unavailable, Some(error)) => {
            format!("plugin `{id}` lists it, but is in trouble: {error}")
        }
        _ => format!("plugin `{id}` lists it; its own name for it is `{own}`"),
    };
    let filters = entry.filters.iter().map(|filter| filter.id().clone());
    Why {
        listed: true,
        entry: Some(Listed {
            own_name: own.to_string(),
            category: entry.category,
            filters: filters.collect(),
        }),
        plugin: Some(plugin),
        ..Why::new(&entry.name, Reason::Listed, message)
    }
}

fn not_listed(name: &str, hidden: &Hidden, plugin: Option<&Plugin>) -> Why {
    let id = &hidden.plugin;
    let about = plugin.map(About::of);
    let (reason, mend) = match hidden.cause {
        Cause::Policy => (
            Reason::Policy,
            "change `[policy]` in the configuration, or give the tool its `category` in the plugin's `[[tools]]`".to_owned(),
        ),
        Cause::ReadOnly => (
            Reason::ReadOnly,
            "give the tool its `category` in the plugin's `[[tools]]` if it changes nothing, or call with another credential, or without `read_only`".to_owned(),
        ),
        Cause::Scope => (
            Reason::Scope,
            format!("give the credential the scope `{}`", tools_of(id)),
        ),
        Cause::Disabled => (
            Reason::Disabled,
            format!("switch it on: `PUT /api/plugins/{name}/toggle` with `{{\"enabled\": true}}`"),
        ),
        Cause::Expose => (
            Reason::Expose,
            format!("change `plugins.{id}.expose` in the configuration"),
        ),
        Cause::Collision => (
            Reason::Collision,
            format!("give one of the two another name: `plugins.{id}.prefix`, or `expose.rename` there"),
        ),
        Cause::Definition => {
            let mend = "the plugin must define it otherwise; `toolgate plugins test` says more";
            (Reason::Definition, mend.to_owned())
        }
        Cause::Kind => {
            return Why {
                plugin: about,
                ..Why::new(name, Reason::Kind, hidden.sentence())
            };
        }
        Cause::Grant => {
            let mend = plugin.map(grant_tools).unwrap_or_default();
            (Reason::NotGranted, mend)
        }
        Cause::Closed => plugin.map_or_else(|| (Reason::Stopped, start(id)), closed),
    };
    Why {
        mend: Some(mend),
        plugin: about,
        ..Why::new(name, reason, hidden.sentence())
    }
}

/// Why nothing is listed of a plugin that is closed, and what to do about it.
fn closed(plugin: &Plugin) -> (Reason, String) {
    let id = plugin.id();
    match plugin.life.state() {
        State::Loaded | State::Stopped | State::Stopping => (Reason::Stopped, start(id)),
        _ if !plugin.may(Grant::Tools) => (Reason::NotGranted, grant_tools(plugin)),
        _ => {
            let mend = "start what it needs; `toolgate doctor` names what is missing";
            (Reason::Blocked, mend.to_owned())
        }
    }
}

fn grant_tools(plugin: &Plugin) -> String {
    match plugin.manifest.requests.contains(&Grant::Tools) {
        true => format!(
            "grant it: add `TOOLS` to `plugins.{}.grants` in the configuration",
            plugin.id()
        ),
        false => "add `TOOLS` to `requests` of its manifest".to_owned(),
    }
}

fn start(id: &PluginId) -> String {
    format!("`toolgate plugins start {id}`")
}

/// About a tool that would belong to the plugin, and is not among what it offers as far as is known.
fn of_plugin(name: &str, plugin: &Plugin, near: Option<String>) -> Why {
    let id = plugin.id();
    let about = About::of(plugin);
    let why = if let Some(why) = plugin.closed() {
        let (reason, mend) = closed(plugin);
        Why::new(name, reason, format!("plugin `{id}` is not there: {why}")).mend(mend)
    } else if let Some(why) = plugin.withheld() {
        let message = format!("plugin `{id}` may offer no tools: {why}");
        Why::new(name, Reason::NotGranted, message).mend(grant_tools(plugin))
    } else {
        match plugin.pool.standing() {
            Standing::Failed(why) => Why::new(name, Reason::Failed, why).mend(try_again(id)),
            Standing::Starting => Why::new(
                name,
                Reason::Starting,
                format!("plugin `{id}` is being started"),
            ),
            Standing::Idle | Standing::Active | Standing::Stopped => {
                let hint = did_you_mean(near.as_deref());
                let message = format!("plugin `{id}` offers no such tool{hint}");
                Why::new(name, Reason::NotOffered, message)
            }
        }
    };
    Why {
        plugin: Some(about),
        ..why
    }
}

/// What to do about a plugin that failed.
pub fn try_again(id: &PluginId) -> String {
    format!("mend what it complains of, then `toolgate plugins start {id}`")
}

/// The listed name that may have been meant: the one of a tool whose own name this is, or one that is written alike.
fn near(catalog: &Catalog, name: &str, caller: &Caller) -> Option<String> {
    let mut entries = catalog.entries(caller);
    if let Some(entry) = entries.find(|entry| *entry.tool == *name) {
        return Some(entry.name.to_string());
    }
    let names = catalog.entries(caller).map(|entry| &*entry.name);
    nearest(name, names).map(str::to_owned)
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
