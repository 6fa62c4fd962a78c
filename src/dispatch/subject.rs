//! What a request is about: a tool, a prompt, a resource, a task; read from its params.

use std::borrow::Cow;

use crate::wire::error::{INVALID_PARAMS, METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::meta::TASKS;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// What a request is about, by the name the caller knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A tool, by name.
    Tool(String),
    /// A prompt, by name.
    Prompt(String),
    /// A resource, by URI.
    Resource(String),
    /// A resource template, as it is written.
    Template(String),
    /// A task, by id.
    Task(String),
    /// The tasks of the caller.
    Tasks,
    /// Whatever an extension's method is about.
    Extension(String),
}

impl Subject {
    /// Reads it from a request that goes to a plugin. The error is for the client and names the place.
    pub fn of(method: &Method, params: &Params, era: Era) -> Result<Self, RpcError> {
        match method {
            Method::ToolsCall => {
                must_be_object(params, "arguments")?;
                text(params, "name").map(Self::Tool)
            }
            Method::PromptsGet => {
                must_be_object(params, "arguments")?;
                text(params, "name").map(Self::Prompt)
            }
            Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
                text(params, "uri").map(Self::Resource)
            }
            Method::Complete => completed(params),
            // The experimental tasks of 2025-11-25 had these; the extension that came after has not.
            Method::Other(name)
                if era == Era::Modern && matches!(&**name, "tasks/list" | "tasks/result") =>
            {
                Err(not_found(method))
            }
            Method::Other(name) if &**name == "tasks/list" => Ok(Self::Tasks),
            Method::Other(name) if name.starts_with("tasks/") => {
                text(params, "taskId").map(Self::Task)
            }
            Method::Other(name) => Ok(Self::Extension(name.to_string())),
            other => Err(not_found(other)),
        }
    }

    /// The extension that a modern client must declare on a request about this (MCP 2026-07-28, extensions).
    pub fn extension(&self) -> Option<&'static str> {
        matches!(self, Self::Task(_)).then_some(TASKS)
    }

    /// The name in it, for records.
    pub fn name(&self) -> &str {
        match self {
            Self::Tool(name)
            | Self::Prompt(name)
            | Self::Resource(name)
            | Self::Template(name)
            | Self::Task(name)
            | Self::Extension(name) => name,
            Self::Tasks => "",
        }
    }

    /// What it is, for people.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tool",
            Self::Prompt(_) => "prompt",
            Self::Resource(_) => "resource",
            Self::Template(_) => "resource template",
            Self::Task(_) | Self::Tasks => "task",
            Self::Extension(_) => "method",
        }
    }

    /// Writes the plugin's own name for it where the caller's stands.
    pub(super) fn rename(&self, params: &mut Params, own: Json) {
        match self {
            Self::Tool(_) => params.members.set("name", own),
            Self::Resource(_) => params.members.set("uri", own),
            // A prompt is named by the request that gets it, and by the reference of one that completes.
            Self::Prompt(_) if params.members.get("ref").is_none() => {
                params.members.set("name", own);
            }
            Self::Prompt(_) | Self::Template(_) => {
                let key = match self {
                    Self::Prompt(_) => "name",
                    _ => "uri",
                };
                if let Some(mut reference) = params.members.get("ref").and_then(Members::of) {
                    reference.set(key, own);
                    params.members.set("ref", reference.to_json());
                }
            }
            Self::Task(_) | Self::Tasks | Self::Extension(_) => {}
        }
    }
}

fn not_found(method: &Method) -> RpcError {
    RpcError::new(METHOD_NOT_FOUND, format!("Method not found: {method}"))
}

/// What an argument is completed for (MCP 2025-11-25, completion).
fn completed(params: &Params) -> Result<Subject, RpcError> {
    let reference = params.members.get("ref").and_then(Members::of);
    let Some(reference) = reference else {
        return Err(invalid("ref", "an object"));
    };
    let kind = reference.string("type");
    let named = |key: &str| reference.string(key).map(Cow::into_owned);
    match kind.as_deref() {
        Some("ref/prompt") => named("name")
            .map(Subject::Prompt)
            .ok_or_else(|| invalid("ref/name", "a string")),
        Some("ref/resource") => named("uri")
            .map(Subject::Template)
            .ok_or_else(|| invalid("ref/uri", "a string")),
        _ => Err(invalid("ref/type", "`ref/prompt` or `ref/resource`")),
    }
}

fn text(params: &Params, key: &str) -> Result<String, RpcError> {
    let text = params.members.string(key).map(Cow::into_owned);
    text.ok_or_else(|| invalid(key, "a string"))
}

fn must_be_object(params: &Params, key: &str) -> Result<(), RpcError> {
    match params.members.get(key) {
        Some(value) if !value.is_object() => Err(invalid(key, "an object")),
        _ => Ok(()),
    }
}

fn invalid(pointer: &str, what: &str) -> RpcError {
    let message = format!("Invalid params: `/params/{pointer}` must be {what}");
    RpcError::new(INVALID_PARAMS, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, params: &'static str, expect: Result<Subject, &str>) {
        let params = Params::from(Json::literal(params));
        let got =
            Subject::of(&Method::of(method), &params, Era::Legacy).map_err(|error| error.message);
        match (got, expect) {
            (Ok(got), Ok(want)) => assert_eq!(got, want),
            (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
            (got, want) => panic!("{method}: {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn subjects_are_read_and_what_is_wrong_is_named() {
        let named = |text: &str| text.to_owned();
        check(
            "tools/call",
            r#"{"name":"a"}"#,
            Ok(Subject::Tool(named("a"))),
        );
        check("tools/call", r#"{"name":1}"#, Err("/params/name"));
        check(
            "tools/call",
            r#"{"name":"a","arguments":[]}"#,
            Err("/params/arguments"),
        );
        check(
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"p"}}"#,
            Ok(Subject::Prompt(named("p"))),
        );
        check(
            "completion/complete",
            r#"{"ref":{"type":"ref/else"}}"#,
            Err("/params/ref/type"),
        );
        check("tasks/get", "{}", Err("/params/taskId"));
        check("x/y", "{}", Ok(Subject::Extension(named("x/y"))));
        check(
            "notifications/x",
            "{}",
            Ok(Subject::Extension(named("notifications/x"))),
        );
        check("initialize", "{}", Err("Method not found"));
    }

    #[test]
    fn the_plugins_own_name_stands_where_the_callers_stood() {
        let renamed = |subject: Subject, params: &'static str| {
            let mut params = Params::from(Json::literal(params));
            subject.rename(&mut params, Json::literal("\"own\""));
            params.to_json().as_str().to_owned()
        };
        assert_eq!(
            renamed(Subject::Prompt("p".into()), r#"{"x":1,"name":"p"}"#),
            r#"{"x":1,"name":"own"}"#
        );
        assert_eq!(
            renamed(
                Subject::Template("t".into()),
                r#"{"ref":{"type":"ref/resource","uri":"t"},"argument":{}}"#
            ),
            r#"{"ref":{"type":"ref/resource","uri":"own"},"argument":{}}"#
        );
    }
}
