//! What is recorded, as plain rows.

use std::sync::Arc;

use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;
use crate::wire::method::Method;

/// The outcome of a call that is being carried.
pub const OPEN: &str = "open";

/// The outcome of a call whose gateway died while it was carried: whether it had effects is not known.
pub const UNKNOWN: &str = "unknown";

/// A call, as the dispatcher hands it over: nothing in it is computed yet, and cloning what is in it copies no text.
#[derive(Debug, Clone)]
pub struct Call {
    /// The number of the call, of [`Ids`](crate::ledger::ids::Ids).
    pub id: u64,
    /// Milliseconds since 1970 at its begin.
    pub began_ms: u64,
    /// Who called.
    pub principal: Arc<str>,
    /// The id of its session. It is digested before it is written.
    pub session: Option<Arc<str>>,
    /// The incident that the caller says it belongs to.
    pub incident: Option<Box<str>>,
    /// What was asked.
    pub method: Method,
    /// The name of the tool or prompt, or the URI, as the caller wrote it.
    pub subject: Box<str>,
    /// Whose that is.
    pub plugin: Option<PluginId>,
    /// What its plugin runs in.
    pub runtime: Option<&'static str>,
    /// The era of the caller.
    pub era: &'static str,
    /// How long it took, in microseconds; `None` while it is carried.
    pub taken_us: Option<u64>,
    /// What it came to.
    pub outcome: &'static str,
    /// The reason of a fault.
    pub reason: Option<&'static str>,
    /// The arguments as the caller sent them.
    pub arguments: Option<Json>,
    /// The result, where it is to be kept.
    pub result: Option<Json>,
    /// What else is known of it.
    pub marks: Marks,
}

/// What is known of few calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Whether it was answered with what it would have done.
    pub dry_run: bool,
    /// The approval that it had or waits for.
    pub approval: Option<Box<str>>,
    /// The call whose arguments it sends again.
    pub replay_of: Option<u64>,
}

/// A call, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallRow {
    /// The number of the call.
    pub id: u64,
    /// Milliseconds since 1970 at its begin.
    pub began_ms: u64,
    /// Who called.
    pub principal: String,
    /// The beginning of its session's id.
    pub session: Option<String>,
    /// The incident it belongs to.
    pub incident: Option<u64>,
    /// What was asked.
    pub method: String,
    /// The name of the tool or prompt, or the URI.
    pub tool: String,
    /// Whose that is.
    pub plugin: Option<String>,
    /// What its plugin runs in.
    pub runtime: Option<String>,
    /// The era of the caller.
    pub era: String,
    /// How long it took, in microseconds.
    pub taken_us: Option<u64>,
    /// What it came to.
    pub outcome: String,
    /// The reason of a fault.
    pub reason: Option<String>,
    /// SHA-256 of the text of its arguments, in hexadecimal digits.
    pub arguments_sha256: Option<String>,
    /// Whether it was answered with what it would have done.
    pub dry_run: bool,
    /// The approval that it had or waits for.
    pub approval: Option<String>,
    /// The call whose arguments it sends again.
    pub replay_of: Option<u64>,
}

impl CallRow {
    /// Whether it counts as a failure.
    pub fn is_error(&self) -> bool {
        self.outcome != "answered"
    }
}

/// Arguments and result of a call, as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The arguments, a JSON text.
    pub arguments: Option<String>,
    /// The result, a JSON text.
    pub result: Option<String>,
    /// Whether something was left out of the arguments.
    pub redacted: bool,
}

/// Something that happened to a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LifeRow {
    /// Its number, which says when.
    pub id: u64,
    /// Which one.
    pub plugin: String,
    /// What happened.
    pub event: String,
    /// The state it is in now.
    pub state: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// An access that was denied. Equal ones at nearly the same time are one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DenialRow {
    /// Its number, which says when.
    pub id: u64,
    /// Who wanted it, where that is known.
    pub principal: Option<String>,
    /// What was refused, in one word.
    pub what: String,
    /// The scope that was missing.
    pub scope: Option<String>,
    /// Method and path of the request.
    pub path: Option<String>,
    /// The address it came from.
    pub remote: Option<String>,
    /// How often.
    pub count: u64,
}

/// Calls that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incident {
    /// Its number, which says when it was opened.
    pub id: u64,
    /// What it is about.
    pub title: String,
    /// Milliseconds since 1970 at which it was closed.
    pub closed_ms: Option<u64>,
    /// Who opened it, or whose session it is.
    pub principal: String,
    /// The beginning of the id of its session, where it is one's.
    pub session: Option<String>,
    /// A digest of that id.
    pub session_key: Option<String>,
    /// Whether calls of every principal may belong to it.
    pub shared: bool,
    /// How many calls belong to it.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
}

/// What stands in an incident beside its calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoteRow {
    /// Its number, which says when.
    pub id: u64,
    /// Where it stands.
    pub incident: u64,
    /// `note`, `approval`, `life` or `denied`.
    pub kind: String,
    /// Who did it.
    pub principal: String,
    /// What else is to be said, a JSON object.
    pub data: String,
}

/// Which calls are wanted. What is not said does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Of this tool.
    pub tool: Option<String>,
    /// Of this plugin.
    pub plugin: Option<String>,
    /// Of this principal.
    pub principal: Option<String>,
    /// That came to this.
    pub outcome: Option<String>,
    /// That belong to this incident.
    pub incident: Option<u64>,
    /// From this number on.
    pub since: Option<u64>,
    /// Up to and with this number.
    pub until: Option<u64>,
    /// Of these plugins, or of none.
    pub plugins: Option<Vec<String>>,
}

impl CallFilter {
    /// Whether a call is wanted.
    pub fn wants(&self, call: &CallRow) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|w| w == has);
        let plugin = call.plugin.as_deref();
        is(&self.tool, &call.tool)
            && self
                .plugin
                .as_deref()
                .is_none_or(|wanted| plugin == Some(wanted))
            && is(&self.principal, &call.principal)
            && is(&self.outcome, &call.outcome)
            && (self.incident.is_none() || self.incident == call.incident)
            && self.since.is_none_or(|since| call.id >= since)
            && self.until.is_none_or(|until| call.id <= until)
            && match (&self.plugins, plugin) {
                (Some(seen), Some(plugin)) => seen.iter().any(|id| id == plugin),
                _ => true,
            }
    }
}

/// A part of a list, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What comes before this number.
    pub before: Option<u64>,
    /// So many at the most.
    pub limit: u32,
}
