//! What a plugin is given at its start: its settings, and the resources that its manifest asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{
    Background, Clock, Events, HttpClient, PluginHandle, PluginMetrics, PluginRegistry, Programs,
    Templates, Workers,
};

/// What a plugin is given at its start. Cheap to clone; may be kept.
///
/// A resource is there if `[resources]` in the manifest names it. Those that are `required` always are: without them the
/// plugin is not started, so `?` is all that a hook needs.
#[derive(Clone)]
pub struct PluginContext(Arc<Given>);

/// What a [`PluginContext`] is made of.
pub(crate) struct Given {
    pub(crate) id: PluginId,
    /// Exchanged when the settings are changed.
    pub(crate) config: ArcSwap<Value>,
    pub(crate) clock: Option<Clock>,
    pub(crate) http: Option<HttpClient>,
    pub(crate) temp_dir: Option<PathBuf>,
    pub(crate) registry: Option<PluginRegistry>,
    pub(crate) metrics: Option<PluginMetrics>,
    pub(crate) templates: Option<Templates>,
    pub(crate) providers: BTreeMap<PluginId, Arc<PluginHandle>>,
    pub(crate) workers: Option<Arc<dyn Workers>>,
    pub(crate) programs: Option<Arc<dyn Programs>>,
    pub(crate) events: Events,
    pub(crate) span: tracing::Span,
}

impl Given {
    /// Nothing but a name and settings.
    pub(crate) fn bare(id: PluginId, config: Value) -> Self {
        let span = tracing::info_span!("plugin", plugin.id = %id);
        let events = Events::new(id.clone(), None, Duration::ZERO, CancellationToken::new());
        Self {
            events,
            id,
            config: ArcSwap::from_pointee(config),
            clock: None,
            http: None,
            temp_dir: None,
            registry: None,
            metrics: None,
            templates: None,
            providers: BTreeMap::new(),
            workers: None,
            programs: None,
            span,
        }
    }
}

impl PluginContext {
    pub(crate) fn new(given: Given) -> Self {
        Self(Arc::new(given))
    }

    /// One with these settings and nothing else, for tests of plugins.
    pub fn detached(config: Value) -> Self {
        let id = "detached".parse().expect("the name is a plugin id");
        Self::new(Given::bare(id, config))
    }

    /// The plugin's id.
    pub fn id(&self) -> &PluginId {
        &self.0.id
    }

    /// Its settings as they are now: the `config` of the manifest and of the operator, an object. Settings that are
    /// changed while the plugin runs are seen by contexts that were kept, too.
    pub fn config(&self) -> Arc<Value> {
        self.0.config.load_full()
    }

    /// Its settings as they are now, read into a type of its own.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&**self.0.config.load())
    }

    /// Exchanges the settings, for all clones; gives back those that were.
    pub(crate) fn put_config(&self, config: Arc<Value>) -> Arc<Value> {
        self.0.config.swap(config)
    }

    /// Its background work. Fails where it is not granted `BACKGROUND_TASKS`.
    pub fn background(&self) -> Result<Background, Fault> {
        let workers = self.0.workers.as_ref();
        let workers = workers.ok_or_else(|| self.lacks("background"))?;
        if !workers.is_granted() {
            let message = format!(
                "plugin `{}` is not granted BACKGROUND_TASKS: request it in the manifest, and grant it under `[plugins.{}]`",
                self.0.id, self.0.id
            );
            return Err(Fault::new(FaultKind::Denied, message).because("permission_denied"));
        }
        Ok(Background::new(Arc::clone(workers)))
    }

    /// Runs programs to their end. For plugins that come with the gateway.
    pub(crate) fn programs(&self) -> Result<Arc<dyn Programs>, Fault> {
        self.0.programs.clone().ok_or_else(|| {
            let message = format!(
                "plugin `{}` cannot run programs here: its gateway starts none",
                self.0.id
            );
            Fault::new(FaultKind::Unavailable, message).because("missing_resource")
        })
    }

    /// The span that its log lines belong to: `tracing::info!(parent: context.span(), "..")`.
    pub fn span(&self) -> &tracing::Span {
        &self.0.span
    }

    /// The events of the gateway, as far as they are granted.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// The resource `clock`.
    pub fn clock(&self) -> Result<Clock, Fault> {
        self.0.clock.ok_or_else(|| self.lacks("clock"))
    }

    /// The resource `http`.
    pub fn http(&self) -> Result<&HttpClient, Fault> {
        self.0.http.as_ref().ok_or_else(|| self.lacks("http"))
    }

    /// The resource `temp_dir`: a directory of its own, empty at its start and removed after its end.
    pub fn temp_dir(&self) -> Result<&Path, Fault> {
        let directory = self.0.temp_dir.as_deref();
        directory.ok_or_else(|| self.lacks("temp_dir"))
    }

    /// The resource `registry`.
    pub fn registry(&self) -> Result<&PluginRegistry, Fault> {
        let registry = self.0.registry.as_ref();
        registry.ok_or_else(|| self.lacks("registry"))
    }

    /// The resource `metrics`: numbers of its own, beside those of the gateway.
    pub fn metrics(&self) -> Result<&PluginMetrics, Fault> {
        let metrics = self.0.metrics.as_ref();
        metrics.ok_or_else(|| self.lacks("metrics"))
    }

    /// The templates in the directory `templates` of its folder. A plugin that has no folder makes its own:
    /// [`Templates::of`].
    pub fn templates(&self) -> Result<&Templates, Fault> {
        self.0.templates.as_ref().ok_or_else(|| {
            let message = format!("plugin `{}` has no directory `templates`", self.0.id);
            Fault::new(FaultKind::Unavailable, message).because("missing_resource")
        })
    }

    /// The provider of that id. The same handle each time.
    pub fn provider(&self, id: &str) -> Result<Arc<PluginHandle>, Fault> {
        let handle = self.0.providers.get(id);
        handle.cloned().ok_or_else(|| self.lacks(id))
    }

    fn lacks(&self, name: &str) -> Fault {
        let message = format!(
            "plugin `{}` has no resource `{name}`: its manifest does not ask for it under `[resources]`, or it is not there",
            self.0.id
        );
        Fault::new(FaultKind::Unavailable, message).because("missing_resource")
    }
}

/// Its settings may be secrets.
impl std::fmt::Debug for PluginContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginContext")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_asked_for_is_not_there_and_is_named() {
        let context = PluginContext::detached(json!({ "a": 1 }));
        let settings: BTreeMap<String, u8> = context.settings().expect("they fit");
        assert_eq!(settings["a"], 1);
        let faults = [
            context.clock().err(),
            context.http().err(),
            context.temp_dir().err(),
            context.registry().err(),
            context.metrics().err(),
            context.provider("vault").err(),
        ];
        let names = ["clock", "http", "temp_dir", "registry", "metrics", "vault"];
        for (fault, name) in faults.into_iter().zip(names) {
            let told = fault.expect("nothing was given").to_string();
            assert!(told.contains(&format!("`{name}`")), "{told}");
        }
    }
}
