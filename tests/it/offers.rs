//! Prompts, resources, completion and updates of a plugin in this process, as clients of both eras see them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolgate::plugin::{
    Completion, Contents, NoArguments, Plugin, Prompts, Resources, ToolContext, Tools,
};

use crate::support::{LegacySession, TestGateway, modern};

#[derive(Deserialize, JsonSchema)]
struct SumUp {
    /// The language of the answer.
    language: String,
    /// How long it may be.
    words: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

/// Keeps notes. Each is a resource of its own from the next list on.
#[derive(Clone, Default)]
struct Notes {
    notes: Arc<Mutex<Vec<String>>>,
    listed: Arc<AtomicUsize>,
}

impl Notes {
    fn all(&self) -> Vec<String> {
        self.notes
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }
}

impl Plugin for Notes {
    fn tools(&self, tools: &mut Tools) {
        let (own, notifier) = (self.clone(), tools.notifier());
        tools.add("note", "Keeps a note", move |note: Note, _: ToolContext| {
            let mut notes = own.notes.lock().expect("no holder of this lock panics");
            notes.push(note.text);
            notifier.updated("notes://all");
            async { "kept" }
        });
        let (own, notifier) = (self.clone(), tools.notifier());
        tools.add("publish", "Lists the notes", move |_: NoArguments, _| {
            own.listed.store(own.all().len(), Ordering::Relaxed);
            notifier.lists_changed();
            async { "soon" }
        });
    }

    fn prompts(&self, prompts: &mut Prompts) {
        let own = self.clone();
        prompts
            .add("sum-up", "Sums the notes up", move |args: SumUp, _| {
                let notes = own.all().join(" ");
                let SumUp { language, words } = args;
                async move { format!("In {language}, {words:?} words: {notes}") }
            })
            .title("Sum up")
            .complete("language", |typed, _| async move {
                Completion::starting_with(&typed, ["English", "Esperanto", "Deutsch"])
            });
    }

    fn resources(&self, resources: &mut Resources) {
        let own = self.clone();
        resources
            .add("notes://all", "all", move |_| {
                let text = own.all().join("\n");
                async { text }
            })
            .mime_type("text/plain");
        resources.add("notes://seal", "seal", |_| async {
            Contents::bytes(b"\0\xff").mime_type("application/octet-stream")
        });
        for number in 0..self.listed.load(Ordering::Relaxed) {
            resources.add(format!("notes://listed/{number}"), "note", |_| async { "" });
        }
        let own = self.clone();
        resources
            .template("notes://number/{n}", "one", move |note, _| {
                let number = note.value("n").and_then(|n| n.parse::<usize>().ok());
                let found = number.and_then(|n| own.all().get(n).cloned());
                async { found }
            })
            .complete("n", |_, _| async { vec!["0"] });
    }
}

/// A gateway with notes, and a client of each era.
struct Clients {
    gateway: TestGateway,
    legacy: LegacySession,
}

impl Clients {
    async fn new() -> Self {
        let notes = Notes::default();
        notes
            .notes
            .lock()
            .expect("no holder of this lock panics")
            .push("milk".to_owned());
        let gateway = TestGateway::builder().plugin("n", notes).build().await;
        let legacy = LegacySession::open(&gateway).await;
        Self { gateway, legacy }
    }

    async fn legacy(&self, method: &str, params: Value) -> Value {
        let request = self.legacy.request(1, method, params);
        self.gateway.send(&request).await.json()
    }

    async fn modern(&self, method: &str, params: Value) -> Value {
        let name = params["uri"].as_str().map(str::to_owned);
        let request = modern::request(method, params);
        let request = match name.filter(|_| method == "resources/read") {
            Some(uri) => request.header("mcp-name", &uri),
            None => request,
        };
        self.gateway.send(&request).await.json()
    }

    /// What both are answered, without what only modern results have.
    async fn both(&self, method: &str, params: Value) -> Value {
        let legacy = self.legacy(method, params.clone()).await;
        let mut modern = self.modern(method, params).await;
        if let Some(result) = modern.get_mut("result").and_then(Value::as_object_mut) {
            assert_eq!(result.shift_remove("resultType"), Some("complete".into()));
            result.shift_remove("ttlMs");
            result.shift_remove("cacheScope");
        }
        assert_eq!(legacy, modern);
        legacy
    }

    async fn check(&self, method: &str, params: Value, expect: Value) {
        let answer = self.both(method, params.clone()).await;
        assert_eq!(answer["result"], expect, "{method} {params}: {answer}");
    }

    async fn finish(self) {
        assert_eq!(self.legacy.delete(&self.gateway).await.status, 204);
        self.gateway.finish().await;
    }
}

#[tokio::test]
async fn everything_is_listed() {
    let clients = Clients::new().await;
    clients
        .check(
            "prompts/list",
            json!({}),
            json!({ "prompts": [{
                "name": "n__sum-up",
                "title": "Sum up",
                "description": "Sums the notes up",
                "arguments": [
                    { "name": "language", "description": "The language of the answer.", "required": true },
                    { "name": "words", "description": "How long it may be." },
                ],
            }] }),
        )
        .await;
    clients
        .check(
            "resources/list",
            json!({}),
            json!({ "resources": [
                { "uri": "notes://all", "name": "all", "mimeType": "text/plain" },
                { "uri": "notes://seal", "name": "seal" },
            ] }),
        )
        .await;
    clients
        .check(
            "resources/templates/list",
            json!({}),
            json!({ "resourceTemplates": [{ "uriTemplate": "notes://number/{n}", "name": "one" }] }),
        )
        .await;
    let said = clients.modern("server/discover", json!({})).await;
    let said = &said["result"]["capabilities"];
    assert_eq!(
        (&said["prompts"], &said["resources"], &said["completions"]),
        (
            &json!({ "listChanged": true }),
            &json!({ "listChanged": true, "subscribe": true }),
            &json!({})
        )
    );
    clients.finish().await;
}

#[tokio::test]
async fn prompts_are_got_and_arguments_that_do_not_fit_are_named() {
    let clients = Clients::new().await;
    let get = |arguments: Value| json!({ "name": "n__sum-up", "arguments": arguments });
    clients
        .check(
            "prompts/get",
            get(json!({ "language": "English", "words": "7" })),
            json!({ "messages": [{
                "role": "user",
                "content": { "type": "text", "text": "In English, Some(7) words: milk" },
            }] }),
        )
        .await;
    for (arguments, name) in [
        (json!({}), "language"),
        (json!({ "language": "x", "words": "few" }), "words"),
        (json!({ "language": "x", "words": "-1" }), "words"),
    ] {
        let error = clients.both("prompts/get", get(arguments)).await["error"].take();
        assert_eq!(error["code"], -32602, "{error}");
        let place = format!("`/params/arguments/{name}`");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(&place), "{message}");
    }
    clients.finish().await;
}

#[tokio::test]
async fn resources_are_read() {
    let clients = Clients::new().await;
    for (uri, expect) in [
        (
            "notes://all",
            json!({ "uri": "notes://all", "mimeType": "text/plain", "text": "milk" }),
        ),
        (
            "notes://seal",
            json!({ "uri": "notes://seal", "mimeType": "application/octet-stream", "blob": "AP8=" }),
        ),
        (
            "notes://number/0",
            json!({ "uri": "notes://number/0", "text": "milk" }),
        ),
    ] {
        clients
            .check(
                "resources/read",
                json!({ "uri": uri }),
                json!({ "contents": [expect] }),
            )
            .await;
    }
    // One that the template stands for, and one that nobody knows.
    for uri in ["notes://number/9", "notes://nothing"] {
        let params = json!({ "uri": uri });
        let legacy = clients.legacy("resources/read", params.clone()).await;
        let modern = clients.modern("resources/read", params).await;
        let codes = (&legacy["error"]["code"], &modern["error"]["code"]);
        assert_eq!(codes, (&json!(-32002), &json!(-32602)), "{uri}");
    }
    clients.finish().await;
}

#[tokio::test]
async fn arguments_are_completed() {
    let clients = Clients::new().await;
    let prompt = json!({ "type": "ref/prompt", "name": "n__sum-up" });
    let template = json!({ "type": "ref/resource", "uri": "notes://number/{n}" });
    for (reference, argument, expect) in [
        (
            &prompt,
            json!({ "name": "language", "value": "es" }),
            json!(["Esperanto"]),
        ),
        (&prompt, json!({ "name": "words", "value": "" }), json!([])),
        (&template, json!({ "name": "n", "value": "" }), json!(["0"])),
    ] {
        clients
            .check(
                "completion/complete",
                json!({ "ref": reference, "argument": argument }),
                json!({ "completion": { "values": expect } }),
            )
            .await;
    }
    clients.finish().await;
}

#[tokio::test]
async fn updates_and_changes_reach_who_asked_for_them() {
    let clients = Clients::new().await;
    let gateway = &clients.gateway;
    let mut get = gateway.connect().await;
    assert_eq!(get.begin(&clients.legacy.get()).await.status, 200);
    let watched = json!({ "uri": "notes://all" });
    let subscribed = clients.legacy("resources/subscribe", watched.clone()).await;
    assert_eq!(subscribed["result"], json!({}), "{subscribed}");
    let mut listen = gateway.connect().await;
    let filter = json!({ "notifications": {
        "resourceSubscriptions": ["notes://all", "notes://nothing"],
        "resourcesListChanged": true,
    } });
    let message = modern::message("sub", "subscriptions/listen", filter);
    let begun = listen.begin(&modern::request_of(&message)).await;
    assert!(begun.is_stream());
    let first = listen.event().await.expect("the acknowledgement");
    assert_eq!(
        first["params"]["notifications"],
        json!({ "resourceSubscriptions": ["notes://all"], "resourcesListChanged": true })
    );

    let call = modern::call("n__note", json!({ "text": "bread" }));
    assert_eq!(gateway.send(&call).await.status, 200);
    for stream in [&mut get, &mut listen] {
        let event = stream.event().await.expect("the stream goes on");
        assert_eq!(event["method"], "notifications/resources/updated");
        assert_eq!(event["params"]["uri"], "notes://all");
    }

    let call = modern::call("n__publish", json!({}));
    assert_eq!(gateway.send(&call).await.status, 200);
    for stream in [&mut get, &mut listen] {
        // The tools and prompts are the same ones: nobody is told of those.
        let event = stream.event().await.expect("the stream goes on");
        assert_eq!(event["method"], "notifications/resources/list_changed");
    }
    let list = clients.both("resources/list", json!({})).await;
    let listed = list["result"]["resources"].as_array().map(Vec::len);
    assert_eq!(listed, Some(4));

    let unsubscribed = clients.legacy("resources/unsubscribe", watched).await;
    assert_eq!(unsubscribed["result"], json!({}));
    let call = modern::call("n__note", json!({ "text": "salt" }));
    assert_eq!(gateway.send(&call).await.status, 200);
    let event = listen.event().await.expect("the stream goes on");
    assert_eq!(event["method"], "notifications/resources/updated");
    // Nothing more was owed to the session.
    assert_eq!(clients.legacy.delete(gateway).await.status, 204);
    assert_eq!(get.event().await, None);
    let (left, ending) = tokio::join!(gateway.front.drain(), listen.event());
    assert_eq!((left, &ending.expect("the end")["id"]), (0, &json!("sub")));
    clients.gateway.finish().await;
}
