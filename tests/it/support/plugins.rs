//! Plugins that tests are made of.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;
use toolgate::plugin::{NoArguments, Plugin, ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;
use toolgate::wire::message::Params;
use toolgate::wire::method::Method;

use crate::support::within;

struct Of<F>(F);

impl<F: Fn(&mut Tools) + Send + Sync + 'static> Plugin for Of<F> {
    fn tools(&self, tools: &mut Tools) {
        (self.0)(tools);
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// A plugin of these tools.
pub(crate) fn plugin(tools: impl Fn(&mut Tools) + Send + Sync + 'static) -> impl Plugin {
    Of(tools)
}

/// A plugin with the one tool `ask`: asks the client the `method` of its arguments with the `params` there, and answers
/// with what it was told, as text.
pub(crate) fn asker() -> impl Plugin {
    plugin(|tools| {
        let definition = Json::literal(r#"{"name":"ask","inputSchema":{"type":"object"}}"#);
        tools.raw(definition, |arguments, context: ToolContext| async move {
            let arguments = Params::from(arguments).members;
            let method = Method::of(&arguments.string("method").unwrap_or_default());
            let params = arguments.get("params").cloned();
            let params = params.map(Params::from).unwrap_or_default();
            let told = match context.ask(method, params).await {
                Ok(result) => result.as_str().to_owned(),
                Err(error) => format!("{}: {}", error.code, error.message),
            };
            let content = json!({ "content": [{ "type": "text", "text": told }] });
            Ok::<_, ToolError>(Json::of(&content))
        });
    })
}

/// Holds calls until it is opened, and counts them. Clones are the same latch.
#[derive(Clone)]
pub(crate) struct Latch(Arc<State>);

struct State {
    open: watch::Sender<bool>,
    begun: watch::Sender<usize>,
    given_up: watch::Sender<usize>,
    done: watch::Sender<usize>,
}

/// One call that is held.
struct Held {
    state: Arc<State>,
    done: bool,
}

impl Latch {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            open: watch::Sender::new(false),
            begun: watch::Sender::new(0),
            given_up: watch::Sender::new(0),
            done: watch::Sender::new(0),
        }))
    }

    /// A plugin with the one tool `wait`, whose calls are held.
    pub(crate) fn plugin(&self) -> impl Plugin {
        let latch = self.clone();
        plugin(move |tools| {
            let latch = latch.clone();
            tools.add(
                "wait",
                "Waits until it is let go",
                move |_: NoArguments, _| {
                    let latch = latch.clone();
                    async move {
                        latch.hold().await;
                        Ok::<_, ToolError>("let go")
                    }
                },
            );
        })
    }

    /// Waits until the latch is open; counted as a call.
    pub(crate) async fn hold(&self) {
        self.0.begun.send_modify(|count| *count += 1);
        let mut held = Held {
            state: Arc::clone(&self.0),
            done: false,
        };
        self.0
            .open
            .subscribe()
            .wait_for(|open| *open)
            .await
            .expect("the latch lives");
        held.done = true;
    }

    /// Lets all calls go, also those to come.
    pub(crate) fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Waits until so many calls have come.
    pub(crate) async fn begun(&self, count: usize) {
        reached("calls reach the tool", &self.0.begun, count).await;
    }

    /// Waits until so many calls were given up while they were held.
    pub(crate) async fn given_up(&self, count: usize) {
        reached("calls are given up", &self.0.given_up, count).await;
    }

    /// Waits until so many calls were let go.
    pub(crate) async fn done(&self, count: usize) {
        reached("calls are let go", &self.0.done, count).await;
    }

    /// How many calls came, were given up, and were let go.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (
            *self.0.begun.borrow(),
            *self.0.given_up.borrow(),
            *self.0.done.borrow(),
        )
    }
}

async fn reached(what: &str, counter: &watch::Sender<usize>, count: usize) {
    let mut counter = counter.subscribe();
    within(what, counter.wait_for(|so_far| *so_far >= count))
        .await
        .expect("the latch lives");
}

impl Drop for Held {
    fn drop(&mut self) {
        let counter = if self.done {
            &self.state.done
        } else {
            &self.state.given_up
        };
        counter.send_modify(|count| *count += 1);
    }
}
