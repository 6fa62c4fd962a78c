//! Tools as the routes show them.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::caller::Caller;
use crate::model::category::Category;
use crate::model::plugin_id::PluginId;
use crate::model::risk::Risk;
use crate::registry::catalog::{Catalog, Cause, Entry, Hidden};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// One tool. What the plugin defined stays the text it came in.
#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    plugin: &'a PluginId,
    listed: bool,
    enabled: bool,
    requires_approval: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Category>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blast_radius: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Json>,
    input_schema: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a Json>,
}

/// A tool that is not listed, and why.
#[derive(Serialize)]
struct NotListed<'a> {
    name: &'a str,
    plugin: &'a PluginId,
    listed: bool,
    /// Said where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    reason: String,
}

/// The array of the tools that `caller` may see; with `all`, those that are not listed come after them.
pub(super) fn list(catalog: &Catalog, caller: &Caller, all: bool) -> Vec<u8> {
    let mut out = vec![b'['];
    for entry in catalog.entries(caller) {
        push(&mut out, &one(entry));
    }
    for hidden in catalog.hidden(caller).filter(|_| all) {
        push(&mut out, &not_listed(&hidden));
    }
    out.push(b']');
    out
}

/// One tool as an object.
pub(super) fn one(entry: &Entry) -> Vec<u8> {
    let members = Members::of(&entry.definition).unwrap_or_default();
    let tool = Tool {
        name: &entry.name,
        plugin: &entry.plugin.manifest.id,
        listed: true,
        enabled: true,
        requires_approval: entry.conduct.requires_approval,
        title: members.string("title"),
        description: members.string("description"),
        category: entry.category,
        risk: entry.conduct.risk,
        blast_radius: entry.conduct.blast_radius.as_deref(),
        annotations: members.get("annotations"),
        input_schema: entry.input_schema(),
        output_schema: members.get("outputSchema"),
    };
    Json::of(&tool).bytes().to_vec()
}

fn not_listed(hidden: &Hidden) -> Vec<u8> {
    let tool = NotListed {
        name: &hidden.name,
        plugin: &hidden.plugin,
        listed: false,
        enabled: (hidden.cause == Cause::Disabled).then_some(false),
        reason: hidden.sentence(),
    };
    Json::of(&tool).bytes().to_vec()
}

fn push(out: &mut Vec<u8>, object: &[u8]) {
    if out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(object);
}
