//! Fills `${VAR}` in.
//!
//! | text | becomes |
//! |---|---|
//! | `${VAR}`, `${env:VAR}` | the variable; an error when it is not set |
//! | `${VAR:-text}` | the variable; the text (which may hold `${…}` again) when it is not set or empty |
//! | `$${` | `${` |
//! | a `$` before anything else | itself |

use std::collections::BTreeMap;

use crate::config::env::Env;
use crate::manifest::document::{Node, Value};
use crate::manifest::problem::{Problem, nearest};

/// Values below these keys belong to the tools and are passed on as they are.
const LEFT_ALONE: [&str; 4] = [
    "annotations",
    "config_schema",
    "input_schema",
    "output_schema",
];

/// How deep a default may hold another variable.
const MAX_DEPTH: usize = 8;

/// What texts are filled in from.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    pub env: &'a Env,
    /// Words an editor knows, such as `workspaceFolder`; looked at before the variables.
    pub editor: &'a BTreeMap<&'static str, String>,
}

impl<'a> Words<'a> {
    /// Only the variables of `env`.
    pub fn of(env: &'a Env) -> Self {
        static NONE: BTreeMap<&'static str, String> = BTreeMap::new();
        Self { env, editor: &NONE }
    }
}

/// Fills in every text value of `node`, which stands at `path` of its document, and notes what is missing. In the
/// place of a text that cannot be filled in a hole is left, which is not complained about again. A text that was filled in once is left alone.
pub fn expand(
    node: &mut Node,
    path: &mut Vec<String>,
    words: Words<'_>,
    problems: &mut Vec<Problem>,
) {
    match &mut node.value {
        Value::String(text) if text.contains('$') && !node.from_env => {
            match expand_text(text, words, 0) {
                Ok(filled) => {
                    node.from_env |= filled != *text;
                    *text = filled;
                }
                Err(error) => {
                    let mut problem = Problem::at(&node.place, path, error.message);
                    problem.mend = error.mend;
                    problems.push(problem);
                    node.value = Value::Hole(0);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                expand(item, path, words, problems);
                path.pop();
            }
        }
        Value::Table(table) => {
            let in_manifest = path.is_empty() || (path.len() == 2 && path[0] == "plugins");
            for (key, entry) in table.iter_mut() {
                // What is kept as metadata is nobody's setting.
                if LEFT_ALONE.contains(&key.as_str()) || (in_manifest && key == "metadata") {
                    continue;
                }
                path.push(key.clone());
                expand(&mut entry.node, path, words, problems);
                path.pop();
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Hole(_) => {}
    }
}

struct Missing {
    message: String,
    mend: Option<String>,
}

fn expand_text(text: &str, words: Words<'_>, depth: usize) -> Result<String, Missing> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            filled.push_str(&rest[..start]);
            filled.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        filled.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let end = closing_brace(inside).ok_or_else(|| Missing {
            message: "`${` without its `}`".into(),
            mend: Some("write `$${` for the characters `${`".into()),
        })?;
        filled.push_str(&value_of(&inside[..end], words, depth)?);
        rest = &inside[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Where the `}` is that belongs to a `${` before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn value_of(inside: &str, words: Words<'_>, depth: usize) -> Result<String, Missing> {
    if let Some(word) = words.editor.get(inside) {
        return Ok(word.clone());
    }
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    if !is_name(name) {
        return Err(Missing {
            message: format!(
                "`${{{name}}}` cannot be filled in: expected the name of an environment variable"
            ),
            mend: Some(
                "write `${NAME}` or `${NAME:-default}`, or `$${` for the characters `${`".into(),
            ),
        });
    }
    match (words.env.get(name), default) {
        (Some(value), None) => Ok(value.to_owned()),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value.to_owned()),
        (_, Some(_)) if depth == MAX_DEPTH => Err(Missing {
            message: "defaults nested too deep".into(),
            mend: None,
        }),
        (_, Some(default)) => expand_text(default, words, depth + 1),
        (None, None) => {
            let near = nearest(name, words.env.names()).filter(|near| near.len() > 3);
            let hint = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            Err(Missing {
                message: format!("the environment variable `{name}` is not set{hint}"),
                mend: Some(format!("set `{name}`, or write `${{{name}:-default}}`")),
            })
        }
    }
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::document::Format;

    fn filled(text: &str) -> Result<String, String> {
        let env = Env::new([
            ("HOME", "/home/me"),
            ("EMPTY", ""),
            ("TRICKY", "${HOME}"),
            ("GITHUB_TOKEN", "t"),
        ]);
        expand_text(text, Words::of(&env), 0).map_err(|missing| missing.message)
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, expect) in [
            ("plain $5 $HOME $", "plain $5 $HOME $"),
            ("${HOME}/x${EMPTY}", "/home/me/x"),
            ("${env:HOME}", "/home/me"),
            ("${EMPTY:-d} ${HOME:-d} ${NONE:-}", "d /home/me "),
            ("${NONE:-${ALSO:-${HOME}}}", "/home/me"),
            ("$${HOME} ${HOME}", "${HOME} /home/me"),
            ("a$$b", "a$$b"),
            ("${TRICKY}", "${HOME}"),
            ("${NONE:-{\"a\": {}}}", "{\"a\": {}}"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_named() {
        for (text, expect) in [
            ("x${NONE}", "the environment variable `NONE` is not set"),
            (
                "${GITHUB_TOKN}",
                "the environment variable `GITHUB_TOKN` is not set; did you mean `GITHUB_TOKEN`?",
            ),
            ("${HOME", "`${` without its `}`"),
            (
                "${input:key}",
                "`${input:key}` cannot be filled in: expected the name of an environment variable",
            ),
            (
                "${}",
                "`${}` cannot be filled in: expected the name of an environment variable",
            ),
        ] {
            assert_eq!(filled(text), Err(expect.to_owned()), "{text}");
        }
    }

    #[test]
    fn every_missing_variable_is_reported_and_schemas_and_metadata_are_left_alone() {
        let text = "a = ['x', '${A}']\n[t]\nb = '${B}'\n[[tools]]\ninput_schema = { pattern = '${C}' }\n[metadata]\nc = '${D}'";
        let mut node = Node::parse(Format::Toml, text, None).expect("valid");
        let mut problems = Vec::new();
        expand(
            &mut node,
            &mut Vec::new(),
            Words::of(&Env::default()),
            &mut problems,
        );
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.path.as_str())).collect();
        assert_eq!(found, [(1, "/a/1"), (3, "/t/b")]);
    }
}
