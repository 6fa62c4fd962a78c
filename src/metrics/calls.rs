//! Calls of plugins, by tool and by what they came to. Bounded: names come from lists, and there is a most.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::metrics::durations::{Distribution, Durations};
use crate::metrics::page::Page;

/// The most tools that are told apart; those above it are counted together.
pub const MAX_TOOLS: usize = 2_000;

/// The most pairs of plugin and method that are told apart.
const MAX_METHODS: usize = 1_000;

/// What stands for the tool of a call that names none that is listed, and for tools above the bound.
pub const UNKNOWN: &str = "unknown";

/// What a call can come to. What is not here is counted as `other`.
const OUTCOMES: [&str; 12] = [
    "answered",
    "tool_error",
    "refused_by_plugin",
    "not_found",
    "bad_input",
    "denied",
    "busy",
    "timeout",
    "unavailable",
    "broken",
    "cancelled",
    "other",
];

/// Calls by plugin and tool, and requests about other things by plugin and method.
#[derive(Default)]
pub struct Calls {
    tools: RwLock<HashMap<Key, Arc<ToolNumbers>>>,
    methods: RwLock<HashMap<Key, Arc<Outcomes>>>,
    unknown: Outcomes,
}

/// A plugin, and what of it.
type Key = (Box<str>, Box<str>);

/// How many calls came to what.
#[derive(Debug, Default)]
pub struct Outcomes([AtomicU64; OUTCOMES.len()]);

/// The calls of one tool.
#[derive(Debug, Default)]
pub struct ToolNumbers {
    outcomes: Outcomes,
    durations: Durations,
}

/// The calls of one tool at one moment.
#[derive(Debug, Clone)]
pub struct ToolCalls {
    /// Whose it is.
    pub plugin: Box<str>,
    /// The name it is listed under.
    pub tool: Box<str>,
    /// Calls that came to an end.
    pub calls: u64,
    /// Those of them that gave no result, or one that says `isError`.
    pub errors: u64,
    /// How long they took, in seconds.
    pub took: Distribution,
}

/// Whether a call that came to this has failed.
pub fn is_error(outcome: &str) -> bool {
    !matches!(outcome, "answered" | "cancelled")
}

impl Outcomes {
    fn add(&self, outcome: &str) {
        // The first is what nearly all calls come to.
        let at = OUTCOMES.iter().position(|known| *known == outcome);
        self.0[at.unwrap_or(OUTCOMES.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// What calls came to so far; the first also where there was none.
    fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        let all = OUTCOMES.into_iter().zip(counts);
        all.filter(|(outcome, count)| *count > 0 || *outcome == OUTCOMES[0])
    }
}

impl ToolNumbers {
    /// A call has come to its end.
    pub fn add(&self, outcome: &str, took_us: u64) {
        self.outcomes.add(outcome);
        self.durations.add(took_us);
    }
}

impl Calls {
    /// The numbers of the tool that is listed as `tool`. To be kept by whoever needs them often.
    pub fn of_tool(&self, plugin: &str, tool: &str) -> Arc<ToolNumbers> {
        found(&self.tools, (plugin, tool), MAX_TOOLS)
    }

    /// A call has ended that named no tool that there is.
    pub fn add_unknown(&self, outcome: &str) {
        self.unknown.add(outcome);
    }

    /// A request about something else has ended. `method` is one that is known here, or `other`.
    pub fn add_request(&self, plugin: &str, method: &'static str, outcome: &str) {
        found(&self.methods, (plugin, method), MAX_METHODS).add(outcome);
    }

    /// The tools that were called so far.
    pub fn tools(&self) -> Vec<ToolCalls> {
        let tools = self.tools.read().expect("no holder of this lock panics");
        let read = tools.iter().map(|((plugin, tool), numbers)| {
            let counts = || numbers.outcomes.read();
            let errors = counts().filter(|(outcome, _)| is_error(outcome));
            ToolCalls {
                plugin: plugin.clone(),
                tool: tool.clone(),
                calls: counts().map(|(_, count)| count).sum(),
                errors: errors.map(|(_, count)| count).sum(),
                took: numbers.durations.read(),
            }
        });
        read.collect()
    }

    pub(super) fn read(&self, page: &mut Page) {
        let total = "Calls of tools, by what they came to";
        let took = "How long calls of tools took";
        let name = "toolgate_calls";
        let tools = self.tools.read().expect("no holder of this lock panics");
        for ((plugin, tool), numbers) in tools.iter() {
            for (outcome, count) in numbers.outcomes.read() {
                let labels = [("plugin", &**plugin), ("tool", tool), ("outcome", outcome)];
                page.counter(name, total, &labels, count);
            }
            let labels = [("plugin", &**plugin), ("tool", tool)];
            let name = "toolgate_call_duration_seconds";
            page.histogram(name, took, &labels, numbers.durations.read());
        }
        for (outcome, count) in self.unknown.read() {
            let labels = [("plugin", ""), ("tool", UNKNOWN), ("outcome", outcome)];
            page.counter(name, total, &labels, count);
        }
        let methods = self.methods.read().expect("no holder of this lock panics");
        for ((plugin, method), outcomes) in methods.iter() {
            for (outcome, count) in outcomes.read() {
                let labels = [
                    ("plugin", &**plugin),
                    ("method", method),
                    ("outcome", outcome),
                ];
                let help = "Requests about prompts, resources and the like, by what they came to";
                page.counter("toolgate_requests", help, &labels, count);
            }
        }
    }
}

/// What is kept under `key`, made where it is not there; above `max` what is kept for all others.
fn found<T: Default>(
    map: &RwLock<HashMap<Key, Arc<T>>>,
    (plugin, name): (&str, &str),
    max: usize,
) -> Arc<T> {
    let key: Key = (plugin.into(), name.into());
    let known = map
        .read()
        .expect("no holder of this lock panics")
        .get(&key)
        .cloned();
    if let Some(known) = known {
        return known;
    }
    let mut map = map.write().expect("no holder of this lock panics");
    let key = match map.len() < max || map.contains_key(&key) {
        true => key,
        false => ("".into(), "other".into()),
    };
    Arc::clone(map.entry(key).or_default())
}

/// A duration in whole microseconds.
pub fn in_us(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
