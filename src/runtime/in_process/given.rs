//! What a plugin in this process is given at its start.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::manifest::Manifest;
use crate::manifest::kinds::is_own;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{
    Clock, Events, Given, PluginContext, PluginHandle, PluginKind, PluginMetrics, PluginRegistry,
    Templates, Workers,
};
use crate::runtime::Host;
use crate::runtime::mcp_http::outbound;
use crate::runtime::process::Runner;
use crate::runtime::temp_dir::TempDir;

/// Gathers what `manifest` asks for; directories are made below `homes`. Fails where something that is required is not
/// there, and names it.
pub(super) fn gather(
    manifest: &Manifest,
    host: &Host,
    homes: Option<&Path>,
    (workers, runner): (Arc<dyn Workers>, Option<Runner>),
) -> Result<(PluginContext, Option<TempDir>), Fault> {
    let id = &manifest.id;
    let config = serde_json::to_value(&manifest.config).map_err(|err| {
        let message = format!("the config of `{id}` is no JSON");
        Fault::new(FaultKind::Unavailable, message).caused_by(err)
    })?;
    let mut given = Given::bare(id.clone(), config);
    given.workers = Some(workers);
    given.programs = runner.map(|runner| Arc::new(runner) as _);
    given.events = Events::new(
        id.clone(),
        host.events.clone(),
        Duration::from_millis(manifest.limits.call_timeout_ms),
        host.supervisor.stopping().child_token(),
    );
    let resources = &manifest.resources;
    given.clock = resources.names("clock").then(Clock::default);
    given.http = resources.names("http").then(|| outbound(host.version));
    if let Some(supply) = host.supply.as_ref().filter(|_| resources.names("registry")) {
        given.registry = Some(PluginRegistry::new(id.clone(), supply.clone()));
    }
    if let Some(metrics) = host.metrics.as_ref().filter(|_| resources.names("metrics")) {
        given.metrics = Some(PluginMetrics::new(id.clone(), Arc::clone(metrics) as _));
    }
    let homes = homes.filter(|_| resources.names("temp_dir"));
    let made = homes.map(|homes| TempDir::make(homes, id)).transpose();
    let requires = |name: &str| {
        let mut required = resources.required.iter();
        required.any(|known| known.as_str() == name)
    };
    let temp_dir = match made {
        Err(fault) if requires("temp_dir") => return Err(fault),
        made => made.ok().flatten(),
    };
    given.temp_dir = temp_dir.as_ref().map(|made| made.path().to_owned());
    given.providers = providers(manifest, host)?;
    if let Some(folder) = &host.folder {
        given.templates = Templates::in_folder(folder).map_err(|err| {
            let message = format!("plugin `{id}`: {err}");
            Fault::new(FaultKind::Unavailable, message).because("bad_template")
        })?;
    }
    let there = [
        ("temp_dir", given.temp_dir.is_some()),
        ("registry", given.registry.is_some()),
        ("metrics", given.metrics.is_some()),
    ];
    if let Some((name, _)) = there.iter().find(|(name, there)| !there && requires(name)) {
        return Err(missing(manifest, name));
    }
    Ok((PluginContext::new(given), temp_dir))
}

type Providers = BTreeMap<PluginId, Arc<PluginHandle>>;

fn providers(manifest: &Manifest, host: &Host) -> Result<Providers, Fault> {
    let mut found = Providers::new();
    for name in manifest.resources.all().filter(|name| !is_own(name)) {
        let handle = host.supply.as_ref().and_then(|supply| {
            let named = Some(name.as_str());
            supply
                .handle(&manifest.id, PluginKind::Provider, named)
                .ok()
        });
        match handle {
            Some(handle) => drop(found.insert(name.clone(), handle)),
            None if manifest.resources.required.contains(name) => {
                return Err(missing(manifest, name.as_str()));
            }
            None => {}
        }
    }
    Ok(found)
}

fn missing(manifest: &Manifest, name: &str) -> Fault {
    let message = format!(
        "plugin `{}` needs the resource `{name}`, which is not there",
        manifest.id
    );
    Fault::new(FaultKind::Unavailable, message).because("missing_resource")
}
