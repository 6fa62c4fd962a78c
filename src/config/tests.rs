//! Configs as operators and assistants write them, from the file to the plugins.

mod assistant;
mod foreign;
mod gone;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::manifest::Grant;
use crate::manifest::runtime::RuntimeKind;

pub(crate) const FULL: &str = r#"
plugin_dirs = ["plugins", "/opt/toolgate/plugins"]
max_plugins = 20
tool_names = "strict"
startup = "strict"

[server]
listen = "0.0.0.0:8080"
allowed_hosts = ["gate.example.com", "gate.example.com:8443"]
allowed_origins = ["https://app.example.com"]
worker_threads = 2

[server.sessions]
max = 500

[[auth.tokens]]
name = "ci"
sha256 = "${CI_TOKEN_SHA256:-1111111111111111111111111111111111111111111111111111111111111111}"
plugins = ["time"]
scopes = ["ext:time:tools"]

[policy]
read_only = true
deny = ["*.exec"]

[events]

[ledger]

[plugins.github]
enabled = false

[plugins.time]
runtime = "mcp_stdio"
grants = ["TOOLS"]
mcp_stdio = { command = ["bin/time", "--utc"], env = { TZ = "UTC" } }
limits = { max_instances = 2 }

[mcpServers.files]
command = "npx"
args = ["-y", "files"]
"#;

/// A directory with files, and the environment to read them in.
struct World {
    dir: TempDir,
    env: Env,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        for (name, text) in files {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().expect("has a parent")).expect("temp dir is writable");
            fs::write(file, text).expect("temp dir is writable");
        }
        let env = Env::new([("TOKEN", "hunter2"), ("HOME", "/home/me")]).with_cwd(dir.path());
        Self { dir, env }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn prepare(&self, file: &str) -> Result<(Loaded, Resolution), String> {
        prepare(Some(Path::new(file)), &self.env, &[]).map_err(|problems| self.shown(&problems))
    }

    /// The problems with the directory's name taken out.
    fn shown(&self, problems: &Problems) -> String {
        problems
            .to_string()
            .replace(&format!("{}/", self.dir.path().display()), "")
    }

    /// What is wrong with a `toolgate.toml`.
    fn refused(text: &str) -> String {
        let world = Self::new(&[("toolgate.toml", text)]);
        world.prepare("toolgate.toml").map(|_| ()).expect_err(text)
    }
}

fn id(text: &str) -> PluginId {
    text.parse().expect("a valid id")
}

fn find<'r>(resolution: &'r Resolution, name: &str) -> &'r ResolvedPlugin {
    resolution
        .plugins
        .iter()
        .find(|plugin| plugin.manifest.id == id(name))
        .expect("the plugin is there")
}

fn folder(id: &str, extra: &str) -> String {
    format!(
        "id = '{id}'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\n{extra}\n[mcp_stdio]\ncommand = ['./run', 'x']\n"
    )
}

#[test]
fn a_full_config_is_read() {
    let world = World::new(&[("toolgate.toml", FULL)]);
    let loaded = load(Some(Path::new("toolgate.toml")), &world.env).expect("valid");
    let resolution = resolve(&loaded, &[]).expect("valid");
    let config = &loaded.config;
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.server.sessions.max, 500);
    assert_eq!(config.server.sessions.idle_ms, 300_000);
    assert_eq!(config.auth.tokens[0].sha256.bytes(), &[0x11; 32]);
    assert_eq!(
        config.plugin_dirs,
        [world.path("plugins"), "/opt/toolgate/plugins".into()]
    );
    assert_eq!(
        (config.max_plugins, config.tool_names, config.startup),
        (20, ToolNames::Strict, Startup::Strict)
    );
    assert!(config.policy.deny[0].matches("shell.exec"));
    let time = find(&resolution, "time");
    assert_eq!(time.source, Source::Config(world.path("toolgate.toml")));
    assert_eq!(time.manifest.limits.max_instances, 2);
    let stdio = time.manifest.mcp_stdio.as_ref().expect("has the section");
    assert_eq!(
        stdio.command[0],
        world.path("bin/time").display().to_string()
    );
    let files = find(&resolution, "files");
    assert_eq!(
        files
            .manifest
            .mcp_stdio
            .as_ref()
            .expect("has the section")
            .command,
        ["npx", "-y", "files"]
    );
    assert_eq!(
        resolution.notes.0.len(),
        2,
        "two plugin directories do not exist"
    );
}

#[test]
fn the_file_is_looked_for_here_then_at_home_then_nowhere() {
    let home = World::new(&[("toolgate/toolgate.toml", "max_plugins = 2")]);
    let here = World::new(&[("toolgate.toml", "max_plugins = 1")]);
    let nowhere = World::new(&[]);
    let max = |env: &Env| load(None, env).expect("valid").config.max_plugins;
    let at_home = |env: &Env| env.clone().with_config_home(home.dir.path());
    assert_eq!(max(&at_home(&here.env)), 1);
    assert_eq!(max(&at_home(&nowhere.env)), 2);
    assert_eq!(max(&nowhere.env), 100);
    assert_eq!(load(None, &nowhere.env).expect("valid").file, None);
    let missing = nowhere
        .prepare("absent.toml")
        .map(|_| ())
        .expect_err("must exist");
    assert!(
        missing.starts_with("absent.toml: cannot be read"),
        "{missing}"
    );
}

#[test]
fn every_problem_of_all_files_is_reported_at_once() {
    let world = World::new(&[
        (
            "toolgate.toml",
            "plugin_dirs = ['plugins']\nmax_plugin = 1\n[server]\nlisten = '0.0.0.0:1'\n[plugins.good]\nlimits = { max_instances = 0 }\n[plugins.goood]\nenabled = true\n[plugins.here]\nruntime = 'mcp_http'\n[plugins.here.mcp_http]\nurl = '${NO_SUCH_URL}'\n[plugins.'B d']\n",
        ),
        (
            "plugins/bad/plugin.toml",
            "id = 'bad'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\nmcp_stdio = { comand = ['x'] }",
        ),
        ("plugins/broken/plugin.json", "{"),
        ("plugins/good/plugin.toml", &folder("good", "")),
    ]);
    let found = world
        .prepare("toolgate.toml")
        .map(|_| ())
        .expect_err("is wrong");
    insta::assert_snapshot!(found, @r#"
    toolgate.toml:2:1: unknown key `max_plugin`; did you mean `max_plugins`?
        at /max_plugin

    toolgate.toml:4:1: listening on 0.0.0.0:1 would let everyone in the network call the tools
        at /server/listen
        mend: add a token to `[[auth.tokens]]` (`toolgate token new` makes one), or listen on 127.0.0.1

    toolgate.toml:12:7: the environment variable `NO_SUCH_URL` is not set
        at /plugins/here/mcp_http/url
        mend: set `NO_SUCH_URL`, or write `${NO_SUCH_URL:-default}`

    toolgate.toml:13:10: `B d` is not a plugin id: one to 64 characters `a-z 0-9 _ . -`, the first a letter or a digit
        at /plugins/B d

    toolgate.toml:6:12: the number is out of range: 1 to 10000 is allowed
        at /plugins/good/limits/max_instances

    toolgate.toml:7:10: there is no plugin `goood`; did you mean `good`?
        at /plugins/goood
        mend: add its directory to `plugin_dirs`, or define it here with `runtime` and the runtime's section

    plugins/bad/plugin.toml:4:15: unknown key `comand`; did you mean `command`?
        at /mcp_stdio/comand

    plugins/bad/plugin.toml:4:13: missing key `command`
        at /mcp_stdio/command

    plugins/broken/plugin.json:1:2: not valid JSON: expected a key in quotes, or `}`
    "#);
}

#[test]
fn a_bad_plugin_folder_leaves_only_itself_out() {
    let world = World::new(&[
        ("toolgate.toml", "plugin_dirs = ['plugins']"),
        ("plugins/a/plugin.toml", &folder("a", "kind = 'tol'")),
        (
            "plugins/b/plugin.toml",
            &folder("b", "depends_on = ['c', 'nowhere']"),
        ),
        ("plugins/c/plugin.toml", "id = "),
        ("plugins/d/plugin.toml", &folder("b", "")),
        ("plugins/e/plugin.toml", &folder("e", "toolgate = '>=99'")),
        (
            "plugins/f/plugin.toml",
            &folder("f", "description = '${NOT_SET}'"),
        ),
        (
            "plugins/g/plugin.toml",
            &folder("g", "kind = 'filter'\nrequests = ['TOOLS', 'ROUTES']"),
        ),
    ]);
    let loaded = load(Some(Path::new("toolgate.toml")), &world.env).expect("valid");
    let resolution = resolve(&loaded, &[]).expect("only folders are wrong");
    let names: Vec<_> = resolution
        .plugins
        .iter()
        .map(|plugin| plugin.manifest.id.as_str())
        .collect();
    assert_eq!(names, ["b", "g"]);
    assert_eq!(
        find(&resolution, "g").grants,
        BTreeSet::from([Grant::Tools])
    );
    let messages: Vec<_> = resolution
        .left_out
        .iter()
        .map(|one| one.problems.0[0].message.as_str())
        .collect();
    insta::assert_debug_snapshot!(messages, @r#"
    [
        "`tol` is not one of `tool`, `provider`, `filter`, `handler`, `notifier`; did you mean `tool`?",
        "another plugin of this kind has the id `b`",
        "it needs toolgate `>=99`, this is 0.1.0",
        "the environment variable `NOT_SET` is not set",
        "not valid TOML: string values must be quoted, expected literal string",
    ]
    "#);
    assert!(
        resolution
            .notes
            .to_string()
            .contains("depends on `nowhere`, which does not exist")
    );
}

#[test]
fn the_operator_has_the_last_word_on_a_folder() {
    let world = World::new(&[
        (
            "toolgate.toml",
            "plugin_dirs = ['plugins']\n[plugins.a]\ngrants = ['ROUTES', 'STATIC']\nprefix = ''\ntools = [{ name = 't', description = 'better' }]\nconfig = { deep = { y = 2 } }\nmcp_stdio = { env = { KEY = '${TOKEN}', LITERAL = '$${TOKEN}' } }\ndescription = 'set here'\n[plugins.b]\nenabled = false",
        ),
        (
            "plugins/a/plugin.toml",
            &folder(
                "a",
                "description = '${NOT_SET}'\nrequests = ['TOOLS', 'ROUTES']\ntools = [{ name = 't', title = 'T' }]\nconfig = { deep = { x = 1 } }",
            ),
        ),
        (
            "plugins/b/plugin.toml",
            &folder("b", "description = '${NOT_SET}'"),
        ),
    ]);
    let (_, resolution) = world.prepare("toolgate.toml").expect("valid");
    let a = find(&resolution, "a");
    assert_eq!(a.grants, BTreeSet::from([Grant::Routes]));
    assert_eq!(a.manifest.effective_prefix(), "");
    assert_eq!(a.manifest.tools[0].title.as_deref(), Some("T"));
    assert_eq!(a.manifest.tools[0].description.as_deref(), Some("better"));
    assert_eq!(
        serde_json::to_string(&a.manifest.config).expect("JSON"),
        r#"{"deep":{"x":1,"y":2}}"#
    );
    let stdio = a.manifest.mcp_stdio.as_ref().expect("has the section");
    assert_eq!(stdio.env["KEY"].expose(), "hunter2");
    assert_eq!(stdio.env["LITERAL"].expose(), "${TOKEN}");
    assert_eq!(a.manifest.description, "set here");
    assert_eq!(Path::new(&stdio.command[0]), world.path("plugins/a/run"));
    assert_eq!(stdio.cwd, Some(world.path("plugins/a")));
    assert!(!find(&resolution, "b").enabled);
}

#[test]
fn startup_is_refused() {
    for (text, expect) in [
        (
            "[server]\nlisten = '0.0.0.0:80'",
            "would let everyone in the network call the tools",
        ),
        ("[server]\nlisten = '[::]:80'", "would let everyone"),
        (
            "[server]\nlisten = 'example.com:80'",
            "expected an address and a port, such as `127.0.0.1:8080`",
        ),
        ("[server]\nallowed_origins = ['*']", "`*` is not allowed"),
        (
            "[server]\nallowed_origins = ['https://x/y']",
            "expected one origin",
        ),
        (
            "[server]\nallowed_hosts = ['http://x']",
            "expected `name` or `name:port`",
        ),
        (
            "[server]\nmax_body_bytes = 1",
            "1024 to 1073741824 is allowed",
        ),
        (
            "[[auth.tokens]]\nname = 'a'\nsha256 = 'hunter2'",
            "expected 64 hexadecimal digits",
        ),
        (
            "[[auth.tokens]]\nname = 'a'\nsha256 = '${TOKEN}'",
            "expected 64 hexadecimal digits",
        ),
        (
            "[[auth.tokens]]\nname = 'a'\nsha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
            "one everybody knows",
        ),
        ("max_plugins = 0", "1 to 10000 is allowed"),
        ("[polcy]", "did you mean `policy`?"),
        ("[events]\nbackend = 'redis'", "unknown key `backend`"),
        ("[plugins.x]\nenabled = true", "there is no plugin `x`"),
        (
            "[plugins.x]\nruntime = 'mcp_stdio'",
            "needs a section `[mcp_stdio]`",
        ),
        (
            "[plugins.x]\nruntime = 'mcp_stdio'\nmcp_stdio = { command = ['x'] }\nid = 'y'",
            "the id cannot be changed",
        ),
        (
            "[mcpServers.x]\nurl = 'https://x/sse'\ntype = 'sse'",
            "old SSE transport",
        ),
        (
            "[mcpServers.x]\ncommand = 'x'\n[mcpServers.X]\ncommand = 'x'",
            "the plugin id `x` is taken",
        ),
        ("plugins = 5", "expected a table"),
        (
            "[plugins.x]\ngrants = ['TOOL']\nenabled = false",
            "did you mean `TOOLS`?",
        ),
    ] {
        let found = World::refused(text);
        assert!(found.contains(expect), "{text}: {found}");
        assert_eq!(
            found.matches("toolgate.toml:").count(),
            1,
            "{text}: {found}"
        );
        assert!(!found.contains("hunter2"), "{text}: {found}");
    }
    let twice = "sha256 = '1111111111111111111111111111111111111111111111111111111111111111'";
    let tokens = format!(
        "[[auth.tokens]]\nname = 'a'\n{twice}\n[[auth.tokens]]\nname = 'a'\n{twice}\nplugins = ['nowhere']"
    );
    let found = World::refused(&tokens);
    for expect in [
        "another token is called `a`",
        "another token is the same",
        "toolgate.toml:7:1: the token `a` names the plugin `nowhere`",
    ] {
        assert!(found.contains(expect), "{found}");
    }
}

#[test]
fn a_value_from_the_environment_is_never_shown() {
    for text in [
        "[policy]\nread_only = '${TOKEN}'",
        "[plugins.x]\nruntime = '${TOKEN}'",
        "[plugins.x]\nruntime = 'mcp_http'\nmcp_http = { url = '${TOKEN}' }",
        "[plugins.x]\nruntime = 'mcp_stdio'\ntoolgate = 'x ${TOKEN}'\ndepends_on = ['A${TOKEN}']\nmcp_stdio = { command = ['x'], env = { A = '${TOKEN}', '=' = '${TOKEN}' } }",
        "[server]\nlisten = '${TOKEN}'",
        "tool_names = '${TOKEN}'",
    ] {
        let found = World::refused(text);
        assert!(!found.contains("hunter2"), "{text}: {found}");
    }
    let world = World::new(&[(
        "toolgate.toml",
        "[mcpServers.x]\nurl = 'https://x/?k=${TOKEN}'\nheaders = { Authorization = 'Bearer ${TOKEN}' }",
    )]);
    let (loaded, resolution) = world.prepare("toolgate.toml").expect("valid");
    assert!(!format!("{resolution:?}").contains("hunter2"));
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let json = serde_json::to_string(&resolution.plugins[0].manifest).expect("JSON");
    assert!(!json.contains("hunter2"), "{json}");
}

#[test]
fn more_plugins_than_allowed_are_left_out() {
    let text = "max_plugins = 2\n".to_owned()
        + &["a", "b", "c", "d"]
            .map(|id| {
                format!(
                    "[mcpServers.{id}]\ncommand = 'x'\ndisabled = {}\n",
                    id == "a"
                )
            })
            .concat();
    let found = World::refused(&text);
    assert!(
        found.contains("there are 2 plugins already") && found.contains("raise `max_plugins`"),
        "{found}"
    );
}

#[test]
fn builtins_are_on_without_a_file_and_off_until_named_with_one() {
    let echo = "id = 'echo'\nversion = '1.0.0'\nruntime = 'in_process'\nrequests = ['TOOLS', 'ROUTES']\nin_process = { entry = 'builtin:echo' }";
    let shell = "id = 'shell'\nversion = '1.0.0'\nruntime = 'in_process'\nload = 'manual'\nin_process = { entry = 'builtin:shell' }";
    let builtins = [(id("echo"), echo), (id("shell"), shell)];
    let enabled = |world: &World, file: Option<&Path>| -> Vec<bool> {
        let (_, resolution) = prepare(file, &world.env, &builtins).expect("valid");
        resolution
            .plugins
            .iter()
            .map(|plugin| plugin.enabled)
            .collect()
    };
    assert_eq!(enabled(&World::new(&[]), None), [true, false]);
    assert_eq!(
        enabled(&World::new(&[("toolgate.toml", "")]), None),
        [false, false]
    );
    assert_eq!(
        enabled(&World::new(&[("toolgate.toml", "[plugins.shell]")]), None),
        [false, true]
    );
    let (_, resolution) = prepare(None, &Env::default(), &builtins).expect("valid");
    assert_eq!(find(&resolution, "echo").grants.len(), 2);
    assert_eq!(
        find(&resolution, "echo").manifest.runtimes(),
        [RuntimeKind::InProcess]
    );
}
