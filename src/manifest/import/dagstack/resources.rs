//! What dagstack hands to a plugin: `[resources]` with `required` and `optional`.

use crate::manifest::document::{Node, Value};
use crate::manifest::import::carry::Carry;
use crate::manifest::import::identity::native_id;
use crate::manifest::kinds::OWN_RESOURCES;
use crate::manifest::runtime::RuntimeKind;

/// Carries the names that mean something here: what the gateway has itself, and the plugins it depends on.
pub(super) fn carry_over(carry: &mut Carry<'_>) {
    if !carry.has(&["resources"]) {
        return;
    }
    let mut carried = Carried::default();
    for key in ["required", "optional"] {
        for name in names(carry, key) {
            one(carry, (key, &name), &mut carried);
        }
    }
    for (key, names) in [
        ("required", carried.required),
        ("optional", carried.optional),
    ] {
        if !names.is_empty() {
            carry.put_texts(&["resources", key], names, &["resources", key]);
        }
    }
    carry.note_unknown(&["resources"], &["required", "optional"]);
}

#[derive(Default)]
struct Carried {
    required: Vec<String>,
    optional: Vec<String>,
}

/// The texts of a list; other things in it mean nothing here.
fn names(carry: &Carry<'_>, key: &str) -> Vec<String> {
    let list = carry.node(&["resources", key]).map(|node| &node.value);
    let Some(Value::Array(items)) = list else {
        return Vec::new();
    };
    let texts = items.iter().filter_map(Node::as_str);
    texts.map(str::to_owned).collect()
}

fn one(carry: &mut Carry<'_>, (key, name): (&str, &str), carried: &mut Carried) {
    let at = ["resources", key];
    let id = native_id(name).map_or_else(|_| name.to_owned(), |id| id.to_string());
    let has_child = carry
        .carried("runtime")
        .contains(&RuntimeKind::McpStdio.as_str());
    let is_own = OWN_RESOURCES.contains(&id.as_str());
    if !is_own && !carry.carried("depends_on").contains(&id.as_str()) {
        let message =
            format!("the resource `{name}` does not exist here: the plugin opens its own");
        let mend = "name a plugin of kind `provider` in `resources` when one has it";
        return carry.note(&at, message, Some(mend));
    }
    if carried.required.contains(&id) || carried.optional.contains(&id) {
        return;
    }
    if is_own && !(has_child && id == "temp_dir") {
        let message = format!(
            "`{id}` is handed to code in the gateway's own process only: the plugin must do without here"
        );
        carry.note(&at, message, None);
        carried.optional.push(id);
    } else if key == "required" {
        carried.required.push(id);
    } else {
        carried.optional.push(id);
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::document::{Format, Node};
    use crate::manifest::import::{ForeignFormat, import};
    use crate::manifest::read;

    #[test]
    fn known_resources_are_carried_and_the_rest_is_told() {
        let check = |runtime: &str, resources: &str, expect: (&[&str], &[&str]), notes: &[&str]| {
            let text = format!(
                "name = 'x'\nkind = 'tool'\ncore_version = '>=0.0.1.dev0'\nversion = '1.0.0'\nruntime = '{runtime}'\ndepends_on = ['vault']\n[resources]\n{resources}\n[mcp_stdio]\ncommand = ['x']\n[mcp_http]\nurl = 'http://127.0.0.1:1/mcp'\n"
            );
            let node = Node::parse(Format::Toml, &text, None).expect("TOML");
            let imported = import(ForeignFormat::Dagstack, &node, &|_| true).expect("it is right");
            let manifest = read(&imported.document).expect("it is right");
            let ids = |list: &[crate::model::plugin_id::PluginId]| {
                Vec::from_iter(list.iter().map(ToString::to_string))
            };
            let found = &manifest.resources;
            assert_eq!(ids(&found.required), expect.0, "{resources}");
            assert_eq!(ids(&found.optional), expect.1, "{resources}");
            let told = imported.notes.iter();
            let told: Vec<_> = told
                .filter(|note| note.path.starts_with("/resources"))
                .collect();
            assert_eq!(told.len(), notes.len(), "{told:?}");
            for (note, expect) in told.iter().zip(notes) {
                assert!(note.message.contains(expect), "{note:?}");
            }
        };
        let all = "required = ['temp_dir', 'Vault']\noptional = ['vault', 'temp_dir']";
        check("mcp_stdio", all, (&["temp_dir", "vault"], &[]), &[]);
        let some = "required = ['clock', 'rng']\noptional = [1, 'http']";
        let notes = ["`clock`", "`rng`", "`http`"];
        check("mcp_stdio", some, (&[], &["clock", "http"]), &notes);
        let remote = "required = ['temp_dir']\nneeded = []";
        check(
            "mcp_http",
            remote,
            (&[], &["temp_dir"]),
            &["`temp_dir`", "`needed`"],
        );
    }
}
