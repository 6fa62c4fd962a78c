//! How a request over HTTP names the incident that its call belongs to.

use http::HeaderMap;

use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::meta;

/// The header. It says the same as `toolgate/incident` in `_meta`, which goes before it.
pub(in crate::front) const HEADER: &str = "toolgate-incident";

/// Takes what the headers say of it over into the params, where the dispatcher looks for it.
pub(in crate::front) fn name_incident(headers: &HeaderMap, params: &mut Params) {
    let Some(id) = named(headers) else { return };
    if params.meta.get(meta::INCIDENT).is_none() {
        params.meta.set(meta::INCIDENT, id);
    }
}

/// What the headers say.
pub(in crate::front) fn named(headers: &HeaderMap) -> Option<Json> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    Some(Json::of(id))
}
