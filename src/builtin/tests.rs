//! The table, the manifests and the definitions agree.

use super::*;
use crate::manifest::parse_toml;
use crate::plugin::Tools;

fn definitions(of: &Builtin) -> Vec<String> {
    let mut tools = Tools::default();
    (of.factory)().tools(&mut tools);
    let text = |tool: crate::plugin::BuiltTool| {
        let definition = tool.definition.expect("every tool can be described");
        definition.as_str().to_owned()
    };
    tools.build().into_iter().map(text).collect()
}

#[test]
fn every_row_has_a_sound_manifest() {
    let mut ids = Vec::new();
    for builtin in all() {
        let manifest = parse_toml(builtin.manifest_toml).expect("the manifest is sound");
        assert_eq!(manifest.id.as_str(), builtin.id);
        let section = manifest.in_process.expect("it runs in this process");
        assert_eq!(section.entry, builtin.entry());
        ids.push(builtin.id);
    }
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn every_plugin_promises_not_to_block() {
    for builtin in all() {
        assert!((builtin.factory)().cooperative(), "{}", builtin.id);
    }
}

#[test]
fn the_definitions_are_these() {
    let all: Vec<_> = all().iter().flat_map(definitions).collect();
    insta::assert_snapshot!(all.join("\n"));
}
