//! How a call over plain HTTP is meant, beside its arguments.

use axum::extract::{FromRequestParts, Query};
use http::Response;
use http::request::Parts;
use serde::Deserialize;

use crate::front::http::body::Body;
use crate::front::http::routes::Front;
use crate::front::incidents::naming::named;
use crate::front::rest::bad_request;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::meta;

/// The header that asks for a dry run.
pub(in crate::front) const DRY_RUN: &str = "toolgate-dry-run";

/// How a call is meant: `?dry_run=true`, or the header `Toolgate-Dry-Run: 1`.
#[derive(Debug, Clone, Default)]
pub(in crate::front) struct How {
    /// Nothing is to be changed.
    dry_run: bool,
    /// The incident that the header `Toolgate-Incident` names.
    incident: Option<Json>,
    /// The call whose arguments are sent again.
    pub(super) replay_of: Option<u64>,
}

#[derive(Deserialize)]
struct HowQuery {
    #[serde(default)]
    dry_run: bool,
}

impl How {
    /// A call that sends the arguments of another one again. What was a dry run is one again.
    pub(in crate::front) fn replaying(call: u64, dry_run: bool) -> Self {
        Self {
            dry_run,
            replay_of: Some(call),
            ..Self::default()
        }
    }

    /// Says it in the params of the call.
    pub(super) fn say(self, params: &mut Params) {
        if self.dry_run {
            params.meta.set(meta::DRY_RUN, Json::literal("true"));
        }
        if let Some(incident) = self.incident {
            params.meta.set(meta::INCIDENT, incident);
        }
    }
}

impl FromRequestParts<Front> for How {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, _: &Front) -> Result<Self, Response<Body>> {
        // A wish to change nothing must not get lost for being written in another way.
        let unread =
            || bad_request("`dry_run` is `true` or `false`; `Toolgate-Dry-Run` is `1` or `0`");
        let Ok(Query(query)) = Query::<HowQuery>::try_from_uri(&parts.uri) else {
            return Err(unread());
        };
        let header = parts.headers.get(DRY_RUN).map(|value| value.as_bytes());
        let by_header = match header {
            None | Some(b"0" | b"false") => false,
            Some(b"1" | b"true") => true,
            Some(_) => return Err(unread()),
        };
        Ok(Self {
            dry_run: query.dry_run || by_header,
            incident: named(&parts.headers),
            replay_of: None,
        })
    }
}
