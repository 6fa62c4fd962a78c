//! The gateway's own tools, which give clients without sessions something to hold on to.

use std::sync::LazyLock;

use serde_json::json;

use crate::manifest::Handles;
use crate::model::caller::Caller;
use crate::registry::catalog::Catalog;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::revision::Era;

/// Opens a session.
pub const OPEN: &str = "toolgate__open_session";

/// Closes one.
pub const CLOSE: &str = "toolgate__close_session";

/// The argument that names a session.
pub const ARGUMENT: &str = "toolgate_session";

/// The key of `_meta` that names a session.
pub const META: &str = "toolgate/session";

/// The tools by name.
pub(super) static TOOLS: LazyLock<[(&str, Json); 2]> = LazyLock::new(|| {
    let session = json!({ "type": "string", "description": "The session, as it was opened." });
    let open = json!({
        "name": OPEN,
        "title": "Open a session",
        "description": format!(
            "Opens a session, in which tools remember what earlier calls did: a page that was opened, a directory that was \
             entered. Returns its id; pass that as the argument `{ARGUMENT}` in every call that belongs to it. Not needed \
             for calls that stand alone."
        ),
        "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
        "outputSchema": { "type": "object", "properties": { ARGUMENT: &session }, "required": [ARGUMENT] },
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    });
    let close = json!({
        "name": CLOSE,
        "title": "Close a session",
        "description": "Closes a session that is no longer needed, and forgets what it remembered.",
        "inputSchema": {
            "type": "object",
            "properties": { ARGUMENT: session },
            "required": [ARGUMENT],
            "additionalProperties": false,
        },
        "annotations": { "idempotentHint": true, "openWorldHint": false },
    });
    [(OPEN, Json::of(&open)), (CLOSE, Json::of(&close))]
});

impl Catalog {
    /// Whether `caller`, speaking `era`, is offered handles: it has no session, and sees a plugin that remembers calls.
    pub(super) fn offers_handles(&self, caller: &Caller, era: Era) -> bool {
        // One plugin under its own names is a server like any other, and lists what it lists.
        let is_transparent = self.offers(caller).count() == 1;
        let mut plugins = self.offers(caller).map(|(plugin, _)| plugin);
        era == Era::Modern
            && plugins.any(|plugin| {
                let manifest = &plugin.manifest;
                let hides = is_transparent && manifest.effective_prefix().is_empty();
                let offers = match manifest.handles {
                    Handles::Off => false,
                    Handles::Accept => !hides,
                    Handles::Declare => true,
                };
                offers && plugin.pool.keeps_state()
            })
    }
}

/// `definition` with the argument that names a session among its own; `None` when its schema has no place for it.
pub(super) fn with_argument(definition: &Members) -> Option<Json> {
    let mut schema = Members::of(definition.get("inputSchema")?)?;
    let mut properties = match schema.get("properties") {
        Some(properties) => Members::of(properties)?,
        None => Members::default(),
    };
    let argument = json!({
        "type": "string",
        "description": format!("The session this call belongs to, if any; see `{OPEN}`."),
    });
    properties.set(ARGUMENT, Json::of(&argument));
    schema.set("properties", properties.to_json());
    let mut definition = definition.clone();
    definition.set("inputSchema", schema.to_json());
    Some(definition.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_is_added_and_all_else_stays() {
        let text = r#"{"name":"t","inputSchema":{"type":"object","properties":{"z":{}},"$defs":{"x":1}},"x":[1]}"#;
        let members = Members::of(&Json::literal(text)).expect("an object");
        let with = with_argument(&members).expect("a schema");
        let text = with.as_str();
        assert!(text.starts_with(r#"{"name":"t","inputSchema":{"type":"object","properties":{"z":{},"toolgate_session":"#), "{text}");
        assert!(text.ends_with(r#"},"$defs":{"x":1}},"x":[1]}"#), "{text}");
    }
}
