//! What `kubectl` can be told to do: what only looks, what changes things, and why the rest is refused.

use schemars::JsonSchema;
use serde::Serialize;

use crate::builtin::llm::flags::{self, Flag};

/// What a command does to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    Diagnostic,
    Remediation,
}

/// A verb that is let through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verb {
    pub(super) name: &'static str,
    /// The word behind it, where it is that which decides.
    pub(super) sub: Option<&'static str>,
    pub(super) effect: Effect,
    pub(super) flags: &'static [Flag],
    /// Whether it is about things in a namespace.
    pub(super) in_namespace: bool,
    /// What is said to a model that is to write it.
    pub(super) usage: &'static str,
}

const fn looks(name: &'static str, flags: &'static [Flag], usage: &'static str) -> Verb {
    Verb {
        name,
        sub: None,
        effect: Effect::Diagnostic,
        flags,
        in_namespace: true,
        usage,
    }
}

const fn changes(name: &'static str, flags: &'static [Flag], usage: &'static str) -> Verb {
    Verb {
        effect: Effect::Remediation,
        ..looks(name, flags, usage)
    }
}

const fn rollout(sub: &'static str, flags: &'static [Flag], usage: &'static str) -> Verb {
    Verb {
        sub: Some(sub),
        ..changes("rollout", flags, usage)
    }
}

const fn everywhere(verb: Verb) -> Verb {
    Verb {
        in_namespace: false,
        ..verb
    }
}

/// All of them.
pub(super) const VERBS: [Verb; 18] = [
    looks(
        "get",
        flags::GET,
        "get TYPE [NAME] [-l …] [-o wide|json|yaml|name|jsonpath=…]",
    ),
    looks("describe", flags::DESCRIBE, "describe TYPE [NAME] [-l …]"),
    looks(
        "logs",
        flags::LOGS,
        "logs POD [-c CONTAINER] [--previous] [--tail=N] [--since=10m]",
    ),
    looks(
        "top",
        flags::TOP,
        "top pod|node [NAME] [--containers] [--sort-by=cpu|memory]",
    ),
    looks(
        "events",
        flags::EVENTS,
        "events [--for=TYPE/NAME] [--types=Warning]",
    ),
    everywhere(looks("explain", flags::EXPLAIN, "explain TYPE[.FIELD]")),
    everywhere(looks(
        "api-resources",
        flags::API_RESOURCES,
        "api-resources",
    )),
    everywhere(looks("version", flags::VERSION, "version")),
    Verb {
        effect: Effect::Diagnostic,
        ..rollout("status", flags::ROLLOUT_STATUS, "rollout status TYPE/NAME")
    },
    Verb {
        effect: Effect::Diagnostic,
        ..rollout(
            "history",
            flags::ROLLOUT_HISTORY,
            "rollout history TYPE/NAME",
        )
    },
    rollout("restart", flags::CORDON, "rollout restart TYPE/NAME"),
    rollout(
        "undo",
        flags::ROLLOUT_UNDO,
        "rollout undo TYPE/NAME [--to-revision=N]",
    ),
    rollout("pause", flags::NONE, "rollout pause TYPE/NAME"),
    rollout("resume", flags::NONE, "rollout resume TYPE/NAME"),
    changes("scale", flags::SCALE, "scale TYPE/NAME --replicas=N"),
    changes("delete", flags::DELETE, "delete TYPE NAME…"),
    everywhere(changes("cordon", flags::CORDON, "cordon NODE")),
    everywhere(changes("uncordon", flags::CORDON, "uncordon NODE")),
];

/// The verb that these words begin with, and how many of them it is; or why it is refused.
pub(super) fn find(words: &[String]) -> Result<(&'static Verb, usize), String> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let mut named = VERBS.iter().filter(|verb| verb.name == name).peekable();
    if named.peek().is_none() {
        let why = why_not(name);
        let known = names(None);
        return Err(format!(
            "`kubectl {name}` is refused: {why}; these are let through: {known}"
        ));
    }
    let sub = words.get(1).map(String::as_str);
    let subs: Vec<&str> = VERBS
        .iter()
        .filter(|verb| verb.name == name)
        .filter_map(|verb| verb.sub)
        .collect();
    let found = named.find(|verb| verb.sub.is_none() || verb.sub == sub);
    match found {
        Some(verb) => Ok((verb, 1 + usize::from(verb.sub.is_some()))),
        None => Err(format!(
            "`kubectl {name} {}` is not let through: write one of {} behind `{name}`",
            sub.unwrap_or_default(),
            subs.join(", ")
        )),
    }
}

/// The names of the verbs of this effect, or of all.
pub(super) fn names(effect: Option<Effect>) -> String {
    let fits = |verb: &&Verb| effect.is_none_or(|effect| verb.effect == effect);
    let names = VERBS.iter().filter(fits).map(|verb| match verb.sub {
        Some(sub) => format!("{} {sub}", verb.name),
        None => verb.name.to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Why a verb is refused.
fn why_not(name: &str) -> &'static str {
    match name {
        "" => "no verb stands behind `kubectl`",
        "exec" | "attach" | "cp" | "port-forward" | "proxy" | "debug" => {
            "it opens a way into a container or into the cluster"
        }
        "apply" | "create" | "edit" | "patch" | "replace" | "run" | "set" | "label"
        | "annotate" | "taint" | "expose" | "autoscale" => {
            "it writes objects, and what it writes cannot be told from the command"
        }
        "drain" => {
            "it ends every pod of a node: cordon the node, then delete its pods by their names"
        }
        "auth" | "certificate" | "config" => "it is about credentials and rights",
        "plugin" | "alpha" | "kustomize" | "completion" | "options" | "help" | "convert"
        | "diff" | "cluster-info" | "kuberc" | "krew" => {
            "it is not about the state of the cluster, or it reads files"
        }
        "wait" => "it would wait: use `get`, and call again",
        _ => "it is no verb that this tool knows",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_found_with_the_word_that_decides() {
        let find = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            find(&words).map(|(verb, count)| (verb.sub.unwrap_or(verb.name), verb.effect, count))
        };
        use Effect::{Diagnostic, Remediation};
        assert_eq!(find("get pods"), Ok(("get", Diagnostic, 1)));
        assert_eq!(find("rollout status x"), Ok(("status", Diagnostic, 2)));
        assert_eq!(find("rollout undo x"), Ok(("undo", Remediation, 2)));
        for (text, part) in [
            (
                "rollout",
                "one of status, history, restart, undo, pause, resume",
            ),
            (
                "rollout wait x",
                "`kubectl rollout wait` is not let through",
            ),
            ("drain x", "cordon the node"),
            ("exec x", "a way into a container"),
            (
                "GET pods",
                "no verb that this tool knows; these are let through: get, describe",
            ),
            ("", "no verb stands behind"),
        ] {
            let error = find(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
