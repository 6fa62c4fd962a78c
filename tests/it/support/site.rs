//! Plugins with routes, for tests.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::watch;
use toolgate::plugin::routes::{
    IntoResponse, JsonBody, RouteContext, RouteResponse, Router, Routes, StreamEvent, get,
};
use toolgate::plugin::{HookResult, NoArguments, Plugin, PluginContext, ToolContext, Tools};

/// A plugin with a tool `it`, and these routes: `/greet` says who asks, `/page/{name}` makes a page of a template,
/// `/panic` panics, `/stream` tells numbers until it is ended. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Site {
    cooperative: bool,
    given: Arc<OnceLock<PluginContext>>,
    /// How often it was started.
    pub(crate) starts: watch::Sender<usize>,
    /// How many streams are open.
    pub(crate) streams: watch::Sender<usize>,
}

/// One open stream.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(streams: &watch::Sender<usize>) -> Self {
        streams.send_modify(|count| *count += 1);
        Self(streams.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        Self {
            cooperative: true,
            given: Arc::default(),
            starts: watch::Sender::new(0),
            streams: watch::Sender::new(0),
        }
    }

    /// The same on a thread of its own.
    pub(crate) fn on_a_thread() -> Self {
        Self {
            cooperative: false,
            ..Self::new()
        }
    }

    fn page(&self, name: &str) -> RouteResponse {
        let given = self.given.get().expect("`on_init` comes first");
        let values = json!({ "title": "<Title>", "items": ["one", "two"] });
        let rendered = given
            .templates()
            .map(|templates| templates.render(name, &values));
        match rendered {
            Ok(Ok(page)) => page.into_response(),
            Ok(Err(error)) => error.to_string().into_response(),
            Err(fault) => fault.to_string().into_response(),
        }
    }
}

fn numbers(context: &RouteContext, streams: &watch::Sender<usize>) -> RouteResponse {
    let open = Open::new(streams);
    let first = futures::stream::iter([1, 2]);
    let numbers = futures::StreamExt::chain(first, futures::stream::pending());
    context.stream(futures::StreamExt::map(numbers, move |number| {
        let _open = &open;
        StreamEvent::default()
            .event("number")
            .data(json!(number).to_string())
    }))
}

#[async_trait]
impl Plugin for Site {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        self.given.set(context.clone()).ok();
        self.starts.send_modify(|count| *count += 1);
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        tools
            .add("it", "Is there", |_: NoArguments, _: ToolContext| async {
                "here"
            })
            .read_only();
    }

    fn routes(&self) -> Option<Routes> {
        let greet = |context: RouteContext| async move {
            let who: Value = (*context.caller().principal).into();
            JsonBody(json!({ "hello": who, "plugin": context.plugin().as_str() }))
        };
        let (site, streams) = (self.clone(), self.streams.clone());
        let page = move |toolgate::plugin::routes::Path(name): toolgate::plugin::routes::Path<
            String,
        >| { std::future::ready(site.page(&name)) };
        let stream = move |context: RouteContext| std::future::ready(numbers(&context, &streams));
        let panics = || async {
            if std::hint::black_box(true) {
                panic!("as the test wants");
            }
        };
        let router = Router::new()
            .route("/greet", get(greet))
            .route("/page/{name}", get(page))
            .route("/panic", get(panics))
            .route("/stream", get(stream));
        Some(Routes::new(router))
    }

    fn cooperative(&self) -> bool {
        self.cooperative
    }
}
