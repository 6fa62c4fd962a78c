//! Manifests that are accepted and refused, as their authors see it.

use super::*;

pub(crate) const GITHUB: &str = r#"
id = "github"
name = "GitHub"
version = "1.2.0"
kind = "tool"
runtime = "mcp_stdio"
toolgate = ">=0.1, <1"
load = "eager"
priority = 0
depends_on = ["vault"]
requests = ["TOOLS", "EVENTS_PUB"]
isolation = "session"
prefix = "github__"

era = "auto"

[mcp_stdio]
command = ["npx", "-y", "@modelcontextprotocol/server-github"]
env = { GITHUB_TOKEN = "${GITHUB_TOKEN}" }
"#;

pub(crate) const FULL: &str = r#"
id = "com.example.full"
version = "0.1.0-rc.1"
description = "Everything at once"
kind = "provider"
runtime = ["in_process", "mcp_http", "mcp_stdio"]
load = "lazy"
priority = -5
requests = ["ROUTES", "TOOLS", "EVENTS_PUB", "EVENTS_SUB", "BACKGROUND_TASKS", "STATIC"]
isolation = "shared"
prefix = ""
era = "modern"

[in_process]
entry = "builtin:full"

[mcp_http]
url = "https://example.com/mcp"
headers = { "X-Team" = "blue" }
bearer_token = "${TOKEN}"
connect_timeout_ms = 500

[mcp_stdio]
command = ["./bin/full"]
env_passthrough = ["HTTPS_PROXY"]
cwd = "work"

[[tools]]
name = "restart.pod"
title = "Restart"
category = "remediation"
timeout_ms = 5000
requires_approval = true
idempotent = false
annotations = { readOnlyHint = false }
input_schema = { type = "object", properties = { pod = { type = "string" } } }

[expose]
allow = ["restart.*", "get_?"]
deny = ["*_secret"]
rename = { "restart.pod" = "restart" }

[[routes]]
method = "POST"
path = "/restart"
tool = "restart.pod"

[static]
dir = "static"

[[background]]
name = "sweep"
tool = "sweep"
interval_ms = 60000
arguments = { deep = true }

[[events.subscribe]]
topic = "task.*"
tool = "on_task"

[health]
tool = "ping"
unhealthy_after = 4

[breaker]
failures = 2

[build]
command = ["make"]
when = "always"

[restart]
max = 2

[limits]
max_instances = 1

[config]
anything = { goes = [1, "two"] }

[config_schema]
type = "object"
"#;

fn problems(text: &str) -> String {
    parse_toml(text).expect_err("is refused").to_string()
}

/// A manifest with `extra` lines put in front of its sections.
fn with(extra: &str) -> String {
    format!(
        "id = 'a'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\nmcp_stdio = {{ command = ['x'] }}\n{extra}"
    )
}

#[test]
fn the_example_is_a_manifest() {
    let manifest = parse_toml(GITHUB).expect("valid");
    assert_eq!(manifest.runtimes(), [RuntimeKind::McpStdio]);
    assert_eq!(
        manifest.requests,
        BTreeSet::from([Grant::Tools, Grant::EventsPub])
    );
    assert_eq!(manifest.effective_prefix(), "github__");
    assert_eq!(manifest.limits, Limits::default());
    let stdio = manifest.mcp_stdio.expect("has the section");
    assert_eq!(stdio.env["GITHUB_TOKEN"].expose(), "${GITHUB_TOKEN}");
    assert!(
        manifest
            .toolgate
            .expect("has a range")
            .fits(&semver::Version::new(0, 9, 0))
    );
}

#[test]
fn every_section_is_read() {
    let manifest = parse_toml(FULL).expect("valid");
    assert_eq!(manifest.name, "com.example.full");
    assert_eq!(manifest.runtimes().len(), 3);
    assert_eq!(manifest.effective_prefix(), "");
    assert_eq!(
        manifest.tools[0].category,
        Some(crate::model::category::Category::Remediation)
    );
    assert_eq!(manifest.expose.listed_name("restart.pod"), Some("restart"));
    assert_eq!(manifest.events.subscribe[0].topic, "task.*");
    assert_eq!(
        manifest.restart,
        Restart {
            max: 2,
            ..Restart::default()
        }
    );
    assert_eq!(manifest.limits.max_queue, 200);
    let (health, breaker) = (&manifest.health, &manifest.breaker);
    assert_eq!((health.unhealthy_after, health.healthy_after), (4, 2));
    assert_eq!((breaker.failures, breaker.max_open_ms), (2, 60_000));
    assert_eq!(manifest.config["anything"]["goes"][1], "two");
    assert!(
        !format!("{manifest:?}").contains("blue"),
        "header values are not printed"
    );
}

#[test]
fn json_and_toml_say_the_same() {
    let json = r#"{ "id": "github", "name": "GitHub", "version": "1.2.0", "runtime": ["mcp_stdio"], "toolgate": ">=0.1, <1",
        "depends_on": ["vault"], "requests": ["TOOLS", "EVENTS_PUB"], "isolation": "session", "prefix": "github__",
        "mcp_stdio": { "command": ["npx", "-y", "@modelcontextprotocol/server-github"],
                       "env": { "GITHUB_TOKEN": "${GITHUB_TOKEN}" } } }"#;
    assert_eq!(
        parse_json(json).expect("valid"),
        parse_toml(GITHUB).expect("valid")
    );
}

#[test]
fn an_unknown_key_names_the_nearest_valid_one() {
    insta::assert_snapshot!(problems("id = 'a'\nversion = '1.0.0'\n\nrutime = 'mcp_stdio'\nmcp_stdio = { command = ['x'], argz = 1 }"), @r"
    line 4, column 1: unknown key `rutime`; did you mean `runtime`?
        at /rutime
    
    line 5, column 32: unknown key `argz`; valid here: command, env, env_passthrough, cwd
        at /mcp_stdio/argz
    
    line 1, column 1: missing key `runtime`
        at /runtime
    ");
}

#[test]
fn a_section_of_each_runtime_is_needed() {
    insta::assert_snapshot!(problems("id = 'a'\nversion = '1'\nruntime = ['mcp_stdio', 'mcp_http', 'in_process', 'mcp_http']\n[mcp_http]\nurl = 'ftp://x'"), @r"
    line 5, column 1: the address must begin with `https://` or `http://`
        at /mcp_http/url
    
    line 2, column 1: not a version such as `1.2.0` (SemVer): unexpected end of input while parsing major version number
        at /version
    
    line 3, column 51: this is there a second time
        at /runtime/3
    
    line 1, column 1: runtime `mcp_stdio` needs a section `[mcp_stdio]` with `command`
        at /mcp_stdio
    
    line 1, column 1: runtime `in_process` needs a section `[in_process]` with `entry`
        at /in_process
    ");
}

#[test]
fn parts_must_agree() {
    for (extra, expect) in [
        ("prefix = 'a b'", "a prefix has at most 63 characters"),
        ("depends_on = ['b', 'b']", "second time"),
        ("depends_on = ['a']", "cannot depend on itself"),
        ("depends_on = ['B']", "`B` is not a plugin id"),
        ("expose = { deny = ['[a'] }", "not a pattern"),
        (
            "expose = { rename = { a = 'b c' } }",
            "a new name has 1 to 64 characters",
        ),
        (
            "expose = { rename = { a = 'c', b = 'c' } }",
            "two tools would be called `c`",
        ),
        (
            "tools = [{ name = 'ok' }, { name = 'not/ok' }]",
            "a tool's name has 1 to 64",
        ),
        ("tools = [{ name = 'ok' }, { name = 'ok' }]", "second time"),
        (
            "tools = [{ name = 'ok', input_schema = { type = 'array' } }]",
            "must say `type = \"object\"`",
        ),
        (
            "tools = [{ name = 'ok', timeout_ms = 0 }]",
            "1 to 2592000000 is allowed",
        ),
        ("limits = { max_instances = 0 }", "1 to 10000 is allowed"),
        (
            "limits = { max_instances = -1 }",
            "from 0 to 4294967295 is expected",
        ),
        (
            "limits = { call_timeout_ms = 60000, max_call_ms = 1000 }",
            "longer than `max_call_ms`",
        ),
        ("static = { dir = '../x' }", "inside the plugin's folder"),
        ("static = { dir = '/etc' }", "inside the plugin's folder"),
        (
            "routes = [{ path = 'x', tool = 'y' }]",
            "a path begins with `/`",
        ),
        (
            "background = [{ name = 'x', tool = 'y', interval_ms = 1 }]",
            "100 to 2592000000 is allowed",
        ),
        ("toolgate = 'soon'", "not a version range"),
        ("runtime_x = 1", "did you mean `runtime`?"),
        ("kind = 'tol'", "did you mean `tool`?"),
        (
            "mcp_http = { url = 'http://far.example/', bearer_token = 's3cret' }",
            "would travel unencrypted",
        ),
        (
            "mcp_http = { url = 'https://x/', headers = { Host = 'y' } }",
            "the gateway sets `Host` itself",
        ),
        (
            "mcp_http = { url = 'https://x/', headers = { 'a b' = 'y' } }",
            "not a header name",
        ),
        (
            "mcp_http = { url = 'https://x/', headers = { a = \"s3cret\\n\" } }",
            "cannot hold line breaks",
        ),
        (
            "mcp_http = { url = 'https://x/', headers = { authorization = 's3cret' }, bearer_token = 's3cret' }",
            "sent twice",
        ),
        ("in_process = { entry = 'full' }", "expected `builtin:NAME`"),
    ] {
        let found = parse_toml(&with(extra)).expect_err(extra);
        assert_eq!(found.0.len(), 1, "{extra}: {found}");
        assert!(found.0[0].message.contains(expect), "{extra}: {found}");
        assert_eq!(found.0[0].line, 5, "{extra}: {found}");
        assert!(!found.to_string().contains("s3cret"), "{extra}: {found}");
    }
}

#[test]
fn plain_http_is_fine_at_home_without_secrets_or_when_allowed() {
    for ok in [
        "mcp_http = { url = 'http://127.0.0.1:1/', bearer_token = 'x' }",
        "mcp_http = { url = 'http://far.example/' }",
        "mcp_http = { url = 'http://far.example/', bearer_token = 'x', allow_plain_http = true }",
    ] {
        parse_toml(&with(ok)).expect(ok);
    }
}

#[test]
fn an_empty_command_is_refused() {
    for command in ["[]", "['']"] {
        let text = format!(
            "id='a'\nversion='1.0.0'\nruntime='mcp_stdio'\nmcp_stdio = {{ command = {command} }}"
        );
        assert!(problems(&text).contains("is empty"), "{command}");
    }
    let text = problems(
        "id='a'\nversion='1.0.0'\nruntime='mcp_stdio'\nmcp_stdio = { command = 'npx -y x' }",
    );
    assert!(text.contains("expected a list, found a text"), "{text}");
}

#[test]
fn a_mangled_manifest_is_refused_and_never_more() {
    let json = toml::from_str::<Value>(FULL)
        .expect("valid TOML")
        .to_string();
    for at in (0..FULL.len()).step_by(7) {
        let _ = parse_toml(&format!("{}{}", &FULL[..at], &FULL[at + 1..]));
        let _ = parse_toml(&FULL[..at]);
    }
    for at in (0..json.len()).step_by(7) {
        let _ = parse_json(&format!("{}{}", &json[..at], &json[at + 1..]));
        let _ = parse_json(&json.replacen(':', &":[".repeat(at % 3), at % 40));
    }
    assert_eq!(
        parse_json(&json).expect("valid"),
        parse_toml(FULL).expect("valid")
    );
}
