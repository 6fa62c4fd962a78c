//! Prompts, resources, templates, completion and news.

use std::sync::atomic::{AtomicUsize, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Notify;

use super::*;
use crate::model::client::Hearer;
use crate::plugin::{
    Contents, NoArguments, Notifier, Prompts, RequestError, Resources, ToolContext, Tools,
};
use crate::runtime::updates::Updates;
use crate::wire::list::ListKind;

#[derive(Deserialize, JsonSchema)]
struct Greet {
    name: String,
    times: Option<u8>,
}

/// Offers one of everything, and more with every `grow`.
#[derive(Clone, Default)]
struct Shop {
    cooperative: bool,
    size: Arc<AtomicUsize>,
    /// The next list is not made.
    fails: Arc<AtomicUsize>,
    notifier: Arc<Mutex<Notifier>>,
    /// Nudged when the plugin has heard of a failure.
    failed: Arc<Notify>,
}

impl Shop {
    fn notifier(&self) -> Notifier {
        let notifier = self.notifier.lock();
        notifier.expect("no holder of this lock panics").clone()
    }

    fn grow(&self) {
        self.size.fetch_add(1, Ordering::Relaxed);
        self.notifier().lists_changed();
    }
}

#[async_trait]
impl Plugin for Shop {
    fn tools(&self, tools: &mut Tools) {
        tools.add("same", "", |_: NoArguments, _| async { "same" });
        let mut notifier = self.notifier.lock().expect("no holder of this lock panics");
        *notifier = tools.notifier();
    }

    fn prompts(&self, prompts: &mut Prompts) {
        prompts
            .add("greet", "Greets", |args: Greet, context: ToolContext| {
                let caller = context.caller().principal.to_string();
                async move { format!("{} x{:?} for {caller}", args.name, args.times) }
            })
            .complete("name", |typed, context| async move {
                let times = context.argument("times").unwrap_or("?");
                vec![format!("{typed}! {times}")]
            });
        prompts.add("panics", "", |_: NoArguments, _| async {
            panic!("so it goes") as String
        });
        prompts.add("fails", "", |_: NoArguments, _| async {
            Err::<String, _>(RequestError::new("not today"))
        });
        let raw = Json::literal(r#"{"name":"raw","arguments":[{"name":"a","required":true}]}"#);
        prompts.raw(raw, |arguments, _| async move { arguments });
    }

    fn resources(&self, resources: &mut Resources) {
        assert_eq!(self.fails.load(Ordering::Relaxed), 0, "as it was told");
        for number in 0..=self.size.load(Ordering::Relaxed) {
            resources
                .add(format!("shop:{number}"), "ware", move |_| async move {
                    format!("ware {number}")
                })
                .mime_type("text/plain");
        }
        resources
            .template("shop:blob/{n}", "blob", |request, _| async move {
                let number = request.value("n")?.parse::<u8>().ok()?;
                Some(Contents::bytes([number]))
            })
            .complete("n", |_, _| async { vec!["1", "2"] });
    }

    fn cooperative(&self) -> bool {
        self.cooperative
    }

    async fn on_error(&self, _: &Fault) -> bool {
        self.failed.notify_one();
        true
    }
}

async fn both() -> [(Shop, Arc<dyn Instance>); 2] {
    let [here, there] = [true, false].map(|cooperative| Shop {
        cooperative,
        ..Shop::default()
    });
    let plugins = (start(here.clone()).await, start(there.clone()).await);
    [(here, plugins.0), (there, plugins.1)]
}

fn ask(method: Method, params: &'static str) -> Request {
    Request {
        method,
        params: Json::literal(params).into(),
    }
}

fn names(surface: &Surface, kind: ListKind) -> Vec<String> {
    let definitions = surface.list(kind).definitions.iter();
    definitions.map(|known| known.name.to_string()).collect()
}

#[tokio::test]
async fn everything_is_listed_and_the_capabilities_say_so() {
    for (_, plugin) in both().await {
        let surface = Arc::clone(&plugin.surface().borrow());
        assert_eq!(
            surface.capabilities.as_ref().map(Json::as_str),
            Some(
                r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{}}"#
            )
        );
        assert_eq!(
            ListKind::ALL.map(|kind| names(&surface, kind).join(" ")),
            ["same", "greet panics fails raw", "shop:0", "shop:blob/{n}"]
        );
        plugin.stop().await;
    }
}

/// Asks a plugin in each seat, and compares the answers.
async fn check(rows: &[(Method, &'static str, &str)]) {
    for (_, plugin) in both().await {
        for (method, params, expect) in rows {
            let answer = plugin
                .request(ask(method.clone(), params), &context())
                .await;
            assert_eq!(text(answer), *expect, "{params}");
        }
        plugin.stop().await;
    }
}

#[tokio::test]
async fn prompts_are_got() {
    use Method::PromptsGet;

    check(&[(
            PromptsGet,
            r#"{"name":"greet","arguments":{"name":"7","times":"2"}}"#,
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"7 xSome(2) for anonymous"}}]}"#,
        ),
(
            PromptsGet,
            r#"{"name":"greet"}"#,
            "error -32602: Invalid params: `/params/arguments/name`: is missing",
        ),
(
            PromptsGet,
            r#"{"name":"greet","arguments":{"name":"a","times":"many"}}"#,
            r#"error -32602: Invalid params: `/params/arguments/times`: "many" is not of types "null", "integer""#,
        ),
(
            PromptsGet,
            r#"{"name":"panics","arguments":{"x":"1"}}"#,
            "error -32602: Invalid params: `/params/arguments/x`: there is no such argument",
        ),
(
            PromptsGet,
            r#"{"name":"panics"}"#,
            "error -32603: the prompt `panics` panicked",
        ),
(PromptsGet, r#"{"name":"fails"}"#, "error -32603: not today"),
(
            PromptsGet,
            r#"{"name":"raw","arguments":{"a":"x" , "b":1.0}}"#,
            r#"{"a":"x" , "b":1.0}"#,
        ),
(
            PromptsGet,
            r#"{"name":"raw","arguments":{"b":1.0}}"#,
            "error -32602: Invalid params: `/params/arguments/a`: is missing",
        ),
(
            PromptsGet,
            r#"{"name":"nope"}"#,
            "error -32602: Unknown prompt: nope",
        )]).await;
}

#[tokio::test]
async fn resources_are_read_and_watched() {
    use Method::{ResourcesRead, ResourcesSubscribe, ResourcesUnsubscribe};

    check(&[
        (
            ResourcesRead,
            r#"{"uri":"shop:0"}"#,
            r#"{"contents":[{"uri":"shop:0","mimeType":"text/plain","text":"ware 0"}]}"#,
        ),
        (
            ResourcesRead,
            r#"{"uri":"shop:blob/7"}"#,
            r#"{"contents":[{"uri":"shop:blob/7","blob":"Bw=="}]}"#,
        ),
        (
            ResourcesRead,
            r#"{"uri":"shop:blob/x"}"#,
            "error -32002: Resource not found: `shop:blob/x`",
        ),
        (
            ResourcesRead,
            r#"{"uri":"shop:9"}"#,
            "error -32002: Resource not found: `shop:9`",
        ),
        (ResourcesSubscribe, r#"{"uri":"shop:blob/x"}"#, "{}"),
        (
            ResourcesSubscribe,
            r#"{"uri":"shop:9"}"#,
            "error -32002: Resource not found: `shop:9`",
        ),
        (ResourcesUnsubscribe, r#"{"uri":"shop:9"}"#, "{}"),
    ])
    .await;
}

#[tokio::test]
async fn arguments_are_completed() {
    use Method::Complete;

    check(&[(
            Complete,
            r#"{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"name","value":"Al"},"context":{"arguments":{"times":"3","x":1}}}"#,
            r#"{"completion":{"values":["Al! 3"]}}"#,
        ),
(
            Complete,
            r#"{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"times","value":""}}"#,
            r#"{"completion":{"values":[]}}"#,
        ),
(
            Complete,
            r#"{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"tune","value":""}}"#,
            "error -32602: Invalid params: `/params/argument/name`: the prompt has no `tune`",
        ),
(
            Complete,
            r#"{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"name"}}"#,
            "error -32602: Invalid params: `/params/argument` must have the strings `name` and `value`",
        ),
(
            Complete,
            r#"{"ref":{"type":"ref/resource","uri":"shop:blob/{n}"},"argument":{"name":"n","value":""}}"#,
            r#"{"completion":{"values":["1","2"]}}"#,
        ),
(
            Complete,
            r#"{"ref":{"type":"ref/resource","uri":"shop:{n}"},"argument":{"name":"n","value":""}}"#,
            "error -32602: Unknown resource template: shop:{n}",
        )]).await;
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Hearer for Heard {
    fn hear(&self, method: &Method, params: &Params) {
        let line = format!("{method} {}", params.to_json().as_str());
        let mut lines = self.0.lock().expect("no holder of this lock panics");
        lines.push(line);
    }
}

#[tokio::test]
async fn who_watches_a_resource_is_told_that_it_changed() {
    let (shop, heard) = (Shop::default(), Arc::new(Heard::default()));
    let plugin: Arc<dyn Plugin> = Arc::new(shop.clone());
    let factory: Factory = Arc::new(move || Arc::clone(&plugin));
    let runtime = InProcess::new().with("builtin:p", factory);
    let (host, updates) = (host(), Arc::new(Updates::default()));
    let host = Host {
        updates: Arc::clone(&updates),
        ..host
    };
    let plugin = runtime.start(manifest(""), host).await;
    let plugin = plugin.expect("it starts");
    let watch = updates.watch("shop:0".into(), None, Arc::clone(&heard) as _);
    shop.notifier().updated("shop:1");
    shop.notifier().updated("shop:0");
    drop(watch);
    assert_eq!(
        *heard.0.lock().expect("no holder of this lock panics"),
        [r#"notifications/resources/updated {"uri":"shop:0"}"#]
    );
    plugin.stop().await;
}

#[tokio::test]
async fn lists_that_changed_are_replaced_and_the_others_stay_the_same() {
    for (shop, plugin) in both().await {
        let mut surface = plugin.surface();
        let before = Arc::clone(&surface.borrow_and_update());
        shop.grow();
        surface.changed().await.expect("the plugin lives");
        let now = Arc::clone(&surface.borrow_and_update());
        assert_eq!(names(&now, ListKind::Resources), ["shop:0", "shop:1"]);
        let same = ListKind::ALL.map(|kind| Arc::ptr_eq(now.list(kind), before.list(kind)));
        assert_eq!(same, [true, true, false, true]);
        let read = ask(Method::ResourcesRead, r#"{"uri":"shop:1"}"#);
        let answer = text(plugin.request(read, &context()).await);
        assert!(answer.contains("ware 1"), "{answer}");

        // A list that cannot be made leaves all as it was.
        shop.fails.store(1, Ordering::Relaxed);
        shop.grow();
        shop.failed.notified().await;
        let same = call("same", "");
        assert!(text(plugin.request(same, &context()).await).contains("same"));
        assert!(!surface.has_changed().expect("the plugin lives"));
        plugin.stop().await;
    }
}

#[tokio::test]
async fn a_plugin_that_does_not_tell_of_changes_says_so_and_runs_no_task() {
    struct Few;

    impl Plugin for Few {
        fn resources(&self, resources: &mut Resources) {
            resources.add("few:1", "one", |_| async { "1" });
        }
    }

    let host = host();
    let supervisor = host.supervisor.clone();
    let factory: Factory = Arc::new(|| Arc::new(Few));
    let runtime = InProcess::new().with("builtin:p", factory);
    let plugin = runtime.start(manifest(""), host).await;
    let plugin = plugin.expect("it starts");
    assert!(supervisor.is_empty());
    let surface = Arc::clone(&plugin.surface().borrow());
    assert_eq!(
        surface.capabilities.as_ref().map(Json::as_str),
        Some(r#"{"tools":{},"resources":{},"logging":{}}"#)
    );
    let subscribe = ask(Method::ResourcesSubscribe, r#"{"uri":"few:1"}"#);
    assert_eq!(
        text(plugin.request(subscribe, &context()).await),
        "error -32601: plugin `p` does not tell of updates"
    );
    plugin.stop().await;
}
