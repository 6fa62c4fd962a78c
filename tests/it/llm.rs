//! The plugin `llm`: which commands are run, which wait for a person, and which are refused; commands that the client's
//! model writes. F27

mod approved;

mod sampled;

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hostile::names;
use crate::rest::call;
use crate::support::{Answer, Request, TestGateway, modern, until};

const TOOL: &str = "llm.kubectl_action";

/// Notes what it is called with, and answers as `kubectl` might.
const SCRIPT: &str = r#"#!/bin/sh
case "$*" in
  'config get-contexts -o name') cat "$KUBECONFIG" >/dev/null || exit 1; printf 'prod\nstaging\ntest\n'; exit 0 ;;
esac
printf '[%s]' "$@" >> 'DIR/calls'
echo >> 'DIR/calls'
printf '%s\n' "$HOME" "$KUBECONFIG" "$KUBECTL_KUBERC" "$SECRET" > 'DIR/variables'
case "$*" in
  *sleeper*) echo $$ > 'DIR/pid'; echo begun; exec sleep 200 ;;
  *missing*) echo 'Error from server (NotFound): pods "missing" not found' >&2; exit 1 ;;
  *flood*) echo first; head -c 300000 /dev/zero | tr '\0' x; echo; echo last ;;
  *) echo 'NAME    READY'; echo 'web-0   1/1' ;;
esac
"#;

/// A stand-in for `kubectl`, and a gateway that uses it.
struct Cluster {
    gateway: TestGateway,
    folder: TempDir,
}

impl Cluster {
    /// One with these settings of the plugin, and this much more of the configuration.
    async fn open(settings: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("kubectl");
        let dir = folder.path().display().to_string();
        std::fs::write(&program, SCRIPT.replace("DIR", &dir)).expect("it is ours");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let may_run = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&program, may_run).expect("it is ours");
        }
        std::fs::write(folder.path().join("config"), "").expect("it is ours");
        // One that changes nothing may do without, and says so.
        let context = match settings.contains("context = ") || settings.contains("remediation = ") {
            true => "",
            false => "context = 'test'\n",
        };
        let config = format!(
            "{more}\n[plugins.llm]\nenabled = true\n[plugins.llm.config]\nprogram = '{dir}/kubectl'\nkubeconfig = '{dir}/config'\n{context}{settings}\n"
        );
        let gateway = TestGateway::builder().config(&config).build().await;
        Self { gateway, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What `kubectl` was called with, a line for each call.
    fn calls(&self) -> Vec<String> {
        self.read("calls").lines().map(str::to_owned).collect()
    }

    /// Calls the tool as a script does, which can be asked nothing.
    async fn act(&self, arguments: Value) -> Answer {
        self.gateway.send(&call(TOOL, &arguments.to_string())).await
    }

    async fn command(&self, command: &str) -> Answer {
        self.act(json!({ "command": command })).await
    }
}

fn text(answer: &Answer) -> String {
    let text = &answer.json()["content"][0]["text"];
    text.as_str()
        .unwrap_or_else(|| panic!("no text: {}", answer.text()))
        .to_owned()
}

/// Fails unless the answer is a failure of the tool that says so.
#[track_caller]
fn check_refused(answer: &Answer, part: &str) {
    assert_eq!(answer.json()["isError"], true, "{}", answer.text());
    assert!(text(answer).contains(part), "{}", answer.text());
}

#[tokio::test]
async fn what_only_looks_is_run_at_once_where_the_operator_says() {
    let settings = "context = 'prod'\nnamespace = 'shop'\nvariables = { SECRET = 'hunter2' }";
    let cluster = Cluster::open(settings, "").await;
    let answer = cluster.command("kubectl get pods -o wide").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let result = &answer.json()["structuredContent"];
    let shown = "kubectl --context=prod --namespace=shop get pods --output=wide";
    for (key, expect) in [
        ("state", json!("ran")),
        ("command", json!(shown)),
        ("effect", json!("diagnostic")),
        ("author", json!("caller")),
        ("success", json!(true)),
        ("exit_code", json!(0)),
        ("stdout", json!("NAME    READY\nweb-0   1/1\n")),
        ("stderr", json!("")),
        ("left_out_bytes", json!(0)),
        ("model", Value::Null),
    ] {
        assert_eq!(result[key], expect, "{key}: {result}");
    }
    let words = text(&answer);
    assert!(
        words.starts_with(&format!("$ {shown}\nexit code 0, ")),
        "{words}"
    );
    assert!(
        words.ends_with("(as given)\nNAME    READY\nweb-0   1/1\n"),
        "{words}"
    );
    let expect = "[--context=prod][--namespace=shop][get][pods][--output=wide]";
    assert_eq!(cluster.calls(), [expect]);
    let variables = cluster.read("variables");
    let variables: Vec<&str> = variables.lines().collect();
    let [home, file, own, secret] = variables[..] else {
        panic!("{variables:?}");
    };
    // A folder of its own, which nobody's settings lie in.
    assert!(
        home.starts_with(&*cluster.gateway.folder().to_string_lossy()),
        "{home}"
    );
    assert_eq!(file, cluster.path("config").to_string_lossy());
    assert_eq!((own, secret), ("false", "hunter2"));
    assert!(!answer.text().contains("hunter2"));

    // The call may name the namespace, and the command's own counts more.
    let inner = json!({ "command": "kubectl get pods", "namespace": "blog" });
    cluster.act(inner).await;
    let both = json!({ "command": "kubectl get pods -n web", "namespace": "blog" });
    cluster.act(both).await;
    assert_eq!(
        cluster.calls()[1],
        "[--context=prod][--namespace=blog][get][pods]"
    );
    assert_eq!(
        cluster.calls()[2],
        "[--context=prod][--namespace=web][get][pods]"
    );

    // What kubectl does not find is a failure, with its own words.
    let missing = cluster.command("kubectl get pod missing").await;
    check_refused(&missing, "exit code 1");
    check_refused(&missing, "stderr: Error from server (NotFound)");
    assert_eq!(missing.json()["structuredContent"]["success"], false);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn what_is_not_let_through_is_not_run_and_asks_nobody() {
    let cluster = Cluster::open("namespaces = ['shop']", "").await;
    for (command, part) in [
        ("kubectl get pods | sh", "`|` at character 18"),
        ("kubectl get pods; rm -rf /", "`;` at character 17"),
        ("kubectl apply -f x.yaml", "`kubectl apply` is refused"),
        ("kubectl exec web-0 -- sh", "a way into a container"),
        (
            "kubectl get pods --kubeconfig=/x",
            "stands in the plugin's settings",
        ),
        (
            "kubectl get secrets -o yaml",
            "what is in secrets is not shown",
        ),
        ("kubectl delete pods --all", "take all there are"),
        ("kubectl delete pod x -n kube-system", "allows: shop"),
        ("kubectl get pods -A", "more than the operator allows"),
        (
            "kubectl scale deploy/web --replicas=1000",
            "50 are the most",
        ),
        ("rm -rf /", "begins with `rm`"),
    ] {
        check_refused(&cluster.command(command).await, part);
    }
    for (arguments, part) in [
        (json!({}), "give a `goal` in plain words, or a `command`"),
        (json!({ "goal": " " }), "give a `goal`"),
        (
            json!({ "goal": "x", "command": "kubectl get pods" }),
            "not both",
        ),
        (json!({ "goal": "x", "namespace": "blog" }), "allows: shop"),
    ] {
        check_refused(&cluster.act(arguments).await, part);
    }
    let wrong = cluster
        .act(json!({ "command": "kubectl get pods", "shell": true }))
        .await;
    assert!(wrong.text().contains("shell"), "{}", wrong.text());
    assert_eq!(cluster.calls(), [""; 0]);
    let waiting = Request::new("GET", "/api/approvals");
    let waiting = cluster.gateway.send(&waiting).await.json();
    assert_eq!(waiting["approvals"], json!([]));
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    let more = "[policy]\nread_only = true\n";
    let cluster = Cluster::open("", more).await;
    assert!(
        !names(&cluster.gateway)
            .await
            .iter()
            .any(|name| name == TOOL)
    );
    let answer = cluster.command("kubectl get pods").await;
    assert!(answer.status >= 400, "{}", answer.text());
    cluster.gateway.finish().await;

    let cluster = Cluster::open("remediation = false", more).await;
    assert!(
        names(&cluster.gateway)
            .await
            .iter()
            .any(|name| name == TOOL)
    );
    assert_eq!(cluster.command("kubectl get pods").await.status, 200);
    for command in [
        "kubectl delete pod web-0",
        "kubectl scale deploy/web --replicas=0",
        "kubectl cordon n1",
    ] {
        check_refused(
            &cluster.command(command).await,
            "which the operator does not allow",
        );
    }
    assert_eq!(cluster.calls(), ["[--namespace=default][get][pods]"]);
    let list = cluster
        .gateway
        .send(&modern::request("tools/list", json!({})))
        .await
        .json();
    let tools = list["result"]["tools"].as_array().expect("a list");
    let tool = tools
        .iter()
        .find(|tool| tool["name"] == TOOL)
        .expect("it is listed");
    assert_eq!(tool["annotations"]["readOnlyHint"], true);
    assert_eq!(tool["_meta"]["toolgate/category"], "diagnostic");
    assert_eq!(tool["_meta"]["toolgate/requires_approval"], Value::Null);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_run_and_asks_nobody() {
    let cluster = Cluster::open("context = 'prod'", "").await;
    let dry = |command: &str| {
        let arguments = json!({ "command": command });
        let params =
            json!({ "name": TOOL, "arguments": arguments, "_meta": { "toolgate/dry_run": true } });
        modern::request("tools/call", params)
    };
    for (command, effect, part) in [
        ("kubectl get pods", "diagnostic", "would be run at once"),
        (
            "kubectl delete pod web-0",
            "remediation",
            "a person would have to agree first",
        ),
    ] {
        let answer = cluster.gateway.send(&dry(command)).await.json();
        let result = &answer["result"];
        let value = &result["structuredContent"];
        assert_eq!(
            (&value["state"], &value["effect"]),
            (&json!("would_run"), &json!(effect)),
            "{answer}"
        );
        assert!(
            value["command"]
                .as_str()
                .is_some_and(|shown| shown.starts_with("kubectl --context=prod "))
        );
        let words = result["content"][0]["text"].as_str().expect("a text");
        assert!(words.contains(part), "{words}");
    }
    let answer = cluster.gateway.send(&dry("kubectl drain n1")).await.json();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(cluster.calls(), [""; 0]);
    let records = cluster.gateway.records.all();
    assert!(
        records
            .iter()
            .filter(|record| record.tool == TOOL)
            .all(|record| record.dry_run)
    );
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn a_command_that_takes_too_long_or_says_too_much_is_bounded() {
    let cluster = Cluster::open("timeout_seconds = 1\noutput_bytes = 1024", "").await;
    let slow = cluster.command("kubectl logs sleeper").await;
    check_refused(
        &slow,
        "$ kubectl --context=test --namespace=default logs sleeper --tail=1000\n",
    );
    check_refused(&slow, "begun");
    let pid = cluster.read("pid");
    let place = PathBuf::from("/proc").join(pid.trim());
    until("its process is gone", || !place.exists()).await;
    let flood = cluster.command("kubectl logs flood").await;
    let result = &flood.json()["structuredContent"];
    let stdout = result["stdout"].as_str().expect("a text");
    assert!(
        stdout.len() < 2_000 && stdout.starts_with("first\nx") && stdout.ends_with("x\nlast\n")
    );
    let left_out = result["left_out_bytes"].as_u64().expect("a count");
    assert_eq!(left_out, "first\n\nlast\n".len() as u64 + 300_000 - 1024);
    assert!(text(&flood).contains(&format!("{left_out} bytes left out")));
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn settings_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config");
    let text = "contexts: [{name: prod, context: {cluster: c, user: u}}]\n";
    std::fs::write(&file, text).expect("it is ours");
    // Answers as kubectl does where it may not read its file.
    let sealed = folder.path().join("sealed");
    let script = "#!/bin/sh\necho 'error: error loading config file: permission denied: `hunter2` ...|hunter2|' >&2\nexit 1\n";
    std::fs::write(&sealed, script).expect("it is ours");
    let lists = folder.path().join("lists");
    std::fs::write(&lists, "#!/bin/sh\necho prod\necho staging\n").expect("it is ours");
    #[cfg(unix)]
    for program in [&sealed, &lists] {
        use std::os::unix::fs::PermissionsExt;
        let may_run = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(program, may_run).expect("it is ours");
    }
    let sealed = format!(
        "program = '{}'\nkubeconfig = 'FILE'\ncontext = 'prod'",
        sealed.display()
    );
    let lists = format!("program = '{}'", lists.display());
    for (settings, part) in [
        (
            &*format!("{lists}\nkubeconfig = 'FILE'\ncontext = 'prd'"),
            "`prd` (`context` in the plugin's config) is no context of the kubeconfig; there are prod, staging",
        ),
        (
            "program = '/bin/true'\ncontext = 'prod'",
            "there is none: say which file by `kubeconfig`",
        ),
        (
            &*sealed,
            "kubectl cannot read the file that `kubeconfig` in the plugin's config names: \"error: error loading config file: permission denied:\"; see",
        ),
        (
            "program = '/bin/sh'\nvariables = { HOME = '/root' }",
            "`variables.HOME` in the plugin's config is refused",
        ),
        (
            "program = '/bin/sh'\nvariables = { PATH = '/x', LANG = 'C' }",
            "`variables.PATH` in the plugin's config is refused",
        ),
        (
            "program = 'no-such-kubectl'",
            "`no-such-kubectl` (`program` in the plugin's config) is not there",
        ),
        (
            "program = '/bin/sh'\nkubeconfig = '/no/such/file'",
            "(`kubeconfig` in the plugin's config)",
        ),
        (
            "program = '/bin/sh'\nnamespaces = ['A b']",
            "`A b` (`namespaces`",
        ),
        (
            "program = '/bin/sh'\nnamespaces = ['a']\nnamespace = 'b'",
            "not among its `namespaces`",
        ),
        (
            "program = '/bin/sh'\nkubeconfig = '/bin/sh'",
            "`context` is missing in the plugin's config: a person agrees to a command in one cluster, and the current context of `/bin/sh`",
        ),
        (
            "program = '/bin/sh'\nvariables = { KUBECONFIG = '/a:/b' }",
            "the current context of `/a:/b` may become another",
        ),
    ] {
        let settings = settings.replace("FILE", &file.display().to_string());
        let config = format!("[plugins.llm]\nenabled = true\n[plugins.llm.config]\n{settings}\n");
        let gateway = TestGateway::builder().config(&config).build().await;
        let error = gateway.plugin("llm").life.snapshot().error;
        let error = error.unwrap_or_default();
        assert!(error.contains(part), "{error}");
        gateway.finish().await;
    }
}

/// Without a kubeconfig there is no context: then the command goes to the cluster that the gateway runs in.
#[tokio::test]
async fn a_context_is_not_needed_where_nothing_changes_or_no_file_has_one() {
    // Whatever it is asked, it says nothing and is content.
    for settings in ["kubeconfig = '/bin/sh'\nremediation = false", ""] {
        let config = format!(
            "[plugins.llm]\nenabled = true\n[plugins.llm.config]\nprogram = '/bin/true'\n{settings}\n"
        );
        let gateway = TestGateway::builder().config(&config).build().await;
        let error = gateway.plugin("llm").life.snapshot().error;
        assert_eq!(error, None);
        gateway.finish().await;
    }
}
