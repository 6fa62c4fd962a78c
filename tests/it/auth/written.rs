//! S35: what callers and plugins say neither begins a line of the log nor speaks to a terminal.

use rustix::process::Signal;
use serde_json::json;

use crate::hostile::Hostile;
use crate::support::{Program, Request, modern};

/// A title for the terminal, a bell, and a line that looks like one of the log.
const FORGED: &str = "\u{1b}]0;x\u{7}\n{\"level\":\"error\"}";

fn is_clean(text: &str) {
    let dirty = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(dirty, None, "{text:?}");
}

/// The requests of somebody who wants to be seen in the log.
fn requests(text: &str) -> Vec<Request> {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        modern::call(text, json!({})).set("mcp-name", "x"),
        modern::request_of(&modern::message(
            1,
            "tools/call",
            json!({ "name": text, "arguments": {} }),
        ))
        .set("mcp-name", &{
            use base64::Engine;
            let name = base64::engine::general_purpose::STANDARD.encode(text);
            format!("=?base64?{name}?=")
        }),
        modern::call("h__echo", json!({ "text": text, text: text })),
        modern::call("h__stderr", json!({ "text": text })),
        modern::request(text, json!({})).set("mcp-method", "x"),
        Request::new("POST", &format!("/api/tools/{encoded}")).body_of(&json!({ "a": text })),
        Request::new("GET", &format!("/{encoded}")).header("user-agent", "\u{9b}2J\u{9b}31m"),
        Request::new("GET", &format!("/api/v1/plugin/why?tool={encoded}")),
        Request::new("GET", &format!("/api/v1/plugin/get?id={encoded}")),
        Request::new("GET", "/api/tools").header("host", "evil\u{9b}.example"),
        Request::new("GET", "/api/tools").header("origin", "http://\u{9b}2J.example"),
        Request::new("GET", "/api/tools").header("authorization", "Bearer \u{9b}.\u{9b}.\u{9b}"),
    ]
}

/// How many lines of the log these requests make.
async fn lines(format: &str, config: &str, text: &str) -> Vec<String> {
    let arguments = ["--log", "info", "--log-format", format];
    let program = Program::serve_with(&arguments, config).await;
    for request in requests(text) {
        let answer = program.send(&request).await;
        assert!(
            (200..500).contains(&answer.status),
            "{} {}",
            answer.status,
            answer.text()
        );
    }
    program.signal(Signal::TERM);
    let (code, log) = program.ended().await;
    assert_eq!(code, 0, "{log:#?}");
    log
}

#[tokio::test]
async fn a_log_has_as_many_lines_as_events_whatever_they_hold() {
    let plugin = Hostile::new("h", &["--list", "boastful"]);
    let failing = Hostile::new("f", &["--start", "exit:3"]);
    let config = plugin.text() + &failing.text();
    for format in ["text", "json"] {
        let forged = lines(format, &config, FORGED).await;
        let plain = lines(format, &config, "nothing of note").await;
        is_clean(&forged.join("\n"));
        let looks_like_ours = |line: &&String| line.starts_with("{\"level\":\"error\"}");
        assert_eq!(forged.iter().find(looks_like_ours), None);
        let calls = |log: &[String]| log.iter().filter(|line| line.contains("Called")).count();
        assert_eq!(calls(&forged), calls(&plain), "{forged:#?}");
        if format == "json" {
            for line in &forged {
                let is_log = serde_json::from_str::<serde_json::Value>(line).is_ok();
                assert!(is_log, "{line}");
            }
        }
    }
}

#[tokio::test]
async fn commands_print_nothing_that_a_terminal_obeys() {
    let plugin = Hostile::new("h", &["--list", "boastful"]);
    let failing = Hostile::new("f", &["--start", "exit:3"]);
    let config = plugin.text() + &failing.text();
    for arguments in [
        &["tools", "list", "--all"][..],
        &["tools", "list", "--json"],
        &["tools", "call", "h__echo"],
        &["tools", "call", FORGED],
        &["why", FORGED],
        &["plugins", "list"],
        &["check"],
        &["doctor"],
    ] {
        let (_, said) = Program::run(arguments, &config).await;
        is_clean(&said);
    }
}
