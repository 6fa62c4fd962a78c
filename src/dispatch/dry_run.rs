//! Calls that are to change nothing: `_meta["toolgate/dry_run"]`. A tool that can be told so is called and told; for all
//! others the gateway says what would be done.

use serde_json::json;

use crate::manifest::dry_run::DryRun;
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::Entry;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::meta::DRY_RUN;
use crate::wire::revision::Era;

/// What a call wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A call.
    Call,
    /// A dry run that the tool makes.
    OfTool,
    /// A dry run that the tool must not know of.
    Ours,
}

/// Reads what the call wants to be, and tells the tool, where it can be told.
pub(super) fn wish(entry: &Entry, params: &mut Params) -> Result<Wish, Fault> {
    match params.meta.get(DRY_RUN).map(Json::as_str) {
        None | Some("false" | "null") => return Ok(Wish::Call),
        Some("true") => {}
        // It may have been meant so.
        Some(_) => {
            let message = format!("`/params/_meta/{DRY_RUN}` must be `true` or `false`");
            return Err(Fault::new(FaultKind::BadInput, message));
        }
    }
    Ok(match &entry.conduct.dry_run {
        DryRun::Never => Wish::Ours,
        DryRun::Meta => Wish::OfTool,
        DryRun::Argument(name) => {
            let arguments = params.members.get("arguments").and_then(Members::of);
            let mut arguments = arguments.unwrap_or_default();
            let told = Json::of(&json!({ name: true }));
            arguments.replace(name, Json::literal("true"));
            arguments.append(&Members::of(&told).unwrap_or_default());
            params.members.set("arguments", arguments.to_json());
            Wish::OfTool
        }
    })
}

/// What would be done.
pub(super) fn answer(entry: &Entry, params: &Params, requires_approval: bool) -> Answer {
    let nothing = Json::literal("{}");
    let arguments = params.members.get("arguments").unwrap_or(&nothing);
    let (name, plugin) = (&entry.name, entry.plugin.id());
    let effect = entry.effect();
    let mut text = format!("Dry run: `{name}` of plugin `{plugin}` would be called. It {effect}.");
    if requires_approval {
        text.push_str(" A person would have to agree first.");
    }
    let mut told = Members::default();
    let of = |value: serde_json::Value| Json::of(&value);
    told.set("dry_run", Json::literal("true"));
    told.set("tool", Json::of(&**name));
    told.set("plugin", Json::of(plugin));
    told.set("category", Json::of(&entry.category));
    told.set("risk", Json::of(&entry.conduct.risk));
    told.set("arguments", arguments.clone());
    told.set("effect", Json::of(&effect));
    told.set("requires_approval", of(requires_approval.into()));
    told.set("would_call", Json::literal("true"));
    let mut result = Members::default();
    result.set("content", of(json!([{ "type": "text", "text": text }])));
    result.set("structuredContent", told.to_json());
    Answer::result(result.to_json(), Era::Legacy)
}
