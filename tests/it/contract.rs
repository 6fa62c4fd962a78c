//! `toolgate plugins test`: plugins that keep the contract, and plugins that do not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use toolgate::app::compiled_in;
use toolgate::builtin;
use toolgate::config::Env;
use toolgate::testing::contract::{Bench, Report, Verdict, check};

use crate::hostile::program;
use crate::support::TestGateway;

/// How long a plugin may be tried. One that must be killed at its end takes more than five seconds.
const TRIED: Duration = Duration::from_secs(30);

const ECHO: &str = r#"
[expose]
allow = ["echo"]
[[tools]]
name = "echo"
description = "Says it again."
[[tools.examples]]
arguments = { text = "hi" }
result = { structuredContent = { text = "hi" } }
"#;

/// A folder with the hostile server as a plugin, which is started with `arguments`; `rest` ends its manifest.
fn folder(arguments: &[&str], rest: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program().display().to_string();
    let command: Vec<&str> = [program.as_str()]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let text = format!(
        "id = \"h\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\n[mcp_stdio]\ncommand = {command:?}\n{rest}"
    );
    std::fs::write(folder.path().join("plugin.toml"), text).expect("it can be written");
    folder
}

async fn tried(folder: &Path) -> Report {
    let path = std::env::var("PATH").unwrap_or_default();
    let scratch = tempfile::tempdir().expect("a folder");
    let temporary = scratch.path().display().to_string();
    let env = Env::new([("PATH", path), ("TMPDIR", temporary)]);
    let bench = Bench {
        env,
        in_process: compiled_in(&builtin::all()),
        helper: cfg!(target_os = "linux").then(|| PathBuf::from(env!("CARGO_BIN_EXE_toolgate"))),
        echo: None,
    };
    let report = tokio::time::timeout(TRIED, check(folder, &bench)).await;
    let left: Vec<_> = std::fs::read_dir(scratch.path())
        .expect("it is there")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    report.expect("it comes to an end")
}

/// What failed: the check, and what is said of it.
fn failures(report: &Report) -> Vec<(&str, &str)> {
    let failed = report
        .checks
        .iter()
        .filter_map(|check| match &check.verdict {
            Verdict::Failed { reason, .. } => Some((check.what, reason.as_str())),
            Verdict::Ok(_) | Verdict::NotApplicable(_) => None,
        });
    failed.collect()
}

/// No model reads about the tools of a filter.
#[tokio::test]
async fn the_tools_of_a_filter_need_no_description() {
    let folder = folder(&[], "[filter]\narguments = \"echo\"\n");
    let file = folder.path().join("plugin.toml");
    let text = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, format!("kind = \"filter\"\n{text}")).expect("it can be written");
    let report = tried(folder.path()).await;
    let failed = failures(&report);
    assert!(
        failed.iter().all(|(_, why)| !why.contains("description")),
        "{report}"
    );
}

#[tokio::test]
async fn a_good_child_keeps_the_contract() {
    for era in ["legacy", "modern"] {
        let report = tried(folder(&["--era", era], ECHO).path()).await;
        assert!(report.is_ok(), "{report}");
        let open = report
            .checks
            .iter()
            .find(|check| check.what == "wrong arguments");
        let open = open.map(|check| check.verdict.clone());
        let why = "the schemas leave all arguments open".to_owned();
        assert_eq!(open, Some(Verdict::NotApplicable(why)));
        assert!(
            report.to_string().ends_with("h keeps the contract"),
            "{report}"
        );
        assert_eq!(report.json()["ok"], true);
    }
}

#[tokio::test]
async fn a_good_remote_server_keeps_the_contract() {
    let gateway = TestGateway::plain().await;
    let folder = tempfile::tempdir().expect("a folder");
    let address = gateway.address;
    let text = format!(
        "id = \"far\"\nversion = \"1.0.0\"\nruntime = \"mcp_http\"\n[mcp_http]\nurl = \"http://{address}/mcp\"\n{}",
        "[[tools]]\nname = \"echo__echo\"\n[[tools.examples]]\narguments = { text = \"hi\" }\n"
    );
    std::fs::write(folder.path().join("plugin.toml"), text).expect("it can be written");
    let report = tried(folder.path()).await;
    assert!(report.is_ok(), "{report}");
    let applies = |what: &str| {
        let mut checks = report.checks.iter();
        let check = checks.find(|check| check.what == what);
        matches!(check.expect("it is made").verdict, Verdict::Ok(_))
    };
    assert!(
        applies("calls at once") && applies("wrong arguments"),
        "{report}"
    );
    assert!(
        !applies("crash") && !applies("stop") && !applies("residue"),
        "{report}"
    );
    gateway.finish().await;
}

/// What a built-in plugin must be told before it can start. Nothing listens where these lead.
fn settings(id: &str, folder: &Path) -> String {
    let settings = match id {
        "kubernetes" => {
            let cluster = "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]";
            let context = "contexts: [{name: c, context: {cluster: c, user: u}}]";
            let user = "users: [{name: u, user: {token: t}}]";
            let text = format!("current-context: c\n{cluster}\n{context}\n{user}\n");
            let path = folder.join("kubeconfig");
            std::fs::write(&path, text).expect("it can be written");
            format!("kubeconfig = {path:?}")
        }
        "monitoring" => "prometheus.url = \"http://127.0.0.1:9\"".to_owned(),
        "llm" => "program = \"true\"".to_owned(),
        "postgres" => "connections.shop.url = \"postgres://ops:x@127.0.0.1:9/shop\"".to_owned(),
        "runbook" => format!("dir = {folder:?}"),
        _ => return String::new(),
    };
    format!("\n[config]\n{settings}\n")
}

#[tokio::test]
async fn all_built_in_plugins_keep_the_contract() {
    for builtin in builtin::all() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = builtin.manifest_toml.to_owned() + &settings(builtin.id, folder.path());
        std::fs::write(folder.path().join("plugin.toml"), manifest).expect("it can be written");
        let report = tried(folder.path()).await;
        assert!(report.is_ok(), "{}: {report}", builtin.id);
        assert!(report.checks.len() >= 10, "{report}");
    }
}

#[tokio::test]
async fn a_plugin_that_does_not_start_is_told_by_its_last_words() {
    let report = tried(folder(&["--start", "exit:3"], ECHO).path()).await;
    let [("start", reason)] = failures(&report)[..] else {
        panic!("{report}");
    };
    assert!(
        reason.contains("exit code 3") && reason.contains("cannot find the database"),
        "{reason}"
    );
    assert!(report.to_string().ends_with("h does not keep the contract"));
}

#[tokio::test]
async fn definitions_that_cannot_be_listed_are_named() {
    let report = tried(folder(&["--list", "malformed"], "").path()).await;
    let [("lists", reason)] = failures(&report)[..] else {
        panic!("{report}");
    };
    assert!(
        reason.contains("`no_schema`: its `inputSchema` is not an object"),
        "{reason}"
    );
    assert!(
        reason.contains("tool `well`: it has no description"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_the_manifest_says_must_be_so() {
    let rest = format!("{ECHO}[[tools]]\nname = \"eco\"\n")
        .replace("{ text = \"hi\" } }", "{ text = \"ho\" } }");
    let report = tried(folder(&["--ledger", "ledger.txt"], &rest).path()).await;
    let failures = failures(&report);
    let checks: Vec<&str> = failures.iter().map(|(what, _)| *what).collect();
    let expected = ["declared tools", "examples", "residue"];
    assert_eq!(checks, expected, "{report}");
    assert_eq!(
        failures[0].1,
        "`eco` of `[[tools]]` is no tool of the plugin"
    );
    let example =
        "example 1 of `echo`: at `/structuredContent/text` of the result is \"hi\", not \"ho\"";
    assert_eq!(failures[1].1, example);
    assert!(
        failures[2]
            .1
            .ends_with("changed while it ran: `ledger.txt`"),
        "{report}"
    );
}

#[tokio::test]
async fn a_plugin_that_must_be_killed_is_told_so() {
    let report = tried(folder(&["--deaf"], ECHO).path()).await;
    let [("stop", reason)] = failures(&report)[..] else {
        panic!("{report}");
    };
    assert!(reason.starts_with("it had to be killed"), "{reason}");
}

#[tokio::test]
async fn a_folder_without_a_plugin_or_its_program_is_told_so() {
    let empty = tempfile::tempdir().expect("a folder");
    let report = tried(empty.path()).await;
    assert!(
        failures(&report)[0]
            .1
            .starts_with("there is no `plugin.toml` in"),
        "{report}"
    );
    let text = "id = \"p\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\n[mcp_stdio]\ncommand = [\"bin/p\"]\n";
    std::fs::write(empty.path().join("plugin.toml"), text).expect("it can be written");
    let report = tried(empty.path()).await;
    let reason = "`bin/p` is not there, and nothing to build it with";
    assert_eq!(failures(&report), [("build", reason)]);
}
