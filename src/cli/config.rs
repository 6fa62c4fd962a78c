//! `toolgate config`: the settings of plugins in the gateway that runs are shown and changed.

use std::collections::BTreeMap;
use std::process::ExitCode;

use http::Method;
use serde_json::{Map, Value};

use crate::cli::gateway::{At, ask_json};
use crate::cli::plugins::text;
use crate::cli::{Context, failure, output};
use crate::model::plugin_id::PluginId;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Shows settings, and where each comes from. Secrets are never shown.
    Get {
        /// Of this plugin: `PLUGIN`, or `PLUGIN.KEY` for one of them.
        what: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Changes settings of a plugin that runs: it has them when this is done, without a restart of the gateway.
    Set {
        /// `PLUGIN.KEY=VALUE`; the value is JSON, or else a text.
        #[arg(required = true)]
        settings: Vec<String>,
        #[command(flatten)]
        at: At,
    },
    /// Takes changes back: what the environment, the file or the manifest says counts again.
    Unset {
        /// `PLUGIN.KEY`.
        #[arg(required = true)]
        settings: Vec<String>,
        #[command(flatten)]
        at: At,
    },
}

pub(super) fn run(context: &Context<'_>, command: &Command) -> ExitCode {
    match command {
        Command::Get { what, json, at } => get(context, what.as_deref(), *json, at),
        Command::Set { settings, at } => {
            let read = settings.iter().map(|setting| {
                let (name, value) = setting
                    .split_once('=')
                    .ok_or_else(|| format!("`{setting}` is no `PLUGIN.KEY=VALUE`"))?;
                let text = || Value::String(value.to_owned());
                Ok((name, serde_json::from_str(value).unwrap_or_else(|_| text())))
            });
            change(context, at, read.collect())
        }
        Command::Unset { settings, at } => {
            let named = settings.iter().map(|name| Ok((&**name, Value::Null)));
            change(context, at, named.collect())
        }
    }
}

fn get(context: &Context<'_>, what: Option<&str>, json: bool, at: &At) -> ExitCode {
    let answer = match ask_json(context, at, Method::GET, "/api/config", None) {
        Ok(answer) => answer,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    let plugins = answer["plugins"].as_object();
    let Some(what) = what else {
        match json {
            true => output::say_json(&answer),
            false => show(plugins.into_iter().flatten()),
        }
        return ExitCode::SUCCESS;
    };
    let known = |id: &str| plugins.is_some_and(|plugins| plugins.contains_key(id));
    let Some((id, key)) = split(what, known) else {
        let message = format!("there is no plugin `{what}`; `toolgate plugins list` names them");
        return failure(&message);
    };
    let settings = &answer["plugins"][id];
    match key {
        None if json => output::say_json(settings),
        None => show(
            plugins
                .into_iter()
                .flatten()
                .filter(|(known, _)| *known == id),
        ),
        Some(key) => match settings["config"].get(key) {
            Some(value) => output::say_json(value),
            None => return failure(&format!("`{id}` has no setting `{key}`")),
        },
    }
    ExitCode::SUCCESS
}

fn show<'a>(plugins: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut rows = Vec::new();
    for (id, settings) in plugins {
        for (key, value) in settings["config"].as_object().into_iter().flatten() {
            rows.push(vec![
                format!("{id}.{key}"),
                output::one_line(&value.to_string(), 80),
                text(&settings["layers"], key),
            ]);
        }
        if settings["needs_restart"] == Value::Bool(true) {
            output::complain(&format!(
                "what runs of `{id}` has other settings until it is started again"
            ));
        }
    }
    output::table(&["SETTING", "VALUE", "FROM"], &rows);
}

/// Changes settings, those of one plugin together.
fn change(
    context: &Context<'_>,
    at: &At,
    settings: Result<Vec<(&str, Value)>, String>,
) -> ExitCode {
    let mut changes: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let settings = match settings {
        Ok(settings) => settings,
        Err(wrong) => return failure(&wrong),
    };
    let answer = match ask_json(context, at, Method::GET, "/api/config", None) {
        Ok(answer) => answer,
        Err(unanswered) => return failure(&unanswered.message()),
    };
    for (name, value) in settings {
        // One whose settings are broken is not shown, and can be mended all the same.
        let known = |id: &str| answer["plugins"].get(id).is_some();
        let found =
            split(name, known).or_else(|| name.split_once('.').map(|(id, key)| (id, Some(key))));
        let (Some((id, Some(key))), true) = (found, !name.starts_with('.')) else {
            return failure(&format!("`{name}` is no `PLUGIN.KEY`"));
        };
        let schema = &answer["plugins"][id]["schema"];
        let value = as_wanted(value, &schema["properties"][key]);
        let of_plugin = changes.entry(id.to_owned()).or_default();
        of_plugin.insert(key.to_owned(), value);
    }
    let mut code = ExitCode::SUCCESS;
    for (id, changes) in changes {
        if id.parse::<PluginId>().is_err() {
            return failure(&format!("`{id}` is no id of a plugin"));
        }
        let (path, body) = (format!("/api/config/{id}"), Value::Object(changes));
        match ask_json(context, at, Method::PUT, &path, Some(&body)) {
            Ok(settings) => show(std::iter::once((&id, &settings))),
            Err(unanswered) => code = failure(&unanswered.message()),
        }
    }
    code
}

/// The value as its schema wants it: digits are a text where that is one, such as a PIN.
fn as_wanted(value: Value, schema: &Value) -> Value {
    let is_plain = value.is_i64() || value.is_u64() || value.is_boolean();
    match is_plain && schema["type"] == "string" {
        true => Value::String(value.to_string()),
        false => value,
    }
}

/// The plugin and the key in `PLUGIN.KEY`. Both may have dots: the longest id that there is counts.
fn split(name: &str, known: impl Fn(&str) -> bool) -> Option<(&str, Option<&str>)> {
    if known(name) {
        return Some((name, None));
    }
    let dots = name.match_indices('.').map(|(at, _)| at);
    let at = dots.filter(|at| known(&name[..*at])).last()?;
    Some((&name[..at], Some(&name[at + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_text_where_one_is_wanted() {
        let text = serde_json::json!({ "type": "string" });
        assert_eq!(as_wanted(1234.into(), &text), "1234");
        assert_eq!(as_wanted(1234.into(), &Value::Null), 1234);
    }

    #[test]
    fn the_longest_id_that_there_is_counts() {
        let known = |id: &str| ["a", "a.b"].contains(&id);
        for (name, expect) in [
            ("a", Some(("a", None))),
            ("a.b", Some(("a.b", None))),
            ("a.b.c", Some(("a.b", Some("c")))),
            ("a.c.d", Some(("a", Some("c.d")))),
            ("x.y", None),
        ] {
            assert_eq!(split(name, known), expect, "{name}");
        }
    }
}
