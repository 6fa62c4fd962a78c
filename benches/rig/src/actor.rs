//! `rig actor`: a legacy server on stdin and stdout whose tools do what a server can do besides answering: it asks its
//! client, changes its list of tools, tells of an updated resource.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Problem;
use crate::args::Args;
use crate::echo;
use crate::envelope::{self, Request};

/// The resource that `update` tells of.
pub(crate) const WATCHED: &str = "rig://watched";

const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"serverInfo":{"name":"rig-actor","version":"0.1.0"}}"#;
const QUESTION: &str = r#"{"message":"Shall it go on?","requestedSchema":{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"]}}"#;
const DONE: &str = r#"{"content":[{"type":"text","text":"done"}]}"#;

/// A request, a notification or an answer.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Actor {
    /// The calls that wait for an answer of the client, by the id of the question.
    asking: HashMap<String, String>,
    n_asked: u64,
    /// Whether the list has a tool more.
    changed: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Problem> {
    args.done()?;
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = std::io::stdout().lock();
    let (mut actor, mut line) = (Actor::default(), Vec::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        for message in actor.take(&line)? {
            output.write_all(&message)?;
            output.write_all(b"\n")?;
        }
        output.flush()?;
    }
}

impl Actor {
    /// Takes a message; what it sends because of it.
    fn take(&mut self, line: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
        let message: Message<'_> = serde_json::from_str(std::str::from_utf8(line)?)?;
        let Some(id) = message.id.map(RawValue::get) else {
            return Ok(Vec::new());
        };
        let Some(method) = message.method else {
            let call = self.asking.remove(id);
            return Ok(call.iter().map(|call| answer(call, DONE)).collect());
        };
        let list = match &*method {
            "tools/call" => return self.call(id, line),
            "tools/list" => self.tools(),
            "resources/list" => {
                format!(r#"{{"resources":[{{"uri":"{WATCHED}","name":"watched"}}]}}"#)
            }
            "initialize" => INITIALIZED.to_owned(),
            "ping" | "resources/subscribe" | "resources/unsubscribe" => "{}".to_owned(),
            _ => {
                let error = r#"{"code":-32601,"message":"method not found"}"#;
                return Ok(vec![envelope::answer(id, "error", error)]);
            }
        };
        Ok(vec![answer(id, &list)])
    }

    fn call(&mut self, id: &str, line: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
        let request: Request<'_> = serde_json::from_str(std::str::from_utf8(line)?)?;
        let name = request
            .params
            .as_ref()
            .and_then(|params| params.name.as_deref());
        Ok(match name {
            Some("ask") => {
                self.n_asked += 1;
                let asked = format!("\"q{}\"", self.n_asked);
                let question = format!(
                    r#"{{"jsonrpc":"2.0","id":{asked},"method":"elicitation/create","params":{QUESTION}}}"#
                );
                self.asking.insert(asked, id.to_owned());
                vec![question.into_bytes()]
            }
            Some("change") => {
                self.changed = !self.changed;
                vec![answer(id, DONE), notification("tools/list_changed", "{}")]
            }
            Some("update") => {
                let params = format!(r#"{{"uri":"{WATCHED}"}}"#);
                vec![answer(id, DONE), notification("resources/updated", &params)]
            }
            _ => vec![echo::called(id, &request)],
        })
    }

    fn tools(&self) -> String {
        let more: &[&str] = if self.changed { &["more"] } else { &[] };
        let names = ["echo", "ask", "change", "update"].iter().chain(more);
        let tools: Vec<String> = names
            .map(|name| format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#))
            .collect();
        format!(r#"{{"tools":[{}]}}"#, tools.join(","))
    }
}

fn answer(id: &str, result: &str) -> Vec<u8> {
    envelope::answer(id, "result", result)
}

fn notification(name: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/{name}","params":{params}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(actor: &mut Actor, line: &str) -> Vec<String> {
        let messages = actor.take(line.as_bytes()).expect("a valid message");
        let text = |message| String::from_utf8(message).expect("messages are text");
        messages.into_iter().map(text).collect()
    }

    fn call(id: u32, name: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}"}}}}"#
        )
    }

    #[test]
    fn a_question_is_answered_before_its_call_is() {
        let mut actor = Actor::default();
        let question = said(&mut actor, &call(7, "ask"));
        assert!(question[0].contains(r#""id":"q1""#), "{question:?}");
        let done = said(
            &mut actor,
            r#"{"jsonrpc":"2.0","id":"q1","result":{"action":"accept"}}"#,
        );
        assert!(done[0].contains(r#""id":7,"result""#), "{done:?}");
    }

    #[test]
    fn changes_are_told_after_the_answer() {
        let mut actor = Actor::default();
        let before = said(
            &mut actor,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        );
        let told = said(&mut actor, &call(2, "change"));
        assert!(
            told[1].contains("notifications/tools/list_changed"),
            "{told:?}"
        );
        let after = said(
            &mut actor,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        );
        assert_ne!(before, after);
        let told = said(&mut actor, &call(3, "update"));
        assert!(told[1].contains(WATCHED), "{told:?}");
    }
}
