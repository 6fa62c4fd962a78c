//! The settings of plugins: what the manifest says, what the operator's file, the environment and whoever changes them
//! while the gateway runs say of that, each over the one before. A change is checked, kept, and reaches the plugin without
//! a restart of the gateway.

mod change;

pub mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::control::Control;
use crate::control::error::ControlError;
use crate::control::settings::secrets::masked;
use crate::control::source::{Candidate, Found};
use crate::ledger::documents::{Documents, NotKept};
use crate::manifest::Manifest;
use crate::model::plugin_id::PluginId;
use crate::registry::plugin::Plugin;
use crate::wire::json::Json;

/// The kind of document that holds the settings of one plugin.
const KIND: &str = "setting";

/// How long the store may take.
const BOUND: Duration = Duration::from_secs(10);

/// The settings that were changed while the gateway ran, by plugin and key. Each stands in place of the whole value below.
pub type Overlay = BTreeMap<PluginId, Map<String, Value>>;

/// Where the value of a setting comes from; the later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The plugin's manifest.
    Manifest,
    /// The operator's file.
    File,
    /// A variable `TOOLGATE_CONFIG__{PLUGIN}__{KEY}`.
    Env,
    /// A change while the gateway ran.
    Store,
}

/// Where each setting of a plugin comes from.
pub type Layers = BTreeMap<String, Layer>;

/// Keeps the settings that were changed while the gateway ran.
pub struct Stored {
    documents: Arc<dyn Documents>,
    now: ArcSwap<Overlay>,
}

/// The settings of one plugin, as they are shown: no secret is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginSettings {
    /// All that count, secrets masked.
    pub config: Value,
    /// Where each comes from.
    pub layers: Layers,
    /// What they must fit.
    pub schema: Option<Map<String, Value>>,
    /// Whether what runs of the plugin goes on with others until it is started again.
    pub needs_restart: bool,
}

/// The settings of the gateway and of all plugins, as they are shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AllSettings {
    /// By plugin.
    pub plugins: BTreeMap<PluginId, PluginSettings>,
    /// What the operator's file says of the gateway itself, defaults filled in, secrets masked.
    pub gateway: Value,
}

impl Stored {
    /// Nothing is known of what `documents` keeps yet.
    pub fn new(documents: Arc<dyn Documents>) -> Self {
        Self {
            documents,
            now: ArcSwap::default(),
        }
    }

    /// What there is.
    pub fn now(&self) -> Arc<Overlay> {
        self.now.load_full()
    }

    /// Takes in what was kept.
    async fn load(&self) -> Result<(), NotKept> {
        let kept = within(self.documents.list(KIND)).await?;
        let mut overlay = Overlay::new();
        for (key, json) in kept {
            match (key.parse::<PluginId>(), json.parse()) {
                (Ok(id), Ok(settings)) => drop(overlay.insert(id, settings)),
                _ => tracing::error!("The settings that are kept of `{key}` cannot be read"),
            }
        }
        self.now.store(Arc::new(overlay));
        Ok(())
    }

    /// Keeps these settings of a plugin in place of all it had here.
    async fn put(&self, id: &PluginId, settings: Map<String, Value>) -> Result<(), NotKept> {
        match settings.is_empty() {
            true => within(self.documents.remove(KIND, id.as_str()))
                .await
                .map(drop)?,
            false => within(self.documents.put(KIND, id.as_str(), Json::of(&settings))).await?,
        }
        self.now.rcu(|overlay| with(overlay, id, settings.clone()));
        Ok(())
    }
}

async fn within<T>(work: impl Future<Output = Result<T, NotKept>>) -> Result<T, NotKept> {
    let late = || NotKept(format!("nothing came of it within {} s", BOUND.as_secs()));
    tokio::time::timeout(BOUND, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// The overlay with other settings of one plugin.
fn with(overlay: &Overlay, id: &PluginId, settings: Map<String, Value>) -> Overlay {
    let mut overlay = overlay.clone();
    match settings.is_empty() {
        true => drop(overlay.remove(id)),
        false => drop(overlay.insert(id.clone(), settings)),
    }
    overlay
}

impl PluginSettings {
    fn of(candidate: &Candidate, plugin: Option<&Arc<Plugin>>) -> Self {
        let manifest = &candidate.manifest;
        let is_other = |plugin: &Arc<Plugin>| {
            let next = plugin.pool.next_manifest();
            plugin.pool.is_behind() || next.config != manifest.config
        };
        Self {
            config: masked(&manifest.config, manifest.config_schema.as_ref()),
            layers: candidate.layers.clone(),
            schema: manifest.config_schema.clone(),
            needs_restart: plugin.is_some_and(is_other),
        }
    }
}

impl Control {
    /// The settings of the gateway and of the plugins that `sees` lets through.
    pub async fn settings(
        &self,
        sees: impl Fn(&PluginId) -> bool,
    ) -> Result<AllSettings, ControlError> {
        let found = self.found().await?;
        let seen = found.candidates.iter().filter(|one| sees(&one.manifest.id));
        let plugins = seen.map(|candidate| {
            let shown = PluginSettings::of(candidate, self.registered(candidate).as_ref());
            (candidate.manifest.id.clone(), shown)
        });
        Ok(AllSettings {
            plugins: plugins.collect(),
            gateway: secrets::masked_by_name(found.gateway.clone()),
        })
    }

    /// The settings of one plugin.
    pub async fn settings_of(&self, id: &str) -> Result<PluginSettings, ControlError> {
        let found = self.found().await?;
        self.settings_in(&found, id)
    }

    fn settings_in(&self, found: &Found, id: &str) -> Result<PluginSettings, ControlError> {
        let candidate = named(found, id)?;
        let plugin = self.registered(candidate);
        Ok(PluginSettings::of(candidate, plugin.as_ref()))
    }

    fn registered(&self, candidate: &Candidate) -> Option<Arc<Plugin>> {
        let (kind, id) = candidate.key();
        self.registry.find(kind, id)
    }

    /// Takes in what was kept over a restart. Before plugins are started; settings that do not fit any more are left out,
    /// and named in the log.
    pub async fn restore_settings(&self) {
        if let Err(err) = self.stored.load().await {
            tracing::error!(
                "Goes on without the settings that were changed while the gateway ran: {err}"
            );
            return;
        }
        if self.stored.now().is_empty() {
            return;
        }
        let found = match self.found().await {
            Ok(found) => found,
            Err(err) => {
                tracing::error!(
                    "Goes on without the settings that were changed while the gateway ran: {err}"
                );
                return;
            }
        };
        for id in self.stored.now().keys() {
            match named(&found, id.as_str()) {
                Ok(candidate) => {
                    if let Some(plugin) = self.registered(candidate) {
                        let manifest = reconfigured(&plugin, &candidate.manifest);
                        plugin.pool.configure(&manifest);
                    }
                }
                Err(err) => {
                    tracing::error!(plugin.id = %id, "Starts `{id}` without the settings that are kept of it: {err}");
                }
            }
        }
    }
}

/// The plugin of that id, if its manifest and its settings say something sensible.
fn named<'a>(found: &'a Found, id: &str) -> Result<&'a Candidate, ControlError> {
    let mut candidates = found.candidates.iter();
    let candidate = candidates.find(|candidate| candidate.manifest.id.as_str() == id);
    candidate.ok_or_else(|| {
        let mut broken = found.broken.iter();
        let broken = broken.find(|one| one.id.as_ref().is_some_and(|is| is.as_str() == id));
        broken.map_or_else(
            || ControlError::not_found(id),
            |broken| ControlError::bad_settings(&broken.problems),
        )
    })
}

/// The manifest of a plugin as it is registered, with the settings of another reading of it.
fn reconfigured(plugin: &Plugin, read: &Manifest) -> Arc<Manifest> {
    let mut manifest = Manifest::clone(&plugin.manifest);
    manifest.config = read.config.clone();
    Arc::new(manifest)
}
