//! Plugins of all kinds, well and ill, in this process.

mod background;

mod calls;

mod life;

mod offers;

mod own_threads;

mod rmcp_servers;

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::background::Supervisor;
use crate::manifest::parse_toml;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::Client;
use crate::plugin::Plugin;
use crate::wire::message::{Outcome, Params};

/// A client that writes down what it is told, and answers what it is asked with that.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Ear {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no holder of this lock panics"))
    }
}

impl Client for Ear {
    fn notify(&self, method: &Method, params: &Params) {
        let line = format!("{method} {}", params.to_json().as_str());
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .push(line);
    }

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        self.notify(&method, &params);
        Box::pin(std::future::ready(Ok(params.to_json())))
    }
}

fn manifest(more: &str) -> Arc<Manifest> {
    let text = format!(
        "id = \"p\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n{more}\n[in_process]\nentry = \"builtin:p\"\n"
    );
    Arc::new(parse_toml(&text).expect("the manifest is sound"))
}

fn host() -> Host {
    Host::of("p".parse().expect("an id"), Supervisor::new(), "0.0.0")
}

fn context() -> CallContext {
    CallContext {
        id: 1,
        caller: Arc::new(Caller::anonymous()),
        profile: Arc::new(ClientProfile::bare()),
        session: None,
        log_level: None,
        timeout: None,
        cancel: CancellationToken::new(),
        farewell: None,
        client: Arc::new(Ear::default()),
    }
}

fn heard_by(ear: &Arc<Ear>) -> CallContext {
    CallContext {
        client: Arc::clone(ear) as Arc<dyn Client>,
        ..context()
    }
}

async fn try_start(plugin: impl Plugin, more: &str) -> Result<Arc<dyn Instance>, Fault> {
    let plugin: Arc<dyn Plugin> = Arc::new(plugin);
    let factory: Factory = Arc::new(move || Arc::clone(&plugin));
    let runtime = InProcess::new().with("builtin:p", factory);
    runtime.start(manifest(more), host()).await
}

async fn start(plugin: impl Plugin) -> Arc<dyn Instance> {
    try_start(plugin, "").await.expect("the plugin starts")
}

/// A call of `name`; `params` are its further members, written out.
fn call(name: &str, params: &str) -> Request {
    let text = format!("{{\"name\":\"{name}\"{params}}}");
    let params = Json::scan(text.into())
        .expect("the params are sound")
        .into();
    Request {
        method: Method::ToolsCall,
        params,
    }
}

fn text(answer: Result<Answer, Fault>) -> String {
    match answer.map(|answer| answer.outcome) {
        Ok(Outcome::Result(reply)) => reply.result.as_str().to_owned(),
        Ok(Outcome::Error(error)) => format!("error {}: {}", error.code, error.message),
        Err(fault) => format!("{} ({}): {fault}", fault.kind.as_str(), fault.reason),
    }
}
