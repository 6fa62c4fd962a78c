//! The table of routes beside the MCP endpoint.

use std::sync::Weak;

use axum::Router;

use crate::front::http::HttpFront;

/// State of the routes: the front they belong to.
pub(super) type Front = Weak<HttpFront>;

/// All routes, each with what answers it.
pub(super) fn table(front: Front) -> Router {
    Router::new().with_state(front)
}
