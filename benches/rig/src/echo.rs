//! What the echo server answers, whatever carries it: both eras of the protocol, one tool that returns its arguments.

use std::fmt::Write as _;

use crate::Problem;
use crate::args::Args;
use crate::envelope::{self, Request};
use crate::scenes::{self, Resources};

const DISCOVER: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"rig-echo","version":"0.1.0"}},"ttlMs":3600000,"cacheScope":"public"}"#;

/// An echo server's answers; made once, shared by all connections.
pub(crate) struct Echo {
    /// The result of `tools/list`, made once.
    tools: String,
    resources: Option<Resources>,
}

/// What a message is answered with.
pub(crate) enum Reply {
    /// The answer to a request.
    Answer(Vec<u8>),
    /// The answer to an `initialize`, which over HTTP opens a session.
    Opened(Vec<u8>),
    /// Messages that come before the answer, and the answer.
    Told(Vec<Vec<u8>>),
    /// `tools/list` was asked under this id; `Echo::list` makes the answer.
    List(Box<str>),
    /// A notification is owed no answer.
    Nothing,
}

impl Echo {
    /// An echo that lists `n_tools` tools: `echo`, `echo_1`, `echo_2` and so on, 350 bytes each, all the same in use.
    pub(crate) fn new(n_tools: usize) -> Self {
        Self {
            tools: tool_list(n_tools, ""),
            resources: None,
        }
    }

    /// From `--tools` (default: one) and `--scenes NAME`, with which it also offers the tool `count` and two large
    /// resources that are named after NAME.
    pub(crate) fn from_args(args: &mut Args) -> Result<Self, Problem> {
        let n_tools = args.get_or("tools", 1)?;
        Ok(match args.get::<String>("scenes")? {
            None => Self::new(n_tools),
            Some(name) => Self {
                tools: tool_list(n_tools, scenes::COUNT),
                resources: Some(Resources::new(&name)),
            },
        })
    }

    /// Answers one message. An error when it is not JSON-RPC.
    pub(crate) fn answer(&self, message: &[u8]) -> Result<Reply, Problem> {
        let request: Request<'_> = serde_json::from_str(std::str::from_utf8(message)?)?;
        if request.jsonrpc != "2.0" {
            return Err("not JSON-RPC 2.0".into());
        }
        let Some(id) = request.id.map(serde_json::value::RawValue::get) else {
            return Ok(Reply::Nothing);
        };
        Ok(match &*request.method {
            "tools/call" => self.called(id, &request),
            "resources/list" | "resources/read" => Reply::Answer(self.resource(id, &request)),
            "tools/list" => Reply::List(id.into()),
            "server/discover" => Reply::Answer(envelope::answer(id, "result", DISCOVER)),
            "initialize" => Reply::Opened(initialized(id, &request)),
            "ping" => Reply::Answer(envelope::answer(id, "result", "{}")),
            _ => Reply::Answer(envelope::answer(
                id,
                "error",
                r#"{"code":-32601,"message":"method not found"}"#,
            )),
        })
    }

    fn called(&self, id: &str, request: &Request<'_>) -> Reply {
        match (&self.resources, &request.params) {
            (Some(_), Some(params)) if params.name.as_deref() == Some("count") => {
                Reply::Told(scenes::counted(id, params.meta))
            }
            _ => Reply::Answer(called(id, request)),
        }
    }

    fn resource(&self, id: &str, request: &Request<'_>) -> Vec<u8> {
        let uri = request
            .params
            .as_ref()
            .and_then(|params| params.uri.as_ref());
        let result = match &self.resources {
            Some(known) if request.method == "resources/list" => Some(known.list()),
            Some(known) => known.read(uri),
            None if request.method == "resources/list" => Some(
                r#"{"resources":[],"resultType":"complete","ttlMs":3600000,"cacheScope":"public"}"#,
            ),
            None => None,
        };
        match result {
            Some(result) => envelope::answer(id, "result", result),
            None => invalid(id),
        }
    }

    /// The answer to `tools/list` under an id.
    pub(crate) fn list(&self, id: &str) -> Vec<u8> {
        envelope::answer(id, "result", &self.tools)
    }
}

/// The answer to a call of the echo.
pub(crate) fn called(id: &str, request: &Request<'_>) -> Vec<u8> {
    let Some(params) = request.params.as_ref() else {
        return invalid(id);
    };
    if params.name.is_none() || params.meta.is_some_and(|meta| !meta.get().starts_with('{')) {
        return invalid(id);
    }
    let arguments = params.arguments.map_or("{}", |raw| raw.get());
    let pieces = [
        r#"{"jsonrpc":"2.0","id":"#,
        id,
        r#","result":{"content":[{"type":"text","text":"ok"}],"structuredContent":"#,
        arguments,
        r#","resultType":"complete"}}"#,
    ];
    pieces.concat().into_bytes()
}

fn invalid(id: &str) -> Vec<u8> {
    envelope::answer(
        id,
        "error",
        r#"{"code":-32602,"message":"invalid parameters"}"#,
    )
}

fn initialized(id: &str, request: &Request<'_>) -> Vec<u8> {
    let asked = request
        .params
        .as_ref()
        .and_then(|params| params.protocol_version.as_deref());
    let version = match asked {
        Some(known @ ("2024-11-05" | "2025-03-26" | "2025-06-18")) => known,
        Some(_) | None => "2025-11-25",
    };
    let result = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{}},"resources":{{}}}},"serverInfo":{{"name":"rig-echo","version":"0.1.0"}}}}"#
    );
    envelope::answer(id, "result", &result)
}

fn tool_list(n_tools: usize, more: &str) -> String {
    let mut list = String::from(r#"{"tools":["#);
    for number in 0..n_tools {
        let (comma, suffix) = match number {
            0 => ("", String::new()),
            _ => (",", format!("_{number}")),
        };
        write!(
            list,
            r#"{comma}{{"name":"echo{suffix}","description":"Returns the arguments it was called with, as structured content. It reads nothing and changes nothing, so that what is measured is the way there and back.","inputSchema":{{"type":"object","properties":{{"text":{{"type":"string","description":"Any text."}}}},"additionalProperties":true}}}}"#
        )
        .expect("writing to a string cannot fail");
    }
    if !more.is_empty() {
        list.push(',');
        list.push_str(more);
    }
    list.push_str(r#"],"resultType":"complete","ttlMs":3600000,"cacheScope":"public"}"#);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &str) -> String {
        let echo = Echo::new(2);
        let bytes = match echo.answer(message.as_bytes()).expect("a valid message") {
            Reply::Answer(bytes) | Reply::Opened(bytes) => bytes,
            Reply::List(id) => echo.list(&id),
            Reply::Told(_) | Reply::Nothing => Vec::new(),
        };
        String::from_utf8(bytes).expect("answers are text")
    }

    #[test]
    fn arguments_come_back_byte_for_byte() {
        let answer = text(
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo","arguments":{"n": 1e400}}}"#,
        );
        assert_eq!(
            answer,
            r#"{"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"ok"}],"structuredContent":{"n": 1e400},"resultType":"complete"}}"#
        );
    }

    #[test]
    fn every_answer_is_json_with_its_id() {
        for method in [
            "tools/list",
            "server/discover",
            "initialize",
            "ping",
            "x",
            "tools/call",
        ] {
            let answer = text(&format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"{method}"}}"#
            ));
            let value: serde_json::Value = serde_json::from_str(&answer).expect("valid JSON");
            assert_eq!(value["id"], 7, "{answer}");
        }
    }

    #[test]
    fn a_notification_is_owed_nothing() {
        assert_eq!(
            text(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            ""
        );
    }
}
