//! What goes into a tool and what comes out.

use std::task::Poll;

use super::*;
use crate::plugin::{NoArguments, Structured, ToolContext, ToolError, Tools};
use crate::session::Session;
use crate::wire::level::LogLevel;
use crate::wire::list::ListKind;

/// Its tools are those of `add`.
struct Made<F> {
    add: F,
    cooperative: bool,
}

impl<F: Fn(&mut Tools) + Send + Sync + 'static> Plugin for Made<F> {
    fn tools(&self, tools: &mut Tools) {
        (self.add)(tools);
    }

    fn instructions(&self) -> Option<String> {
        Some("Use it well.".to_owned())
    }

    fn cooperative(&self) -> bool {
        self.cooperative
    }
}

/// The same plugin in both seats: what holds must hold in each.
async fn both(add: impl Fn(&mut Tools) + Clone + Send + Sync + 'static) -> [Arc<dyn Instance>; 2] {
    let other = add.clone();
    [
        start(Made {
            add,
            cooperative: true,
        })
        .await,
        start(Made {
            add: other,
            cooperative: false,
        })
        .await,
    ]
}

#[tokio::test]
async fn raw_arguments_and_results_stay_as_they_are() {
    let plugins = both(|tools| {
        let definition = Json::literal(r#"{"name":"raw","inputSchema":{"type":"object"}}"#);
        tools.raw(definition, |arguments, _| std::future::ready(Ok(arguments)));
    })
    .await;
    let odd = r#"{"z":1234567890123456789012345,"\u0061" : 1.0e0,"a2":{"$x":[ ]}}"#;
    for plugin in plugins {
        let asked = call("raw", &format!(r#","arguments":{odd},"_meta":{{"x":1}}"#));
        assert_eq!(text(plugin.request(asked, &context()).await), odd);
        assert_eq!(
            text(plugin.request(call("raw", ""), &context()).await),
            "{}"
        );
        plugin.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    for plugin in both(|_| {}).await {
        let unknown = plugin.request(call("nope", ""), &context()).await;
        assert_eq!(text(unknown), "not_found (not_found): Unknown tool: nope");
        let ask = |method| Request {
            method,
            params: Params::default(),
        };
        let ping = plugin.request(ask(Method::Ping), &context()).await;
        assert_eq!(text(ping), "{}");
        let other = plugin.request(ask(Method::PromptsList), &context()).await;
        assert_eq!(
            text(other),
            "error -32601: plugin `p` has no method `prompts/list`"
        );
        plugin.stop().await;
        plugin.stop().await;
    }
}

#[tokio::test]
async fn the_surface_lists_what_can_be_called_and_says_what_cannot() {
    for plugin in both(|tools| {
        tools.add("one", "The first", |_: NoArguments, _| async { "first" });
        tools.add("one", "The second", |_: NoArguments, _| async { "second" });
        tools.add("list", "Takes a list", |_: Vec<u8>, _| async {});
    })
    .await
    {
        let surface = Arc::clone(&plugin.surface().borrow());
        let names: Vec<_> = surface
            .list(ListKind::Tools)
            .definitions
            .iter()
            .map(|tool| &*tool.name)
            .collect();
        assert_eq!(names, ["one"]);
        assert_eq!(surface.instructions.as_deref(), Some("Use it well."));
        let omitted: Vec<_> = surface
            .list(ListKind::Tools)
            .omitted
            .iter()
            .map(|left| format!("{}: {}", left.name, left.reason))
            .collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(omitted.join("\n"), @r#"
            one: the plugin lists this name twice
            list: its arguments cannot be described: its type is "array", and must be "object"
            "#);
        }
        let first = plugin.request(call("one", ""), &context()).await;
        assert_eq!(
            text(first),
            r#"{"content":[{"type":"text","text":"first"}]}"#
        );
        plugin.stop().await;
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_plugin_lives_on() {
    for plugin in both(|tools| {
        tools.add("late", "Panics in its future", |_: NoArguments, _| async {
            if true {
                panic!("so it goes");
            }
        });
        let definition = Json::literal(r#"{"name":"early","inputSchema":{"type":"object"}}"#);
        tools.raw(
            definition,
            |_, _| -> std::future::Ready<Result<Json, ToolError>> {
                panic!("before there is a future")
            },
        );
        tools.add("fine", "", |_: NoArguments, _| async { "fine" });
    })
    .await
    {
        for name in ["late", "early"] {
            let answer = text(plugin.request(call(name, ""), &context()).await);
            let expect = format!(
                r#"{{"content":[{{"type":"text","text":"the tool `{name}` panicked"}}],"isError":true}}"#
            );
            assert_eq!(answer, expect);
        }
        let fine = text(plugin.request(call("fine", ""), &context()).await);
        assert_eq!(fine, r#"{"content":[{"type":"text","text":"fine"}]}"#);
        plugin.stop().await;
    }
}

#[tokio::test]
async fn progress_and_log_messages_reach_the_caller_who_asked() {
    for plugin in both(|tools| {
        tools.add(
            "work",
            "",
            |_: NoArguments, context: ToolContext| async move {
                let told = context.progress(0.5, Some(2.0), Some("half a step"));
                context.log(LogLevel::Debug, None, "fine");
                context.log(LogLevel::Error, Some("core"), &serde_json::json!({"n": 1}));
                told.to_string()
            },
        );
    })
    .await
    {
        let ear = Arc::new(Ear::default());
        let mut around = heard_by(&ear);
        let answer = plugin.request(call("work", ""), &around).await;
        assert!(text(answer).contains("false"));
        assert_eq!(ear.heard(), [""; 0]);

        around.log_level = Some(LogLevel::Warning);
        let asked = call("work", r#","_meta":{"progressToken":"t\u0031"}"#);
        assert!(text(plugin.request(asked, &around).await).contains("true"));
        let heard = ear.heard();
        assert_eq!(
            heard,
            [
                r#"notifications/progress {"progressToken":"t\u0031","progress":0.5,"total":2,"message":"half a step"}"#,
                r#"notifications/message {"level":"error","logger":"core","data":{"n":1}}"#,
            ]
        );
        plugin.stop().await;
    }
}

#[tokio::test]
async fn a_tool_can_ask_its_client() {
    for plugin in both(|tools| {
        let definition = Json::literal(r#"{"name":"ask","inputSchema":{"type":"object"}}"#);
        tools.raw(definition, |_, context: ToolContext| async move {
            let params = Params::of(&serde_json::json!({"message": "Sure?"}));
            context
                .ask(Method::Elicit, params)
                .await
                .map_err(|error| ToolError::new(error.message))
        });
    })
    .await
    {
        let ear = Arc::new(Ear::default());
        let answer = plugin.request(call("ask", ""), &heard_by(&ear)).await;
        assert_eq!(text(answer), r#"{"message":"Sure?"}"#);
        assert_eq!(ear.heard(), [r#"elicitation/create {"message":"Sure?"}"#]);
        plugin.stop().await;
    }
}

#[tokio::test]
async fn each_session_has_its_own_drawer() {
    #[derive(serde::Serialize, schemars::JsonSchema)]
    struct Seen {
        times: u32,
    }
    for plugin in both(|tools| {
        tools.add(
            "visit",
            "",
            |_: NoArguments, context: ToolContext| async move {
                let drawer = context.drawer::<Mutex<u32>>();
                let mut times = drawer.lock().expect("no holder of this lock panics");
                *times += 1;
                Structured(Seen { times: *times })
            },
        );
    })
    .await
    {
        let session = || {
            Session::new(
                "s".into(),
                "anonymous".into(),
                Arc::new(ClientProfile::bare()),
            )
        };
        let (ann, bob) = (Some(session()), Some(session()));
        for (session, expect) in [
            (&ann, 1),
            (&ann, 2),
            (&bob, 1),
            (&None, 1),
            (&None, 1),
            (&ann, 3),
        ] {
            let around = CallContext {
                session: session.clone(),
                ..context()
            };
            let answer = text(plugin.request(call("visit", ""), &around).await);
            let expect = format!(r#""structuredContent":{{"times":{expect}}}}}"#);
            assert!(answer.ends_with(&expect), "{answer}");
        }
        plugin.stop().await;
    }
}

/// Says when it is dropped.
struct Dropped(Option<tokio::sync::oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            // Nobody has to listen.
            let _ = tell.send(());
        }
    }
}

#[tokio::test]
async fn an_abandoned_call_reaches_the_tool() {
    type Told =
        tokio::sync::mpsc::UnboundedSender<(ToolContext, tokio::sync::oneshot::Receiver<()>)>;
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let begun: Told = begun;
    for plugin in both(move |tools| {
        let begun = begun.clone();
        tools.add("hang", "", move |_: NoArguments, context: ToolContext| {
            let begun = begun.clone();
            async move {
                let (dropped, gone) = tokio::sync::oneshot::channel();
                let _dropped = Dropped(Some(dropped));
                begun.send((context, gone)).expect("the test listens");
                std::future::pending::<()>().await;
            }
        });
    })
    .await
    {
        let around = context();
        let mut running = plugin.request(call("hang", ""), &around);
        assert!(matches!(futures::poll!(&mut running), Poll::Pending));
        let (seen, gone) = begins.recv().await.expect("the tool has begun");
        assert!(!seen.is_cancelled());
        let mut told = Box::pin(seen.cancelled());
        assert!(matches!(futures::poll!(&mut told), Poll::Pending));
        drop(running);
        told.await;
        assert!(seen.is_cancelled());
        gone.await.expect("the future of the tool is dropped");

        let mut running = plugin.request(call("hang", ""), &around);
        assert!(matches!(futures::poll!(&mut running), Poll::Pending));
        let (seen, _gone) = begins.recv().await.expect("the tool has begun");
        around.cancel.cancel();
        seen.cancelled().await;
        drop(running);
        plugin.stop().await;
    }
}

#[tokio::test]
async fn a_tool_with_a_limit_of_its_own_is_stopped_there() {
    for plugin in both(|tools| {
        tools
            .add("slow", "", |_: NoArguments, _| std::future::pending::<()>())
            .timeout(Duration::from_millis(1));
    })
    .await
    {
        let answer = text(plugin.request(call("slow", ""), &context()).await);
        assert_eq!(
            answer,
            "timeout (timeout): Operation timed out after 1 ms (the tool `slow` has this limit)"
        );
        plugin.stop().await;
    }
}

#[tokio::test]
async fn stopping_ends_the_calls_that_run() {
    for plugin in both(|tools| {
        tools.add("hang", "", |_: NoArguments, _| std::future::pending::<()>());
    })
    .await
    {
        let around = context();
        let mut running = plugin.request(call("hang", ""), &around);
        assert!(matches!(futures::poll!(&mut running), Poll::Pending));
        plugin.stop().await;
        let expect = "unavailable (stopped): plugin `p` has been stopped";
        assert_eq!(text(running.await), expect);
        assert_eq!(
            text(plugin.request(call("hang", ""), &around).await),
            expect
        );
    }
}
