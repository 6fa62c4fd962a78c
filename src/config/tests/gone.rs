//! Entries on plugins that are not there, or not right.

use super::*;

#[test]
fn an_entry_on_a_plugin_that_is_broken_or_gone_stops_nothing() {
    let world = World::new(&[
        (
            "toolgate.toml",
            "plugin_dirs = ['plugins']\n[plugins.by-folder]\nload = 'lazy'\n[plugins.by-id]\nload = 'lazy'\n[plugins.off]\nenabled = false\n[plugins.gone]\nload = 'lazy'\n[[auth.tokens]]\nname = 'ci'\nsha256 = '1111111111111111111111111111111111111111111111111111111111111111'\nplugins = ['gone']",
        ),
        ("plugins/by-folder/plugin.toml", "id = "),
        ("plugins/x/plugin.toml", "id = 'by-id'\nversion = "),
        ("plugins/off/plugin.toml", "id = "),
    ]);
    let loaded = load(Some(Path::new("toolgate.toml")), &world.env).expect("valid");
    let resolution = resolve(&loaded, &[]).expect("folders come and go");
    let left_out = |wanted: bool| {
        let all = resolution.left_out.iter();
        all.filter(|one| one.enabled == wanted).count()
    };
    assert_eq!((left_out(true), left_out(false)), (2, 1));
    insta::assert_snapshot!(world.shown(&resolution.nowhere), @"
    toolgate.toml:8:10: there is no plugin `gone`
        at /plugins/gone
        mend: add its directory to `plugin_dirs`, or define it here with `runtime` and the runtime's section

    toolgate.toml:13:1: the token `ci` names the plugin `gone`, which does not exist
        at /auth/tokens/0/plugins
    ");
    let refused = world.prepare("toolgate.toml").map(|_| ());
    let refused = refused.expect_err("whoever checks is told");
    assert!(refused.contains("there is no plugin `gone`"), "{refused}");
    assert!(refused.contains("names the plugin `gone`"), "{refused}");
}

/// A plugin that is wrong leaves the others alone; a filter does not, because calls would pass that it refuses.
#[test]
fn without_a_filter_that_is_wrong_nothing_starts() {
    let manifest = |kind: &str| {
        format!(
            "id = 'p'\nversion = 'one'\nkind = '{kind}'\nruntime = 'mcp_stdio'\nmcp_stdio.command = ['x']\n"
        )
    };
    let refused = |kind: &str, more: &str| {
        let config = format!("plugin_dirs = ['plugins']\n{more}");
        let world = World::new(&[
            ("toolgate.toml", config.as_str()),
            ("plugins/p/plugin.toml", manifest(kind).as_str()),
        ]);
        let loaded = load(Some(Path::new("toolgate.toml")), &world.env).expect("the file is sound");
        resolve(&loaded, &[])
            .err()
            .map(|problems| problems.to_string())
    };
    assert_eq!(refused("tool", ""), None);
    let found = refused("filter", "").expect("it is refused");
    assert!(found.contains("plugin.toml:2:"), "{found}");
    assert_eq!(refused("filter", "[plugins.p]\nenabled = false\n"), None);
}

#[test]
fn scopes_and_patterns_that_open_nothing_and_files_that_are_not_there_are_named() {
    let manifest = "id = 'files'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\nmcp_stdio.command = ['x']\nstatic.dir = 'public'\n\
        routes = [{ path = '/a', tool = 'a', scope = 'reports' }]\n";
    let world = World::new(&[
        (
            "toolgate.toml",
            "plugin_dirs = ['plugins']\npolicy.approval.plugins = ['fil*', 'shel']\n[[auth.tokens]]\nname = 'ci'\nsha256 = '1111111111111111111111111111111111111111111111111111111111111111'\n\
            scopes = ['read', 'reports', 'ext:*:tools', 'ext:files:routes', 'ext:file:tools', 'reads']",
        ),
        ("plugins/files/plugin.toml", manifest),
    ]);
    let loaded = load(Some(Path::new("toolgate.toml")), &world.env).expect("valid");
    let resolution = resolve(&loaded, &[]).expect("a gateway starts all the same");
    insta::assert_snapshot!(world.shown(&resolution.nowhere), @"
    toolgate.toml:6:65: the token `ci` has the scope `ext:file:tools`: there is no plugin `file`; did you mean `files`?
        at /auth/tokens/0/scopes/4

    toolgate.toml:6:83: the token `ci` has the scope `reads`: nothing asks for it; there are `admin`, `read`, `ext:ID:tools`, `ext:ID:routes`, and those that routes name
        at /auth/tokens/0/scopes/5

    toolgate.toml:2:36: no plugin has an id like `shel`
        at /policy/approval/plugins/1
    ");
    insta::assert_snapshot!(world.shown(&resolution.notes), @"
    plugins/files: plugin `files` has no directory `public`, so it has no files to give out
        at /static/dir
    ");
}
