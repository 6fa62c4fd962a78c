//! Arguments that are missing and have a default.

use crate::registry::catalog::Entry;
use crate::wire::json::Json;
use crate::wire::message::Params;

/// Fills in the defaults of the tool's schema, where that is done for it. Nothing is written anew where nothing is
/// missing.
pub(super) fn fill(entry: &Entry, params: &mut Params) {
    let Some(defaults) = entry.defaults() else {
        return;
    };
    let filled = match params.members.get("arguments") {
        Some(arguments) => defaults.fill(arguments),
        None => defaults.fill(&Json::literal("{}")),
    };
    if let Some(filled) = filled {
        params.members.set("arguments", filled);
    }
}
