//! F1–F27: all tools for operators beside each other, as who chooses among them sees them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use toolgate::plugin::{NoArguments, ToolContext, ToolError};

use crate::support::{Program, Request, TestGateway, plugin};

const LOOKS: [&str; 16] = [
    "active_connections",
    "describe_pod",
    "get_events",
    "get_pod_logs",
    "list_pods",
    "lock_waits",
    "loki.query",
    "prom.query",
    "prom.query_range",
    "replication_lag",
    "runbook.search",
    "sentry.get_issue",
    "shell.exec",
    "slow_queries",
    "table_bloat",
    "top_pods",
];

/// With whether they ask. Without `shell.exec_write`, which is there only where the kernel has a sandbox.
const CHANGES: [(&str, bool); 9] = [
    ("cordon_node", false),
    ("delete_evicted_pods", true),
    ("kill_deadlock", true),
    ("llm.kubectl_action", true),
    ("restart_pod", true),
    ("rollback_deployment", true),
    ("scale_deployment", true),
    ("terminate_query", true),
    ("vacuum_table", false),
];

/// All six plugins, set up so that they start. Nothing listens where these lead.
fn config(folder: &Path) -> String {
    let kubeconfig = folder.join("kubeconfig");
    let text = "current-context: c
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
";
    std::fs::write(&kubeconfig, text).expect("it can be written");
    format!(
        "[plugins.kubernetes.config]
kubeconfig = {kubeconfig:?}
[plugins.postgres.config.connections.shop]
url = \"postgres://ops:x@127.0.0.1:9/shop\"
[plugins.monitoring.config]
prometheus.url = \"http://127.0.0.1:9\"
loki.url = \"http://127.0.0.1:9\"
sentry = {{ url = \"http://127.0.0.1:9\", token = \"t\", organization = \"acme\" }}
[plugins.shell.config]
sandbox = \"best_effort\"
[plugins.runbook.config]
dir = {folder:?}
[plugins.llm.config]
program = \"true\"
"
    )
}

/// The category of each tool that is listed, with what follows it up to the description; each must have one.
async fn listed(arguments: &[&str], config: &str) -> BTreeMap<String, String> {
    let (code, said) = Program::run(&[&["tools", "list"], arguments].concat(), config).await;
    assert_eq!(code, 0, "{said}");
    let mut lines = said.lines().skip_while(|line| !line.starts_with("TOOL"));
    let heading = lines.next().expect("a heading");
    let at = heading.find("DESCRIPTION").expect("descriptions");
    let rows = lines.take_while(|line| line.contains("  "));
    let row = |line: &str| {
        let mut words = line[..at].split_whitespace();
        let tool = words.next().expect("a tool").to_owned();
        assert!(line[at..].len() > 20, "a description: {line}");
        (tool, words.skip(1).collect::<Vec<_>>().join(" "))
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn a_person_can_choose_among_them_by_name_description_and_category() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let mut all = listed(&[], &config).await;
    if let Some(category) = all.remove("shell.exec_write") {
        assert_eq!(category, "remediation, asks");
    }
    let looks = LOOKS.map(|tool| (tool.to_owned(), "diagnostic".to_owned()));
    let looks = BTreeMap::from(looks);
    let changes = CHANGES.map(|(tool, asks)| {
        let category = if asks {
            "remediation, asks"
        } else {
            "remediation"
        };
        (tool.to_owned(), category.to_owned())
    });
    let expected: BTreeMap<_, _> = looks.clone().into_iter().chain(changes).collect();
    assert_eq!(all, expected);
    assert_eq!(listed(&["--read-only"], &config).await, looks);
}

#[tokio::test]
async fn none_of_them_is_there_until_it_is_named() {
    let (code, said) = Program::run(&["tools", "list"], "").await;
    assert_eq!(code, 0, "{said}");
    for tool in LOOKS.iter().chain(CHANGES.iter().map(|(tool, _)| tool)) {
        assert!(!said.contains(tool), "{tool}: {said}");
    }
}

/// Nobody knows which of the plugins without a prefix has a tool until they run: all of them are asked.
#[tokio::test]
async fn a_tool_is_found_among_plugins_that_do_not_run_yet() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    std::fs::write(folder.path().join("lag.md"), "# Lag\n\nWait.\n").expect("written");
    let call = ["tools", "call", "runbook.search", r#"{"query":"lag"}"#];
    let (code, said) = Program::run(&call, &config).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("runbook:///lag.md"), "{said}");
    let call = ["tools", "call", "prom.query", r#"{"query":"up"}"#];
    let (code, said) = Program::run(&call, &config).await;
    assert_eq!(code, 1, "it is there, its server is not: {said}");
}

#[tokio::test]
async fn of_lazy_plugins_without_a_prefix_the_first_call_starts_the_right_one() {
    let lazy = "[plugins.a]\nload = \"lazy\"\n[plugins.b]\nload = \"lazy\"\n[plugins.c]\nload = \"lazy\"\n";
    let offers = |name: &'static str| {
        plugin(move |tools| {
            let nothing = |_: NoArguments, _: ToolContext| async { Ok::<_, ToolError>("done") };
            tools.add(name, "Does nothing", nothing);
        })
    };
    let gateway = TestGateway::builder()
        .config(&lazy.replace("\"lazy\"", "\"lazy\"\nprefix = \"\""))
        .plugin("a", offers("one"))
        .plugin("b", offers("two"))
        .plugin("c", offers("three"))
        .build()
        .await;
    for name in ["one", "three", "two"] {
        let call = Request::new("POST", &format!("/api/tools/{name}")).body_of(&json!({}));
        assert_eq!(gateway.send(&call).await.status, 200, "{name}");
    }
    gateway.finish().await;
}

/// What only the plugins' own code can know is a problem of the file, too.
#[tokio::test]
async fn settings_that_lead_nowhere_are_found_by_check_and_doctor() {
    for (config, words) in [
        (
            "[plugins.runbook.config]\ndir = \"/nowhere/to/be/found\"\n",
            "/nowhere/to/be/found",
        ),
        (
            "[plugins.kubernetes.config]\nkubeconfig = \"/nowhere/to/be/found\"\n",
            "/nowhere/to/be/found",
        ),
        (
            "[plugins.postgres.config.connections.shop]\nurl = \"mysql://shop\"\n",
            "shop",
        ),
        (
            "[plugins.shell.config]\nsandbox = \"best_effort\"\ndirectories = [\"/\"]\n",
            "directories",
        ),
    ] {
        let (code, said) = Program::run(&["check"], config).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(
            said.contains("toolgate.toml:") && said.contains("at /plugins/"),
            "{said}"
        );
        let (code, said) =
            Program::run(&["doctor", "--gateway", "http://127.0.0.1:9"], config).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(words), "{said}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = Program::run(&["check"], &config(folder.path())).await;
    assert_eq!(code, 0, "{said}");
}

/// Nobody else could agree to a call of the command line.
#[tokio::test]
async fn a_call_that_nobody_agrees_to_says_how_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let delete = r#"{"command":"kubectl delete pod web-0"}"#;
    let call = ["tools", "call", "llm.kubectl_action", delete];
    let (code, said) = Program::run(&call, &config).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("say `--approve`, or `--dry-run`"), "{said}");
}

/// Nobody can edit the manifest of what is compiled in.
#[tokio::test]
async fn a_setting_that_is_missing_is_missing_in_the_operators_file() {
    let (code, said) = Program::run(&["check"], "[plugins.runbook]\nenabled = true\n").await;
    assert_eq!(code, 1, "{said}");
    for words in [
        "toolgate.toml:1:10: \"dir\" is a required property",
        "at /plugins/runbook/config",
        "mend: set it in `[plugins.runbook.config]`",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
