//! The runtime against servers of our own, well-behaved and hostile.

mod calls;

mod changes;

mod faults;

mod headers;

mod listening;

mod resume;

mod routing;

mod sessions;

mod tls;

mod upstream;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::background::Supervisor;
use crate::manifest::parse_toml;
use crate::model::answer::Answer;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::Client;
use crate::runtime::{CallContext, Request};
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;

/// How long a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client was told and asked.
pub(super) struct Ears {
    told: mpsc::UnboundedSender<(String, Value)>,
    pub(super) heard: Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
}

impl Ears {
    fn new() -> Arc<Self> {
        let (told, heard) = mpsc::unbounded_channel();
        Arc::new(Self {
            told,
            heard: Mutex::new(heard),
        })
    }

    fn all(&self) -> Vec<(String, Value)> {
        let mut heard = self.heard.lock().expect("fine");
        std::iter::from_fn(|| heard.try_recv().ok()).collect()
    }
}

impl Client for Ears {
    fn notify(&self, method: &Method, params: &Params) {
        let params = params.to_json().parse().expect("JSON");
        drop(self.told.send((method.to_string(), params)));
    }

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        self.notify(&method, &params);
        Box::pin(async { Ok(Json::literal(r#"{"action":"decline"}"#)) })
    }
}

/// A runtime that does not take its time.
pub(super) fn runtime() -> McpHttp {
    McpHttp {
        pace: Pace {
            first: Duration::from_millis(5),
            most: Duration::from_millis(40),
            lists: Duration::from_millis(1),
            telling: PATIENCE,
        },
        ..McpHttp::default()
    }
}

pub(super) fn host() -> Host {
    let capabilities = Json::literal(r#"{"elicitation":{},"sampling":{},"roots":{}}"#);
    let profile = ClientProfile {
        revision: crate::wire::revision::Revision::NEWEST_LEGACY,
        capabilities,
        info: None,
    };
    Host {
        profile: Arc::new(profile),
        ..Host::of("up".parse().expect("an id"), Supervisor::new(), "0.0.0")
    }
}

/// A manifest for `url`, with more lines for its section and for its root.
pub(super) fn manifest(url: &str, section: &str, rest: &str) -> Arc<Manifest> {
    let text = format!(
        "{rest}\nid = \"up\"\nversion = \"1.0.0\"\nruntime = \"mcp_http\"\n[mcp_http]\nurl = \"{url}\"\n{section}\n"
    );
    Arc::new(parse_toml(&text).unwrap_or_else(|problems| panic!("{problems:?}")))
}

pub(super) async fn start(url: &str) -> Result<Arc<dyn Instance>, Fault> {
    start_with(&runtime(), manifest(url, "", "")).await
}

pub(super) async fn start_with(
    runtime: &McpHttp,
    manifest: Arc<Manifest>,
) -> Result<Arc<dyn Instance>, Fault> {
    soon(runtime.start(manifest, host())).await
}

/// Waits for something that should happen at once.
pub(super) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it happens")
}

pub(super) fn context(client: Arc<dyn Client>) -> CallContext {
    CallContext {
        id: 1,
        caller: Arc::new(Caller::anonymous()),
        profile: Arc::new(ClientProfile::bare()),
        session: None,
        log_level: None,
        timeout: None,
        cancel: CancellationToken::new(),
        farewell: None,
        client,
    }
}

/// A call of the tool `name`.
pub(super) fn request(params: &Value) -> Request {
    Request {
        method: Method::ToolsCall,
        params: Params::of(params),
    }
}

/// Calls the tool `echo` and gives the answer's text.
pub(super) async fn call(instance: &Arc<dyn Instance>) -> Result<String, Fault> {
    call_for(instance, Ears::new()).await
}

pub(super) async fn call_for(
    instance: &Arc<dyn Instance>,
    client: Arc<Ears>,
) -> Result<String, Fault> {
    let request =
        request(&json!({ "name": "echo", "arguments": {}, "_meta": { "progressToken": "mine" } }));
    let context = context(client);
    soon(instance.request(request, &context)).await.map(text)
}

pub(super) fn text(answer: Answer) -> String {
    match answer.outcome {
        Outcome::Result(reply) => reply.result.as_str().to_owned(),
        Outcome::Error(error) => format!("{} {}", error.code, error.message),
    }
}
