//! Setting up and taking down all plugins; finding one of them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use serde::Deserialize;

use super::*;
use crate::background::Supervisor;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::{Grant, parse_toml};
use crate::plugin::{Factory, HookResult, NoArguments, Plugin as Code, ToolContext, Tools};
use crate::registry::Settings;
use crate::registry::naming::Alphabet;
use crate::registry::plugin::{Setup, Source};
use crate::registry::pool::Standing;
use crate::registry::rules::Rules;
use crate::runtime::in_process::InProcess;

/// What the hooks of all plugins of a test did, and which of them fail.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    lines: Vec<String>,
    fail: BTreeSet<String>,
}

/// Writes `+id` when it starts, and `-id` when it stops.
struct Diarist {
    id: String,
    diary: Diary,
}

impl Diary {
    /// From now on these hooks fail, and no others.
    fn fail(&self, hooks: &[&str]) {
        let mut pages = self.0.lock().expect("no holder of this lock panics");
        pages.fail = hooks.iter().map(|hook| (*hook).to_owned()).collect();
    }

    fn write(&self, line: String) -> HookResult {
        let mut pages = self.0.lock().expect("no holder of this lock panics");
        pages.lines.push(line.clone());
        match pages.fail.contains(&line) {
            true => Err(format!("no {line} today").into()),
            false => Ok(()),
        }
    }

    /// What was written since this was last asked.
    fn read(&self) -> String {
        let mut pages = self.0.lock().expect("no holder of this lock panics");
        std::mem::take(&mut pages.lines).join(" ")
    }
}

#[async_trait]
impl Code for Diarist {
    fn tools(&self, tools: &mut Tools) {
        let nothing = |_: NoArguments, _: ToolContext| async { "done" };
        tools.add("nothing", "Does nothing", nothing);
    }

    fn cooperative(&self) -> bool {
        true
    }

    async fn on_start(&self) -> HookResult {
        self.diary.write(format!("+{}", self.id))
    }

    async fn on_stop(&self) -> HookResult {
        self.diary.write(format!("-{}", self.id))
    }
}

/// A plugin of this id; `keys` are further lines of its manifest.
fn plugin(diary: &Diary, id: &str, keys: &str) -> Arc<Plugin> {
    let text = format!(
        "id = \"{id}\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n{keys}\n[in_process]\nentry = \"builtin:p\"\n"
    );
    let manifest = Arc::new(parse_toml(&text).expect("the manifest is sound"));
    let code: Arc<dyn Code> = Arc::new(Diarist {
        id: id.to_owned(),
        diary: diary.clone(),
    });
    let factory: Factory = Arc::new(move || Arc::clone(&code));
    let runtime = InProcess::new().with("builtin:p", factory);
    Plugin::new(Setup {
        manifest,
        source: Source::Builtin,
        grants: BTreeSet::from([Grant::Tools]),
        grants_chosen: false,
        runtime: (RuntimeKind::InProcess, Arc::new(runtime)),
        supervisor: Supervisor::new(),
        unfit: None,
    })
}

fn registry(plugins: Vec<Arc<Plugin>>) -> Arc<Registry> {
    let settings = Settings {
        alphabet: Alphabet::Full,
        rules: Rules::default(),
        settle: Duration::from_secs(1),
        page: 100,
        same_for_all: true,
    };
    Registry::new(plugins, settings, Supervisor::new())
}

/// A registry of these plugins, and what their hooks do.
fn world(plugins: &[(&str, &str)]) -> (Arc<Registry>, Diary) {
    let diary = Diary::default();
    let plugins = plugins.iter().map(|(id, keys)| plugin(&diary, id, keys));
    (registry(plugins.collect()), diary)
}

/// Three plugins, each of which needs the one before.
fn chain() -> (Arc<Registry>, Diary) {
    world(&[
        ("c", "depends_on = [\"b\"]"),
        ("b", "depends_on = [\"a\"]"),
        ("a", ""),
    ])
}

fn states(registry: &Registry) -> String {
    let plugins = registry.plugins();
    let states = plugins
        .iter()
        .map(|plugin| format!("{} {}", plugin.id(), plugin.life.state()));
    states.collect::<Vec<_>>().join(", ")
}

fn failed(done: Result<(), RegistryError>) -> String {
    let error = done.expect_err("it fails");
    format!("{}: {error}", error.code())
}

/// D21.
#[tokio::test(start_paused = true)]
async fn what_is_set_up_is_not_set_up_again() {
    let (registry, diary) = chain();
    registry.setup_all().await.expect("they are well");
    assert_eq!(diary.read(), "+a +b +c");
    registry.setup_all().await.expect("they are well");
    assert_eq!(diary.read(), "");
    let middle = &registry.named("b")[0];
    middle.stop(Duration::ZERO).await;
    registry.setup_all().await.expect("they are well");
    assert_eq!(diary.read(), "-b +b");
    assert_eq!(states(&registry), "a active, b active, c active");
}

/// D22.
#[tokio::test(start_paused = true)]
async fn plugins_are_taken_down_in_the_reverse_of_the_order_they_are_set_up_in() {
    let (registry, diary) = chain();
    registry.setup_all().await.expect("they are well");
    registry.teardown_all().await.expect("they stop well");
    assert_eq!(diary.read(), "+a +b +c -c -b -a");
    assert_eq!(states(&registry), "a stopped, b stopped, c stopped");
    registry.teardown_all().await.expect("nothing is left");
    assert_eq!(diary.read(), "");
    registry.setup_all().await.expect("they come again");
    assert_eq!(diary.read(), "+a +b +c");
}

/// D23.
#[tokio::test(start_paused = true)]
async fn a_setup_that_fails_is_taken_back_and_its_first_failure_is_told() {
    let (registry, diary) = chain();
    // That one stops badly, too, is not what is told.
    diary.fail(&["+c", "-a"]);
    assert_eq!(
        failed(registry.setup_all().await),
        "setup_failed: plugin `c` was not set up: plugin `c` failed in `on_start`: no +c today"
    );
    assert_eq!(diary.read(), "+a +b +c -b -a");
    assert_eq!(states(&registry), "a stopped, b stopped, c error");
    // It is not tried again behind the back of who was told.
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(registry.named("c")[0].pool.standing(), Standing::Stopped);
    assert_eq!(diary.read(), "");
    diary.fail(&[]);
    registry.setup_all().await.expect("it is mended");
    assert_eq!(diary.read(), "+a +b +c");
    assert_eq!(states(&registry), "a active, b active, c active");
    assert_eq!(registry.named("c")[0].life.error(), None);
}

/// D23: what ran before is not touched, and what was started only because another needed it goes as well.
#[tokio::test(start_paused = true)]
async fn only_what_a_setup_has_started_is_taken_back() {
    let (registry, diary) = world(&[
        ("before", "priority = 9"),
        ("helper", "load = \"lazy\""),
        ("nobody", "load = \"manual\""),
        ("wants", "depends_on = [\"helper\"]"),
        ("zz_bad", ""),
    ]);
    let before = &registry.named("before")[0];
    registry.start_plugin(before).await.expect("it is well");
    diary.fail(&["+zz_bad"]);
    failed(registry.setup_all().await);
    assert_eq!(
        diary.read(),
        "+before +helper +wants +zz_bad -wants -helper"
    );
    assert_eq!(
        states(&registry),
        "before active, helper stopped, nobody loaded, wants stopped, zz_bad error"
    );
}

/// D16, D23: what can never start says so at once.
#[tokio::test(start_paused = true)]
async fn what_is_missing_is_a_failure_of_the_setup() {
    let (registry, diary) = world(&[("a", ""), ("b", "depends_on = [\"gone\"]")]);
    assert_eq!(
        failed(registry.setup_all().await),
        "setup_failed: plugin `b` was not set up: plugin `b`: it needs `gone`, which is not there"
    );
    assert_eq!(diary.read(), "+a -a");
    let (registry, diary) = world(&[
        ("a", ""),
        ("b", "depends_on = [\"c\"]"),
        ("c", "depends_on = [\"b\"]"),
    ]);
    assert_eq!(
        failed(registry.setup_all().await),
        "dependency_cycle: plugins need each other: `b`, `c`"
    );
    assert_eq!(diary.read(), "");
    let (registry, _) = world(&[("a", "depends_on = [\"b\"]"), ("b", "load = \"manual\"")]);
    assert_eq!(
        failed(registry.setup_all().await),
        "setup_failed: plugin `a` was not set up: plugin `a`: it needs `b`, which is loaded"
    );
}

/// D6, D17.
#[tokio::test(start_paused = true)]
async fn all_are_taken_down_and_those_that_stopped_badly_are_named() {
    let (registry, diary) = chain();
    registry.setup_all().await.expect("they are well");
    diary.read();
    diary.fail(&["-a", "-c"]);
    let errors = registry.teardown_all().await.expect_err("two stop badly");
    assert_eq!(diary.read(), "-c -b -a");
    assert_eq!(
        errors.to_string(),
        "plugins did not stop well: `c`: plugin `c` failed in `on_stop`: no -c today; `a`: plugin `a` failed in `on_stop`: no -a today"
    );
    assert_eq!(states(&registry), "a stopped, b stopped, c stopped");
    let error = RegistryError::Teardown(errors);
    assert_eq!(error.code(), "teardown_errors");
}

#[derive(Deserialize)]
struct Question {
    plugins: Vec<Recorded>,
    kind: String,
    name: Option<String>,
    result_py041: String,
    same_instance: Option<bool>,
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    priority: i64,
    kind: Option<String>,
}

/// What was recorded has kinds of its own.
fn kind(name: &str) -> Kind {
    match name {
        "k" => Kind::Provider,
        "z" => Kind::Handler,
        other => panic!("a kind that is not known: {other}"),
    }
}

/// D8, D24.
#[tokio::test]
async fn one_plugin_is_found_by_kind_and_name_as_recorded() {
    let text = include_str!("../../../tests/vectors/get_plugin.json");
    let questions: Vec<Question> = serde_json::from_str(text).expect("the table is valid");
    assert_eq!(questions.len(), 15);
    for question in &questions {
        let asked = kind(&question.kind);
        let diary = Diary::default();
        let plugins = question.plugins.iter().map(|recorded| {
            let kind = kind(recorded.kind.as_deref().unwrap_or(&question.kind));
            let priority = recorded.priority;
            let keys = format!("kind = \"{}\"\npriority = {priority}", kind.as_str());
            plugin(&diary, &recorded.name, &keys)
        });
        let registry = registry(plugins.collect());
        let name = question.name.as_deref();
        let found = registry.get(asked, name);
        let said = match &found {
            Ok(plugin) => plugin.id().as_str(),
            Err(RegistryError::KindUnknown { .. }) => "KindUnknown",
            Err(RegistryError::AmbiguousPlugin { .. }) => "AmbiguousPlugin",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(said, question.result_py041, "{asked} {name:?}");
        let again = registry.get(asked, name).ok();
        let is_same = found.ok().zip(again);
        let is_same = is_same.map(|(one, other)| Arc::ptr_eq(&one, &other));
        assert_eq!(is_same, question.same_instance, "{asked} {name:?}");
    }
}

/// D10: two of one kind and name are ambiguous; here that is said when the second one comes.
#[tokio::test(start_paused = true)]
async fn a_second_plugin_of_one_kind_and_name_is_ambiguous() {
    let (registry, diary) = world(&[("a", "kind = \"provider\"")]);
    let second = plugin(&diary, "a", "kind = \"provider\"");
    let error = registry.insert(vec![second]).await;
    assert_eq!(
        failed(error),
        "ambiguous_plugin: there is a provider plugin `a` already"
    );
    let other = plugin(&diary, "a", "kind = \"handler\"");
    registry.insert(vec![other]).await.expect("another kind");
    assert_eq!(registry.named("a").len(), 2);
}
