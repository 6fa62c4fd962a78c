//! From a plugin's definition of a tool to the one that is listed.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::manifest::Handles;
use crate::manifest::expose::ToolEntry;
use crate::manifest::runtime::RuntimeKind;
use crate::model::category::Category;
use crate::registry::catalog::Entry;
use crate::registry::catalog::conduct::Conduct;
use crate::registry::catalog::shelf::Shelf;
use crate::registry::handle_tools::with_argument;
use crate::registry::plugin::Plugin;
use crate::registry::rules::Rules;
use crate::runtime::Definition;
use crate::wire::header::{ParamHeader, param_headers};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The entry for a tool listed as `name`, or why it cannot be listed. All that the manifest does not change stays the
/// text it came in.
pub(super) fn entry(
    plugin: &Arc<Plugin>,
    tool: &Definition,
    name: &str,
    (resources, rules): (&Shelf, &Rules),
) -> Result<Entry, String> {
    let manifest = &plugin.manifest;
    let corrections = manifest
        .tools
        .iter()
        .find(|entry| *entry.name == *tool.name);
    let mut members = tool.members.clone();
    members.set("name", Json::of(name));
    if let Some(corrections) = corrections {
        correct(&mut members, corrections);
    }
    point_to_moved(&mut members, plugin, resources);
    let category = corrections
        .and_then(|entry| entry.category)
        .or_else(|| own_category(plugin, &tool.members));
    let own = (name, &tool.members);
    let conduct = Conduct::of(plugin, own, category, corrections, rules);
    conduct.show(&mut members);
    let input_schema = members
        .get("inputSchema")
        .cloned()
        .ok_or("it has no `inputSchema`")?;
    let declares = manifest.handles == Handles::Declare && plugin.pool.keeps_state();
    let with_handle = declares.then(|| with_argument(&members)).flatten();
    let limits = &manifest.limits;
    let timeout_ms = corrections
        .and_then(|entry| entry.timeout_ms)
        .unwrap_or(limits.call_timeout_ms);
    Ok(Entry {
        name: name.into(),
        tool: Arc::clone(&tool.name),
        tool_json: Json::of(&*tool.name),
        plugin: Arc::clone(plugin),
        definition: members.to_json(),
        with_handle,
        timeout_ms: timeout_ms.min(limits.max_call_ms),
        category,
        conduct,
        param_headers: headers_of(&input_schema)?,
        input_schema,
        filters: Vec::new(),
        numbers: OnceLock::new(),
        withheld: false,
        compiled: OnceLock::new(),
        defaults: OnceLock::new(),
    })
}

/// A tool whose user interface is a resource that is listed under another URI points to that one (MCP Apps).
fn point_to_moved(members: &mut Members, plugin: &Plugin, resources: &Shelf) {
    let Some(mut meta) = members.get("_meta").and_then(Members::of) else {
        return;
    };
    let Some(mut ui) = meta.get("ui").and_then(Members::of) else {
        return;
    };
    let moved = ui
        .string("resourceUri")
        .and_then(|own| resources.moved(plugin, &own));
    if let Some(uri) = moved.map(|uri| Json::of(&**uri)) {
        ui.set("resourceUri", uri);
        meta.set("ui", ui.to_json());
        members.set("_meta", meta.to_json());
    }
}

/// The category that code in the gateway gives its own tool, or hints at. What other plugins say of themselves is not
/// believed.
fn own_category(plugin: &Plugin, members: &Members) -> Option<Category> {
    if plugin.runtime != RuntimeKind::InProcess {
        return None;
    }
    let meta = members.get("_meta").and_then(Members::of);
    let said = meta.and_then(|meta| meta.get("toolgate/category")?.parse().ok());
    said.or_else(|| {
        let hints = members.get("annotations").and_then(Members::of)?;
        let only_looks = hints.get("readOnlyHint")?.is_true();
        only_looks.then_some(Category::Diagnostic)
    })
}

fn headers_of(input_schema: &Json) -> Result<Vec<ParamHeader>, String> {
    if memchr::memmem::find(input_schema.bytes(), b"x-mcp-header").is_none() {
        return Ok(Vec::new());
    }
    let schema: Value = input_schema
        .parse()
        .map_err(|err| format!("its `inputSchema` cannot be read: {err}"))?;
    param_headers(&schema)
        .map_err(|err| format!("its `inputSchema` has an invalid `x-mcp-header`: {err}"))
}

fn correct(members: &mut Members, corrections: &ToolEntry) {
    if let Some(title) = &corrections.title {
        members.set("title", Json::of(title));
    }
    if let Some(description) = &corrections.description {
        members.set("description", Json::of(description));
    }
    if let Some(schema) = &corrections.input_schema {
        members.set("inputSchema", Json::of(schema));
    }
    if let Some(schema) = &corrections.output_schema {
        members.set("outputSchema", Json::of(schema));
    }
    if corrections.annotations.is_some() || corrections.category.is_some() {
        let known = members
            .get("annotations")
            .and_then(|known| known.parse::<Map<String, Value>>().ok());
        let mut annotations = known.unwrap_or_default();
        annotations.extend(corrections.annotations.clone().unwrap_or_default());
        // The category has the last word: what is hinted must not say otherwise.
        match corrections.category {
            Some(Category::Diagnostic) => {
                drop(annotations.insert("readOnlyHint".into(), true.into()))
            }
            Some(Category::Remediation) => {
                annotations.insert("readOnlyHint".into(), false.into());
                annotations.entry("destructiveHint").or_insert(true.into());
            }
            None => {}
        }
        members.set("annotations", Json::of(&annotations));
    }
}
