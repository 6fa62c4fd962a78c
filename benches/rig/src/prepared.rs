//! Requests made once and sent many times: only the id is written anew, in place.

use std::fmt::Write as _;

use crate::Problem;

/// Ids are numbers of nine digits, so that every request and every answer of a run has the same length.
const ID_FLOOR: u32 = 100_000_000;
const ID_PLACE: &str = "100000000";
/// How many ids one connection has before they come again.
const IDS_PER_CONNECTION: u32 = 1_000_000;

/// Where the server is, taken from `http://HOST:PORT/PATH`.
#[derive(Clone)]
pub(crate) struct Target {
    /// `HOST:PORT`, also the value of the Host header.
    pub(crate) authority: String,
    path: String,
}

impl std::str::FromStr for Target {
    type Err = Problem;

    fn from_str(url: &str) -> Result<Self, Problem> {
        let rest = url.strip_prefix("http://").ok_or("only http:// is known")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        Ok(Self {
            authority: authority.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// The protocol era requests are written in.
#[derive(Clone)]
pub(crate) enum Era {
    /// 2026-07-28: stateless, metadata in each request.
    Modern,
    /// 2025-11-25, inside the session of this id; none yet for `initialize`.
    Legacy(Option<String>),
}

/// What a request says.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// The value of the header `Mcp-Name`.
    pub(crate) name: Option<&'a str>,
    /// The members of its params, without the braces and without `_meta`.
    pub(crate) params: String,
    /// Whether it asks for progress.
    pub(crate) progress: bool,
    /// What a modern client declares that it can do, an object.
    pub(crate) capabilities: &'static str,
}

/// One request or notification as bytes of HTTP/1.1.
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    id_at: Option<usize>,
}

impl<'a> Asked<'a> {
    /// A request of a client that can do nothing and wants no progress.
    pub(crate) fn of(method: &'a str, params: String) -> Self {
        Self {
            method,
            name: None,
            params,
            progress: false,
            capabilities: "{}",
        }
    }

    /// `tools/call` of a tool with arguments in JSON.
    pub(crate) fn call(tool: &'a str, arguments: &str) -> Self {
        Self {
            name: Some(tool),
            ..Self::of(
                "tools/call",
                format!(r#""name":"{tool}","arguments":{arguments}"#),
            )
        }
    }
}

impl Prepared {
    /// `tools/list`, from the beginning or from a cursor (already a JSON string, with its quotes).
    pub(crate) fn list(target: &Target, era: &Era, cursor: Option<&str>) -> Self {
        let params = cursor.map_or_else(String::new, |cursor| format!(r#""cursor":{cursor}"#));
        Self::request(target, era, &Asked::of("tools/list", params))
    }

    pub(crate) fn initialize(target: &Target) -> Self {
        let params = r#""protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"rig","version":"0.1.0"}"#;
        let asked = Asked::of("initialize", params.to_owned());
        Self::request(target, &Era::Legacy(None), &asked)
    }

    pub(crate) fn initialized(target: &Target, session: &str) -> Self {
        let era = Era::Legacy(Some(session.to_owned()));
        let body = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        Self::http(target, &era, "notifications/initialized", None, body)
    }

    /// A request.
    pub(crate) fn request(target: &Target, era: &Era, asked: &Asked<'_>) -> Self {
        let Asked {
            method,
            name,
            params,
            progress,
            capabilities,
        } = asked;
        let token = r#""progressToken":1"#;
        let meta = match (era, progress) {
            (Era::Modern, _) => {
                let token = if *progress {
                    format!(",{token}")
                } else {
                    String::new()
                };
                format!(
                    r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"rig","version":"0.1.0"}},"io.modelcontextprotocol/clientCapabilities":{capabilities}{token}}}"#
                )
            }
            (Era::Legacy(_), true) => format!(r#""_meta":{{{token}}}"#),
            (Era::Legacy(_), false) => String::new(),
        };
        let comma = if meta.is_empty() || params.is_empty() {
            ""
        } else {
            ","
        };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{ID_PLACE},"method":"{method}","params":{{{params}{comma}{meta}}}}}"#
        );
        Self::http(target, era, method, *name, &body)
    }

    fn http(target: &Target, era: &Era, method: &str, name: Option<&str>, body: &str) -> Self {
        let Target { authority, path } = target;
        let mut text = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n"
        );
        let headers = match era {
            Era::Modern => {
                let name = name.map_or_else(String::new, |name| format!("Mcp-Name: {name}\r\n"));
                format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}")
            }
            Era::Legacy(Some(session)) => {
                format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n")
            }
            Era::Legacy(None) => String::new(),
        };
        text.push_str(&headers);
        write!(text, "Content-Length: {}\r\n\r\n", body.len())
            .expect("writing to a string cannot fail");
        let id_at = body
            .find(&format!("\"id\":{ID_PLACE}"))
            .map(|at| at + 5 + text.len());
        text.push_str(body);
        Self {
            bytes: text.into_bytes(),
            id_at,
        }
    }

    /// The bytes to send, under the id that belongs to a connection and its count of requests.
    pub(crate) fn numbered(&mut self, connection: usize, count: u64) -> &[u8] {
        if let Some(at) = self.id_at {
            let id = id_of(connection, count);
            self.bytes[at..at + ID_PLACE.len()].copy_from_slice(&digits(id));
        }
        &self.bytes
    }

    /// The bytes to send.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// `"id":N` as the answer to a numbered request must hold it.
pub(crate) fn id_in_answer(connection: usize, count: u64) -> [u8; 14] {
    let mut text = *b"\"id\":000000000";
    text[5..].copy_from_slice(&digits(id_of(connection, count)));
    text
}

fn id_of(connection: usize, count: u64) -> u32 {
    let connection = u32::try_from(connection % 800).expect("800 fits");
    let count = u32::try_from(count % u64::from(IDS_PER_CONNECTION)).expect("a million fits");
    ID_FLOOR + connection * IDS_PER_CONNECTION + count
}

fn digits(mut number: u32) -> [u8; 9] {
    let mut text = [b'0'; 9];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("one digit");
        number /= 10;
    }
    text
}

/// What the text of an argument looks like.
#[derive(Clone, Copy)]
pub(crate) enum Text {
    /// Prose without a single escape.
    Plain,
    /// Source code: three escapes in each line of 66 bytes.
    Code,
}

impl std::str::FromStr for Text {
    type Err = Problem;

    fn from_str(word: &str) -> Result<Self, Problem> {
        match word {
            "plain" => Ok(Self::Plain),
            "code" => Ok(Self::Code),
            _ => Err("a text is `plain` or `code`".into()),
        }
    }
}

/// The size and kind of a call's arguments.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) n_bytes: usize,
    pub(crate) text: Text,
}

impl Arguments {
    /// `{"text":"…"}` of `n_bytes`; at least the 11 of its frame.
    pub(crate) fn json(self) -> String {
        let line = match self.text {
            Text::Plain => "What came in is what goes out, word for word and byte for byte... ",
            Text::Code => r#"    let answer = call(\"echo\", 42)?; // what came is what goes\n"#,
        };
        let room = self.n_bytes.saturating_sub(11);
        let mut text = line.repeat(room / line.len());
        // Filled with spaces: a line cut short could end within an escape.
        text.push_str(&" ".repeat(room - text.len()));
        format!(r#"{{"text":"{text}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> serde_json::Value {
        let text = std::str::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
        serde_json::from_str(body).expect("valid JSON")
    }

    #[test]
    fn requests_are_json_of_the_promised_size_under_their_own_ids() {
        let target: Target = "http://127.0.0.1:9/mcp".parse().expect("a URL");
        for era in [Era::Modern, Era::Legacy(Some("s".into()))] {
            for (n_bytes, text) in [(200, Text::Plain), (24 * 1024, Text::Code)] {
                let arguments = Arguments { n_bytes, text };
                let mut call = Prepared::request(
                    &target,
                    &era,
                    &Asked {
                        progress: true,
                        ..Asked::call("echo", &arguments.json())
                    },
                );
                let value = body(call.numbered(3, 1_000_004));
                assert_eq!(value["id"], 103_000_004);
                assert_eq!(value["params"]["arguments"].to_string().len(), n_bytes);
            }
            body(Prepared::list(&target, &era, Some("\"c\"")).bytes());
            body(Prepared::list(&target, &era, None).bytes());
        }
        body(Prepared::initialize(&target).bytes());
        body(Prepared::initialized(&target, "s").bytes());
        assert_eq!(&id_in_answer(3, 4), b"\"id\":103000004");
    }
}
