//! Calling a plugin: as its examples say, wrongly, in vain, and several times at once.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::manifest::Manifest;
use crate::manifest::expose::{ToolEntry, ToolExample};
use crate::manifest::runtime::RuntimeKind;
use crate::model::answer::{ResultKind, kind_of};
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::Deaf;
use crate::model::fault::Fault;
use crate::runtime::{CallContext, Instance, Request};
use crate::schema::Schema;
use crate::testing::contract::Verdict;
use crate::testing::contract::fits::{compare, misfit};
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;

/// How many calls are made at once.
const AT_ONCE: u32 = 8;

/// How many calls are given up.
const GIVEN_UP: usize = 3;

/// What came of a call.
pub(super) enum Came {
    Result(Value),
    Error(RpcError),
    Fault(Fault),
    /// Nothing, for so many milliseconds.
    Late(u64),
}

/// The checks that call tools.
pub(super) async fn check(
    manifest: &Manifest,
    kind: RuntimeKind,
    instance: &Arc<dyn Instance>,
) -> Vec<(&'static str, Verdict)> {
    let Some((tool, example)) = first_example(manifest) else {
        let why = "the manifest has no `[[tools.examples]]`";
        let names = [
            "examples",
            "wrong arguments",
            "cancellation",
            "calls at once",
        ];
        return names
            .map(|what| (what, Verdict::NotApplicable(why.to_owned())))
            .into();
    };
    let mut known = Known {
        manifest,
        instance,
        is_true: true,
    };
    let examples = known.examples().await;
    known.is_true = matches!(examples, Verdict::Ok(_));
    vec![
        ("examples", examples),
        ("wrong arguments", known.wrong_arguments(kind).await),
        ("cancellation", known.cancellation(tool, example).await),
        ("calls at once", known.at_once(tool, example).await),
    ]
}

/// The first call that the manifest shows.
pub(super) fn first_example(manifest: &Manifest) -> Option<(&ToolEntry, &ToolExample)> {
    let mut tools = manifest.tools.iter();
    tools.find_map(|tool| Some((tool, tool.examples.first()?)))
}

/// An instance and its manifest.
pub(super) struct Known<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) instance: &'a Arc<dyn Instance>,
    /// Whether calls come out as the manifest says. Where they do not, it is enough that they are answered: one mistake
    /// is told once.
    pub(super) is_true: bool,
}

impl Known<'_> {
    async fn examples(&self) -> Verdict {
        let (mut made, mut wrong) = (0, Vec::new());
        for tool in &self.manifest.tools {
            for (index, example) in tool.examples.iter().enumerate() {
                made += 1;
                if let Err(why) = self.example(tool, example).await {
                    wrong.push(format!("example {} of `{}`: {why}", index + 1, tool.name));
                }
            }
        }
        match wrong.is_empty() {
            true if made == 1 => Verdict::ok("1 call came out as the manifest says"),
            true => Verdict::ok(format!("{made} calls came out as the manifest says")),
            false => Verdict::failed(wrong.join("\n")),
        }
    }

    /// Makes a call that the manifest shows, which must come out as before. `Err` says how it came out otherwise.
    pub(super) async fn again(
        &self,
        tool: &ToolEntry,
        example: &ToolExample,
    ) -> Result<(), String> {
        if self.is_true {
            return self.example(tool, example).await;
        }
        match self.call(tool, &example.arguments).await {
            Came::Result(_) | Came::Error(_) => Ok(()),
            came => Err(came.sentence()),
        }
    }

    /// Makes a call that the manifest shows. `Err` says how it came out otherwise.
    async fn example(&self, tool: &ToolEntry, example: &ToolExample) -> Result<(), String> {
        match self.call(tool, &example.arguments).await {
            Came::Result(result) => compare(example, &result),
            Came::Error(_) if example.is_error => Ok(()),
            came => Err(came.sentence()),
        }
    }

    /// Wrong arguments are refused and change nothing else.
    async fn wrong_arguments(&self, kind: RuntimeKind) -> Verdict {
        if kind == RuntimeKind::InProcess {
            let why = "the gateway refuses them before the plugin sees them";
            return Verdict::NotApplicable(why.to_owned());
        }
        let shown = self.manifest.tools.iter();
        let shown = shown.filter_map(|tool| Some((tool, tool.examples.first()?)));
        let mut tried = 0;
        for (tool, example) in shown {
            let Some(wrong) = self.misfit(tool, &example.arguments) else {
                continue;
            };
            tried += 1;
            let text = Value::Object(wrong.clone());
            let came = self.call(tool, &wrong).await;
            let is_refused = match &came {
                Came::Error(_) => true,
                Came::Result(result) => result.get("isError") == Some(&Value::Bool(true)),
                Came::Fault(_) | Came::Late(_) => false,
            };
            if !is_refused {
                let name = &tool.name;
                let sentence = match came {
                    Came::Result(_) => "it answered as if they were right".to_owned(),
                    came => came.sentence(),
                };
                return Verdict::failed(format!("`{name}` with {text}: {sentence}")).mend(
                    "answer with an error (`isError`, or JSON-RPC code -32602) when arguments do not fit `inputSchema`",
                );
            }
            if let Err(why) = self.again(tool, example).await {
                return Verdict::failed(format!("after wrong arguments, `{}`: {why}", tool.name));
            }
        }
        match tried {
            0 => Verdict::NotApplicable("the schemas leave all arguments open".to_owned()),
            _ => Verdict::ok("they are refused, and the next call is answered"),
        }
    }

    /// Arguments that do not fit the schema the tool is listed with.
    fn misfit(
        &self,
        tool: &ToolEntry,
        arguments: &Map<String, Value>,
    ) -> Option<Map<String, Value>> {
        let surface = self.instance.surface().borrow().clone();
        let listed = surface.list(ListKind::Tools).definitions.iter();
        let schema = listed.clone().find(|listed| *listed.name == *tool.name)?;
        let schema = schema.members.get("inputSchema")?;
        let wrong = misfit(&schema.parse().ok()?, arguments)?;
        let compiled = Schema::compile(schema).ok()?;
        compiled.check(&Json::of(&wrong)).is_err().then_some(wrong)
    }

    /// Calls that are given up do not keep the next one from being answered.
    async fn cancellation(&self, tool: &ToolEntry, example: &ToolExample) -> Verdict {
        for _ in 0..GIVEN_UP {
            let mut call = Box::pin(self.call(tool, &example.arguments));
            // Sent, and not waited for any more.
            let answered = call.as_mut().now_or_never();
            tokio::task::yield_now().await;
            drop((answered, call));
        }
        match self.again(tool, example).await {
            Ok(()) => Verdict::ok(format!(
                "{GIVEN_UP} calls were given up, and the next one was answered"
            )),
            Err(why) => Verdict::failed(format!(
                "the call of `{}` after {GIVEN_UP} that were given up: {why}",
                tool.name
            ))
            .mend("a call that is cancelled ends by itself and answers nothing; it must not end the server"),
        }
    }

    /// Calls at the same time are all answered.
    async fn at_once(&self, tool: &ToolEntry, example: &ToolExample) -> Verdict {
        let count = AT_ONCE.min(self.manifest.limits.max_concurrent_calls);
        let calls = (0..count).map(|_| self.again(tool, example));
        let came = futures::future::join_all(calls).await;
        let wrong: Vec<String> = came.into_iter().filter_map(Result::err).collect();
        match wrong.first() {
            None => Verdict::ok(format!("{count} calls at the same time were answered")),
            Some(first) => Verdict::failed(format!(
                "{} of {count} calls of `{}` at the same time went wrong, the first: {first}",
                wrong.len(),
                tool.name
            ))
            .mend("answer each request under its own id, or say `limits.max_concurrent_calls = 1`"),
        }
    }

    async fn call(&self, tool: &ToolEntry, arguments: &Map<String, Value>) -> Came {
        let mut params = Params::default();
        params.members.set("name", Json::of(&tool.name));
        params.members.set("arguments", Json::of(arguments));
        let request = Request {
            method: Method::ToolsCall,
            params,
        };
        let limit = tool.timeout_ms;
        let limit = limit.unwrap_or(self.manifest.limits.call_timeout_ms);
        let context = context(Duration::from_millis(limit));
        let answer = self.instance.request(request, &context);
        let answer = tokio::time::timeout(Duration::from_millis(limit), answer).await;
        match answer {
            Err(_) => Came::Late(limit),
            Ok(Err(fault)) => Came::Fault(fault),
            Ok(Ok(answer)) => match answer.outcome {
                Outcome::Error(error) => Came::Error(error),
                Outcome::Result(reply) if kind_of(&reply) == Some(ResultKind::Complete) => {
                    match reply.result.parse() {
                        Ok(result) => Came::Result(result),
                        Err(err) => Came::Error(RpcError::new(0, err.to_string())),
                    }
                }
                Outcome::Result(_) => Came::Error(RpcError::new(
                    0,
                    "it did not answer, it asked something or made a task: no call for an example",
                )),
            },
        }
    }
}

impl Came {
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Result(result) => format!("it answered {result}"),
            Self::Error(error) if error.code == 0 => error.message.clone(),
            Self::Error(error) => format!("it answered error {}: {}", error.code, error.message),
            Self::Fault(fault) => fault.to_string(),
            Self::Late(ms) => format!("no answer within {ms} ms"),
        }
    }
}

fn context(timeout: Duration) -> CallContext {
    static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    CallContext {
        id: CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        caller: Arc::new(Caller::anonymous()),
        profile: Arc::new(ClientProfile::bare()),
        session: None,
        log_level: None,
        timeout: Some(timeout),
        cancel: CancellationToken::new(),
        farewell: None,
        client: Arc::new(Deaf),
    }
}
