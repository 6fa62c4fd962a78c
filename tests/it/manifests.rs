//! Manifests of other plugin systems: printed as our own, checked, and used where they lie.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::hostile::program;
use crate::support::within;

const EXTENSION: &str = r#"{"id": "extensia_mea", "name": "Extensia Mea", "version": "1.0.0", "module": "extension.py",
    "enabled": true, "eager": false, "grants": ["ROUTES", "TOOLS"]}"#;

const DAGSTACK: &str = "schema_version = '1'\nname = 'chunks'\nkind = 'chunker'\nruntime = ['in_process', 'mcp_stdio']\ncore_version = '>=0.1.0,<1.0.0'\n[mcp_stdio]\ncommand = ['python', '-m', 'chunks']\n";

const JANK: &str = r#"{"id": "dev.jank.plugins.hello-world", "name": "Hello World Plugin", "version": "1.0.0",
    "author": "me", "type": "handler", "auto_start": true, "binary": "hello-world"}"#;

const AGENTOS: &str =
    r#"{"name": "p", "version": "1", "plugin_type": "middleware", "entry_point": "a.b.C"}"#;

/// What a run of the program printed and complained of, and its exit code.
struct Ran {
    printed: String,
    complained: String,
    code: String,
}

/// Runs `toolgate` in `folder` to its end. A shell waits for it: gateways in the test process collect every child that
/// ended, also ours.
async fn toolgate(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let script = r#""$0" "$@"; echo "ended with $?""#;
    let mut child = Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_toolgate")])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a shell can be started");
    let mut output = child.stdout.take().expect("it has an output");
    let mut errors = child.stderr.take().expect("it has an error output");
    let (mut printed, mut complained) = (String::new(), String::new());
    let read = async {
        tokio::join!(
            output.read_to_string(&mut printed),
            errors.read_to_string(&mut complained)
        )
    };
    let (printing, complaining) = within("it ends", read).await;
    printing.and(complaining).expect("UTF-8");
    let (printed, code) = printed.rsplit_once("ended with ").expect("the shell says");
    Ran {
        printed: printed.to_owned(),
        complained,
        code: code.trim().to_owned(),
    }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("it lies somewhere")).expect("it is writable");
        std::fs::write(file, text).expect("it is writable");
    }
    folder
}

#[tokio::test]
async fn what_is_printed_for_a_foreign_manifest_is_a_manifest() {
    for (name, text, id) in [
        ("extension.json", EXTENSION, "extensia_mea"),
        ("dagstack.toml", DAGSTACK, "chunks"),
        ("plugin.json", JANK, "dev.jank.plugins.hello-world"),
        ("manifest.json", AGENTOS, "p"),
    ] {
        let folder = folder(&[(name, text)]);
        let import = toolgate(folder.path(), &["manifest", "import", name], &[]).await;
        assert_eq!(
            (import.code.as_str(), import.complained.as_str()),
            ("0", ""),
            "{name}"
        );
        let printed = folder.path().join("plugin.toml");
        std::fs::write(printed, &import.printed).expect("it is writable");
        let check = toolgate(folder.path(), &["manifest", "check", "plugin.toml"], &[]).await;
        assert_eq!(check.code, "0", "{name}: {}", check.complained);
        let expect = format!("no problems, plugin `{id}`");
        assert!(check.printed.contains(&expect), "{}", check.printed);
        let json = toolgate(folder.path(), &["manifest", "import", name, "--json"], &[]).await;
        let json: serde_json::Value = serde_json::from_str(&json.printed).expect("JSON");
        assert_eq!(json["manifest"]["id"], id);
    }
}

#[tokio::test]
async fn what_is_wrong_ends_with_code_1_and_its_place() {
    let folder = folder(&[
        (
            "extension.json",
            "{\n  \"version\": \"soon\",\n  \"module\": \"x.py\"\n}",
        ),
        ("other.json", "{}"),
        (
            "plugin.toml",
            "id = 'x'\nversion = '1.0.0'\nruntime = 'mcp_stdio'\nmcp_stdio = { comand = ['x'] }",
        ),
    ]);
    for (arguments, expect) in [
        (
            &["import", "extension.json"][..],
            "extension.json:2:3: `soon` is not a version",
        ),
        (&["import", "extension.json"], "missing key `id`"),
        (&["import", "other.json"], "say what it is with `--format`"),
        (
            &["import", "other.json", "--format", "jank"],
            "missing key `id`",
        ),
        (&["import", "nowhere.json"], "nowhere.json: cannot be read"),
        (&["check", "extension.json"], "missing key `id`"),
        (&["check", "."], "did you mean `command`?"),
    ] {
        let arguments: Vec<&str> = ["manifest"].iter().chain(arguments).copied().collect();
        let ran = toolgate(folder.path(), &arguments, &[]).await;
        assert_eq!(
            (ran.code.as_str(), ran.printed.as_str()),
            ("1", ""),
            "{arguments:?}"
        );
        assert!(
            ran.complained.contains(expect),
            "{arguments:?}: {}",
            ran.complained
        );
    }
}

#[tokio::test]
async fn a_foreign_folder_from_the_environment_serves_its_tools() {
    let manifest = format!(
        "name = 'Foreign'\nkind = 'tool'\nruntime = 'mcp_stdio'\ncore_version = '>=0.0.1.dev0'\n[mcp_stdio]\ncommand = [{:?}]\n",
        program()
    );
    let folder = folder(&[("any-name/dagstack.toml", &manifest)]);
    let variables = [
        ("ORDINAUT_EXT_PATHS", "."),
        ("TOOLGATE_LOAD", r#"{"foreign": "eager"}"#),
    ];
    let ran = toolgate(folder.path(), &["plugins", "list", "--json"], &variables).await;
    let rows: serde_json::Value = serde_json::from_str(&ran.printed).expect(&ran.complained);
    let rows = rows["registered"].as_array().expect("a list");
    let row = rows
        .iter()
        .find(|row| row["id"] == "foreign")
        .expect("it is there");
    assert_eq!(row["error"], serde_json::Value::Null, "{row}");
    assert!(row["tools"].as_u64() > Some(0), "{row}");
    let wrong = [("TOOLGATE_GRANTS", "{\"foreign\": [\"ALL\"]}")];
    let ran = toolgate(folder.path(), &["plugins", "list"], &wrong).await;
    assert_eq!(ran.code, "1");
    assert!(
        ran.complained.contains("TOOLGATE_GRANTS:1:14: "),
        "{}",
        ran.complained
    );
}
