//! How one plugin is, for whoever watches over it.

use http::{Response, StatusCode};

use crate::front::ext::answer::nothing;
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response};
use crate::model::caller::Caller;
use crate::registry::health::judge::Status;
use crate::registry::life::State;
use crate::registry::plugin::Plugin;
use crate::wire::json::Json;

/// 200 while the plugin can do its work, 503 when it cannot; the same words in both.
pub(super) fn answer(front: &HttpFront, caller: &Caller, id: &str) -> Response<Body> {
    let mut named = front.desk.registry().named(id);
    named.retain(|plugin| caller.sees(plugin.id()));
    let Some(plugin) = named.first() else {
        return nothing(Some("there is no such plugin"));
    };
    let mut report = plugin.health_report();
    let state = plugin.life.snapshot();
    report
        .details
        .insert("state".into(), state.state.as_str().into());
    if let Some(error) = state.error {
        report.details.entry("error").or_insert(error.into());
    }
    let status = match is_well(plugin) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json_response(status, Body::of(Json::of(&report).bytes().clone()))
}

/// One that sleeps until its first use is well.
fn is_well(plugin: &Plugin) -> bool {
    let stands = match plugin.life.state() {
        State::Active | State::Initialized => true,
        State::Loaded => plugin.closed().is_none(),
        State::Error
        | State::Unavailable
        | State::Stopping
        | State::Stopped
        | State::Incomplete
        | State::SourceOnly
        | State::Available
        | State::Disabled => false,
    };
    let ill = matches!(plugin.health().status, Status::Unhealthy);
    stands && !ill
}
