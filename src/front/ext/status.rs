//! `/ext/status`: every plugin with what it asked for, what it got, what it may not do and why, and how it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Response, StatusCode};
use serde::Serialize;

use crate::control::source::{Broken, Discovery, DiscoverySource};
use crate::dispatch::background::BackgroundInfo;
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response};
use crate::front::scope::need;
use crate::manifest::{Grant, Kind};
use crate::model::caller::{ADMIN, Caller, READ};
use crate::registry::life::State;
use crate::registry::plugin::{Plugin, Source};
use crate::wire::json::Json;

#[derive(Serialize)]
struct Status {
    extensions: BTreeMap<String, Extension>,
    discovery_sources: Vec<SourceInfo>,
    total_extensions: usize,
    loaded_extensions: usize,
    failed_extensions: usize,
}

#[derive(Serialize)]
struct Extension {
    state: State,
    info: Info,
    requested: BTreeSet<Grant>,
    grants: BTreeSet<Grant>,
    denied: BTreeMap<Grant, String>,
    loaded_ms: Option<f64>,
    routes: Vec<RouteInfo>,
    #[serde(rename = "static")]
    serves_files: bool,
    background: Vec<BackgroundInfo>,
    subscriptions: Vec<SubscriptionInfo>,
    metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Default, Serialize)]
struct Info {
    id: String,
    name: String,
    version: String,
    description: String,
    kind: Option<Kind>,
    runtime: Option<&'static str>,
    source: String,
}

#[derive(Serialize)]
struct RouteInfo {
    method: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
}

#[derive(Serialize)]
struct SubscriptionInfo {
    topic: String,
    tool: Option<String>,
}

#[derive(Default, Serialize)]
struct Metrics {
    calls: u64,
    faults: u64,
    avg_ms: f64,
    restarts: u64,
    uptime_seconds: f64,
}

/// One place that plugins come from.
#[derive(Serialize)]
struct SourceInfo {
    #[serde(flatten)]
    source: DiscoverySource,
    plugins: usize,
}

/// What `caller` may know. Where plugins lie, and those that cannot be used at all, is told to operators only.
pub(super) fn answer(front: &HttpFront, caller: &Caller) -> Response<Body> {
    let is_operator = need(caller, ADMIN).is_ok();
    let plugins = front.desk.registry().plugins();
    let seen = plugins.iter().filter(|plugin| caller.sees(plugin.id()));
    let seen: Vec<&Arc<Plugin>> = seen.collect();
    let mut extensions: BTreeMap<String, Extension> = seen
        .iter()
        .map(|plugin| {
            // It quotes what tools said.
            let background = match caller.may(READ) {
                true => front.desk.dispatcher.background_of(plugin.id()),
                false => Vec::new(),
            };
            let extension = Extension::of(plugin, background, is_operator);
            (plugin.id().to_string(), extension)
        })
        .collect();
    let Discovery { sources, broken } = front.desk.control.discovery();
    if is_operator {
        for broken in &broken {
            let place = || broken.source.to_string();
            let key = broken.id.as_ref().map_or_else(place, ToString::to_string);
            let shown = broken.id.as_ref().is_none_or(|id| caller.sees(id));
            if shown && !extensions.contains_key(&key) {
                extensions.insert(key.clone(), Extension::broken(key, broken));
            }
        }
    }
    let of_state = |states: &[State]| {
        let all = extensions.values();
        all.filter(|extension| states.contains(&extension.state))
            .count()
    };
    let sources = sources.into_iter().map(|source| SourceInfo {
        plugins: seen
            .iter()
            .filter(|plugin| source.has(&plugin.source))
            .count(),
        source: source.shown_to(is_operator),
    });
    let status = Status {
        discovery_sources: sources.collect(),
        total_extensions: extensions.len(),
        loaded_extensions: of_state(&[State::Active]),
        failed_extensions: of_state(&[State::Error, State::Unavailable, State::Incomplete]),
        extensions,
    };
    json_response(StatusCode::OK, Body::of(Json::of(&status).bytes().clone()))
}

impl Extension {
    fn of(plugin: &Plugin, background: Vec<BackgroundInfo>, is_operator: bool) -> Self {
        let (manifest, life) = (&plugin.manifest, plugin.life.snapshot());
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let whole = life
            .times
            .load
            .map(|load| load + life.times.init.unwrap_or_default());
        let counts = &plugin.counts;
        let calls = counts.calls.load(Ordering::Relaxed);
        let busy_us = counts.busy_us.load(Ordering::Relaxed);
        let source = match (is_operator, &plugin.source) {
            (true, source) | (false, source @ Source::Builtin) => source.to_string(),
            (false, Source::Folder(_) | Source::Config(_)) => String::new(),
        };
        Self {
            state: life.state,
            info: Info {
                id: manifest.id.to_string(),
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                description: manifest.description.clone(),
                kind: Some(manifest.kind),
                runtime: Some(plugin.runtime.as_str()),
                source,
            },
            requested: manifest.requests.clone(),
            grants: plugin.grants.clone(),
            denied: plugin.denied(),
            loaded_ms: whole.map(milliseconds),
            routes: routes(plugin),
            serves_files: plugin.may(Grant::Static) && manifest.static_files.is_some(),
            background,
            subscriptions: subscriptions(plugin),
            metrics: Metrics {
                calls,
                faults: counts.faults.load(Ordering::Relaxed),
                avg_ms: busy_us as f64 / 1000.0 / calls.max(1) as f64,
                restarts: life.restarts,
                uptime_seconds: life.uptime.as_secs_f64(),
            },
            error: life.error,
        }
    }

    /// One that was found and cannot be used.
    fn broken(id: String, broken: &Broken) -> Self {
        Self {
            state: State::Incomplete,
            info: Info {
                id,
                source: broken.source.to_string(),
                ..Info::default()
            },
            requested: BTreeSet::new(),
            grants: BTreeSet::new(),
            denied: BTreeMap::new(),
            loaded_ms: None,
            routes: Vec::new(),
            serves_files: false,
            background: Vec::new(),
            subscriptions: Vec::new(),
            metrics: Metrics::default(),
            error: Some(broken.problems.to_string()),
        }
    }
}

/// The routes of the manifest; those of a plugin's own router nobody can name, they stand there as one.
fn routes(plugin: &Plugin) -> Vec<RouteInfo> {
    if !plugin.may(Grant::Routes) {
        return Vec::new();
    }
    let declared = plugin.manifest.routes.iter().map(|route| RouteInfo {
        method: route.method.as_str(),
        path: route.path.clone(),
        tool: Some(route.tool.clone()),
    });
    let own = plugin.pool.any_instance();
    let own = own
        .and_then(|instance| instance.routes())
        .map(|_| RouteInfo {
            method: "ANY",
            path: "/{*path}".to_owned(),
            tool: None,
        });
    declared.chain(own).collect()
}

fn subscriptions(plugin: &Plugin) -> Vec<SubscriptionInfo> {
    if !plugin.may(Grant::EventsSub) {
        return Vec::new();
    }
    let declared = plugin.manifest.events.subscribe.iter();
    declared
        .map(|subscription| SubscriptionInfo {
            topic: subscription.topic.clone(),
            tool: Some(subscription.tool.clone()),
        })
        .collect()
}
