//! The table, the manifests and the definitions agree.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::background::Supervisor;
use crate::manifest::parse_toml;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::{Client, Deaf};
use crate::plugin::{Prompts, Resources, Tools};
use crate::runtime::in_process::InProcess;
use crate::runtime::{CallContext, Host, Instance, Request, Runtime};
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;

/// Keeps how far the work was, each time it was told.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Client for Ear {
    fn notify(&self, _: &Method, params: &Params) {
        let progress = params
            .members
            .get("progress")
            .map(|at| at.as_str().to_owned());
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .extend(progress);
    }

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        Deaf.ask(method, params)
    }
}

async fn start(id: &str) -> Arc<dyn Instance> {
    let builtin = all().into_iter().find(|builtin| builtin.id == id);
    let builtin = builtin.expect("there is such a plugin");
    let manifest = parse_toml(builtin.manifest_toml).expect("the manifest is sound");
    let runtime = InProcess::new().with(builtin.entry(), builtin.factory);
    let host = Host::of(manifest.id.clone(), Supervisor::new(), "0.0.0");
    let started = runtime.start(Arc::new(manifest), host).await;
    started.expect("the plugin starts")
}

fn context(client: Arc<dyn Client>) -> CallContext {
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

fn call(params: &'static str) -> Request {
    ask(Method::ToolsCall, params)
}

fn ask(method: Method, params: &'static str) -> Request {
    Request {
        method,
        params: Json::literal(params).into(),
    }
}

async fn check(plugin: &str, params: &'static str, expect: &str) {
    check_request(plugin, call(params), expect).await;
}

async fn check_request(plugin: &str, request: Request, expect: &str) {
    let instance = start(plugin).await;
    let params = request.params.to_json();
    let answer = instance.request(request, &context(Arc::new(Deaf))).await;
    let Ok(Outcome::Result(reply)) = answer.map(|answer| answer.outcome) else {
        panic!("{params:?} is answered with a result");
    };
    assert!(reply.result.as_str().contains(expect), "{:?}", reply.result);
    instance.stop().await;
}

fn definitions(of: &Builtin) -> Vec<String> {
    let plugin = (of.factory)();
    let (mut tools, mut prompts) = (Tools::default(), Prompts::default());
    let mut resources = Resources::default();
    plugin.tools(&mut tools);
    plugin.prompts(&mut prompts);
    plugin.resources(&mut resources);
    let tools = tools.build().into_iter().map(|tool| tool.definition);
    let prompts = prompts.build().into_iter().map(|prompt| prompt.definition);
    let resources = resources.build().into_iter().map(|place| place.definition);
    let all = tools.chain(prompts).chain(resources);
    let text = |definition: Result<Json, String>| {
        let definition = definition.expect("everything can be described");
        definition.as_str().to_owned()
    };
    all.map(text).collect()
}

#[test]
fn every_row_has_a_sound_manifest() {
    let mut ids = Vec::new();
    for builtin in all() {
        let manifest = parse_toml(builtin.manifest_toml).expect("the manifest is sound");
        assert_eq!(manifest.id.as_str(), builtin.id);
        let section = manifest.in_process.expect("it runs in this process");
        assert_eq!(section.entry, builtin.entry());
        ids.push(builtin.id);
    }
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn every_plugin_promises_not_to_block() {
    // One reads files, and has a thread of its own for that.
    for builtin in all().iter().filter(|builtin| builtin.id != "runbook") {
        assert!((builtin.factory)().cooperative(), "{}", builtin.id);
    }
}

#[test]
fn the_definitions_are_these() {
    let all: Vec<_> = all().iter().flat_map(definitions).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn every_plugin_answers_as_its_manifest_starts_it() {
    check(
        "clock",
        r#"{"name":"now"}"#,
        r#""structuredContent":{"utc":""#,
    )
    .await;
    check(
        "echo",
        r#"{"name":"echo","arguments":{"text":"hi","n":1}}"#,
        r#"{"content":[{"type":"text","text":"hi"}],"structuredContent":{"text":"hi","n":1}}"#,
    )
    .await;
    check(
        "echo",
        r#"{"name":"count","arguments":{"to":1001}}"#,
        r#""isError":true"#,
    )
    .await;
    check(
        "hash",
        r#"{"name":"hash.sha256","arguments":{"data":"abc"}}"#,
        r#""structuredContent":{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#,
    )
    .await;
    check(
        "text",
        r#"{"name":"count","arguments":{"text":"a b"}}"#,
        r#""words":2"#,
    )
    .await;
    check_request(
        "text",
        ask(
            Method::PromptsGet,
            r#"{"name":"shorten","arguments":{"text":"a b","words":"1"}}"#,
        ),
        "at most 1 words",
    )
    .await;
    check_request(
        "text",
        ask(
            Method::Complete,
            r#"{"ref":{"type":"ref/prompt","name":"shorten"},"argument":{"name":"words","value":"5"}}"#,
        ),
        r#"{"completion":{"values":["50","500"]}}"#,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn counting_says_how_far_it_is_and_ends_when_nobody_waits() {
    let (plugin, ear) = (start("echo").await, Arc::new(Ear::default()));
    let context = context(Arc::clone(&ear) as Arc<dyn Client>);
    let params =
        r#"{"name":"count","arguments":{"to":9,"delay_ms":1000},"_meta":{"progressToken":1}}"#;
    let counting = plugin.request(call(params), &context);
    let abandoned = tokio::time::timeout(Duration::from_millis(2500), counting).await;
    assert!(abandoned.is_err());
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(
        *ear.0.lock().expect("no holder of this lock panics"),
        ["1", "2"]
    );
}
