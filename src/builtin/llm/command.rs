//! A command as it is let through: read word by word, checked against what may stand where, and written anew, so that
//! `kubectl` reads it as we did.

use crate::builtin::llm::flags::{self, Flag, Takes};
use crate::builtin::llm::line;
use crate::builtin::llm::objects;
use crate::builtin::llm::rules::Rules;
use crate::builtin::llm::verbs::{self, Effect, Verb};

/// How many lines of a log come back where the command does not say.
const LOG_LINES: &str = "1000";

/// Kinds of output. Templates that stand in files, and those that can count, are not among them.
const OUTPUTS: [&str; 5] = ["json", "yaml", "wide", "name", "plaintext"];
const TEMPLATES: [&str; 3] = ["jsonpath=", "jsonpath-as-json=", "custom-columns="];

/// A command that may be run, as far as its words go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    verb: &'static Verb,
    /// What stands behind the verb: types and names.
    pub(super) objects: Vec<String>,
    /// Its flags by their long names, each once, with what they were given.
    flags: Vec<(&'static str, Option<String>)>,
    /// The namespace that it is run in; `None` where it is about none, about all, or about that of the context.
    namespace: Option<String>,
}

/// Words that are still to be read.
struct Reader<'a> {
    words: std::vec::IntoIter<String>,
    known: &'a [Flag],
    verb: &'static str,
}

impl Command {
    /// Reads a line, such as `kubectl -n shop get pods`. `usual` is the namespace where it names none. The error says
    /// what is wrong with it and what to write instead.
    pub(super) fn read(text: &str, usual: Option<&str>, rules: &Rules) -> Result<Self, String> {
        let mut words = line::words(text)?;
        check_program(&words)?;
        words.remove(0);
        let ahead = take_ahead(&mut words)?;
        let (verb, count) = verbs::find(&words)?;
        if verb.effect == Effect::Remediation && !rules.may_change {
            let known = verbs::names(Some(Effect::Diagnostic));
            let what = verb.name;
            return Err(format!(
                "`kubectl {what}` changes things, which the operator does not allow; these only look: {known}"
            ));
        }
        words.drain(..count);
        let mut command = Self {
            verb,
            objects: Vec::new(),
            flags: Vec::new(),
            namespace: None,
        };
        let mut named = ahead;
        let mut reader = Reader {
            words: words.into_iter(),
            known: verb.flags,
            verb: verb.name,
        };
        while let Some(word) = reader.words.next() {
            match word.strip_prefix('-') {
                None => command.objects.push(word),
                Some(_) => {
                    for (name, value) in reader.flags(&word)? {
                        command.take(name, value, &mut named)?;
                    }
                }
            }
        }
        objects::check(&command, rules)?;
        command.settle(named.as_deref().or(usual), rules)?;
        Ok(command)
    }

    /// What it does to the cluster.
    pub(super) fn effect(&self) -> Effect {
        self.verb.effect
    }

    pub(super) fn verb(&self) -> &'static str {
        self.verb.name
    }

    /// Whether it has that flag; not where it says `=false`.
    pub(super) fn has(&self, name: &str) -> bool {
        let value = self.flags.iter().find(|(flag, _)| *flag == name);
        value.is_some_and(|(_, value)| value.as_deref() != Some("false"))
    }

    /// What a flag was given.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.flags.iter().find(|(flag, _)| *flag == name)?;
        value.as_deref()
    }

    fn take(
        &mut self,
        name: &'static str,
        value: Option<String>,
        namespace: &mut Option<String>,
    ) -> Result<(), String> {
        let twice = || Err(format!("`--{name}` stands there twice: write it once"));
        if name == flags::NAMESPACE.name {
            if namespace.is_some() {
                return twice();
            }
            *namespace = value;
            return Ok(());
        }
        if self.flags.iter().any(|(known, _)| *known == name) {
            return twice();
        }
        check_value(self.verb, name, value.as_deref())?;
        self.flags.push((name, value));
        Ok(())
    }

    /// Puts in what goes without saying: the namespace, and that nothing is waited for.
    fn settle(&mut self, named: Option<&str>, rules: &Rules) -> Result<(), String> {
        let is_about_nodes = self.verb.name == "top" && objects::is_about_nodes(self);
        if self.has("all-namespaces") {
            rules.check_all()?;
        } else if self.verb.in_namespace && !is_about_nodes {
            self.namespace = rules.namespace(named)?;
        }
        match (self.verb.name, self.verb.sub) {
            ("logs", _) => {
                let bounds = ["tail", "since", "since-time", "limit-bytes"];
                if !bounds.iter().any(|bound| self.has(bound)) {
                    self.flags.push(("tail", Some(LOG_LINES.to_owned())));
                }
            }
            ("rollout", Some("status")) => self.flags.push(("watch", Some("false".to_owned()))),
            ("delete", _) if self.value("wait").is_none() && !self.has("wait") => {
                self.flags.push(("wait", Some("false".to_owned())));
            }
            _ => {}
        }
        Ok(())
    }

    /// The words that `kubectl` is started with, itself aside. The cluster is the operator's choice.
    pub(super) fn arguments(&self, context: Option<&str>) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(context.map(|context| format!("--context={context}")));
        let namespace = self.namespace.as_ref();
        words.extend(namespace.map(|namespace| format!("--namespace={namespace}")));
        words.push(self.verb.name.to_owned());
        words.extend(self.verb.sub.map(str::to_owned));
        words.extend(self.objects.iter().cloned());
        words.extend(self.flags.iter().map(|(name, value)| match value {
            Some(value) => format!("--{name}={value}"),
            None => format!("--{name}"),
        }));
        words
    }
}

impl Reader<'_> {
    /// The flags of one word, with the values of those that have one.
    fn flags(&mut self, word: &str) -> Result<Vec<(&'static str, Option<String>)>, String> {
        match word.strip_prefix("--") {
            Some("") => {
                Err("`--` would have further words taken as they are: leave it out".to_owned())
            }
            Some(long) => self.long(long).map(|flag| vec![flag]),
            None if word == "-" => {
                Err("`-` stands for what is typed in, which nobody can: leave it out".to_owned())
            }
            None => self.short(&word[1..]),
        }
    }

    fn long(&mut self, text: &str) -> Result<(&'static str, Option<String>), String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let mut known = self.known.iter().chain([&flags::NAMESPACE]);
        let flag = known.find(|flag| flag.name == name);
        let flag = flag.ok_or_else(|| self.refused(&format!("--{name}"), name))?;
        let name = flag.name;
        match (flag.takes, value) {
            (Takes::Nothing, None) => Ok((name, None)),
            (Takes::Nothing, Some(value)) if value == "true" => Ok((name, None)),
            (Takes::Nothing, Some(value)) if value == "false" => Ok((name, Some(value))),
            (Takes::Nothing, Some(_)) => {
                Err(format!("`--{name}` is `true` or `false`: write `--{name}`"))
            }
            (_, Some(value)) => Ok((name, Some(value))),
            (Takes::Value, None) => self
                .next(&format!("--{name}"))
                .map(|value| (name, Some(value))),
            (Takes::ValueBehindEquals, None) => Err(format!(
                "`--{name}` needs its value behind an `=`: write `--{name}=…`"
            )),
        }
    }

    /// Letters behind one hyphen: flags without a value, and at the end one that has one.
    fn short(&mut self, letters: &str) -> Result<Vec<(&'static str, Option<String>)>, String> {
        let mut found = Vec::new();
        for (at, letter) in letters.char_indices() {
            let mut known = self.known.iter().chain([&flags::NAMESPACE]);
            let flag = known.find(|flag| flag.letter == Some(letter));
            let text = letter.to_string();
            let flag = flag.ok_or_else(|| self.refused(&format!("-{letter}"), &text))?;
            let rest = &letters[at + letter.len_utf8()..];
            match flag.takes {
                Takes::Nothing if rest.starts_with('=') => {
                    return Err(format!("`-{letter}` has no value: leave out `{rest}`"));
                }
                Takes::Nothing => found.push((flag.name, None)),
                Takes::Value | Takes::ValueBehindEquals => {
                    let value = match rest.strip_prefix('=').unwrap_or(rest) {
                        "" if rest.is_empty() => self.next(&format!("-{letter}"))?,
                        value => value.to_owned(),
                    };
                    found.push((flag.name, Some(value)));
                    break;
                }
            }
        }
        Ok(found)
    }

    fn next(&mut self, flag: &str) -> Result<String, String> {
        let value = self.words.next();
        value.ok_or_else(|| format!("`{flag}` needs a value behind it"))
    }

    fn refused(&self, shown: &str, name: &str) -> String {
        let (verb, why) = (self.verb, flags::why_not(self.verb, name));
        format!("`{shown}` is refused for `kubectl {verb}`: {why}")
    }
}

fn check_program(words: &[String]) -> Result<(), String> {
    let program = words.first().map(String::as_str).unwrap_or_default();
    match program {
        "kubectl" => Ok(()),
        _ if program.contains('=') => Err(format!(
            "`{program}` would set a variable: begin with `kubectl`"
        )),
        _ => Err(format!(
            "the command begins with `{program}`, not with `kubectl`: no other program is run"
        )),
    }
}

/// Takes the namespace from before the verb, where it may stand as well.
fn take_ahead(words: &mut Vec<String>) -> Result<Option<String>, String> {
    let mut found = None;
    while let Some(word) = words.first().filter(|word| word.starts_with('-')).cloned() {
        words.remove(0);
        let mut reader = Reader {
            words: std::mem::take(words).into_iter(),
            known: flags::NONE,
            verb: "",
        };
        for (_, value) in reader.flags(&word)? {
            if found.is_some() {
                return Err("`--namespace` stands there twice: write it once".to_owned());
            }
            found = value;
        }
        *words = reader.words.collect();
    }
    Ok(found)
}

fn check_value(verb: &Verb, name: &str, value: Option<&str>) -> Result<(), String> {
    let Some(value) = value else { return Ok(()) };
    // A person reads it before it is run: nothing in it may look like something else.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if verb.effect == Effect::Remediation && !value.chars().all(is_plain) {
        return Err(format!(
            "the value of `--{name}` may have letters, digits, `-`, `.` and `_` only"
        ));
    }
    let is_number = || value.parse::<u32>().is_ok();
    let among = |known: &[&str]| match known.contains(&value) {
        true => Ok(()),
        false => Err(format!(
            "`--{name}={value}` is not let through: write one of {}",
            known.join(", ")
        )),
    };
    match name {
        "output"
            if verb.name == "get" && TEMPLATES.iter().any(|known| value.starts_with(known)) =>
        {
            Ok(())
        }
        "output" => among(&OUTPUTS),
        // Others open ways into pods and services.
        "subresource" => among(&["status", "scale", "resize"]),
        "dry-run" => among(&["client", "server"]),
        "cascade" => among(&["background", "foreground", "orphan"]),
        "replicas" | "current-replicas" | "grace-period" | "to-revision" | "revision"
        | "limit-bytes" | "chunk-size" | "max-log-requests"
            if !is_number() =>
        {
            Err(format!("`--{name}={value}` is no number"))
        }
        "tail" if !is_number() => Err(format!(
            "`--tail={value}` is no number of lines: write such as `--tail=200`"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
