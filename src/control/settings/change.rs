//! Changing the settings of a plugin while the gateway runs.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::control::Control;
use crate::control::error::ControlError;
use crate::control::settings::secrets::MASK;
use crate::control::settings::{PluginSettings, named, reconfigured, with};
use crate::control::source::Candidate;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::{ConfigChange, Manifest};
use crate::registry::plugin::{Plugin, StartError};
use crate::registry::pool::{Standing, Taken};

impl Control {
    /// Changes settings of a plugin: each key of `changes` gets its value, `null` takes the key out of what was changed at
    /// run time, so that the file or the manifest counts again. `***` leaves a value as it is. The plugin has the new
    /// settings when this is `Ok`, and they are kept; else all is as it was.
    pub async fn change_settings(
        &self,
        id: &str,
        changes: Map<String, Value>,
    ) -> Result<PluginSettings, ControlError> {
        let _turn = self.turn(id).await?;
        let plugin_id = id.parse().map_err(|_| ControlError::not_found(id))?;
        let overlay = self.stored.now();
        let before = overlay.get(&plugin_id).cloned().unwrap_or_default();
        // What counts now; a plugin whose settings are broken can be mended here, too.
        let found = self.found().await?;
        let current = named(&found, id).map(|now| now.manifest.config.clone());
        let wanted = joined(before.clone(), changes, &current.unwrap_or_default());
        let overlay = with(&overlay, &plugin_id, wanted.clone());
        let found = self.found_with(Arc::new(overlay)).await?;
        let candidate = named(&found, id)?;
        let kept = self.stored.put(&plugin_id, wanted).await;
        kept.map_err(|err| ControlError::not_kept(&err.to_string()))?;
        if let Some(plugin) = self.registered(candidate)
            && let Err(error) = self.give(&plugin, candidate).await
        {
            if let Err(err) = self.stored.put(&plugin_id, before).await {
                tracing::error!(plugin.id = %id, "Settings that `{id}` did not take are kept: {err}");
            }
            return Err(error);
        }
        self.settings_in(&found, id)
    }

    /// Gives a plugin the settings of a new reading of it.
    async fn give(&self, plugin: &Arc<Plugin>, candidate: &Candidate) -> Result<(), ControlError> {
        let pool = &plugin.pool;
        let manifest = reconfigured(plugin, &candidate.manifest);
        if manifest.config == pool.next_manifest().config {
            return Ok(());
        }
        let change = manifest.config_change.unwrap_or(match plugin.runtime {
            RuntimeKind::InProcess => ConfigChange::Init,
            RuntimeKind::McpStdio | RuntimeKind::McpHttp => ConfigChange::Restart,
        });
        if !pool.is_running() {
            let has_failed = matches!(pool.standing(), Standing::Failed(_));
            let before = pool.next_manifest();
            pool.configure(&manifest);
            // It may have failed for its settings: whether these are better is seen at once.
            if has_failed && plugin.closed().is_none() {
                return plugin.start().await.map_err(|err| {
                    pool.configure(&before);
                    not_started(err)
                });
            }
            return Ok(());
        }
        match change {
            ConfigChange::None => pool.defer(&manifest),
            ConfigChange::Restart => self.exchange(plugin, candidate, manifest).await?,
            ConfigChange::Init => match pool.reconfigure(&manifest).await {
                Ok(Taken::Yes) => {}
                Ok(Taken::No) => self.exchange(plugin, candidate, manifest).await?,
                Err(fault) => return Err(ControlError::settings_refused(&fault)),
            },
        }
        let id = plugin.id();
        tracing::info!(plugin.id = %id, "Gave `{id}` other settings");
        Ok(())
    }

    /// Puts the same plugin with other settings in its place, as a reload does: what runs comes to its end.
    async fn exchange(
        &self,
        plugin: &Arc<Plugin>,
        candidate: &Candidate,
        manifest: Arc<Manifest>,
    ) -> Result<(), ControlError> {
        let new = self.source.make(&Candidate {
            manifest,
            source: plugin.source.clone(),
            grants: plugin.grants.clone(),
            ..candidate.clone()
        });
        let exchanged = self.registry.replace(plugin, &new, self.drain).await;
        exchanged.map_err(not_started)
    }
}

fn not_started(err: StartError) -> ControlError {
    match err {
        StartError::Failed(fault) => ControlError::settings_refused(&fault),
        StartError::InvalidState(err) => ControlError::conflict(err.to_string()),
    }
}

/// What was changed so far, with these changes.
fn joined(
    mut stored: Map<String, Value>,
    changes: Map<String, Value>,
    current: &Map<String, Value>,
) -> Map<String, Value> {
    for (key, value) in changes {
        match value {
            Value::Null => drop(stored.shift_remove(&key)),
            Value::String(text) if text == MASK => {}
            mut value => {
                unmask(&mut value, current.get(&key));
                stored.insert(key, value);
            }
        }
    }
    stored
}

/// Puts what is there in the place of masks.
fn unmask(value: &mut Value, current: Option<&Value>) {
    match value {
        Value::String(text) if text == MASK => {
            if let Some(current) = current {
                *value = current.clone();
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                unmask(item, current.and_then(|current| current.get(at)));
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                unmask(member, current.and_then(|current| current.get(key)));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn masks_leave_what_is_there_and_null_takes_out() {
        let stored = map(json!({ "a": 1, "token": "old", "gone": true }));
        let current = map(json!({
            "a": 1, "token": "old", "gone": true, "list": [{ "key": "k0" }],
        }));
        let changes = map(json!({
            "a": 2, "token": "***", "gone": null, "never": null,
            "list": [{ "key": "***", "url": "u" }, { "key": "***" }],
        }));
        assert_eq!(
            Value::Object(joined(stored, changes, &current)),
            json!({
                "a": 2, "token": "old",
                "list": [{ "key": "k0", "url": "u" }, { "key": "***" }],
            })
        );
    }
}
