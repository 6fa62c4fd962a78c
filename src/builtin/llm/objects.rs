//! The types and names of a command: which may be looked at, and which may be changed.

use crate::builtin::llm::command::Command;
use crate::builtin::llm::rules::Rules;
use crate::builtin::llm::verbs::Effect;

/// The most objects that one command changes.
const MAX_CHANGED: usize = 20;

/// Types that may be deleted: they come back, or hold nothing that would be lost. By all their names.
const DELETED: [&[&str]; 11] = [
    &["pod", "pods", "po"],
    &["job", "jobs"],
    &["cronjob", "cronjobs", "cj"],
    &["deployment", "deployments", "deploy"],
    &["replicaset", "replicasets", "rs"],
    &["statefulset", "statefulsets", "sts"],
    &["daemonset", "daemonsets", "ds"],
    &["service", "services", "svc"],
    &["ingress", "ingresses", "ing"],
    &["horizontalpodautoscaler", "horizontalpodautoscalers", "hpa"],
    &["event", "events", "ev"],
];

const SCALED: [&[&str]; 4] = [
    DELETED[3],
    DELETED[4],
    DELETED[5],
    &["replicationcontroller", "replicationcontrollers", "rc"],
];

const ROLLED: [&[&str]; 3] = [DELETED[3], DELETED[5], DELETED[6]];

/// Refuses types and names that do not belong to the verb.
pub(super) fn check(command: &Command, rules: &Rules) -> Result<(), String> {
    for word in &command.objects {
        check_word(word)?;
    }
    match (command.verb(), command.effect()) {
        ("get", _) => check_secrets(command),
        ("logs", _) if command.objects.is_empty() && !command.has("selector") => {
            Err("`kubectl logs` needs a pod: write its name, or fit some by `-l`".to_owned())
        }
        ("top", _) if !is_about_nodes(command) && !is_about_pods(command) => {
            Err("`kubectl top` is about `pod` or `node`: write one of them behind it".to_owned())
        }
        ("rollout", _) => changed(command, &ROLLED),
        ("delete", _) => changed(command, &DELETED),
        ("scale", _) => changed(command, &SCALED).and_then(|()| check_replicas(command, rules)),
        ("cordon" | "uncordon", _) => match command.objects.len() {
            0 => Err(format!(
                "`kubectl {}` needs a node: write its name",
                command.verb()
            )),
            1 if !command.objects[0].contains('/') => Ok(()),
            _ => Err(format!(
                "`kubectl {}` takes one node by its bare name here",
                command.verb()
            )),
        },
        (_, Effect::Diagnostic | Effect::Remediation) => Ok(()),
    }
}

pub(super) fn is_about_nodes(command: &Command) -> bool {
    is_first_of(command, &["node", "nodes", "no"])
}

fn is_about_pods(command: &Command) -> bool {
    is_first_of(command, &["pod", "pods", "po"])
}

fn is_first_of(command: &Command, names: &[&str]) -> bool {
    let first = command.objects.first();
    first.is_some_and(|first| names.contains(&first.to_ascii_lowercase().as_str()))
}

/// Types, names, `TYPE/NAME`, several types with commas between them: letters, digits, and what may stand in names.
fn check_word(word: &str) -> Result<(), String> {
    let is_one = |letter: char| letter.is_ascii_alphanumeric() || "._:,/-".contains(letter);
    let begins = word.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    match begins && word.chars().all(is_one) && !word.contains("//") {
        true => Ok(()),
        false => Err(format!(
            "`{word}` is neither a type nor a name: write such as `pods`, `web-0` or `deployment/web`"
        )),
    }
}

/// What is in secrets is not shown: their names are, and how many values each has.
fn check_secrets(command: &Command) -> Result<(), String> {
    let is_secret = |word: &String| {
        // `get TYPE NAME`: only the first word is a type, unless each brings its own.
        let types = word.split('/').next().unwrap_or_default();
        let mut types = types.split(',');
        types.any(|kind| {
            let kind = kind.split('.').next().unwrap_or_default();
            ["secret", "secrets"].contains(&kind.to_ascii_lowercase().as_str())
        })
    };
    let typed = command.objects.iter().enumerate();
    let mut typed = typed.filter(|(at, word)| *at == 0 || word.contains('/'));
    if !typed.any(|(_, word)| is_secret(word)) {
        return Ok(());
    }
    let is_shown = |output: &str| !["wide", "name"].contains(&output);
    if command.value("output").is_some_and(is_shown) || command.has("sort-by") {
        return Err(
            "what is in secrets is not shown: leave out `-o` and `--sort-by`, or use `kubectl describe secret`"
                .to_owned(),
        );
    }
    Ok(())
}

/// Refuses a command that does not name each thing, or things of other types than these.
fn changed(command: &Command, types: &[&[&str]]) -> Result<(), String> {
    let verb = command.verb();
    let pairs: Vec<(&str, &str)> = match &command.objects[..] {
        [] => Vec::new(),
        all if all.iter().any(|word| word.contains('/')) => {
            let pair = |word: &String| {
                let (kind, name) = word.split_once('/').unwrap_or((word, ""));
                (kind.to_owned(), name.to_owned())
            };
            let pairs: Vec<_> = all.iter().map(pair).collect();
            return check_pairs(
                verb,
                pairs.iter().map(|(kind, name)| (&**kind, &**name)),
                types,
            );
        }
        [kind, names @ ..] => names.iter().map(|name| (&**kind, &**name)).collect(),
    };
    check_pairs(verb, pairs.into_iter(), types)
}

fn check_pairs<'a>(
    verb: &str,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    types: &[&[&str]],
) -> Result<(), String> {
    let mut count = 0;
    for (kind, name) in pairs {
        count += 1;
        let kind = kind.to_ascii_lowercase();
        if !types.iter().any(|names| names.contains(&kind.as_str())) {
            let known: Vec<_> = types.iter().map(|names| names[0]).collect();
            return Err(format!(
                "`kubectl {verb}` of `{kind}` is refused: it is let through for {}",
                known.join(", ")
            ));
        }
        if name.is_empty() || name.contains(['/', ',', ':']) {
            return Err(format!(
                "`kubectl {verb}` needs the name of each thing: write such as `{kind}/web`"
            ));
        }
    }
    match count {
        0 => Err(format!(
            "`kubectl {verb}` needs a type and a name: without a name it would take all there are"
        )),
        1..=MAX_CHANGED => Ok(()),
        _ => Err(format!(
            "the command names {count} things, {MAX_CHANGED} are the most"
        )),
    }
}

fn check_replicas(command: &Command, rules: &Rules) -> Result<(), String> {
    let wanted = command
        .value("replicas")
        .and_then(|count| count.parse::<u32>().ok());
    match wanted {
        None => Err("`kubectl scale` needs `--replicas=N`".to_owned()),
        Some(count) if count > rules.max_replicas => Err(format!(
            "{count} replicas are more than the operator allows: {} are the most",
            rules.max_replicas
        )),
        Some(_) => Ok(()),
    }
}
