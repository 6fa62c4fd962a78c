//! What operators ask: which instances run, why a tool is not there, what is wrong around the gateway.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use toolgate::plugin::{NoArguments, ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;

use crate::hostile::{Hostile, result_of, text_of};
use crate::support::{LegacySession, Program, Request, TestGateway, plugin};
use crate::tokens::{ANN, BOB, token};

async fn get(gateway: &TestGateway, what: &str, token: Option<&str>) -> Value {
    let mut request = Request::new("GET", &format!("/api/v1/plugin/{what}"));
    if let Some(token) = token {
        request = request.token(token);
    }
    let answer = gateway.send(&request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].clone()
}

/// Runs a command against a gateway of this process.
async fn command(gateway: &TestGateway, arguments: &[&str]) -> (i32, String) {
    let url = format!("http://{}", gateway.address);
    let arguments = [arguments, &["--gateway", &url]].concat();
    Program::run(&arguments, "").await
}

fn rows<'a>(ps: &'a Value, plugin: &str) -> Vec<&'a Value> {
    let rows = ps["instances"].as_array().expect("a list").iter();
    rows.filter(|row| row["plugin"] == plugin).collect()
}

/// J16, J19: one row per instance, with its real process and the beginning of its session's id.
#[tokio::test]
async fn instances_are_listed_with_their_processes_and_sessions() {
    let plugin = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    let mut sessions = Vec::new();
    for number in 0..2 {
        let session = LegacySession::open(&gateway).await;
        let params = json!({ "name": "h__pid", "arguments": {} });
        let call = session.request(number, "tools/call", params);
        let pid = text_of(&result_of(&gateway.send(&call).await));
        sessions.push((session, pid));
    }
    let ps = get(&gateway, "ps", None).await;
    let found = rows(&ps, "h");
    assert_eq!(found.len(), 2, "{ps}");
    for (number, (session, pid)) in sessions.iter().enumerate() {
        let row = found[number];
        assert_eq!(row["session"], session.id[..8], "{row}");
        assert_eq!(row["instance"], number + 1, "{row}");
        assert_eq!(row["calls"], 0, "{row}");
        let real = row["pid"].as_u64().expect("a process");
        assert_eq!(real.to_string(), *pid, "{row}");
        assert!(row["age_seconds"].as_f64().is_some_and(|age| age >= 0.0));
        assert!(row["memory_bytes"].is_u64() && row["processes"].is_u64());
    }
    let echo = rows(&ps, "echo");
    assert_eq!((echo.len(), &echo[0]["pid"]), (1, &Value::Null), "{ps}");
    let (code, said) = command(&gateway, &["ps"]).await;
    assert_eq!(code, 0, "{said}");
    let (session, pid) = &sessions[0];
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let heading = words(said.lines().next().expect("a line"));
    let expected = "PLUGIN INSTANCE PID SESSION AGE MEMORY PROCESSES CALLS";
    assert_eq!(heading, words(expected), "{said}");
    let row = said.lines().map(words).find(|row| row.get(2) == Some(pid));
    let row = row.expect("the process is there");
    assert_eq!((&*row[0], &*row[3]), ("h", &session.id[..8]), "{said}");
    assert!(!said.contains(&session.id), "a whole id: {said}");
    let (_, said) = command(&gateway, &["ps", "--json"]).await;
    assert!(said.contains(&format!("\"pid\": {pid}")), "{said}");
    for (session, _) in sessions {
        session.delete(&gateway).await;
    }
    gateway.finish().await;
}

fn tool(tools: &mut Tools, name: &'static str) {
    tools.add(
        name,
        "Does nothing",
        |_: NoArguments, _: ToolContext| async { Ok::<_, ToolError>("done") },
    );
}

/// Every reason for which a tool may not be there.
async fn of_all_kinds() -> TestGateway {
    let dead = "[plugins.dead]\nruntime = \"mcp_stdio\"\nmcp_stdio.command = [\"/bin/sh\", \"-c\", \"echo no disk left >&2; exit 3\"]\nrestart.max = 0\n";
    let config = [
        "plugin_dirs = [\"found\"]\n",
        "[policy]\ndeny = [\"a__denied\"]\n",
        "[plugins.a]\nexpose.deny = [\"secret\"]\n",
        "[plugins.b]\nprefix = \"a__\"\n",
        "[plugins.waits]\ndepends_on = [\"ghost\"]\n",
        "[plugins.ungranted]\ngrants = []\n",
        "[plugins.clock]\nenabled = false\n",
        dead,
    ];
    let gateway = TestGateway::builder()
        .config(&config.concat())
        .plugin(
            "a",
            plugin(|tools| {
                for name in ["fine", "denied", "secret", "same"] { tool(tools, name); }
                let definition = r#"{"name":"bad","inputSchema":{"type":"object","properties":{"x":{"type":"object","x-mcp-header":"X"}}}}"#;
                tools.raw(Json::literal(definition), |_, _| async {
                    Ok::<_, ToolError>(Json::literal(r#"{"content":[]}"#))
                });
            }),
        )
        .plugin("b", plugin(|tools| tool(tools, "same")))
        .plugin("waits", plugin(|tools| tool(tools, "it")))
        .plugin("ungranted", plugin(|tools| tool(tools, "it")))
        .plugin("halted", plugin(|tools| tool(tools, "it")))
        .build()
        .await;
    let folder = gateway.folder().join("found/broken");
    std::fs::create_dir_all(&folder).expect("it can be made");
    std::fs::write(folder.join("plugin.toml"), "id = \"broken\"\nversion = 3\n")
        .expect("it can be written");
    let stop = Request::new("POST", "/api/v1/plugin/stop").body_of(&json!({ "id": "halted" }));
    assert_eq!(gateway.send(&stop).await.status, 200);
    gateway
}

/// O34–O37: each reason is told apart, has its mend, and is the same sentence for whoever asks.
#[tokio::test]
async fn every_reason_is_told_in_one_sentence() {
    let gateway = of_all_kinds().await;
    let all = gateway
        .send(&Request::new("GET", "/api/tools?all=true"))
        .await;
    let all = all.json();
    let table = [
        ("a__denied", "policy", "`policy.deny`"),
        ("a__secret", "expose", "`expose.deny`"),
        ("a__same", "listed", "lists it"),
        ("a__bad", "definition", "x-mcp-header"),
        ("halted__it", "stopped", "it is stopped"),
        ("waits__it", "blocked", "needs `ghost`"),
        ("ungranted__it", "not_granted", "not granted TOOLS"),
        ("dead__it", "failed", "no disk left"),
        ("a__fin", "not_offered", "did you mean `a__fine`?"),
        ("fine", "unknown", "did you mean `a__fine`?"),
        (
            "clock__now",
            "not_registered",
            "`clock` is not registered: it is disabled",
        ),
        (
            "broken__it",
            "not_registered",
            "its manifest or its settings are wrong",
        ),
        ("zebra", "unknown", "no plugin offers it"),
    ];
    for (name, reason, words) in table {
        let why = get(&gateway, &format!("why?tool={name}"), None).await;
        let message = why["message"].as_str().expect("a sentence");
        assert_eq!(why["reason"], reason, "{why}");
        assert!(message.contains(words), "{name}: {message}");
        assert_eq!(why["listed"], reason == "listed", "{why}");
        let needs_mend = !matches!(reason, "listed" | "not_offered" | "unknown");
        assert_eq!(why["mend"].is_string(), needs_mend, "{why}");
        // What only operators may know is not told to models.
        if !matches!(reason, "listed" | "not_registered" | "failed") {
            let call = Request::new("POST", &format!("/api/tools/{name}")).body_of(&json!({}));
            let told = gateway.send(&call).await.json();
            let told = told["error"]["message"].as_str().expect("a sentence");
            assert!(told.ends_with(message), "{told}\n{message}");
        }
        let shown = all.as_array().expect("a list").iter();
        let mut shown = shown.filter(|tool| tool["name"] == name && tool["listed"] == false);
        if let Some(shown) = shown.next().filter(|_| reason != "listed") {
            assert_eq!(shown["reason"], message, "{shown}");
        }
    }
    let collision = all.as_array().expect("a list").iter();
    let mut collision = collision.filter(|tool| tool["plugin"] == "b");
    let collision = collision.next().expect("it is named");
    assert_eq!(
        collision["reason"],
        "plugin `b` offers it, but plugin `a` lists a tool of this name"
    );
    let state = get(&gateway, "why?tool=halted__it", None).await;
    assert_eq!(state["plugin"]["state"], "stopped");
    assert!(
        state["plugin"]["state_seconds"]
            .as_f64()
            .is_some_and(|s| s >= 0.0)
    );
    let (code, said) = command(&gateway, &["why", "a__fine"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("a__fine is listed") && said.contains("own name  fine"),
        "{said}"
    );
    let (code, said) = command(&gateway, &["why", "dead__it"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no disk left") && said.contains("mend"),
        "{said}"
    );
    gateway.finish().await;
}

/// What one may not see one is told nothing of.
#[tokio::test]
async fn callers_are_told_of_what_they_see() {
    let config = [
        token("ann", ANN, ""),
        token("bob", BOB, "plugins = [\"echo\"]"),
        "[plugins.p]\nexpose.deny = [\"it\"]\n[plugins.clock]\nenabled = false\n".to_owned(),
    ]
    .concat();
    let gateway = TestGateway::builder()
        .config(&config)
        .plugin("p", plugin(|tools| tool(tools, "it")))
        .build()
        .await;
    for (name, seen) in [("p__it", "expose"), ("clock__now", "not_registered")] {
        let why = get(&gateway, &format!("why?tool={name}"), Some(ANN)).await;
        assert_eq!(why["reason"], seen);
        let why = get(&gateway, &format!("why?tool={name}"), Some(BOB)).await;
        assert_eq!(
            (&why["reason"], &why["plugin"]),
            (&json!("unknown"), &Value::Null)
        );
    }
    let ps = get(&gateway, "ps", Some(BOB)).await;
    assert_eq!(
        (rows(&ps, "p").len(), rows(&ps, "echo").len()),
        (0, 1),
        "{ps}"
    );
    gateway.finish().await;
}

/// The report says how plugins are.
#[tokio::test]
async fn the_report_has_the_health_of_each_plugin() {
    let gateway = TestGateway::plain().await;
    let report = get(&gateway, "report", None).await;
    let health = &report["plugins"][0]["health"];
    assert_eq!(health["status"], "unknown", "{report}");
    assert!(health["uptime_seconds"].as_f64().is_some_and(|s| s > 0.0));
    assert_eq!(
        (&health["error_count"], &health["details"]),
        (&json!(0), &json!({}))
    );
    let (code, said) = command(&gateway, &["plugins", "report"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("HEALTH") && said.contains("unknown"),
        "{said}"
    );
    gateway.finish().await;
}

/// Without a gateway the plugins of the configuration are started to see.
#[tokio::test]
async fn a_tool_is_explained_without_a_gateway() {
    let config = "[server]\nlisten = \"127.0.0.1:1\"\n[plugins.echo]\n";
    let (code, said) = Program::run(&["why", "echo__echo"], config).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = Program::run(&["why", "echo__ecko", "--json"], config).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("\"near\": \"echo__echo\""), "{said}");
}

/// All is well: nothing is a problem.
#[tokio::test]
async fn a_good_configuration_has_no_problems() {
    let plugin = Hostile::new("h", &[]);
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[plugins.echo]\n{}",
        plugin.text()
    );
    let (code, said) = Program::run(&["doctor"], &config).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("0 problems") && said.contains("plugin h: starts "),
        "{said}"
    );
    assert_eq!(plugin.ledger().count("start"), 0, "no plugin is started");
}

fn put(path: &Path, text: &str, mode: u32) {
    let folder = path.parent().expect("it has a parent");
    std::fs::create_dir_all(folder).expect("it can be made");
    std::fs::write(path, text).expect("it can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A row of mistakes: the words that each must be named by, and those of its mend.
const MISTAKES: [(&str, &str, &str); 15] = [
    ("unknown key `runtim`", "runtime", ""),
    ("has the id `twice`", "", "another id"),
    ("nowhere is not there", "", "plugin_dirs"),
    ("holds no plugin", "", "plugin.toml"),
    ("may not be executed", "", "chmod +x"),
    ("`no-such-reader`, which is not on PATH", "", "install it"),
    ("line ends of Windows", "", "Unix line ends"),
    ("`no-such-program` is not on PATH", "", "install it"),
    ("`NOT_SET`, which is not set here", "", "env_passthrough"),
    ("`one`, `two` need each other", "", "depends_on"),
    ("needs `off`, which is disabled", "", "enabled = true"),
    ("no provider of that name", "`vault`", "resources"),
    ("asks for \"ROUTES\"", "", "grants"),
    ("nobody listens there", "connection", "start the server"),
    ("holds secrets and can be read by everyone", "", "chmod 600"),
];

/// O34–O37: each mistake has a message of its own, and a mend.
#[tokio::test]
async fn every_mistake_is_named_with_its_mend() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = |path: &str| folder.path().join(path);
    let manifest = |id: &str, rest: &str| {
        format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\nmcp_stdio.command = [\"./run\"]\n{rest}"
        )
    };
    let script = |id: &str, text: &str, mode| {
        put(
            &at(&format!("plugins/{id}/plugin.toml")),
            &manifest(id, ""),
            0o644,
        );
        put(&at(&format!("plugins/{id}/run")), text, mode);
    };
    script("locked", "#!/bin/sh\n", 0o644);
    script("unread", "#!/usr/bin/env no-such-reader\n", 0o755);
    script("windows", "#!/bin/sh\r\n", 0o755);
    script("twice", "#!/bin/sh\n", 0o755);
    put(
        &at("plugins/twice_again/plugin.toml"),
        &manifest("twice", ""),
        0o644,
    );
    put(
        &at("plugins/typo/plugin.toml"),
        &manifest("typo", "runtim = 1\n"),
        0o644,
    );
    let routes = manifest("routes", "").replace(
        "mcp_stdio.command",
        "requests = [\"TOOLS\", \"ROUTES\"]\nmcp_stdio.command",
    );
    put(&at("plugins/routes/plugin.toml"), &routes, 0o644);
    put(&at("plugins/routes/run"), "#!/bin/sh\n", 0o755);
    std::fs::create_dir(at("empty")).expect("it can be made");
    let stdio = |id: &str, keys: &str| {
        format!(
            "[plugins.{id}]\nruntime = \"mcp_stdio\"\n{keys}\n[plugins.{id}.mcp_stdio]\ncommand = [\"sh\"]\n"
        )
    };
    let config = [
        "plugin_dirs = [\"plugins\", \"nowhere\", \"empty\"]\n[server]\nlisten = \"127.0.0.1:0\"\n"
            .to_owned(),
        stdio("one", "depends_on = [\"two\"]"),
        stdio("two", "depends_on = [\"one\"]"),
        stdio("off", "enabled = false"),
        stdio("needy", "depends_on = [\"off\"]")
            + "env_passthrough = [\"NOT_SET\"]\nenv.API_TOKEN = \"very-secret-text\"\n",
        stdio("poor", "resources = { required = [\"vault\"] }"),
        stdio("absent", "").replace("\"sh\"", "\"no-such-program\""),
        "[plugins.remote]\nruntime = \"mcp_http\"\nmcp_http.url = \"http://127.0.0.1:1/mcp\"\n"
            .to_owned(),
    ];
    let file = at("toolgate.toml");
    put(&file, &config.concat(), 0o644);
    let file = file.to_str().expect("temporary folders are UTF-8");
    let (code, said) = Program::run(&["doctor", "--json", "--config", file], "").await;
    assert_eq!(code, 1, "{said}");
    assert!(!said.contains("very-secret-text"), "{said}");
    let json = said.rsplit_once('}').map(|(json, _)| format!("{json}}}"));
    let report: Value = serde_json::from_str(&json.expect("an object")).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    for (words, also, mend) in MISTAKES {
        let text =
            |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let mut named = findings.iter().filter(|finding| {
            let message = text(finding, "message");
            message.contains(words) && message.contains(also)
        });
        let finding = named
            .next()
            .unwrap_or_else(|| panic!("`{words}` is missing: {said}"));
        assert_ne!(finding["mark"], "ok", "{finding}");
        assert!(text(finding, "mend").contains(mend), "{finding}");
    }
}

/// The gateway that answers there, and what it complains of.
#[tokio::test]
async fn a_gateway_that_runs_is_asked_too() {
    let gateway = of_all_kinds().await;
    let config = format!(
        "[server]\nlisten = \"{}\"\n[plugins.echo]\n",
        gateway.address
    );
    let (code, said) = Program::run(&["doctor"], &config).await;
    assert_eq!(code, 1, "{said}");
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        said.contains(&format!("toolgate {version} answers there")),
        "{said}"
    );
    for words in [
        "plugin dead, running gateway",
        "no disk left",
        "toolgate plugins start dead",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    gateway.finish().await;
}

/// F45: a tool is switched off and on again without knowing an address.
#[tokio::test]
async fn tools_are_switched_off_and_on_by_name() {
    let gateway = TestGateway::builder().build().await;
    for (verb, word, listed) in [("disable", "off", false), ("enable", "on", true)] {
        let (code, said) = command(&gateway, &["tools", verb, "echo__echo"]).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("echo__echo: {word}")), "{said}");
        let names = crate::hostile::names(&gateway).await;
        assert_eq!(names.contains(&"echo__echo".to_owned()), listed);
    }
    let (code, said) = command(&gateway, &["tools", "disable", "echo/nothing"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("there is no tool `echo/nothing`"), "{said}");
    gateway.finish().await;
}
