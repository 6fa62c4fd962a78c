//! Plugins of other systems in the plugin directories, and what variables say about plugins.

use super::*;
use crate::manifest::{Kind, Load};

const EXTENSION: &str = r#"{
  "id": "extensia_mea", "name": "Extensia Mea", "version": "1.0.0", "module": "extension.py",
  "enabled": true, "eager": false, "grants": ["ROUTES", "TOOLS"]
}"#;

const DAGSTACK: &str = r#"
schema_version = "1"
name = "chunks"
kind = "chunker"
kind_api_version = "1"
core_version = ">=0.0.1.dev0"
runtime = ["in_process", "mcp_stdio"]
entry_point = "plugin:Chunks"
depends_on = ["com.jank.plugins.hello-world"]

[mcp_stdio]
command = ["./serve"]
env = { KEY = "${TOKEN}" }
startup_timeout_sec = 20
"#;

const JANK: &str = r#"{
  "id": "com.jank.plugins.hello-world", "name": "Hello", "version": "1.0.0", "author": "${NOT_SET}",
  "type": "handler", "auto_start": true, "binary": "hello-world"
}"#;

const AGENTOS: &str = r#"{
  "name": "Gate Keeper", "version": "1", "plugin_type": "middleware", "entry_point": "gate.keeper.Keeper",
  "dependencies": [], "priority": 5
}"#;

fn world(config: &str) -> World {
    World::new(&[
        ("toolgate.toml", config),
        ("plugins/one/extension.json", EXTENSION),
        ("plugins/two/dagstack.toml", DAGSTACK),
        ("plugins/some-checkout-v2/plugin.json", JANK),
        ("plugins/four/manifest.json", AGENTOS),
        ("plugins/old.draft/plugin.toml", &folder("draft", "")),
        (
            "more/five/plugin.toml",
            &folder("five", "requests = ['ROUTES', 'TOOLS']"),
        ),
    ])
}

fn resolved(world: &World) -> Resolution {
    let loaded = load(Some(Path::new("toolgate.toml")), &world.env).expect("valid");
    resolve(&loaded, &[]).expect("the operator's file is right")
}

fn ids(resolution: &Resolution) -> Vec<&str> {
    let plugins = resolution.plugins.iter();
    plugins.map(|plugin| plugin.manifest.id.as_str()).collect()
}

#[test]
fn foreign_folders_are_plugins_as_they_are() {
    let world = world("plugin_dirs = ['plugins']\nplugin_ignore = ['*.draft']");
    let resolution = resolved(&world);
    assert_eq!(
        ids(&resolution),
        ["com.jank.plugins.hello-world", "chunks"],
        "Python that runs in its host cannot come up"
    );
    let jank = find(&resolution, "com.jank.plugins.hello-world");
    assert_eq!(
        (jank.manifest.kind, jank.manifest.load),
        (Kind::Handler, Load::Eager)
    );
    let stdio = jank.manifest.mcp_stdio.as_ref().expect("has the section");
    let program = world.path("plugins/some-checkout-v2/bin/hello-world");
    assert_eq!(Path::new(&stdio.command[0]), program);
    assert_eq!(
        jank.manifest.metadata["imported"]["original"]["author"], "${NOT_SET}",
        "the original is kept as it is"
    );
    let chunks = find(&resolution, "chunks");
    assert_eq!(chunks.manifest.runtimes(), [RuntimeKind::McpStdio]);
    assert_eq!(chunks.manifest.limits.start_timeout_ms, 20_000);
    let stdio = chunks.manifest.mcp_stdio.as_ref().expect("has the section");
    assert_eq!(stdio.env["KEY"].expose(), "hunter2");
    let left_out: Vec<_> = resolution
        .left_out
        .iter()
        .map(|one| one.id.clone())
        .collect();
    assert_eq!(
        left_out,
        [Some(id("gate-keeper")), Some(id("extensia_mea"))]
    );
    let problems = resolution
        .left_out
        .iter()
        .flat_map(|one| one.problems.0.clone());
    insta::assert_snapshot!(world.shown(&Problems(problems.collect())));
    insta::assert_snapshot!(world.shown(&resolution.notes));
}

#[test]
fn the_operator_gives_a_foreign_plugin_its_command_and_grants() {
    let world = world(
        "plugin_dirs = ['plugins']\n[plugins.extensia_mea]\ngrants = ['ROUTES']\nmcp_stdio = { command = ['./mcp'] }\n[plugins.gate-keeper]\nenabled = false\n[plugins.chunks]\nkind = 'tool'\ntoolgate = '*'\n",
    );
    let resolution = resolved(&world);
    let extension = find(&resolution, "extensia_mea");
    assert_eq!(extension.grants, BTreeSet::from([Grant::Routes]));
    assert_eq!(extension.manifest.load, Load::Lazy);
    let stdio = extension
        .manifest
        .mcp_stdio
        .as_ref()
        .expect("has the section");
    assert_eq!(Path::new(&stdio.command[0]), world.path("plugins/one/mcp"));
    assert_eq!(find(&resolution, "chunks").manifest.kind, Kind::Tool);
    let unwanted = resolution.left_out.iter().filter(|one| !one.enabled);
    assert_eq!(unwanted.count(), 1);
    assert!(
        !world.shown(&resolution.notes).contains("four/"),
        "nobody wants it"
    );
    assert!(
        ids(&resolution).contains(&"draft"),
        "only what is named is passed over"
    );
}

#[test]
fn a_command_that_the_operator_gets_wrong_is_the_operators() {
    let world =
        world("plugin_dirs = ['plugins']\n[plugins.extensia_mea]\nmcp_stdio = { command = [] }");
    let refused = world
        .prepare("toolgate.toml")
        .map(|_| ())
        .expect_err("is wrong");
    assert!(refused.starts_with("toolgate.toml:3:"), "{refused}");
    assert!(!refused.contains("one/extension.json"), "{refused}");
}

#[test]
fn a_foreign_manifest_that_is_wrong_leaves_its_plugin_out() {
    let wrong = r#"{"name": "x", "version": "soon", "plugin_type": "tool"}"#;
    let world = World::new(&[
        (
            "toolgate.toml",
            "plugin_dirs = ['plugins']\n[plugins.x]\nkind = 'tool'",
        ),
        ("plugins/x/manifest.json", wrong),
    ]);
    let resolution = resolved(&world);
    assert_eq!(resolution.left_out[0].id, Some(id("x")));
    let shown = world.shown(&resolution.left_out[0].problems);
    assert!(
        shown.starts_with("plugins/x/manifest.json:1:15: `soon` is not a version"),
        "{shown}"
    );
}

#[test]
fn variables_add_directories_and_beat_what_the_config_says() {
    let mut world = world("plugin_dirs = ['plugins']\n[plugins.five]\ngrants = ['TOOLS']\n");
    world.env = Env::new([
        ("TOKEN", "hunter2"),
        ("TOOLGATE_PLUGIN_PATHS", "more:nowhere"),
        (
            "TOOLGATE_GRANTS",
            r#"{"five": ["ROUTES", "STATIC"], "gone": ["TOOLS"]}"#,
        ),
        ("ORDINAUT_EXT_ENTRY_EAGER", r#"{"five": false}"#),
    ])
    .with_cwd(world.dir.path());
    let resolution = resolved(&world);
    let five = find(&resolution, "five");
    assert_eq!(
        five.grants,
        BTreeSet::from([Grant::Routes]),
        "what it asks for and is granted"
    );
    assert_eq!(five.manifest.load, Load::Lazy);
    assert_eq!(
        ids(&resolution).last(),
        Some(&"five"),
        "after those of the config"
    );
    let notes = world.shown(&resolution.notes);
    assert!(
        notes.contains("TOOLGATE_GRANTS:1:32: there is no plugin `gone`"),
        "{notes}"
    );
    assert!(
        notes.contains("nowhere: this directory cannot be read"),
        "{notes}"
    );
}

#[test]
fn a_variable_that_is_wrong_stops_the_start() {
    let mut world = world("");
    world.env = Env::new([("TOOLGATE_LOAD", "{\"five\": \"later\"}")]).with_cwd(world.dir.path());
    let refused = world
        .prepare("toolgate.toml")
        .map(|_| ())
        .expect_err("is wrong");
    assert!(refused.starts_with("TOOLGATE_LOAD:1:10: "), "{refused}");
    assert!(!refused.contains("later"), "{refused}");
}
