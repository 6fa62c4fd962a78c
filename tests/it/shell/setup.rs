//! What the plugin says of its settings, and of a machine that cannot confine programs.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::hostile::{call, names, result_of};
use crate::shell::{config, state};
use crate::support::{Program, TestGateway};

/// Why the plugin does not start with these settings.
async fn why(settings: &str) -> String {
    let gateway = TestGateway::builder()
        .config(&config(settings))
        .build()
        .await;
    let (_, why) = state(&gateway).await;
    gateway.finish().await;
    why
}

#[tokio::test]
async fn settings_that_cannot_be_are_named_by_their_key() {
    let folder = tempfile::tempdir().expect("a directory");
    let open = folder.path().join("open");
    std::fs::write(&open, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("set");
    let open = open.display().to_string();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).expect("made");
    let (above, below) = (folder.path().display(), below.display());
    for (settings, parts) in [
        (
            "programs.bash = {}".to_owned(),
            &[
                "`programs.bash`",
                "`bash` starts other programs",
                "i_know_it_runs_code = true",
            ][..],
        ),
        (
            "programs.look = { path = \"/bin/sh\" }".to_owned(),
            &["`programs.look`", "starts other programs or reads code"],
        ),
        (
            "programs.python3 = {}\nprograms.env = {}".to_owned(),
            &["`programs.env`"],
        ),
        (
            "programs.nowhere-to-be-found = {}".to_owned(),
            &[
                "`programs.nowhere-to-be-found`",
                "install it, or say its `path`",
            ],
        ),
        (
            "programs.x = { path = \"bin/x\" }".to_owned(),
            &["`path` must be absolute"],
        ),
        (
            "programs.\"a/b\" = {}".to_owned(),
            &["the name is one word"],
        ),
        (
            format!("programs.x = {{ path = \"{open}\" }}"),
            &["others could change", "writable by nobody else"],
        ),
        (
            format!("programs.ls = {{ starts = [\"{open}\"] }}"),
            &["`programs.ls`: `starts[0]`", "others could change"],
        ),
        (
            "directories = [\"/\"]".to_owned(),
            &["`directories[0]`", "because of"],
        ),
        (
            "directories = [\"/usr\", \"/root\"]".to_owned(),
            &["`directories[1]`", "because of `/root`"],
        ),
        (
            "write_directories = [\"/etc\"]\nprograms.tee = { writes = true }".to_owned(),
            &["`write_directories[0]`", "because of"],
        ),
        (
            "write_directories = [\"/usr/bin\"]\nprograms.tee = { writes = true }".to_owned(),
            &["`write_directories`: `", "could put another in its place"],
        ),
        (
            format!("directories = [\"{below}\"]\nwrite_directories = [\"{above}\"]"),
            &[
                "`directories[0]`",
                "lies in",
                "could put another in its place",
            ],
        ),
        (
            "programs.tee = { writes = true }".to_owned(),
            &["`write_directories` must name where"],
        ),
    ] {
        let why = why(&settings).await;
        for part in parts {
            assert!(why.contains(part), "{settings}: {why}");
        }
    }
}

/// A gateway without the program that confines others is like a kernel that cannot.
#[tokio::test]
async fn without_a_sandbox_nothing_is_offered_unless_the_operator_wants_that() {
    let build = |settings: &str| {
        TestGateway::builder()
            .config(&config(settings))
            .without_helper()
            .build()
    };
    let gateway = build("").await;
    let (_, why) = state(&gateway).await;
    for part in [
        "there is no sandbox that holds, so nothing is offered",
        "helper",
        "sandbox = \"best_effort\"",
    ] {
        assert!(why.contains(part), "{why}");
    }
    assert_eq!(
        names(&gateway)
            .await
            .iter()
            .filter(|name| name.starts_with("shell."))
            .count(),
        0
    );
    gateway.finish().await;

    let folder = tempfile::tempdir().expect("a directory");
    let settings = format!(
        "sandbox = \"best_effort\"\nwrite_directories = [\"{}\"]\nprograms.tee = {{ writes = true }}",
        folder.path().display()
    );
    let gateway = build(&settings).await;
    let listed = names(&gateway).await;
    assert!(
        listed.contains(&"shell.exec".to_owned())
            && !listed.contains(&"shell.exec_write".to_owned()),
        "{listed:?}"
    );
    let result =
        result_of(&call(gateway.address, "shell.exec", json!({ "command": "seq 2" })).await);
    let done = &result["structuredContent"];
    assert_eq!(done["stdout"], "1\n2\n");
    assert!(
        done["sandbox"]
            .as_str()
            .is_some_and(|words| words.starts_with("does not hold")),
        "{done}"
    );
    gateway.finish().await;
}

/// The list can be narrowed and widened, and so can the rules of what is on it.
#[tokio::test]
async fn operators_choose_the_programs() {
    let settings = "sandbox = \"best_effort\"\nwithout = [\"cat\"]\nprograms.git = { subcommands = [\"version\"] }\nprograms.find = { allow_arguments = [\"-delete\"], deny_arguments = [\"-name\"] }\n";
    let gateway = TestGateway::builder()
        .config(&config(settings))
        .build()
        .await;
    for (line, part) in [
        ("cat x", "`cat` is not among"),
        ("git push", "must be one of `version`"),
        ("git -c a=b version", "`-c`"),
        ("find . -name x", "rule `-name`"),
        ("find . -exec x", "rule `-exec`"),
    ] {
        let result =
            result_of(&call(gateway.address, "shell.exec", json!({ "command": line })).await);
        assert_eq!(result["isError"], true, "{result}");
        assert!(
            result["content"].to_string().contains(part),
            "{line}: {result}"
        );
    }
    let result = result_of(
        &call(
            gateway.address,
            "shell.exec",
            json!({ "command": "git version" }),
        )
        .await,
    );
    assert!(
        result["structuredContent"]["stdout"]
            .to_string()
            .contains("git version"),
        "{result}"
    );
    gateway.finish().await;
    let settings = "sandbox = \"best_effort\"\ndefaults = false\nprograms.seq = {}\n";
    let gateway = TestGateway::builder()
        .config(&config(settings))
        .build()
        .await;
    let result = result_of(&call(gateway.address, "shell.exec", json!({ "command": "ls" })).await);
    assert!(
        result["content"].to_string().contains("there are seq."),
        "{result}"
    );
    gateway.finish().await;
}

/// What keeps the plugin from offering anything is said before it is started, too.
#[tokio::test]
async fn the_doctor_tries_the_sandbox() {
    let (_, said) = Program::run(&["doctor"], &config("")).await;
    let line = said.lines().find(|line| line.contains(" sandbox: "));
    let line = line.unwrap_or_else(|| panic!("it says so: {said}"));
    let is_sound = line.starts_with("ok ") && line.contains("holds: ");
    let is_told = line.starts_with("problem ") && line.contains("`shell` offers nothing: ");
    assert!(is_sound || is_told, "{said}");
}

/// The plugin tries sockets in a directory whose path may be longer than that of a socket can be.
#[tokio::test]
async fn a_long_path_to_temporary_files_is_no_reason_to_offer_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let long = folder.path().join("long".repeat(30));
    std::fs::create_dir(&long).expect("made");
    let gateway = TestGateway::builder()
        .config(&config(""))
        .variable("TMPDIR", &long.display().to_string())
        .build()
        .await;
    let (_, why) = state(&gateway).await;
    assert!(why.is_empty() || why.contains("kernel"), "{why}");
    gateway.finish().await;
}
