//! What is not listed, and why.

use serde::Serialize;

use crate::model::plugin_id::PluginId;

/// A tool, prompt or resource that is not listed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The name it would be listed under, or the plugin's own where it has none.
    pub name: String,
    /// Whose it is.
    pub plugin: PluginId,
    /// What keeps it from being listed.
    pub cause: Cause,
    /// Why, in words that follow a `but`.
    pub reason: String,
}

/// What keeps something from being listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A rule of `policy`.
    Policy,
    /// An operator has switched it off.
    Disabled,
    /// It may change something, and only what does not is let through: for all, or for this caller.
    ReadOnly,
    /// The caller lacks the scope for tools of the plugin.
    Scope,
    /// The plugin's `expose`.
    Expose,
    /// The kind of its plugin.
    Kind,
    /// Another plugin lists something of this name.
    Collision,
    /// Its definition is none: a bad schema, too large, a name that is not for it.
    Definition,
    /// Its plugin is not there.
    Closed,
    /// Its plugin may not offer it.
    Grant,
}

impl Hidden {
    /// Why it is not listed: the one sentence that lists, models and operators are told.
    pub fn sentence(&self) -> String {
        format!("plugin `{}` offers it, but {}", self.plugin, self.reason)
    }
}
