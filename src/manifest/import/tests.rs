//! Manifests as the other systems write them, and what becomes of them here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;
use crate::manifest::document::Format;
use crate::manifest::{read, toml_print};

#[derive(Deserialize)]
struct Recorded {
    format: String,
    document: Box<RawValue>,
}

fn nothing_beside(_: &str) -> bool {
    false
}

fn json(text: &str) -> Node {
    Node::parse(Format::Json, text, None).expect("valid JSON")
}

fn toml(text: &str) -> Node {
    Node::parse(Format::Toml, text, None).expect("valid TOML")
}

fn format(word: &str) -> ForeignFormat {
    let found = ForeignFormat::ALL
        .into_iter()
        .find(|format| format.as_str() == word);
    found.expect("a format")
}

fn lines(notes: &[Problem]) -> String {
    let line = |note: &Problem| format!("{}: {}\n", note.path, note.message);
    notes.iter().map(line).collect()
}

/// What a person sees of an import: the manifest, then the notes.
fn shown(imported: Imported) -> String {
    let unrunnable = imported.unrunnable.iter().map(|one| one.problem.clone());
    let notes = lines(&unrunnable.chain(imported.notes.clone()).collect::<Vec<_>>());
    let native = imported.with_suggestion();
    let verdict = match read(&native) {
        Ok(_) => "valid".to_owned(),
        Err(problems) => problems.to_string(),
    };
    let printed = toml_print::print(&native).expect("it can be printed");
    format!("{printed}\n---\n{notes}---\n{verdict}")
}

#[test]
fn every_recorded_manifest_is_imported() {
    // A token over plain HTTP to another machine is refused here, whoever wrote the manifest.
    const REFUSED: [&str; 2] = ["dagstack.adr_http", "dagstack.py_http"];
    let text = include_str!("../../../tests/vectors/foreign_manifests.json");
    let recorded: BTreeMap<String, Recorded> = serde_json::from_str(text).expect("a table");
    assert_eq!(recorded.len(), 11);
    for (
        name,
        Recorded {
            format: word,
            document,
        },
    ) in recorded
    {
        let imported = import(format(&word), &json(document.get()), &nothing_beside);
        let imported = imported.unwrap_or_else(|refused| panic!("{name}: {}", refused.problems));
        let native = imported.clone().with_suggestion();
        match read(&native) {
            Ok(_) => assert!(!REFUSED.contains(&name.as_str()), "{name}"),
            Err(problems) => {
                assert!(REFUSED.contains(&name.as_str()), "{name}: {problems}");
                assert_eq!(problems.0.len(), 1, "{name}: {problems}");
                assert!(
                    problems.to_string().contains("unencrypted"),
                    "{name}: {problems}"
                );
            }
        }
        let printed = toml_print::print(&native).expect("it can be printed");
        let again = Node::parse(Format::Toml, &printed, None).expect("valid TOML");
        assert_eq!(read(&again).ok(), read(&native).ok(), "{name}");
        insta::assert_snapshot!(name, shown(imported));
    }
}

#[derive(Deserialize)]
struct Case {
    case: String,
    manifest: Box<RawValue>,
    result: String,
}

/// These concern fields that have no counterpart here: whatever they say is kept and not judged.
const OTHER_FIELDS: [&str; 5] = [
    "exec gpu",
    "uow dur 0",
    "uow mode bad",
    "uow extra",
    "resources extra",
];

/// Refused by the recorded program and accepted here, because its own documentation writes manifests like this.
const ACCEPTED_HERE: [&str; 7] = [
    "missing schema_version",
    "missing kind_api_version",
    "missing core_version",
    "http+url only",
    "extra field",
    "runtime array",
    "schema_version 1.0.0 (refused by the registry)",
];

#[test]
fn dagstack_manifests_are_accepted_and_refused_as_recorded() {
    let text = include_str!("../../../tests/vectors/manifest_dagstack.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("a table");
    assert_eq!(cases.len(), 43);
    let named = |name: &str| cases.iter().any(|case| case.case == name);
    assert!(OTHER_FIELDS.into_iter().chain(ACCEPTED_HERE).all(named));
    for Case {
        case,
        manifest,
        result,
    } in &cases
    {
        if OTHER_FIELDS.contains(&case.as_str()) {
            continue;
        }
        let expect = result == "ok" || ACCEPTED_HERE.contains(&case.as_str());
        let found = import(
            ForeignFormat::Dagstack,
            &json(manifest.get()),
            &nothing_beside,
        )
        .map_err(|refused| refused.problems)
        .and_then(|imported| read(&imported.with_suggestion()));
        assert_eq!(found.is_ok(), expect, "{case}: {found:?}");
        if let Err(problems) = found {
            assert_eq!(problems.0.len(), 1, "{case}: {problems}");
            assert_ne!(problems.0[0].line, 0, "{case}: {problems}");
        }
    }
}

#[test]
fn problems_name_line_and_path_of_the_foreign_file() {
    let text = "name = 'Bad Name!'\nkind = 'tool'\nversion = 'soon'\nruntime = ['mcp_stdio', 'in-process']\ncore_version = 'any'\npriority = -1\ndepends_on = ['ok', '_x']\n[mcp_stdio]\ncommand = 'x'\nstartup_timeout_sec = 0\n";
    let refused = import(ForeignFormat::Dagstack, &toml(text), &nothing_beside);
    insta::assert_snapshot!(refused.expect_err("is wrong").problems);
    let text =
        "{\n \"name\": \"x\",\n \"version\": 7,\n \"binary\": \"\",\n \"auto_start\": \"yes\"\n}";
    let refused = import(ForeignFormat::Jank, &json(text), &nothing_beside);
    insta::assert_snapshot!(refused.expect_err("is wrong").problems);
}

#[test]
fn what_the_reader_finds_stands_where_the_foreign_file_says_it() {
    let text = "name = 'x'\nkind = 'tool'\nruntime = 'mcp_http'\n\n[mcp_http]\nurl = 'ftp://x'\n";
    let imported = import(ForeignFormat::Dagstack, &toml(text), &nothing_beside).expect("imported");
    let problems = read(&imported.document).expect_err("the address is wrong");
    assert_eq!((problems.0.len(), problems.0[0].line), (1, 6));
}

#[test]
fn the_table_called_plugin_and_every_spelling_of_a_credential_are_read() {
    let text = "[plugin]\nname = 'llm'\nkind = 'llm'\nruntime = 'mcp_http'\npriority = 3\ntryfirst = true\n[plugin.mcp_http]\nendpoint = 'https://h/x'\ntimeout_sec = 1000\ntls_verify = false\nauth = { type = 'bearer', token_env = 'T' }\nheaders = { 'X-A' = '${A}' }\n[plugin.metadata]\nauthor = 'me'\n";
    let imported = import(ForeignFormat::Dagstack, &toml(text), &nothing_beside).expect("imported");
    insta::assert_snapshot!(shown(imported));
    for (auth, expect) in [
        ("auth_secret_env = 'T'", "bearer_token = \"${T}\""),
        ("auth = { token = '${T}' }", "bearer_token = \"${T}\""),
        (
            "auth_header = 'X-K'\nauth_secret_env = 'T'",
            "X-K = \"${T}\"",
        ),
    ] {
        let text = format!(
            "name = 'x'\nkind = 'tool'\nruntime = 'mcp_http'\n[mcp_http]\nurl = 'https://h/'\n{auth}\n"
        );
        let imported = import(ForeignFormat::Dagstack, &toml(&text), &nothing_beside);
        let printed = toml_print::print(&imported.expect("imported").document);
        let printed = printed.expect("it can be printed");
        assert!(printed.contains(expect), "{printed}");
    }
}

#[test]
fn a_secret_is_masked_in_the_original_that_is_kept() {
    let text = "name = 'x'\nkind = 'tool'\nruntime = ['mcp_stdio', 'mcp_http']\nurl = 'https://h/'\nauth = { token = 'hunter2' }\n[mcp_stdio]\ncommand = ['x']\nenv = { KEY = 'hunter2' }\n";
    let imported = import(ForeignFormat::Dagstack, &toml(text), &nothing_beside).expect("imported");
    let manifest = read(&imported.document).expect("valid");
    let http = manifest.mcp_http.as_ref().expect("has the section");
    let token = http.bearer_token.as_ref().expect("has a token");
    assert_eq!(token.expose(), "hunter2");
    let shown = serde_json::to_string(&manifest).expect("JSON");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!lines(&imported.notes).contains("hunter2"));
}

#[test]
fn a_program_of_jank_is_looked_for_in_its_folder() {
    let text = "{\"id\": \"J\", \"version\": \"1\", \"binary\": \"hello\"}";
    for (beside, expect) in [
        (&[][..], "./bin/hello"),
        (&["hello"], "./hello"),
        (&["scripts/build.sh"], "./bin/hello"),
    ] {
        let has = |path: &str| beside.contains(&path);
        let imported = import(ForeignFormat::Jank, &json(text), &has).expect("imported");
        let manifest = read(&imported.document).expect("valid");
        assert_eq!(manifest.id.as_str(), "j");
        assert_eq!(
            manifest.mcp_stdio.expect("has the section").command,
            [expect]
        );
        assert_eq!(manifest.build.is_some(), beside == ["scripts/build.sh"]);
    }
}

#[test]
fn formats_are_told_apart() {
    for (name, text, expect) in [
        (
            "plugin.json",
            r#"{"id": "x", "runtime": "mcp_stdio", "type": 1}"#,
            None,
        ),
        (
            "plugin.json",
            r#"{"id": "x", "auto_start": true}"#,
            Some(ForeignFormat::Jank),
        ),
        ("plugin.json", r#"{"id": "x"}"#, None),
        (
            "manifest.json",
            r#"{"manifest_version": 3, "plugin_type": "x"}"#,
            None,
        ),
        (
            "manifest.json",
            r#"{"name": "x", "version": "1", "entry_point": "a.b"}"#,
            Some(ForeignFormat::AgentOs),
        ),
        ("manifest.json", r#"{"name": "x", "icons": []}"#, None),
        (
            "extension.json",
            r#"{"id": "x"}"#,
            Some(ForeignFormat::Ordinaut),
        ),
        (
            "extension.json",
            r#"{"name": "x", "manifest_version": 2}"#,
            None,
        ),
        ("dagstack.toml", "{}", Some(ForeignFormat::Dagstack)),
    ] {
        assert_eq!(
            ForeignFormat::recognise(name, &json(text)),
            expect,
            "{name} {text}"
        );
    }
    for (text, expect) in [
        (
            r#"{"name": "x", "plugin_type": "tool"}"#,
            Some(ForeignFormat::AgentOs),
        ),
        (
            r#"{"name": "x", "core_version": ""}"#,
            Some(ForeignFormat::Dagstack),
        ),
        (r#"{"id": "x", "binary": "y"}"#, Some(ForeignFormat::Jank)),
        (
            r#"{"id": "x", "grants": []}"#,
            Some(ForeignFormat::Ordinaut),
        ),
        (r#"{"id": "x", "runtime": "mcp_stdio"}"#, None),
    ] {
        assert_eq!(ForeignFormat::guess(&json(text)), expect, "{text}");
    }
}

#[test]
fn a_mangled_manifest_is_refused_and_never_more() {
    let recorded: BTreeMap<String, Recorded> = serde_json::from_str(include_str!(
        "../../../tests/vectors/foreign_manifests.json"
    ))
    .expect("a table");
    for Recorded { document, .. } in recorded.values() {
        let text = document.get();
        for at in 0..text.len() {
            let mangled = format!(
                "{}{}",
                text.get(..at).unwrap_or("{"),
                text.get(at + 1..).unwrap_or("}")
            );
            let swapped = text.replacen('"', "7,\"", at % 40);
            for text in [mangled, swapped] {
                let Ok(document) = Node::parse(Format::Json, &text, None) else {
                    continue;
                };
                for format in ForeignFormat::ALL {
                    if let Ok(imported) = import(format, &document, &nothing_beside) {
                        let _ = read(&imported.with_suggestion());
                    }
                }
            }
        }
    }
}
