//! The house: which module may know which, what only one room may do, and how files look (see ARCHITECTURE.md).
//!
//! Reads the sources as text, so it needs no build of them and sees all targets and systems at once. Comments and
//! strings are left out, except strings that are paths (`#[serde(default = "crate::…")]`). Code under `#[cfg(test)]`
//! may import more, and so may files named `tests.rs` or below a folder `tests`.

#[path = "house/source.rs"]
mod source;

use std::path::{Path, PathBuf};

use crate::source::{code, paths, test_regions};

/// The floors, lowest first. A module imports what lies strictly below it, and itself.
const FLOORS: [&[&str]; 7] = [
    &["wire"],
    &["model"],
    &[
        "manifest",
        "plugin",
        "session",
        "background",
        "schema",
        "events",
        "ledger",
        "metrics",
    ],
    &["runtime"],
    &["registry", "builtin"],
    &["dispatch", "control"],
    &["front"],
];

/// The seventh floor, which puts everything together. Here each knows those to its left as well.
const TOP: [&str; 7] = [
    "telemetry",
    "config",
    "app",
    "testing",
    "cli",
    "lib",
    "main",
];

/// What only some rooms may use.
struct Door {
    /// Paths, or parts of them; a leading dot is a method, a trailing `!` a macro.
    what: &'static [&'static [&'static str]],
    rooms: &'static [&'static str],
    rule: &'static str,
}

const DOORS: [Door; 7] = [
    Door {
        what: &[&["axum"]],
        rooms: &["front", "plugin/routes"],
        rule: "axum is for front/ and the routes of plugins",
    },
    Door {
        what: &[&["rmcp"]],
        rooms: &[
            "plugin",
            "runtime/in_process",
            "runtime/rmcp_host",
            "runtime/own_thread",
        ],
        rule: "rmcp is for the plugin trait and what hosts it",
    },
    Door {
        what: &[
            &["tokio", "spawn"],
            &["task", "spawn"],
            &["task", "spawn_local"],
            &["Handle", "spawn"],
            &[".spawn_local"],
            &["JoinSet"],
            &["TaskTracker"],
        ],
        rooms: &["background"],
        rule: "tasks are started by background.rs",
    },
    Door {
        what: &[&["thread", "spawn"], &["thread", "Builder"]],
        rooms: &["runtime/own_thread"],
        rule: "threads are started by runtime/own_thread.rs",
    },
    Door {
        what: &[&["tokio", "process"], &["process", "Command"]],
        rooms: &["runtime/process"],
        rule: "processes are for runtime/process",
    },
    Door {
        what: &[
            &["std", "env"],
            &["env", "var"],
            &["env", "vars"],
            &["env", "temp_dir"],
        ],
        rooms: &["config", "cli"],
        rule: "the environment is for config/ and cli/",
    },
    Door {
        what: &[
            &["println!"],
            &["print!"],
            &["eprintln!"],
            &["eprint!"],
            &["dbg!"],
            &["io", "stdin"],
            &["io", "stdout"],
        ],
        rooms: &["cli"],
        rule: "printing and the standard streams are for cli/",
    },
];

const MAX_LINES: usize = 500;

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 8] = [
    "utils", "util", "common", "types", "manager", "helpers", "misc", "mod",
];

#[test]
fn the_house_is_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(
        files.len() > 100,
        "only {} files found below {}",
        files.len(),
        root.display()
    );
    let mut wrong = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("sources are readable text");
        let path = file.strip_prefix(root).expect("found below the root");
        wrong.extend(check(&path.to_string_lossy().replace('\\', "/"), &text));
    }
    assert!(
        wrong.is_empty(),
        "{} places break the rules:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && !["target", "node_modules", ".venv"].contains(&name) {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

/// What is wrong with the file `path`, each with its line.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut wrong = look(path, text);
    let code = code(text);
    let tests = test_regions(&code);
    let is_test = |at| is_test_file(path) || tests.iter().any(|region| region.contains(&at));
    let mut found = |at: usize, rule: String| {
        let line = 1 + code[..at].iter().filter(|byte| **byte == b'\n').count();
        wrong.push(format!("{path}:{line}: {rule}"));
    };
    for (at, parts) in paths(&code) {
        if parts
            .last()
            .is_some_and(|last| last.trim_start_matches('.') == "unwrap")
            && parts != ["unwrap"]
        {
            found(
                at,
                "`.unwrap()`; `.expect()` says why it cannot fail".into(),
            );
        }
        if let Some(room) = path.strip_prefix("src/").filter(|_| !is_test(at)) {
            for rule in broken_by(room, &parts) {
                found(at, rule);
            }
        }
    }
    for word in ["#[ignore", "#[allow(", "#![allow("] {
        for (at, _) in String::from_utf8_lossy(&code).match_indices(word) {
            found(at, format!("`{word}`; {}", instead(word)));
        }
    }
    wrong.dedup();
    wrong
}

/// The rules that `room` breaks by using a path.
fn broken_by(room: &str, parts: &[String]) -> Vec<String> {
    let mut rules: Vec<String> = knows(room, parts).into_iter().collect();
    if parts[0] == "super" && parts.len() > 1 {
        rules.push("`super::` outside of tests; paths begin with `crate::`".into());
    }
    for door in DOORS
        .iter()
        .filter(|door| !door.rooms.iter().any(|open| is_in(room, open)))
    {
        if door.what.iter().any(|what| has(parts, what)) {
            rules.push(format!("`{}`: {}", parts.join("::"), door.rule));
        }
    }
    rules
}

fn instead(word: &str) -> &'static str {
    if word == "#[ignore" {
        "a test runs or is not there"
    } else {
        "`#[expect(.., reason = \"..\")]` ends with its cause"
    }
}

/// Rules about the file as a whole.
fn look(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//! ") {
        wrong.push(format!(
            "{path}:1: the first line says with `//!` what the file is for"
        ));
    }
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        wrong.push(format!("{path}:{n_lines}: more than {MAX_LINES} lines"));
    }
    for name in path
        .trim_end_matches(".rs")
        .split('/')
        .filter(|name| EMPTY_NAMES.contains(name))
    {
        wrong.push(format!("{path}:1: a name that says nothing: `{name}`"));
    }
    if path.starts_with("src/") && floor(room_of(&path[4..])).is_none() {
        wrong.push(format!(
            "{path}:1: no floor; tests/house.rs lists the modules of each"
        ));
    }
    wrong
}

/// Whether `parts` leads to a module that `room` must not know.
fn knows(room: &str, parts: &[String]) -> Option<String> {
    let [start, target, ..] = parts else {
        return None;
    };
    if start != "crate" && !(start == "toolgate" && room == "main.rs") {
        return None;
    }
    let (own, target) = (room_of(room), target.trim_end_matches('!'));
    if own == target || floor(target)? < floor(own)? {
        return None;
    }
    Some(format!(
        "`{own}` (floor {}) imports `{target}` (floor {})",
        level(own),
        level(target)
    ))
}

/// Where a module stands: what is smaller may be imported.
fn floor(module: &str) -> Option<usize> {
    let top = || {
        TOP.iter()
            .position(|known| *known == module)
            .map(|at| FLOORS.len() + at)
    };
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .or_else(top)
}

/// The number of its floor, for people.
fn level(module: &str) -> usize {
    floor(module).unwrap_or(0).min(FLOORS.len())
}

/// The module a file below `src/` belongs to.
fn room_of(room: &str) -> &str {
    room.split('/')
        .next()
        .unwrap_or(room)
        .trim_end_matches(".rs")
}

/// Whether the file `room` is `place.rs` or lies below `place/`.
fn is_in(room: &str, place: &str) -> bool {
    room.strip_prefix(place)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn is_test_file(path: &str) -> bool {
    !path.starts_with("src/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn has(parts: &[String], what: &[&str]) -> bool {
    // A name alone stands at the beginning of a path, or is a method, macro or type.
    match what {
        [one] if one.chars().all(|c| c.is_ascii_lowercase()) => parts.len() > 1 && parts[0] == *one,
        _ => parts
            .windows(what.len())
            .any(|window| window.iter().eq(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks `code` as the file `src/{path}`; `expect` is `line: the beginning of the rule`.
    fn expect(path: &str, code: &str, expect: &[&str]) {
        let found = check(&format!("src/{path}"), &format!("//! Room.\n{code}"));
        let told: Vec<&str> = found
            .iter()
            .filter_map(|wrong| wrong.split_once(".rs:").map(|(_, rest)| rest))
            .collect();
        let fits = told.len() == expect.len()
            && told
                .iter()
                .zip(expect)
                .all(|(told, expect)| told.starts_with(expect));
        assert!(fits, "{code}\nfound: {told:#?}\nexpected: {expect:#?}");
    }

    #[test]
    fn imports_go_down() {
        expect(
            "dispatch.rs",
            "use crate::wire::json::Json;\nuse crate::dispatch::audit;",
            &[],
        );
        expect(
            "wire/json.rs",
            "use crate::model::fault;",
            &["2: `wire` (floor 0) imports `model` (floor 1)"],
        );
        expect(
            "plugin.rs",
            "use crate::manifest::Manifest;",
            &["2: `plugin` (floor 2) imports `manifest` (floor 2)"],
        );
        expect(
            "runtime/link.rs",
            "fn f() {\n    crate::front::http::x();\n}",
            &["3: `runtime` (floor 3) imports `front`"],
        );
        expect(
            "builtin.rs",
            "use crate::{wire::{a, b::c},\n registry as r, model};",
            &["3: `builtin` (floor 4) imports"],
        );
        expect(
            "model.rs",
            "#[serde(default = \"crate::config::port\")]",
            &["2: `model` (floor 1) imports `config`"],
        );
        expect(
            "config.rs",
            "use crate::app::App;",
            &["2: `config` (floor 7) imports `app` (floor 7)"],
        );
        expect(
            "cli/serve.rs",
            "use crate::app::App;\nuse crate::config::Config;",
            &[],
        );
        expect("attic.rs", "", &["1: no floor"]);
    }

    #[test]
    fn tests_may_know_more() {
        let tests = "#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::front::x;\n}\n";
        expect("wire.rs", tests, &[]);
        expect(
            "wire.rs",
            &format!("{tests}use crate::front::x;"),
            &["7: `wire`"],
        );
        expect(
            "wire/json/tests.rs",
            "use super::*;\nuse crate::front::x;",
            &[],
        );
        expect(
            "wire.rs",
            "#[cfg(not(test))]\nuse crate::front::x;",
            &["3: `wire`"],
        );
        expect(
            "wire.rs",
            "#[cfg(test)]\nmod tests;\nuse crate::front::x;",
            &["4: `wire`"],
        );
    }

    #[test]
    fn doors_are_shut() {
        for (path, code) in [
            ("runtime.rs", "use axum::Router;"),
            ("dispatch.rs", "fn f(_: rmcp::model::Tool) {}"),
            ("front/http.rs", "fn f() { tokio::spawn(g()); }"),
            ("front/http.rs", "use tokio::{sync::Mutex, task::{spawn}};"),
            (
                "front/http.rs",
                "fn f(set: &LocalSet) { set.spawn_local(g()); }",
            ),
            ("registry.rs", "use std::{io, thread::Builder};"),
            ("registry.rs", "use tokio::process::Command;"),
            ("app.rs", "fn f() { x.map_or_else(std::env::temp_dir, y); }"),
            ("front.rs", "fn f() { println!(\"x\"); }"),
            ("front.rs", "fn f() { std::io::stdout(); }"),
            ("front.rs", "use super::x;"),
            ("cli.rs", "fn f() { x.unwrap(); }"),
            ("cli.rs", "#[ignore = \"slow\"]\nfn f() {}"),
            ("cli.rs", "#![allow(dead_code)]"),
        ] {
            assert_eq!(
                check(&format!("src/{path}"), &format!("//! Room.\n{code}")).len(),
                1,
                "{path}: {code}"
            );
        }
        expect("front/http.rs", "use axum::Router;", &[]);
        expect(
            "runtime/process/helper.rs",
            "use std::process::Command;",
            &[],
        );
        expect("config/env.rs", "fn f() { std::env::vars(); }", &[]);
        expect(
            "app.rs",
            "const V: &str = env!(\"X\");\nfn f(env: &Env) -> bool { env != x && a!=b }",
            &[],
        );
        expect(
            "front.rs",
            "pub(super) fn f(child: Child) { child.stdout.unwrap_or(tasks.spawn(x)); }",
            &[],
        );
    }

    #[test]
    fn what_is_no_code_does_not_count() {
        expect(
            "wire.rs",
            "// crate::front::x println!()\n/* axum::x /* */ rmcp::x */",
            &[],
        );
        expect(
            "wire.rs",
            "const A: &str = \"axum::x \\\" rmcp::y\";\nconst B: &str = r#\"\"axum::x\"#;",
            &[],
        );
        expect(
            "wire.rs",
            "fn f<'a>(c: char, s: &'a str) -> bool { c == '\"' || c == '\\'' }\nuse axum::x;",
            &["3: `axum::x`"],
        );
        expect(
            "wire.rs",
            "const A: char = '\u{e9}';\nconst B: u8 = b'\\\\';\nuse axum::x;",
            &["4: `axum::x`"],
        );
    }

    #[test]
    fn files_look_alike() {
        let told = |path: &str, text: &str| check(path, text).join("\n");
        assert!(told("src/wire.rs", "use std::fmt;").contains("src/wire.rs:1: the first line"));
        assert!(told("src/wire/mod.rs", "//! Room.").contains("says nothing: `mod`"));
        assert!(told("tests/common/x.rs", "//! Room.").contains("says nothing: `common`"));
        assert!(
            told("src/wire.rs", &"//! Room.\n".repeat(501))
                .contains("src/wire.rs:501: more than 500")
        );
        assert_eq!(told("src/wire.rs", &"//! Room.\n".repeat(500)), "");
    }
}
