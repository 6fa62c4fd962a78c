//! What the gateway says of itself on behalf of all its plugins: capabilities and instructions.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::caller::Caller;
use crate::registry::catalog::Catalog;
use crate::runtime::Surface;
use crate::wire::members::Members;
use crate::wire::meta::{SERVER_INFO, TASKS};
use crate::wire::revision::Era;

impl Catalog {
    /// The capabilities of all plugins that `caller` may see, as one server has them. What a plugin that is not known
    /// yet may turn out to have is among them: a client that is not told of a capability never asks.
    pub fn capabilities(&self, caller: &Caller, era: Era) -> Value {
        let mut merged = Map::new();
        merged.insert("tools".into(), json!({ "listChanged": true }));
        for (plugin, surface) in self.offers(caller) {
            let known = surface.and_then(|surface| surface.capabilities.as_ref());
            let said = known.and_then(|known| known.parse::<Map<String, Value>>().ok());
            match said {
                Some(said) => take_in(&mut merged, said),
                None => take_in(&mut merged, anything()),
            }
            // The gateway makes tasks where the plugin does not.
            if plugin.manifest.makes_tasks() {
                let tasks = json!({ "extensions": { TASKS: {} } });
                take_in(&mut merged, tasks.as_object().cloned().unwrap_or_default());
            }
        }
        match era {
            Era::Modern => drop(merged.shift_remove("tasks")),
            Era::Legacy => {
                if let Some(Value::Object(extensions)) = merged.get_mut("extensions") {
                    extensions.shift_remove(TASKS);
                }
            }
        }
        merged.retain(|key, said| key != "extensions" || said != &json!({}));
        Value::Object(merged)
    }

    /// What the plugin offers that is the only one `caller` may see, if there is but one: then nothing needs merging.
    pub(super) fn only<'a>(&'a self, caller: &'a Caller) -> Option<&'a Arc<Surface>> {
        let mut offers = self.offers(caller);
        let (_, only) = offers.next()?;
        only.filter(|_| offers.next().is_none())
    }

    /// What else the only plugin said when hands were shaken with it, for a client of `era`.
    pub fn greeting(&self, caller: &Caller, era: Era) -> Members {
        self.only(caller)
            .map(|surface| told_in(&surface.greeting, era))
            .unwrap_or_default()
    }

    /// What the plugins that `caller` may see say about their use, each under its id. Where there is but one plugin its
    /// words stand alone.
    pub fn instructions(&self, caller: &Caller) -> Option<String> {
        let said: Vec<(&str, &str)> = self
            .offers(caller)
            .filter_map(|(plugin, surface)| {
                Some((
                    plugin.manifest.id.as_str(),
                    surface?.instructions.as_deref()?,
                ))
            })
            .collect();
        let is_alone = self.only(caller).is_some();
        match &said[..] {
            [] => None,
            [(_, text)] if is_alone => Some((*text).to_owned()),
            _ => {
                let parts = said.iter().map(|(id, text)| format!("# {id}\n\n{text}"));
                Some(parts.collect::<Vec<_>>().join("\n\n"))
            }
        }
    }
}

/// Members of a result for a client of `era`: the legacy one is not told of the server in `_meta`.
pub(super) fn told_in(rest: &Members, era: Era) -> Members {
    let mut rest = rest.clone();
    let meta = rest.get("_meta").and_then(Members::of);
    if let Some(mut meta) = meta.filter(|_| era == Era::Legacy)
        && meta.remove(SERVER_INFO).is_some()
    {
        match meta.is_empty() {
            true => drop(rest.remove("_meta")),
            false => rest.set("_meta", meta.to_json()),
        }
    }
    rest
}

/// What a plugin may have that nobody has spoken to yet.
fn anything() -> Map<String, Value> {
    let all = json!({ "prompts": {}, "resources": { "subscribe": true }, "completions": {}, "logging": {} });
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
}

/// Adds what one plugin says of itself. The gateway tells of changes of every list, whoever is behind it.
fn take_in(merged: &mut Map<String, Value>, said: Map<String, Value>) {
    for (name, mut capability) in said {
        if let ("tools" | "prompts" | "resources", Value::Object(capability)) =
            (&*name, &mut capability)
        {
            capability.insert("listChanged".to_owned(), true.into());
        }
        match (merged.get_mut(&name), capability) {
            (Some(Value::Object(known)), Value::Object(more)) => {
                for (key, value) in more {
                    let is_false = known.get(&key) == Some(&Value::Bool(false));
                    if is_false || !known.contains_key(&key) {
                        known.insert(key, value);
                    }
                }
            }
            (Some(_), _) => {}
            (None, capability) => drop(merged.insert(name, capability)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_added_up() {
        let mut merged = Map::new();
        let object = |value: Value| value.as_object().cloned().expect("an object");
        take_in(
            &mut merged,
            object(json!({ "resources": { "subscribe": false }, "x": { "a": 1 } })),
        );
        take_in(
            &mut merged,
            object(json!({ "resources": { "subscribe": true }, "x": { "a": 2, "b": 3 } })),
        );
        let expect = json!({
            "resources": { "subscribe": true, "listChanged": true },
            "x": { "a": 1, "b": 3 },
        });
        assert_eq!(Value::Object(merged), expect);
    }
}
