//! What clients must know to get a token for this gateway: the metadata of a protected resource (RFC 9728).

use http::{Response, StatusCode, Uri};
use serde::Serialize;

use crate::front::auth::Callers;
use crate::front::http::body::{Body, json_response, problem};
use crate::front::http::routes::Door;
use crate::front::http::{MCP_ALIAS, MCP_PATH};
use crate::wire::json::Json;

/// Where it is: for the MCP endpoint, and for its other path.
pub(in crate::front) const PATHS: [&str; 3] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/ext/mcp_http/mcp",
];

#[derive(Serialize)]
struct Metadata<'a> {
    resource: String,
    authorization_servers: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes_supported: &'a [String],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
}

/// `GET /.well-known/oauth-protected-resource`: open to everyone, for who has no token yet.
pub(in crate::front) async fn metadata(Door(front): Door, uri: Uri) -> Response<Body> {
    let callers = &front.callers;
    let servers = &callers.0.authorization_servers;
    if servers.is_empty() {
        let message = "no authorization server is configured (`auth.jwt`)";
        return problem(StatusCode::NOT_FOUND, "not_found", message);
    }
    let metadata = Metadata {
        resource: callers.resource(uri.path() == PATHS[2]),
        authorization_servers: servers,
        scopes_supported: &callers.0.scopes_supported,
        bearer_methods_supported: ["header"],
        resource_name: "toolgate",
    };
    json_response(
        StatusCode::OK,
        Body::of(Json::of(&metadata).bytes().clone()),
    )
}

impl Callers {
    /// The address of the MCP endpoint, which is what tokens are issued for (RFC 8707).
    fn resource(&self, at_alias: bool) -> String {
        let base = self.0.base.get().map_or("", String::as_str);
        let path = if at_alias { MCP_ALIAS } else { MCP_PATH };
        format!("{base}{path}")
    }

    /// Both addresses of it.
    pub(super) fn resources(&self) -> [String; 2] {
        [self.resource(false), self.resource(true)]
    }

    /// Where the metadata is, if there is some.
    pub(super) fn metadata_url(&self, at_alias: bool) -> Option<String> {
        let base = self.0.base.get()?;
        let path = PATHS[if at_alias { 2 } else { 1 }];
        (!self.0.authorization_servers.is_empty()).then(|| format!("{base}{path}"))
    }
}
