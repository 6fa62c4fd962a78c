//! What a plugin's kind needs to know: how a filter is asked, what a notifier is told, which resources are handed in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::check::MAX_MS;
use crate::manifest::decode::{Report, in_list, path};
use crate::manifest::glob::Pattern;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::{Isolation, Kind, Manifest};
use crate::model::plugin_id::PluginId;

/// The names of resources that the gateway has itself; every other name is that of a provider.
pub const OWN_RESOURCES: [&str; 5] = ["clock", "http", "temp_dir", "registry", "metrics"];

/// How a filter is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The plugin's own name of the tool that is asked on the way in, with the arguments of a call; left out, it is
    /// `filter_arguments` if the plugin lists that.
    pub arguments: Option<String>,
    /// The plugin's own name of the tool that is asked on the way out, with the result of a call; left out, it is
    /// `filter_result` if the plugin lists that.
    pub result: Option<String>,
    /// What becomes of a call when the filter cannot be asked or does not answer as it should.
    pub on_failure: OnFailure,
    /// The plugins whose calls pass through it; left out, all of them.
    pub plugins: Option<Vec<Pattern>>,
    /// The tools whose calls pass through it, by the plugins' own names; left out, all of them.
    pub tools: Option<Vec<Pattern>>,
    /// Milliseconds it may take to answer.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub timeout_ms: u64,
}

/// What becomes of a call whose filter fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes on as if the filter were not there.
    Pass,
}

/// What a notifier is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notifier {
    /// The plugin's own name of the tool that is called with each event.
    pub tool: String,
    /// The events it is told of, such as `call.finished` or `plugin.*`; left out, all but `call.started`.
    pub events: Option<Vec<Pattern>>,
    /// Milliseconds it may take to hear of one event.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub timeout_ms: u64,
}

/// What is handed to the plugin: `clock`, `http`, `temp_dir`, `registry`, `metrics`, and plugins of kind `provider` by their ids.
/// Child processes get `temp_dir` alone, by the variable `TOOLGATE_TEMP_DIR`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Without one of these it is not started. Providers start before it.
    pub required: Vec<PluginId>,
    /// It does without these where they are not there.
    pub optional: Vec<PluginId>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            arguments: None,
            result: None,
            on_failure: OnFailure::default(),
            plugins: None,
            tools: None,
            timeout_ms: 5_000,
        }
    }
}

impl Default for Notifier {
    fn default() -> Self {
        Self {
            tool: "notify".into(),
            events: None,
            timeout_ms: 5_000,
        }
    }
}

impl Filter {
    /// Whether calls of the plugin's tool pass through it.
    pub fn applies_to(&self, plugin: &PluginId, tool: &str) -> bool {
        let fits = |patterns: &Option<Vec<Pattern>>, name: &str| match patterns {
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
            None => true,
        };
        fits(&self.plugins, plugin.as_str()) && fits(&self.tools, tool)
    }
}

impl Notifier {
    /// Whether it is told of this event.
    pub fn wants(&self, event: &str) -> bool {
        match &self.events {
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(event)),
            None => event != "call.started",
        }
    }
}

impl Resources {
    /// The providers it cannot do without.
    pub fn required_providers(&self) -> impl Iterator<Item = &PluginId> {
        self.required.iter().filter(|name| !is_own(name))
    }

    /// All resources it wants.
    pub fn all(&self) -> impl Iterator<Item = &PluginId> {
        self.required.iter().chain(&self.optional)
    }

    /// Whether it wants the resource of that name.
    pub fn names(&self, name: &str) -> bool {
        self.all().any(|known| known.as_str() == name)
    }
}

/// Whether the gateway has the resource of that name itself.
pub fn is_own(name: &PluginId) -> bool {
    OWN_RESOURCES.contains(&name.as_str())
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Provider => "provider",
            Self::Filter => "filter",
            Self::Handler => "handler",
            Self::Notifier => "notifier",
        }
    }

    /// Who shares an instance of such a plugin, where its kind says that.
    pub fn isolation(self) -> Option<Isolation> {
        (self != Self::Tool).then_some(Isolation::Shared)
    }
}

impl Manifest {
    /// How it is asked, if it is a filter.
    pub fn as_filter(&self) -> Option<&Filter> {
        (self.kind == Kind::Filter).then_some(&self.filter)
    }

    /// What it is told, if it is a notifier.
    pub fn as_notifier(&self) -> Option<&Notifier> {
        (self.kind == Kind::Notifier).then_some(&self.notifier)
    }

    /// All plugins that must be there before this one starts.
    pub fn needs(&self) -> impl Iterator<Item = &PluginId> {
        self.depends_on
            .iter()
            .chain(self.resources.required_providers())
    }
}

/// Notes what is wrong with the parts of a manifest that depend on its kind.
pub fn check(manifest: &Manifest, report: &mut Report<'_>) {
    let kind = manifest.kind;
    let sections = [
        ("filter", Kind::Filter, manifest.filter != Filter::default()),
        (
            "notifier",
            Kind::Notifier,
            manifest.notifier != Notifier::default(),
        ),
    ];
    for (key, needed, says_something) in sections {
        if says_something && kind != needed {
            let message = format!("only for `kind = \"{key}\"`, this is a {}", kind.as_str());
            report.add(&path([key]), message);
        }
    }
    for (at, ms) in [
        (path(["filter", "timeout_ms"]), manifest.filter.timeout_ms),
        (
            path(["notifier", "timeout_ms"]),
            manifest.notifier.timeout_ms,
        ),
    ] {
        crate::manifest::check::in_range(report, &at, ms, 1, MAX_MS);
    }
    let chosen = manifest.isolation.zip(kind.isolation());
    if chosen.is_some_and(|(chosen, only)| chosen != only) {
        let message = format!(
            "a {} has one instance for everyone: `shared`",
            kind.as_str()
        );
        report.add(&path(["isolation"]), message);
    }
    check_resources(manifest, report);
}

fn check_resources(manifest: &Manifest, report: &mut Report<'_>) {
    let Resources { required, optional } = &manifest.resources;
    let lists = [("required", required), ("optional", optional)];
    let mut seen = std::collections::HashSet::new();
    for (key, list) in lists {
        for (index, name) in list.iter().enumerate() {
            let at = in_list(&["resources", key], index, &[]);
            if *name == manifest.id && !is_own(name) {
                report.add(&at, "a plugin cannot be handed to itself");
            } else if !seen.insert(name) {
                report.add(&at, "this is there a second time");
            }
        }
    }
    let in_process = manifest.runtimes().contains(&RuntimeKind::InProcess);
    let child = manifest.runtimes().contains(&RuntimeKind::McpStdio);
    for (index, name) in required.iter().enumerate() {
        let handed = match name.as_str() {
            "temp_dir" => in_process || child,
            "clock" | "http" | "registry" | "metrics" => in_process,
            // A provider that is needed starts before whoever needs it, wherever that runs.
            _ => true,
        };
        if !handed {
            let at = in_list(&["resources", "required"], index, &[]);
            let message = format!("`{name}` cannot be handed to a plugin of this runtime");
            report.add(&at, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse_toml;

    fn check(more: &str, expect: Result<(), &str>) {
        let text = format!(
            "id = \"p\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n{more}\n[in_process]\nentry = \"builtin:p\"\n"
        );
        match (parse_toml(&text), expect) {
            (Ok(_), Ok(())) => {}
            (Err(problems), Err(part)) => {
                let told = problems.to_string();
                assert!(told.contains(part), "{told}");
            }
            (read, _) => panic!("{more}: {read:?}, want {expect:?}"),
        }
    }

    #[test]
    fn what_a_kind_does_not_have_is_named() {
        check("kind = \"filter\"\nfilter = { arguments = \"a\" }", Ok(()));
        check(
            "filter = { arguments = \"a\" }",
            Err("only for `kind = \"filter\"`"),
        );
        check(
            "kind = \"filter\"\nfilter = { on_failure = \"ask\" }",
            Err("on_failure"),
        );
        check(
            "kind = \"notifier\"\nnotifier = { timeout_ms = 0 }",
            Err("out of range"),
        );
        check(
            "kind = \"handler\"\nisolation = \"session\"",
            Err("one instance for everyone"),
        );
        check("resources = { required = [\"p\"] }", Err("to itself"));
        check(
            "resources = { required = [\"clock\"], optional = [\"clock\"] }",
            Err("a second time"),
        );
        check("resources = { required = [\"clock\", \"vault\"] }", Ok(()));
    }

    #[test]
    fn a_filter_takes_what_fits_both_patterns() {
        let filter = Filter {
            plugins: Some(vec![Pattern::new("git*").expect("a pattern")]),
            tools: Some(vec![Pattern::new("*_file").expect("a pattern")]),
            ..Filter::default()
        };
        let applies = |plugin: &str, tool| filter.applies_to(&plugin.parse().expect("an id"), tool);
        assert!(applies("github", "read_file"));
        assert!(!applies("github", "search") && !applies("fs", "read_file"));
        let all = Filter::default();
        assert!(all.applies_to(&"any".parse().expect("an id"), "thing"));
    }

    #[test]
    fn a_notifier_is_told_of_all_but_beginnings() {
        let all = Notifier::default();
        assert!(all.wants("call.finished") && all.wants("plugin.failed"));
        assert!(!all.wants("call.started"));
        let some = Notifier {
            events: Some(vec![Pattern::new("call.*").expect("a pattern")]),
            ..Notifier::default()
        };
        assert!(some.wants("call.started") && !some.wants("plugin.failed"));
    }
}
