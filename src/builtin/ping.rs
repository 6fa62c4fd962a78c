//! `ping`: the smallest plugin with a route.

use serde_json::json;

use crate::plugin::Plugin;
use crate::plugin::routes::{JsonBody, Router, Routes, get};

/// The plugin.
pub(super) struct Ping;

impl Plugin for Ping {
    fn routes(&self) -> Option<Routes> {
        let pong = || async { JsonBody(json!({ "pong": true })) };
        Some(Routes::new(Router::new().route("/ping", get(pong))))
    }

    fn cooperative(&self) -> bool {
        true
    }
}
