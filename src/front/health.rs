//! Whether the gateway is there, whether it is ready, and how it does.
//!
//! These need no credential, so that a supervisor can ask. Numbers and the plugins with their last words are for callers
//! with one, each seeing the plugins it may use; where no credentials are configured only this machine can ask.

use std::sync::Arc;

use axum::extract::Extension;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::model::caller::Caller;
use crate::model::plugin_id::PluginId;
use crate::registry::health::judge::Status as HealthStatus;
use crate::registry::life::State;
use crate::registry::plugin::Plugin;
use crate::wire::json::Json;

/// Who asks, if that is known.
type Asker = Option<Extension<Arc<Caller>>>;

/// Where the gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Plugins are still being started.
    Starting,
    /// Calls are taken.
    Ready,
    /// No new calls are taken.
    Stopping,
}

#[derive(Serialize)]
struct Readiness {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugins: Option<Vec<Place>>,
    /// How the keys of the authorization server stand, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<KeysStand>,
}

/// Whether tokens of the authorization server can be verified.
#[derive(Serialize)]
struct KeysStand {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Where one plugin stands.
#[derive(Serialize)]
struct Place {
    id: PluginId,
    state: State,
    health: HealthStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    status: Status,
    #[serde(flatten)]
    numbers: Option<Numbers>,
}

#[derive(Serialize)]
struct Numbers {
    version: &'static str,
    plugins: Counts,
    health: Wellness,
    tools: usize,
    sessions: usize,
    active_calls: usize,
}

/// How many plugins stand where.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    active: usize,
    idle: usize,
    starting: usize,
    failed: usize,
}

/// How many plugins are how.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Wellness {
    healthy: usize,
    degraded: usize,
    unhealthy: usize,
    unknown: usize,
}

/// `GET /livez`: 200 while the process answers at all.
pub(super) async fn alive() -> Response<Body> {
    json_response(StatusCode::OK, Body::of(&br#"{"status":"alive"}"#[..]))
}

/// `GET /readyz`: 200 when the plugins that start with the gateway have started or failed, and calls are taken; 503
/// otherwise. One plugin's failure does not make the gateway unready.
pub(super) async fn ready(Door(front): Door, asker: Asker) -> Response<Body> {
    let status = Status::of(&front);
    let plugins = front.desk.registry().plugins();
    let is_known = asker.is_some();
    let keys = front.callers.standing().map(|standing| KeysStand {
        ready: standing.has_keys,
        reason: standing.trouble.filter(|_| is_known),
    });
    let plugins = asker.map(|Extension(caller)| {
        let seen = plugins
            .iter()
            .filter(|plugin| caller.sees(&plugin.manifest.id));
        seen.map(|plugin| Place::of(plugin)).collect()
    });
    let code = match status {
        Status::Ready => StatusCode::OK,
        Status::Starting | Status::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    let readiness = Readiness {
        status,
        plugins,
        keys,
    };
    answer(code, &readiness)
}

/// `GET /health`: the same in numbers; always 200.
pub(super) async fn summary(Door(front): Door, asker: Asker) -> Response<Body> {
    let numbers = asker.map(|Extension(caller)| Numbers {
        version: front.desk.version,
        plugins: Counts::of(&front.desk.registry().plugins(), &caller),
        health: Wellness::of(&front.desk.registry().plugins(), &caller),
        tools: front
            .desk
            .registry()
            .with_catalog(|catalog| catalog.entries(&caller).count()),
        sessions: front.sessions().len(),
        active_calls: front.active(),
    });
    let status = Status::of(&front);
    answer(StatusCode::OK, &Summary { status, numbers })
}

impl Status {
    fn of(front: &HttpFront) -> Self {
        if front.is_draining() {
            Self::Stopping
        } else if front.desk.registry().is_settled() {
            Self::Ready
        } else {
            Self::Starting
        }
    }
}

impl Place {
    fn of(plugin: &Plugin) -> Self {
        let life = plugin.life.snapshot();
        Self {
            id: plugin.id().clone(),
            state: life.state,
            health: plugin.health().status,
            reason: life.error,
        }
    }
}

impl Counts {
    pub(super) fn of(plugins: &[Arc<Plugin>], caller: &Caller) -> Self {
        let mut counts = Self::default();
        for plugin in plugins
            .iter()
            .filter(|plugin| caller.sees(&plugin.manifest.id))
        {
            let place = match plugin.life.state() {
                State::Active => &mut counts.active,
                State::Error | State::Unavailable => &mut counts.failed,
                _ if plugin.pool.is_running() => &mut counts.starting,
                _ => &mut counts.idle,
            };
            *place += 1;
        }
        counts
    }
}

impl Wellness {
    pub(super) fn of(plugins: &[Arc<Plugin>], caller: &Caller) -> Self {
        let mut counts = Self::default();
        for plugin in plugins.iter().filter(|plugin| caller.sees(plugin.id())) {
            let place = match plugin.health().status {
                HealthStatus::Healthy => &mut counts.healthy,
                HealthStatus::Degraded => &mut counts.degraded,
                HealthStatus::Unhealthy => &mut counts.unhealthy,
                HealthStatus::Unknown => &mut counts.unknown,
            };
            *place += 1;
        }
        counts
    }
}

fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    json_response(status, Body::of(Json::of(body).bytes().clone()))
}
