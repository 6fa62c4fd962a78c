//! Whose tasks are whose: a task is known to the caller that began it, and goes on in the plugin that has it. Those of
//! a plugin that was exchanged are gone, for the one in its place may give the same id to a task of somebody else; except
//! that a remote server goes on with its tasks whoever speaks to it.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::manifest::runtime::RuntimeKind;
use crate::model::answer::Answer;
use crate::model::caller::{Caller, Rights};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::plugin::Plugin;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::revision::Era;

/// The most tasks that are remembered; the oldest are forgotten first.
const MAX_TASKS: usize = 100_000;

/// The longest id of a task that is remembered, in bytes.
const MAX_ID: usize = 1_024;

/// The tasks that plugins have begun.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<Known>);

type Key = (Arc<str>, Box<str>);

#[derive(Debug, Default)]
struct Known {
    plugins: HashMap<Key, Owner>,
    in_order: VecDeque<Key>,
}

/// Where a task is.
#[derive(Debug)]
struct Owner {
    id: PluginId,
    /// What its caller might do when it began.
    rights: Rights,
    /// The plugin that began it, where the task ends with that.
    plugin: Option<Weak<Plugin>>,
}

impl Owner {
    fn of(plugin: &Arc<Plugin>, caller: &Caller) -> Self {
        let outlives = plugin.runtime == RuntimeKind::McpHttp;
        Self {
            id: plugin.id().clone(),
            rights: caller.rights(),
            plugin: (!outlives).then(|| Arc::downgrade(plugin)),
        }
    }

    fn is_there(&self) -> bool {
        let there = |plugin: &Weak<Plugin>| {
            let plugin = plugin.upgrade();
            plugin.is_some_and(|plugin| !plugin.has_left())
        };
        self.plugin.as_ref().is_none_or(there)
    }
}

impl Tasks {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Notes a task that `plugin` has begun for `caller`.
    pub(super) fn note(&self, task: &str, plugin: &Arc<Plugin>, caller: &Caller) {
        let key = (Arc::clone(&caller.principal), Box::from(task));
        let mut known = self.known();
        if known
            .plugins
            .insert(key.clone(), Owner::of(plugin, caller))
            .is_some()
        {
            return;
        }
        known.in_order.push_back(key);
        if known.in_order.len() > MAX_TASKS
            && let Some(oldest) = known.in_order.pop_front()
        {
            known.plugins.remove(&oldest);
        }
    }

    /// Whether `plugin` has begun a task for `caller` that is remembered.
    pub(super) fn are_in(&self, plugin: &PluginId, caller: &Caller) -> bool {
        let known = self.known();
        let mut tasks = known.plugins.iter();
        tasks.any(|((whose, _), owner)| {
            let is_theirs = *whose == caller.principal && caller.has(&owner.rights);
            is_theirs && owner.id == *plugin && owner.is_there()
        })
    }

    /// The plugin that has the task, if it is one of `caller`'s, begun with the same rights.
    pub(super) fn find(&self, task: &str, caller: &Caller) -> Option<PluginId> {
        let key = (Arc::clone(&caller.principal), task.into());
        let known = self.known();
        let owner = known.plugins.get(&key).filter(|owner| owner.is_there());
        let owner = owner.filter(|owner| caller.has(&owner.rights));
        owner.map(|owner| owner.id.clone())
    }
}

/// The id of the task that the answer of a tool's call is the beginning of: of the extension, or, where the call asked
/// for a task, of revision 2025-11-25.
pub(super) fn begun(answer: &Answer, wants_task: bool) -> Option<String> {
    let Outcome::Result(reply) = &answer.outcome else {
        return None;
    };
    let is_named = match answer.era {
        Era::Modern => reply.result_type.as_deref() == Some("task"),
        Era::Legacy => wants_task,
    };
    if !is_named {
        return None;
    }
    let members = Members::of(&reply.result)?;
    let task = match answer.era {
        Era::Modern => members,
        Era::Legacy => members.get("task").and_then(Members::of)?,
    };
    let id = task.string("taskId").map(Cow::into_owned);
    id.filter(|id| id.len() <= MAX_ID)
}

/// A task that nobody has, or somebody else.
pub(super) fn unknown(task: &str) -> Fault {
    Fault::new(FaultKind::NotFound, format!("Task not found: `{task}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::Supervisor;
    use crate::manifest::{Grant, parse_toml};
    use crate::registry::plugin::{Setup, Source};
    use crate::runtime::in_process::InProcess;
    use crate::wire::json::Json;
    use crate::wire::message::Reply;

    fn check(
        result: &'static str,
        kind: Option<&str>,
        era: Era,
        wants: bool,
        expect: Option<&str>,
    ) {
        let reply = Reply {
            result: Json::literal(result),
            result_type: kind.map(Into::into),
        };
        let outcome = Outcome::Result(reply);
        let got = begun(&Answer { outcome, era }, wants);
        assert_eq!(got.as_deref(), expect, "{result}");
    }

    #[test]
    fn the_beginning_of_a_task_is_recognised_in_both_eras() {
        use Era::{Legacy, Modern};

        let modern = r#"{"taskId":"1","resultType":"task"}"#;
        check(modern, Some("task"), Modern, false, Some("1"));
        check(modern, Some("task"), Legacy, true, None);
        check(modern, Some("complete"), Modern, true, None);
        let legacy = r#"{ "_meta":{}, "task" : {"status":"working","taskId":"2"}}"#;
        check(legacy, None, Legacy, true, Some("2"));
        check(legacy, None, Legacy, false, None);
        check(legacy, Some("complete"), Modern, true, None);
        check(r#"{"content":[]}"#, None, Legacy, true, None);
        check(r#"{"task":"3"}"#, None, Legacy, true, None);
        check(r#"{"task":{"taskId":4}}"#, None, Legacy, true, None);
    }

    fn plugin(text: &str, kind: RuntimeKind) -> Arc<Plugin> {
        Plugin::new(Setup {
            runtime: (kind, Arc::new(InProcess::new())),
            manifest: Arc::new(parse_toml(text).expect("a manifest")),
            source: Source::Builtin,
            grants: [Grant::Tools].into(),
            grants_chosen: false,
            supervisor: Supervisor::new(),
            unfit: None,
        })
    }

    #[test]
    fn a_task_is_known_to_who_began_it_for_as_long_as_it_can_be_there() {
        let near = "id = \"p\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\nin_process.entry = \"builtin:p\"\n";
        let far = "id = \"q\"\nversion = \"1.0.0\"\nruntime = \"mcp_http\"\nmcp_http.url = \"http://127.0.0.1:9/\"\n";
        let near = plugin(near, RuntimeKind::InProcess);
        let far = plugin(far, RuntimeKind::McpHttp);
        let tasks = Tasks::default();
        let (p, q) = (near.id().clone(), far.id().clone());
        let caller = |name: &str| Caller {
            principal: name.into(),
            ..Caller::anonymous()
        };
        let (ann, bob) = (caller("ann"), caller("bob"));
        let less = Caller {
            read_only: true,
            ..caller("ann")
        };
        tasks.note("1", &near, &ann);
        assert_eq!(tasks.find("1", &ann), Some(p.clone()));
        assert_eq!(tasks.find("1", &bob), None);
        assert_eq!(tasks.find("3", &ann), None);
        assert_eq!(tasks.find("1", &less), None, "with other rights");
        assert!(!tasks.are_in(&p, &less));
        assert!(tasks.are_in(&p, &ann));
        assert!(!tasks.are_in(&q, &ann) && !tasks.are_in(&p, &bob));
        tasks.note("2", &far, &ann);
        drop((near, far));
        assert!(tasks.find("1", &ann).is_none() && !tasks.are_in(&p, &ann));
        assert_eq!(tasks.find("2", &ann), Some(q));
    }
}
