//! What plugins are handed: providers, and what the gateway has itself.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::{Value, json};
use toolgate::plugin::{
    HookResult, NoArguments, Plugin, PluginContext, PluginKind, ToolContext, ToolError, Tools,
};

use toolgate::wire::json::Json;

use crate::hostile::{Hostile, failure, value};
use crate::kinds::{add, stamper};
use crate::support::{TestGateway, plugin, until};

/// A plugin that keeps what it is given, and asks its vault.
#[derive(Clone, Default)]
struct Needy {
    given: Arc<OnceLock<PluginContext>>,
    cooperative: bool,
}

#[async_trait]
impl Plugin for Needy {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        context.clock()?;
        context.http()?;
        std::fs::write(context.temp_dir()?.join("mine"), "x")?;
        // A provider is there before those it is handed to.
        let told: Value = context
            .provider("vault")?
            .ask("read", &json!({ "n": 0 }))
            .await?;
        assert_eq!(told["n"], 0);
        self.given.set(context.clone()).ok();
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        let given = Arc::clone(&self.given);
        tools.add(
            "use",
            "Asks the vault",
            move |_: NoArguments, context: ToolContext| {
                let given = given.get().cloned().expect("it was initialized");
                async move {
                    let vault = given.provider("vault")?;
                    let told: Value = vault.ask("read", &json!({ "n": 7 })).await?;
                    vault
                        .call_for(&context, "read", Json::literal("{}"))
                        .await?;
                    Ok::<_, ToolError>(told.to_string())
                }
            },
        );
    }

    fn cooperative(&self) -> bool {
        self.cooperative
    }
}

const CONFIG: &str = "[plugins.vault]\nkind = \"provider\"\n[plugins.needy]\nresources = { required = [\"clock\", \"http\", \"temp_dir\", \"registry\", \"vault\"], optional = [\"other\"] }\n";

fn vault() -> impl Plugin {
    plugin(|tools| add(tools, "read", |asked| asked))
}

/// Where the plugin runs makes no difference to it: in the tasks of its callers, or on a thread of its own.
#[tokio::test]
async fn a_plugin_is_handed_what_it_requires_and_its_calls_go_the_way_of_all() {
    for cooperative in [true, false] {
        let needy = Needy {
            cooperative,
            ..Needy::default()
        };
        let gateway = TestGateway::builder()
            .config(CONFIG)
            .plugin("vault", vault())
            .plugin("needy", needy.clone())
            .build()
            .await;
        let told = crate::hostile::text(&gateway, "needy__use", json!({})).await;
        assert_eq!(told, r#"{"n":7}"#);
        assert_eq!(gateway.records.count("read", "answered"), 3);
        let given = needy.given.get().expect("it was initialized").clone();
        let one = given.provider("vault").expect("it is there");
        let registry = given.registry().expect("it is there");
        let other = registry
            .get(PluginKind::Provider, None)
            .expect("the only one");
        assert!(Arc::ptr_eq(&one, &other));
        for (kind, name, part) in [
            (PluginKind::Provider, Some("zz"), "no such plugin"),
            (PluginKind::Tool, None, "several"),
        ] {
            let fault = registry.get(kind, name).expect_err("it is not there");
            assert!(fault.to_string().contains(part), "{fault}");
        }
        let directory: PathBuf = given.temp_dir().expect("it is there").to_owned();
        assert!(directory.join("mine").exists());
        gateway.finish().await;
        assert!(!directory.exists());
        let gone = one.ask::<Value>("read", &json!({})).await;
        gone.expect_err("the gateway has stopped");
    }
}

/// A call between plugins passes the filters, except of those that filters use themselves.
#[tokio::test]
async fn what_filters_do_themselves_is_not_filtered() {
    let (needy, guard) = (Needy::default(), Needy::default());
    let config = format!(
        "{CONFIG}[plugins.stamp]\nkind = \"filter\"\n[plugins.guard]\nkind = \"filter\"\nfilter = {{ arguments = \"judge\" }}\nresources = {{ required = [\"vault\"] }}\n"
    );
    struct Guard(Needy);
    #[async_trait]
    impl Plugin for Guard {
        async fn on_init(&self, context: &PluginContext) -> HookResult {
            self.0.given.set(context.clone()).ok();
            Ok(())
        }

        fn tools(&self, tools: &mut Tools) {
            let given = Arc::clone(&self.0.given);
            let definition = Json::literal(r#"{"name":"judge","inputSchema":{"type":"object"}}"#);
            tools.raw(definition, move |_, _: ToolContext| {
                let given = given.get().cloned().expect("it was initialized");
                async move {
                    // Would be asked about itself for ever.
                    let told: Value = given.provider("vault")?.ask("read", &json!({})).await?;
                    let said = json!({ "content": [], "structuredContent": { "unchanged": told == json!({}) } });
                    Ok(Json::of(&said))
                }
            });
        }
    }
    let gateway = TestGateway::builder()
        .config(&config)
        .plugin("vault", vault())
        .plugin("stamp", stamper("s"))
        .plugin("guard", Guard(guard))
        .plugin("needy", needy.clone())
        .build()
        .await;
    let given = needy.given.get().expect("it was initialized").clone();
    let told: Value = given
        .provider("vault")
        .expect("it is there")
        .ask("read", &json!({}))
        .await
        .expect("it answers");
    assert_eq!(told, json!({ "in": ["s"], "out": ["s"] }));
    let registry = given.registry().expect("it is there");
    let filters = registry
        .get(PluginKind::Filter, None)
        .expect("there are some");
    let passed = filters.chain("t", Json::literal("{}")).await;
    assert_eq!(passed.expect("they agree").as_str(), r#"{"in":["s"]}"#);
    gateway.finish().await;
}

/// A plugin with the one tool `tool`, which asks a provider and says what it was told by that, by way of `words`.
struct Relay {
    given: Arc<OnceLock<PluginContext>>,
    tool: &'static str,
    to: (&'static str, &'static str),
    words: fn(Value) -> Value,
    cooperative: bool,
}

impl Relay {
    fn new(
        tool: &'static str,
        to: (&'static str, &'static str),
        words: fn(Value) -> Value,
    ) -> Self {
        Self {
            given: Arc::default(),
            tool,
            to,
            words,
            cooperative: true,
        }
    }
}

#[async_trait]
impl Plugin for Relay {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        // Those that filters need can ask for something while they start.
        let (id, tool) = self.to;
        context
            .provider(id)?
            .call(tool, Json::literal("{}"))
            .await?;
        self.given.set(context.clone()).ok();
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        let (given, (id, asked), words) = (Arc::clone(&self.given), self.to, self.words);
        let definition = json!({ "name": self.tool, "inputSchema": { "type": "object" } });
        tools.raw(Json::of(&definition), move |_, context: ToolContext| {
            let given = given.get().cloned().expect("it was initialized");
            async move {
                let handle = given.provider(id)?;
                let told: Value = handle.ask(asked, &json!({})).await?;
                let for_caller = handle.call_for(&context, asked, Json::literal("{}"));
                let for_caller: Value = for_caller.await?.parse().expect("JSON");
                assert_eq!(for_caller["structuredContent"], told);
                let said = json!({ "content": [], "structuredContent": words(told) });
                Ok::<_, ToolError>(Json::of(&said))
            }
        });
    }

    fn cooperative(&self) -> bool {
        self.cooperative
    }
}

/// What a client has a provider call passes the filters, also where a filter uses that provider; what the filter has it
/// call does not. Wherever the provider runs.
#[tokio::test]
async fn a_provider_that_a_filter_uses_is_no_way_past_the_filters() {
    for cooperative in [true, false] {
        let provider = Relay {
            cooperative,
            ..Relay::new("relay", ("store", "read"), |told| json!({ "told": told }))
        };
        let guard = Relay::new("judge", ("vault", "relay"), |told| {
            match told == json!({ "told": {} }) {
                true => json!({ "unchanged": true }),
                false => json!({ "refuse": format!("it was filtered: {told}") }),
            }
        });
        let gateway = TestGateway::builder()
            .config(
                "[plugins.store]\nkind = \"provider\"\n[plugins.vault]\nkind = \"provider\"\nresources = { required = [\"store\"] }\n[plugins.guard]\nkind = \"filter\"\nfilter = { arguments = \"judge\" }\nresources = { required = [\"vault\"] }\n[plugins.stamp]\nkind = \"filter\"\n",
            )
            .plugin("store", plugin(|tools| add(tools, "read", |asked| asked)))
            .plugin("vault", provider)
            .plugin("guard", guard)
            .plugin("stamp", stamper("s"))
            .build()
            .await;
        let told = value(&gateway, "vault__relay", json!({})).await;
        let inner = json!({ "in": ["s"], "out": ["s"] });
        assert_eq!(
            told,
            json!({ "told": inner, "out": ["s"] }),
            "{cooperative}"
        );
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_missing_resource_makes_a_plugin_unavailable_and_is_named() {
    let gateway = TestGateway::builder()
        .config("[plugins.needy]\nresources = { required = [\"vault\"] }\n")
        .plugin("needy", Needy::default())
        .build()
        .await;
    let (_, words) = failure(&gateway, "needy__use", json!({})).await;
    assert!(
        words.contains("`vault`") && words.contains("no provider"),
        "{words}"
    );
    gateway.finish().await;
    let child = Hostile::new("h", &[]).key("resources = { required = [\"echo\"] }");
    let gateway = child.build().await;
    let (_, words) = failure(&gateway, "h__echo", json!({})).await;
    assert!(words.contains("is a tool, not a provider"), "{words}");
    gateway.finish().await;
}

/// A child is told of its directory, and of nothing else.
#[tokio::test]
async fn a_child_gets_a_directory_that_ends_with_it() {
    let child =
        Hostile::new("h", &[]).key("kind = \"handler\"\nresources = { required = [\"temp_dir\"] }");
    let gateway = child.build().await;
    let environment = value(&gateway, "h__env", json!({})).await;
    let directory = environment["TOOLGATE_TEMP_DIR"]
        .as_str()
        .expect("it is told");
    let directory = PathBuf::from(directory);
    assert!(directory.is_dir());
    failure(&gateway, "h__exit", json!({})).await;
    until("its directory is removed", || !directory.exists()).await;
    let environment = value(&gateway, "h__env", json!({})).await;
    let next = PathBuf::from(
        environment["TOOLGATE_TEMP_DIR"]
            .as_str()
            .expect("it is told"),
    );
    assert!(next.is_dir() && next != directory);
    gateway.finish().await;
    assert!(!next.exists());
}
