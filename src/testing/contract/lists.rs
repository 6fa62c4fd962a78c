//! What a plugin offers: names, descriptions, schemas.

use std::sync::Arc;

use crate::manifest::check::is_tool_name;
use crate::manifest::{Grant, Kind, Manifest};
use crate::registry::kinds;
use crate::runtime::{Definition, Instance};
use crate::schema::Schema;
use crate::testing::contract::Verdict;
use crate::wire::list::ListKind;

/// How many things that are wrong are told.
const TOLD: usize = 10;

/// Whether everything that it offers can be listed: names, descriptions, schemas.
pub(super) fn check(manifest: &Manifest, instance: &Arc<dyn Instance>) -> Verdict {
    let surface = instance.surface().borrow().clone();
    let mut wrong = Vec::new();
    let mut counts = Vec::new();
    for kind in ListKind::ALL {
        let listing = surface.list(kind);
        let omitted = listing.omitted.iter();
        wrong.extend(omitted.map(|one| format!("`{}`: {}", one.name, one.reason)));
        match listing.definitions.len() {
            0 => {}
            1 => counts.push(format!("1 {}", kind.noun())),
            count => counts.push(format!("{count} {}s", kind.noun())),
        }
    }
    let tools = surface.list(ListKind::Tools).definitions.iter();
    // What nobody sees need not be described.
    let is_listed = |tool: &&Definition| {
        let by_kind = kinds::hides(manifest, &tool.name).is_none();
        by_kind && manifest.expose.listed_name(&tool.name).is_some()
    };
    let listed = tools.filter(is_listed);
    for tool in listed {
        wrong.extend(wrong_with(manifest, tool));
    }
    let asks = manifest.requests.contains(&Grant::Tools);
    let is_tool = manifest.kind == Kind::Tool;
    // What a plugin offers that waits for its settings depends on these.
    let must_offer = is_tool && asks && !manifest.opt_in;
    if counts.is_empty() && wrong.is_empty() && must_offer {
        return Verdict::failed("it offers nothing: no tools, prompts or resources")
            .mend("offer a tool, or say in the manifest what `kind` of plugin it is");
    }
    match wrong.is_empty() {
        true if counts.is_empty() && !asks => {
            Verdict::ok("it offers nothing, and asks for no `TOOLS`")
        }
        true if counts.is_empty() && manifest.opt_in && is_tool => {
            Verdict::ok("it offers nothing before it is set up")
        }
        true if counts.is_empty() => Verdict::ok("it offers nothing, as its kind may"),
        true => Verdict::ok(counts.join(", ")),
        false => {
            let more = wrong.len().saturating_sub(TOLD);
            wrong.truncate(TOLD);
            if more > 0 {
                wrong.push(format!("and {more} more"));
            }
            Verdict::failed(wrong.join("\n"))
        }
    }
}

fn wrong_with(manifest: &Manifest, tool: &Definition) -> Vec<String> {
    let name = &tool.name;
    let entry = manifest.tools.iter().find(|entry| entry.name == **name);
    let mut wrong = Vec::new();
    if !is_tool_name(name) {
        wrong.push(format!(
            "tool `{name}`: a name has 1 to 64 characters `A-Z a-z 0-9 _ . -`"
        ));
    }
    let own = tool.members.string("description");
    let corrected = entry.and_then(|entry| entry.description.as_deref());
    let description = corrected.or(own.as_deref()).unwrap_or_default();
    if description.trim().is_empty() {
        wrong.push(format!(
            "tool `{name}`: it has no description, so no model knows what it is for"
        ));
    }
    for key in ["inputSchema", "outputSchema"] {
        let schema = tool.members.get(key);
        if let Some(Err(why)) = schema.map(Schema::compile) {
            wrong.push(format!("tool `{name}`: its `{key}` cannot be used: {why}"));
        }
    }
    wrong
}

/// Whether the tools that the manifest speaks of exist; of a plugin that waits for its settings, those that it needs.
pub(super) fn declared(manifest: &Manifest, instance: &Arc<dyn Instance>) -> Verdict {
    let surface = instance.surface().borrow().clone();
    let tools = surface.list(ListKind::Tools);
    let exists = |name: &str| tools.definitions.iter().any(|tool| *tool.name == *name);
    let entries = manifest.tools.iter().filter(|_| !manifest.opt_in);
    let entries = entries.map(|entry| ("[[tools]]", entry.name.as_str()));
    let renamed = manifest.expose.rename.keys();
    let renamed = renamed.map(|name| ("expose.rename", name.as_str()));
    let background = manifest.background.iter();
    let background = background.map(|job| ("[[background]]", job.tool.as_str()));
    let health = manifest.health.tool.iter();
    let health = health.map(|name| ("health.tool", name.as_str()));
    let named: Vec<_> = entries
        .chain(renamed)
        .chain(background)
        .chain(health)
        .collect();
    if named.is_empty() {
        return Verdict::NotApplicable("the manifest speaks of no tool".to_owned());
    }
    let missing = named.iter().filter(|(_, name)| !exists(name));
    let missing: Vec<String> = missing
        .map(|(place, name)| format!("`{name}` of `{place}` is no tool of the plugin"))
        .collect();
    if missing.is_empty() {
        return Verdict::ok("all tools that the manifest speaks of are there");
    }
    let known = tools.definitions.iter();
    let known: Vec<String> = known
        .take(TOLD)
        .map(|tool| format!("`{}`", tool.name))
        .collect();
    Verdict::failed(missing.join("\n")).mend(match known.is_empty() {
        true => "offer it, or take it out of the manifest; the plugin has no tools".to_owned(),
        false => format!("the plugin has {}", known.join(", ")),
    })
}
