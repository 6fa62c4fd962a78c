//! System calls and programs of the machine that lead around the rules on files.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::shell::{PERL, Place};

const REFUSED: &str = "Operation not permitted";
const ABSENT: &str = "Function not implemented";

/// Calls by their number on this architecture, with their arguments, and what comes of them.
const CALLS: &[(&str, &str)] = &[
    ("463, -100, $file, 0, $name, $value, 16", REFUSED),
    ("466, -100, $file, 0, $name", REFUSED),
    ("467, -100, $file, 0, $value, 16", REFUSED),
    ("469, -100, $file, $value, 32, 0", REFUSED),
    ("431, -1, 0, 0, 0, 0", REFUSED),
    ("433, -100, $file, 0", REFUSED),
    ("443, -1, 0, 0, 0", REFUSED),
    ("435, 0, 0", ABSENT),
    ("470, 0, 0, 0, 0", ABSENT),
    ("471, 0, 0, 0, 0", ABSENT),
    ("600, 0, 0, 0, 0", ABSENT),
];

/// The same with numbers that only this architecture has.
#[cfg(target_arch = "x86_64")]
const OF_X86_64: &[(&str, &str)] = &[
    ("319, $name, 0", REFUSED),
    ("322, -1, $file, 0, 0, 0", REFUSED),
    ("30, -1, 0, 0", REFUSED),
    ("31, -1, 0, 0", REFUSED),
    ("65, -1, 0, 0", REFUSED),
    ("66, -1, 0, 0, 0", REFUSED),
    ("220, -1, 0, 0, 0", REFUSED),
    ("69, -1, 0, 0, 0", REFUSED),
    ("70, -1, 0, 0, 0, 0", REFUSED),
    ("71, -1, 0, 0", REFUSED),
    ("56, 0x10000011, 0, 0, 0, 0", REFUSED),
    ("56, 0x40000011, 0, 0, 0, 0", REFUSED),
    ("141, 1, 0, 6", REFUSED),
    ("251, 2, 0, 0", REFUSED),
    // The number of `setxattr` as x32 has it.
    ("0x400000bc, $file, $name, $value, 1, 0", ABSENT),
];

#[cfg(not(target_arch = "x86_64"))]
const OF_X86_64: &[(&str, &str)] = &[];

#[tokio::test]
async fn calls_that_lead_around_the_rules_are_refused_and_new_ones_are_not_there() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{PERL}")).await;
    if place.is_confined {
        for (call, expect) in CALLS.iter().chain(OF_X86_64) {
            let script = format!(
                "my ($file, $name, $value) = ('known', 'user.x', \"\\0\" x 64); syscall({call}) != -1 or die $!"
            );
            let done = place.perl(&script).await;
            assert!(
                done["exit_code"] != 0 && done["stderr"].to_string().contains(expect),
                "{call}: {done}"
            );
        }
        // Processes are started all the same.
        let done = place
            .perl("my $pid = fork; exit 0 if !$pid; waitpid $pid, 0; print $?")
            .await;
        assert_eq!(done["stdout"], "0", "{done}");
    }
    place.gateway.finish().await;
}

#[tokio::test]
async fn of_the_kernels_files_only_those_are_read_that_programs_need() {
    let place = Place::new("").await;
    for file in ["/sys/class/net/lo/mtu", "/sys/devices/virtual/net/lo/mtu"] {
        let done = place.run(json!({ "command": format!("cat {file}") })).await;
        assert!(
            !place.is_confined || done["stderr"].to_string().contains("Permission denied"),
            "{done}"
        );
    }
    for (line, file) in [
        ("lscpu", "/usr/bin/lscpu"),
        ("lsblk -n -o NAME,SIZE", "/usr/bin/lsblk"),
    ] {
        if Path::new(file).exists() {
            let expect = Command::new("sh")
                .args(["-c", line])
                .output()
                .expect("it runs");
            let done = place.run(json!({ "command": line })).await;
            let lines = |text: &str| text.lines().count();
            assert_eq!(
                lines(done["stdout"].as_str().expect("a text")),
                lines(&String::from_utf8_lossy(&expect.stdout)),
                "{done}"
            );
        }
    }
    place.gateway.finish().await;
}

/// The program that loads others.
fn loader() -> Option<PathBuf> {
    let entries = ["/lib64", "/lib"]
        .iter()
        .filter_map(|path| std::fs::read_dir(path).ok());
    let mut entries = entries.flatten().flatten().map(|entry| entry.path());
    entries.find(|path| path.to_string_lossy().contains("/ld-linux"))
}

/// A repository whose settings start a program that lies in it, through the loader.
fn repository(place: &Place, loader: &str) {
    let folder = place.file("readable");
    let git = |words: &[&str]| {
        let done = Command::new("git")
            .current_dir(&folder)
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(words)
            .output()
            .expect("git is there");
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q"]);
    // A loader takes a path that has a slash only.
    std::fs::create_dir(folder.join("sub")).expect("made");
    std::fs::write(folder.join("sub/prog"), "before").expect("written");
    git(&["add", "sub/prog"]);
    git(&["commit", "-qm", "one"]);
    std::fs::copy("/usr/bin/echo", folder.join("sub/prog")).expect("copied");
    for (key, value) in [
        ("core.fsmonitor", loader),
        ("diff.external", loader),
        ("diff.x.command", loader),
        ("diff.x.textconv", loader),
    ] {
        git(&["config", key, value]);
    }
}

#[tokio::test]
async fn settings_of_a_repository_start_nothing() {
    let place = Place::new(
        "[plugins.shell.config.programs]\ngit = { subcommands = [\"diff\", \"log\", \"status\", \"blame\"] }",
    )
    .await;
    let Some(loader) = loader() else {
        return place.gateway.finish().await;
    };
    repository(&place, &loader.display().to_string());
    for attributes in ["", "* diff=x\n"] {
        std::fs::write(place.file("readable/.git/info/attributes"), attributes).expect("written");
        for (line, expect) in [
            ("git diff", "a/sub/prog"),
            ("git log -p --format=%s", "before"),
            ("git status", "prog"),
            ("git blame sub/prog", "ELF"),
        ] {
            let done = place.run(json!({ "command": line })).await;
            let stdout = done["stdout"].as_str().expect("a text");
            assert_eq!(done["exit_code"], 0, "{line}: {done}");
            // The program in it says what it is given.
            assert!(
                !stdout.contains("100644") || stdout.contains("index "),
                "{line}: {done}"
            );
            assert!(stdout.contains(expect), "{line}: {done}");
        }
    }
    place.gateway.finish().await;
}
