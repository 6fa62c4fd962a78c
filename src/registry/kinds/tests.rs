//! The rules of the kinds, against what was recorded of another gateway and by hand.

use serde::Deserialize;

use super::*;
use crate::manifest::parse_toml;

#[derive(Deserialize)]
struct Case {
    dispatch: String,
    plugins: Vec<Recorded>,
    result: Option<String>,
    error: Option<String>,
    results: Option<Vec<String>>,
    errors: Option<Vec<String>>,
    calls: Vec<String>,
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    priority: i64,
    #[serde(default)]
    kind: Option<String>,
    /// Whether it has the tool that is asked for.
    #[serde(default = "yes")]
    hook: bool,
    #[serde(default)]
    stop: bool,
    #[serde(default)]
    raise: bool,
}

fn yes() -> bool {
    true
}

fn manifest(id: &str, kind: &str, more: &str) -> Manifest {
    let text = format!(
        "id = \"{id}\"\nversion = \"1.0.0\"\nkind = \"{kind}\"\nruntime = \"in_process\"\n{more}\n[in_process]\nentry = \"builtin:p\"\n"
    );
    parse_toml(&text).expect("the manifest is sound")
}

/// The members that take part, in order, each with what it does.
fn members(case: &Case, kind: Kind) -> Vec<(Manifest, &Recorded)> {
    let members = case.plugins.iter().filter(|plugin| plugin.hook);
    let members: Vec<_> = members
        .map(|plugin| {
            let is_other = plugin.kind.as_deref() == Some("other");
            let kind = if is_other { "tool" } else { kind.as_str() };
            let priority = format!("priority = {}", plugin.priority);
            (manifest(&plugin.name, kind, &priority), plugin)
        })
        .collect();
    let chosen = in_order(&members, kind, |(manifest, _)| manifest);
    chosen.into_iter().cloned().collect()
}

/// Passes a value through the filters of the case.
fn chain(case: &Case) -> (Result<String, String>, Vec<String>) {
    let (mut value, mut calls) = ("in".to_owned(), Vec::new());
    for (manifest, plugin) in members(case, Kind::Filter) {
        calls.push(plugin.name.clone());
        let said = match plugin {
            Recorded { raise: true, .. } => Err(plugin.name.clone()),
            Recorded { stop: true, .. } => Ok(Verdict::Stop),
            _ => Ok(Verdict::Changed(format!("{value}+{}", plugin.name))),
        };
        value = match step(value, said, manifest.filter.on_failure) {
            Step::Next(value) => value,
            Step::Stop(value) => return (Ok(value), calls),
            Step::Refused(why) | Step::Failed(why) => return (Err(why), calls),
        };
    }
    (Ok(value), calls)
}

#[test]
fn chains_and_broadcasts_go_as_recorded() {
    let text = include_str!("../../../tests/vectors/dispatch.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the table is valid");
    assert_eq!(cases.len(), 42);
    for case in &cases {
        match case.dispatch.as_str() {
            "chain" => {
                let (came, calls) = chain(case);
                assert_eq!(calls, case.calls);
                assert_eq!(came.is_err(), case.error.is_some());
                assert_eq!(came.ok(), case.result);
            }
            // All are told, whoever fails. Here nobody collects what they say: a word to stop is no more than that.
            "broadcast_notify" | "broadcast_collect" => {
                let told = members(case, Kind::Notifier);
                let names = |raise: Option<bool>| -> Vec<String> {
                    let told = told.iter().map(|(_, plugin)| plugin);
                    told.filter(|plugin| raise.is_none_or(|raise| plugin.raise == raise))
                        .map(|plugin| plugin.name.clone())
                        .collect()
                };
                assert_eq!(names(None), case.calls);
                if let (Some(results), Some(errors)) = (&case.results, &case.errors) {
                    assert_eq!(names(Some(false)).len(), results.len());
                    assert_eq!(&names(Some(true)), errors);
                }
            }
            other => panic!("a case of another kind: {other}"),
        }
    }
}

#[test]
fn a_filter_that_fails_may_be_passed_over() {
    let failed = || Err::<Verdict<u8>, _>("down");
    assert_eq!(step(1, failed(), OnFailure::Pass), Step::Next(1));
    assert_eq!(step(1, failed(), OnFailure::Refuse), Step::Failed("down"));
    let no = || Ok::<_, &str>(Verdict::Refuse("no".to_owned()));
    for policy in [OnFailure::Pass, OnFailure::Refuse] {
        assert_eq!(step(1, no(), policy), Step::Refused("no".to_owned()));
    }
}

#[test]
fn one_is_meant_where_there_is_one_or_one_is_named() {
    let named = |name: &'static str| Some(move |id: &&str| *id == name);
    let unnamed = named("").filter(|_| false);
    let check = |all: &[&'static str], name: Option<&'static str>, expect| {
        let found = match name {
            Some(name) => only(all.iter().copied(), named(name)),
            None => only(all.iter().copied(), unnamed),
        };
        assert_eq!(found, expect);
    };
    check(&[], None, Err(NotFound::Unknown));
    check(&[], Some("a"), Err(NotFound::Unknown));
    check(&["a"], None, Ok("a"));
    check(&["a"], Some("zz"), Err(NotFound::Unknown));
    check(&["a", "b"], None, Err(NotFound::Ambiguous));
    check(&["a", "b"], Some("b"), Ok("b"));
}

#[test]
fn what_is_missing_is_named() {
    let needy = manifest(
        "needy",
        "tool",
        "resources = { required = [\"clock\", \"vault\"] }",
    );
    let check = |others: &[Manifest], expect: Option<&str>| {
        let all: Vec<_> = others.iter().collect();
        let why = lacks(&needy, &all);
        match expect {
            None => assert_eq!(why, None),
            Some(part) => assert!(
                why.as_ref().is_some_and(|why| why.contains(part)),
                "{why:?}"
            ),
        }
    };
    check(&[], Some("`vault`, and there is no provider"));
    check(
        &[manifest("vault", "tool", "")],
        Some("is a tool, not a provider"),
    );
    check(&[manifest("vault", "provider", "")], None);
}

#[test]
fn what_filters_use_is_found_at_any_distance() {
    let all = [
        manifest("f", "filter", "resources = { required = [\"a\"] }"),
        manifest("a", "provider", "resources = { optional = [\"b\"] }"),
        manifest("b", "provider", "resources = { optional = [\"a\"] }"),
        manifest("c", "provider", ""),
    ];
    let all: Vec<_> = all.iter().collect();
    let found = behind_filters(&all);
    let found: Vec<_> = found.iter().map(PluginId::as_str).collect();
    assert_eq!(found, ["a", "b", "f"]);
}
