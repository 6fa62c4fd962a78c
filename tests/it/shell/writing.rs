//! `shell.exec_write`: with an approval only, and only where the settings say.

use serde_json::{Value, json};

use crate::hostile::{names, result_of, text_of};
use crate::rest::{self, refused};
use crate::shell::Place;
use crate::support::{Answer, Request, modern};

pub(super) const SETTINGS: &str = "write_directories = [\"DIR/writable\"]\n[plugins.shell.config.programs]\ntee = { writes = true }\ntouch = { writes = true }\nchmod = { writes = true }\nsleep = {}\n";

fn with_policy(policy: &str) -> String {
    format!("{SETTINGS}[policy.approval]\nwait_ms = 0\n{policy}")
}

/// The same call after somebody has agreed to it.
async fn approved(place: &Place, arguments: &Value) -> Value {
    let call = rest::call("shell.exec_write", &arguments.to_string());
    agreed(place, &call).await;
    place.gateway.send(&call).await.json()
}

/// Has somebody agree to a call; what they were asked.
pub(super) async fn agreed(place: &Place, call: &Request) -> Value {
    let answer: Answer = place.gateway.send(call).await;
    assert_eq!(refused(&answer, 403), "approval_pending");
    let text = answer.json()["error"]["message"].to_string();
    let (_, rest) = text
        .split_once("approvals approve ")
        .expect("how to give it");
    let id = rest.split('`').next().expect("an id");
    let asked = Request::new("GET", "/api/approvals");
    let asked = place.gateway.send(&asked).await.json();
    let approve = Request::new("POST", &format!("/api/approvals/{id}/approve")).body_of(&json!({}));
    assert_eq!(place.gateway.send(&approve).await.status, 200);
    asked
}

/// Who must agree sees the whole command line, also where there is much else.
#[tokio::test]
async fn who_must_agree_is_told_what_runs() {
    let place = Place::new(&with_policy("")).await;
    if place.is_confined {
        let arguments = json!({ "command": "tee -a 'a b'", "input": "x".repeat(100_000) });
        let call = rest::call("shell.exec_write", &arguments.to_string());
        let asked = agreed(&place, &call).await.to_string();
        let runs = format!(
            "tee -a 'a b'` in {}, with 100000 bytes of input (sha256 ",
            place.path("writable")
        );
        for part in [
            "runs `/",
            &runs,
            "\"command\":\"tee -a 'a b'\"",
            "of 100000 letters",
        ] {
            assert!(asked.contains(part), "{part}: {asked}");
        }
        let long = json!({ "program": "tee", "args": ["x".repeat(9_000)] });
        let call = rest::call("shell.exec_write", &long.to_string());
        let answer = place.gateway.send(&call).await.json();
        assert!(
            text_of(&answer).contains("who must agree to it is shown"),
            "{answer}"
        );
    }
    place.gateway.finish().await;
}

/// F25
#[tokio::test]
async fn what_writes_needs_an_approval_and_writes_in_its_directory_only() {
    let place = Place::new(&with_policy("")).await;
    if !place.is_confined {
        assert!(
            !names(&place.gateway)
                .await
                .contains(&"shell.exec_write".to_owned())
        );
        place.gateway.finish().await;
        return;
    }
    let inside = json!({ "program": "tee", "args": ["new"], "input": "words" });
    let result = approved(&place, &inside).await;
    assert_eq!(result["structuredContent"]["exit_code"], 0, "{result}");
    assert_eq!(
        std::fs::read_to_string(place.file("writable/new")).expect("written"),
        "words"
    );
    let touched = approved(&place, &json!({ "command": "touch other" })).await;
    assert_eq!(touched["structuredContent"]["exit_code"], 0, "{touched}");
    assert!(place.file("writable/other").exists());
    // A link does not lead out.
    std::os::unix::fs::symlink(place.path("outside/secret"), place.file("writable/link"))
        .expect("made");
    let led = approved(
        &place,
        &json!({ "program": "tee", "args": ["link"], "input": "x" }),
    )
    .await;
    assert_eq!(led["structuredContent"]["exit_code"], 1, "{led}");
    let secret = std::fs::read_to_string(place.file("outside/secret"));
    assert_eq!(secret.expect("it is there"), "hidden words");
    for (arguments, file) in [
        (
            json!({ "program": "tee", "args": [place.path("readable/new")], "input": "x" }),
            "readable/new",
        ),
        (
            json!({ "program": "tee", "args": ["../outside/new"], "input": "x" }),
            "outside/new",
        ),
        (
            json!({ "program": "touch", "args": [place.path("outside/new")] }),
            "outside/new",
        ),
    ] {
        let result = approved(&place, &arguments).await;
        assert_eq!(result["structuredContent"]["exit_code"], 1, "{result}");
        assert!(!place.file(file).exists());
    }
    // Modes and times are not the kernel's business by directory, so not by path at all.
    let secret = place.path("outside/secret");
    let changed = approved(
        &place,
        &json!({ "program": "chmod", "args": ["777", secret] }),
    )
    .await;
    assert_eq!(changed["structuredContent"]["exit_code"], 1, "{changed}");
    for (tool, line, part) in [
        (
            "shell.exec",
            "tee x",
            "`tee` changes things: use `shell.exec_write`",
        ),
        (
            "shell.exec_write",
            "ls",
            "`ls` only looks: use `shell.exec`",
        ),
        (
            "shell.exec_write",
            "rm x",
            "`rm` is not among the programs that may be run: there are chmod, tee, touch",
        ),
    ] {
        let arguments = json!({ "command": line });
        let result = match tool {
            "shell.exec" => place.exec(arguments).await,
            // Nobody is asked about it.
            tool => {
                let call = rest::call(tool, &arguments.to_string());
                place.gateway.send(&call).await.json()
            }
        };
        assert_eq!(result["isError"], true);
        assert!(text_of(&result).contains(part), "{result}");
    }
    place.gateway.finish().await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let place = Place::new(&with_policy("")).await;
    let dry = |tool: &str, arguments: Value| {
        modern::request(
            "tools/call",
            json!({ "name": tool, "arguments": arguments, "_meta": { "toolgate/dry_run": true } }),
        )
    };
    let result = result_of(
        &place
            .gateway
            .send(&dry("shell.exec", json!({ "command": "grep 'a b' known" })))
            .await,
    );
    let told = &result["structuredContent"];
    assert_eq!(
        (&told["dry_run"], &told["args"], &told["exit_code"]),
        (&json!(true), &json!(["a b", "known"]), &Value::Null)
    );
    assert!(
        told["program"]
            .as_str()
            .is_some_and(|path| path.ends_with("/grep"))
    );
    let text = text_of(&result);
    assert!(
        text.contains("nothing ran. It would be: /") && text.contains("grep 'a b' known"),
        "{text}"
    );
    let refused = result_of(
        &place
            .gateway
            .send(&dry("shell.exec", json!({ "command": "rm x" })))
            .await,
    );
    assert_eq!(refused["isError"], true);
    if place.is_confined {
        assert!(
            text.contains(&format!(
                "the system's own files and {}; writes nothing; reaches nothing",
                place.path("readable")
            )),
            "{text}"
        );
        let arguments = json!({ "program": "tee", "args": ["new"], "input": "x" });
        let asked = dry("shell.exec_write", arguments);
        let result = result_of(&place.gateway.send(&asked).await);
        assert_eq!(result["structuredContent"]["dry_run"], true, "{result}");
        assert!(
            text_of(&result).contains(&format!("writes {}", place.path("writable"))),
            "{result}"
        );
        assert!(!place.file("writable/new").exists());
    }
    place.gateway.finish().await;
}

#[tokio::test]
async fn it_is_listed_as_what_it_is_and_hidden_from_who_may_only_look() {
    for (policy, is_listed) in [("", true), ("[policy]\nread_only = true\n", false)] {
        let place = Place::new(&with_policy(policy)).await;
        let listed = names(&place.gateway).await;
        assert!(listed.contains(&"shell.exec".to_owned()), "{listed:?}");
        let is_there = listed.contains(&"shell.exec_write".to_owned());
        assert_eq!(is_there, is_listed && place.is_confined, "{listed:?}");
        if is_there {
            let answer = place
                .gateway
                .send(&modern::request("tools/list", json!({})))
                .await
                .json();
            let tools = answer["result"]["tools"]
                .as_array()
                .expect("a list")
                .clone();
            let of = |name: &str| {
                tools
                    .iter()
                    .find(|tool| tool["name"] == name)
                    .expect("it is listed")["_meta"]
                    .clone()
            };
            let (looks, writes) = (of("shell.exec"), of("shell.exec_write"));
            assert_eq!(
                (&looks["toolgate/category"], &looks["toolgate/risk"]),
                (&json!("diagnostic"), &json!("low"))
            );
            assert_eq!(
                (&writes["toolgate/category"], &writes["toolgate/risk"]),
                (&json!("remediation"), &json!("high"))
            );
            assert_eq!(writes["toolgate/requires_approval"], true);
            assert!(
                writes["toolgate/blast_radius"]
                    .to_string()
                    .contains(&place.path("writable"))
            );
        }
        place.gateway.finish().await;
    }
}
