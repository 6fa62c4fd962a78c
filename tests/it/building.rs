//! Plugins that are built from source: by hand, and by a gateway before their start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use toolgate::app::launcher;
use toolgate::background::Supervisor;
use toolgate::config::Env;
use toolgate::config::folder::read_folder;
use toolgate::manifest::Manifest;
use toolgate::runtime::build::{Builder, Built, SourceState};

use crate::hostile::{all_gone, call, program, result_of};
use crate::support::{Program, TestGateway, within};

/// A folder with a plugin whose program a script makes.
struct Source {
    folder: TempDir,
    manifest: Manifest,
}

impl Source {
    /// The `script` is run by `sh`; `keys` are those of its `[build]`.
    fn new(script: &str, keys: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |file: &str, text: &str| {
            std::fs::write(folder.path().join(file), text).expect("it can be written");
        };
        std::fs::create_dir(folder.path().join("scripts")).expect("a folder can be made");
        put("scripts/build.sh", script);
        let manifest = "id = \"sourced\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\n[mcp_stdio]\ncommand = [\"bin/server\"]\n";
        put("plugin.toml", &format!("{manifest}{keys}"));
        let plugin = read_folder(folder.path(), &env()).expect("a sound manifest");
        Self {
            folder,
            manifest: plugin.manifest,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap_or_default()
    }
}

fn env() -> Env {
    let path = std::env::var("PATH").unwrap_or_default();
    Env::new([("PATH", path)])
}

fn builder() -> Builder {
    let helper = cfg!(target_os = "linux").then(|| PathBuf::from(env!("CARGO_BIN_EXE_toolgate")));
    Builder::new(launcher(&env(), helper))
}

/// A script that puts the server where the manifest wants it, and counts itself.
fn good_script() -> String {
    let program = program().display().to_string();
    format!("set -e\necho built >> count.txt\nmkdir -p bin\ncp '{program}' bin/server\n")
}

fn config(source: &Source) -> String {
    format!(
        "plugin_dirs = [{:?}]\n",
        source.path().display().to_string()
    )
}

#[tokio::test]
async fn what_is_not_built_is_built_before_its_first_start() {
    let source = Source::new(&good_script(), "");
    let (builder, manifest) = (builder(), &source.manifest);
    let state = || builder.state(manifest, Some(source.path()));
    let missing = "bin/server".to_owned();
    assert_eq!(state(), SourceState::SourceOnly { missing });
    let gateway = TestGateway::builder()
        .config(&config(&source))
        .build()
        .await;
    let answer = call(gateway.address, "sourced__echo", json!({ "a": 1 })).await;
    assert_eq!(result_of(&answer)["structuredContent"], json!({ "a": 1 }));
    assert_eq!(state(), SourceState::Available);
    gateway.finish().await;
    let gateway = TestGateway::builder()
        .config(&config(&source))
        .build()
        .await;
    gateway.finish().await;
    assert_eq!(source.text("count.txt"), "built\n");
}

#[tokio::test]
async fn a_build_that_fails_says_why_and_stops_nobody_else() {
    let script = "echo first; echo second >&2; exit 3";
    let source = Source::new(script, "[limits]\nidle_timeout_ms = 0\n");
    let gateway = TestGateway::builder()
        .config(&config(&source))
        .build()
        .await;
    let answer = call(gateway.address, "echo__echo", json!({ "text": "here" })).await;
    assert_eq!(result_of(&answer)["content"][0]["text"], "here");
    gateway.finish().await;

    let (builder, supervisor) = (builder(), Supervisor::new());
    let built = builder.build(&source.manifest, source.path(), false, &supervisor);
    let fault = within("the build ends", built).await.expect_err("it fails");
    assert_eq!(fault.reason, "build_failed");
    let said = fault.to_string();
    let begins = "plugin `sourced` could not be built: `sh scripts/build.sh` ended (exit code 3); its last lines:";
    assert!(said.starts_with(begins), "{said}");
    let log = builder.log(source.path()).expect("it is kept");
    for line in ["first", "second"] {
        assert!(said.contains(line) && log.output.contains(line), "{said}");
    }
    assert_eq!(log.failure, Some(said));
    assert!(supervisor.stop(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_ended_with_its_children() {
    let script = "sleep 1000 & echo $! > pid.txt; echo waiting; wait";
    let source = Source::new(script, "[build]\ntimeout_ms = 500\n");
    let (builder, supervisor) = (builder(), Supervisor::new());
    let built = builder.build(&source.manifest, source.path(), false, &supervisor);
    let fault = within("the build is ended", built)
        .await
        .expect_err("it fails");
    assert_eq!(fault.reason, "build_timeout");
    assert!(fault.to_string().ends_with("waiting"), "{fault}");
    let pid = source.text("pid.txt").trim().parse().expect("a pid");
    all_gone(&[pid]).await;
    assert!(supervisor.stop(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn one_plugin_is_built_once_at_a_time() {
    let source = Source::new(&good_script(), "");
    let (builder, supervisor) = (builder(), Supervisor::new());
    let build = |rebuild| builder.build(&source.manifest, source.path(), rebuild, &supervisor);
    let both = async { tokio::join!(build(false), build(false)) };
    let (one, other) = within("both end", both).await;
    let ran = |built: &Built| matches!(built, Built::Ran { .. });
    assert!(ran(&one.expect("built")));
    assert_eq!(other.expect("built"), Built::NotNeeded);
    let again = within("it ends", build(true)).await.expect("built");
    assert!(ran(&again));
    assert_eq!(source.text("count.txt"), "built\nbuilt\n");
    assert!(supervisor.stop(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn a_build_that_makes_something_else_is_a_failure() {
    let source = Source::new("exit 0", "");
    let (builder, supervisor) = (builder(), Supervisor::new());
    let built = builder.build(&source.manifest, source.path(), false, &supervisor);
    let fault = within("the build ends", built).await.expect_err("it fails");
    assert_eq!(
        fault.to_string(),
        "plugin `sourced` was built, but `bin/server` is still not there"
    );
    assert!(supervisor.stop(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn a_build_finds_what_it_is_handed_and_no_more() {
    let script = "env > env.txt; exit 1";
    let source = Source::new(script, "[build]\nenv_passthrough = [\"HANDED\"]\n");
    let given = [
        ("HANDED", "yes"),
        ("SECRET", "no"),
        ("HOME", "/home/of-the-user"),
    ];
    let path = std::env::var("PATH").unwrap_or_default();
    let env = Env::new(given.into_iter().chain([("PATH", path.as_str())]));
    let builder = Builder::new(launcher(&env, None));
    let supervisor = Supervisor::new();
    let built = builder.build(&source.manifest, source.path(), true, &supervisor);
    within("the build ends", built).await.expect_err("it fails");
    let env = source.text("env.txt");
    assert!(
        env.contains("HANDED=yes\n") && env.contains("HOME=/home/of-the-user\n"),
        "{env}"
    );
    assert!(!env.contains("SECRET"), "{env}");
    assert!(supervisor.stop(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn when_says_what_a_gateway_builds() {
    let always = Source::new(&good_script(), "[build]\nwhen = \"always\"\n");
    for _ in 0..2 {
        let gateway = TestGateway::builder()
            .config(&config(&always))
            .build()
            .await;
        for _ in 0..2 {
            result_of(&call(gateway.address, "sourced__echo", json!({})).await);
        }
        gateway.finish().await;
    }
    assert_eq!(always.text("count.txt"), "built\nbuilt\n");

    let never = Source::new(&good_script(), "[build]\nwhen = \"never\"\n");
    let gateway = TestGateway::builder().config(&config(&never)).build().await;
    let plugins = gateway.registry().plugins();
    let plugin = plugins
        .iter()
        .find(|plugin| plugin.manifest.id.as_str() == "sourced");
    let started = plugin.expect("it is registered").warm();
    let fault = within("it fails", started).await.expect_err("not built");
    let said = "plugin `sourced` is not built: `toolgate plugins build sourced`";
    assert!(fault.to_string().contains(said), "{fault}");
    gateway.finish().await;
    assert_eq!(never.text("count.txt"), "");
}

#[tokio::test]
async fn the_command_line_builds_by_folder_and_by_id() {
    let source = Source::new(&good_script(), "");
    let folder = source.path().display().to_string();
    let run = |arguments: Vec<String>, config: String| async move {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Program::run(&arguments, &config).await
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let (code, said) = run(words(&["plugins", "build", &folder]), String::new()).await;
    assert!(code == 0 && said.contains("`sourced`: built in"), "{said}");
    assert!(said.contains("$ sh scripts/build.sh"), "{said}");
    let by_id = words(&["plugins", "build", "sourced"]);
    let (code, said) = run(by_id, config(&source)).await;
    assert!(code == 0 && said.contains("nothing is missing"), "{said}");
    let failing = Source::new("echo no compiler; exit 2", "");
    let (code, said) = run(words(&["plugins", "build", "sourced"]), config(&failing)).await;
    assert!(code == 1 && said.contains("no compiler\n"), "{said}");
    assert!(said.contains("ended (exit code 2)"), "{said}");
    let (code, said) = run(words(&["plugins", "build", "sorced"]), config(&source)).await;
    assert!(
        code == 1 && said.contains("did you mean `sourced`?"),
        "{said}"
    );
}
