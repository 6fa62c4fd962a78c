//! Whose tasks are whose: a task is known to the principal that began it, and goes on in the plugin that has it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The most tasks that are remembered; the oldest are forgotten first.
const MAX_TASKS: usize = 100_000;

/// The tasks that plugins have begun.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<Known>);

type Key = (Arc<str>, Box<str>);

#[derive(Debug, Default)]
struct Known {
    plugins: HashMap<Key, PluginId>,
    in_order: VecDeque<Key>,
}

impl Tasks {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Notes the task in a result that is one: of the extension, or of revision 2025-11-25.
    pub(super) fn note(&self, result: &Json, plugin: &PluginId, principal: &Arc<str>) {
        let members = Members::of(result).unwrap_or_default();
        let id = |members: &Members| members.string("taskId").map(|id| id.into_owned());
        let nested = || id(&members.get("task").and_then(Members::of)?);
        let Some(task) = id(&members).or_else(nested) else {
            return;
        };
        let key = (Arc::clone(principal), task.into_boxed_str());
        let mut known = self.known();
        if known.plugins.insert(key.clone(), plugin.clone()).is_some() {
            return;
        }
        known.in_order.push_back(key);
        if known.in_order.len() > MAX_TASKS
            && let Some(oldest) = known.in_order.pop_front()
        {
            known.plugins.remove(&oldest);
        }
    }

    /// The plugin that has the task, if it is one of `principal`'s.
    pub(super) fn find(&self, task: &str, principal: &Arc<str>) -> Option<PluginId> {
        let key = (Arc::clone(principal), task.into());
        self.known().plugins.get(&key).cloned()
    }
}

/// A task that nobody has, or somebody else.
pub(super) fn unknown(task: &str) -> Fault {
    Fault::new(FaultKind::NotFound, format!("Task not found: `{task}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_known_to_who_began_it() {
        let (tasks, plugin) = (Tasks::default(), "p".parse().expect("an id"));
        let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
        tasks.note(
            &Json::literal(r#"{"resultType":"task","taskId":"1"}"#),
            &plugin,
            &ann,
        );
        tasks.note(&Json::literal(r#"{"task":{"taskId":"2"}}"#), &plugin, &ann);
        tasks.note(&Json::literal(r#"{"content":[]}"#), &plugin, &ann);
        assert_eq!(tasks.find("1", &ann), Some(plugin.clone()));
        assert_eq!(tasks.find("2", &ann), Some(plugin));
        assert_eq!(tasks.find("1", &bob), None);
        assert_eq!(tasks.find("3", &ann), None);
    }
}
