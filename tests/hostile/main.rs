//! An MCP server that misbehaves as its arguments and the tools that are called say. See `options` and `deeds`.

mod asks;

mod deeds;

mod family;

mod lists;

mod options;

mod stamps;

mod tasks;

mod voice;

mod watched;

mod weight;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;

use crate::options::{Discover, Options, Start};
use crate::voice::Voice;

/// What this server keeps while it runs.
pub(crate) struct Server {
    options: Options,
    voice: Voice,
    /// Calls of the tool `count`.
    count: AtomicU64,
    /// Tools that were added since the start.
    grown: AtomicU64,
    /// The calls of `gather` that wait for the others.
    gathered: Mutex<Vec<(String, String)>>,
    /// The calls of `late` that wait for their cancellation.
    late: Mutex<Vec<String>>,
    tasks: Mutex<Vec<tasks::Task>>,
}

/// What comes after a message.
pub(crate) enum Next {
    Read,
    Exit(u8),
    /// Stays alive and never reads again.
    Freeze,
}

/// One message, its parts as the text they came in.
#[derive(Default)]
pub(crate) struct Heard {
    method: String,
    id: Option<String>,
    params: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == family::ARGUMENT)
    {
        return park();
    }
    if let Some(code) = weight::child(&arguments) {
        return code;
    }
    let options = Options::read(&arguments);
    if options.deaf && !family::is_deaf() {
        return family::become_deaf(&arguments);
    }
    options.note(&format!("start {}", std::process::id()));
    match options.start {
        Start::Well => {}
        Start::Hang => return park(),
        Start::Exit(code) => {
            let text = "cannot find the database\nmoved \u{1b}[31mit\u{1b}[0m away?\n";
            std::io::stderr().write_all(text.as_bytes()).ok();
            return ExitCode::from(code);
        }
    }
    if options.family {
        family::beget(&options);
    }
    if options.stray {
        weight::stray(&options);
    }
    let server = Server {
        voice: Voice::new(options.garbage),
        options,
        count: AtomicU64::new(0),
        grown: AtomicU64::new(0),
        gathered: Mutex::default(),
        late: Mutex::default(),
        tasks: Mutex::default(),
    };
    serve(&Arc::new(server))
}

fn serve(server: &Arc<Server>) -> ExitCode {
    let mut input = BufReader::new(std::io::stdin());
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let Some(message) = heard(&line) else {
            if !tasks::answered(server, &line) {
                asks::answered(server, &line);
            }
            continue;
        };
        match take(server, &message) {
            Next::Read => {}
            Next::Exit(code) => return ExitCode::from(code),
            Next::Freeze => return park(),
        }
    }
    server.options.note(&format!("eof {}", std::process::id()));
    if server.options.deaf {
        return park();
    }
    ExitCode::SUCCESS
}

/// Does nothing more, for longer than any test takes: what a test that fails leaves behind is gone some day.
pub(crate) fn park() -> ExitCode {
    std::thread::sleep(std::time::Duration::from_secs(120));
    ExitCode::FAILURE
}

/// The members of an object as text.
pub(crate) fn members(text: &str) -> HashMap<String, Box<RawValue>> {
    serde_json::from_str(text).unwrap_or_default()
}

fn heard(line: &[u8]) -> Option<Heard> {
    let members = members(std::str::from_utf8(line).ok()?);
    let text = |key: &str| members.get(key).map(|value| value.get().to_owned());
    Some(Heard {
        method: serde_json::from_str(members.get("method")?.get()).ok()?,
        id: text("id"),
        params: text("params").unwrap_or_else(|| "{}".to_owned()),
    })
}

fn take(server: &Arc<Server>, message: &Heard) -> Next {
    let Some(id) = &message.id else {
        return told(server, message);
    };
    match message.method.as_str() {
        "server/discover" => return discovered(server, id),
        "initialize" if !server.options.era.is_legacy() => {
            server.voice.error(id, -32601, "Method not found");
        }
        "initialize" => {
            server.options.note("initialize");
            let tasks = match server.options.tasks {
                Some(_) => tasks::CAPABILITY,
                None => "",
            };
            let resources = match server.options.watched {
                Some(_) => watched::CAPABILITY,
                None => "",
            };
            server.voice.result(
                id,
                &format!(r#"{{"protocolVersion":"2025-11-25","capabilities":{{"tools":{{"listChanged":true}},{tasks}{resources}"logging":{{}}}},"serverInfo":{{"name":"hostile","version":"1"}}}}"#),
            );
        }
        "ping" | "logging/setLevel" => {
            server
                .options
                .note(message.method.trim_start_matches("logging/"));
            server.voice.result(id, "{}");
        }
        "tools/list" => {
            server.options.note("list");
            let grown = server.grown.load(Ordering::SeqCst);
            server
                .voice
                .result(id, &lists::page(&server.options, grown, &message.params));
        }
        method if method.starts_with("tasks/") && server.options.tasks.is_some() => {
            tasks::asked(server, method, id, &message.params);
        }
        method if method.starts_with("resources/") && server.options.watched.is_some() => {
            watched::asked(server, id, message);
        }
        "tools/call" if tasks::is_wanted(server, &message.params) => {
            tasks::begin(server, id, &message.params);
        }
        "tools/call" => return deeds::call(server, id, &message.params),
        _ => server.voice.error(id, -32601, "Method not found"),
    }
    Next::Read
}

fn told(server: &Server, message: &Heard) -> Next {
    if message.method == "notifications/tasks/status" {
        server.options.note(&format!("told {}", message.params));
    }
    if message.method == "notifications/cancelled" {
        let id = members(&message.params)
            .get("requestId")
            .map_or_else(String::new, |id| id.get().to_owned());
        server.options.note(&format!("cancelled {id}"));
        let mut late = server.late.lock().expect("no holder of this lock panics");
        if let Some(at) = late.iter().position(|waiting| *waiting == id) {
            server.voice.result(
                &late.remove(at),
                r#"{"content":[{"type":"text","text":"late"}]}"#,
            );
        }
    }
    Next::Read
}

fn discovered(server: &Server, id: &str) -> Next {
    server.options.note("discover");
    match server.options.discover {
        Discover::Die => return Next::Exit(1),
        Discover::Silent => {}
        Discover::Answer if server.options.era.is_modern() => {
            let resources = server
                .options
                .watched
                .as_ref()
                .map_or("", |_| watched::CAPABILITY);
            let result = format!(
                r#"{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{{{resources}"tools":{{"listChanged":true}},"logging":{{}}}},"ttlMs":0,"cacheScope":"private"}}"#
            );
            server.voice.result(id, &result);
        }
        Discover::Answer => server.voice.error(id, -32601, "Method not found"),
    }
    Next::Read
}
