//! Files that belong to assistants and editors.

use super::*;

#[test]
fn an_assistants_file_is_used_as_it_is() {
    let world = World::new(&[(
        ".mcp.json",
        r#"{
  "projects": {}, "theme": "dark",
  "mcpServers": {
    "My Files": { "type": "stdio", "command": "npx", "args": ["-y", "files", "${HOME}"], "env": { "K": "${TOKEN}", "N": 5 }, "alwaysAllow": [] },
    "remote": { "type": "http", "url": "http://intranet:8000/mcp", "headers": { "Authorization": "Bearer ${TOKEN}" } },
    "off": { "command": "x", "env": { "A": "${NOT_SET}" }, "disabled": true },
    "unset": { "command": "x", "env": { "A": "${NOT_SET}" } },
    "old": { "type": "sse", "url": "https://x/sse" },
    "odd": { "command": "x", "envFile": ".env", "colour": "red" },
  }
}"#,
    )]);
    let loaded = load(Some(Path::new(".mcp.json")), &world.env).expect("valid");
    assert!(loaded.assistant);
    let resolution = resolve(&loaded, &[]).expect("servers that are wrong are left out");
    let names: Vec<_> = resolution
        .plugins
        .iter()
        .map(|plugin| (plugin.manifest.id.as_str(), plugin.enabled))
        .collect();
    assert_eq!(
        names,
        [
            ("my-files", true),
            ("remote", true),
            ("off", false),
            ("odd", true)
        ]
    );
    let files = &find(&resolution, "my-files").manifest;
    assert_eq!(files.name, "My Files");
    let stdio = files.mcp_stdio.as_ref().expect("has the section");
    assert_eq!(stdio.command, ["npx", "-y", "files", "/home/me"]);
    assert_eq!(
        (stdio.env["K"].expose(), stdio.env["N"].expose()),
        ("hunter2", "5")
    );
    assert_eq!(stdio.cwd, None);
    let left_out: Vec<_> = resolution
        .left_out
        .iter()
        .map(|one| format!("{:?}: {}", one.id, world.shown(&one.problems)))
        .collect();
    insta::assert_snapshot!(left_out.join("\n\n"), @r#"
    Some("unset"): .mcp.json:7:46: the environment variable `NOT_SET` is not set
        at /mcpServers/unset/env/A
        mend: set `NOT_SET`, or write `${NOT_SET:-default}`

    Some("old"): .mcp.json:8:5: the old SSE transport is not supported
        at /mcpServers/old/type
        mend: give the server's streamable HTTP address and `"type": "http"`
    "#);
    insta::assert_snapshot!(world.shown(&resolution.notes), @r#"
    .mcp.json:9:5: `envFile` is not read
        at /mcpServers/odd/envFile
        mend: set its variables in the environment and name them in `env`

    .mcp.json:9:49: `colour` is not known here and is ignored
        at /mcpServers/odd/colour
    "#);
}

#[test]
fn the_file_of_an_editor_is_used_as_it_is() {
    let world = World::new(&[(
        ".vscode/mcp.json",
        r#"{
  // made by the editor
  "inputs": [{ "id": "key", "type": "promptString" }],
  "servers": {
    "time": { "command": "${workspaceFolder}/run", "cwd": "${workspaceFolder}", "env": { "K": "${env:TOKEN}" } },
    "asks": { "url": "https://x/", "headers": { "A": "${input:key}" } },
  },
}"#,
    )]);
    let loaded = load(Some(Path::new(".vscode/mcp.json")), &world.env).expect("valid");
    let resolution = resolve(&loaded, &[]).expect("servers that are wrong are left out");
    let stdio = find(&resolution, "time")
        .manifest
        .mcp_stdio
        .clone()
        .expect("has the section");
    assert_eq!(Path::new(&stdio.command[0]), world.path("run"));
    assert_eq!(stdio.cwd.as_deref(), Some(world.dir.path()));
    assert_eq!(
        resolution.left_out[0].problems.0[0].path,
        "/servers/asks/headers/A"
    );
}

#[test]
fn our_own_settings_in_json_are_ours() {
    let text = r#"{ "$schema": "x", "server": { "listen": "127.0.0.1:0" }, "mcpServers": { "a": { "command": "x", "colour": 1 } } }"#;
    let world = World::new(&[
        ("my.json", text),
        ("toolgate.json", r#"{ "mcpServers": { "a": {} } }"#),
    ]);
    let (loaded, _) = world.prepare("my.json").expect("valid");
    assert!(!loaded.assistant);
    assert_eq!(loaded.config.server.listen.port(), 0);
    assert!(
        world.prepare("toolgate.json").is_err(),
        "a wrong server in our own file stops the start"
    );
}
