//! The trait that authors of in-process plugins implement, and what they build tools, prompts and resources from.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use toolgate::plugin::{Plugin, ToolContext, Tools};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Greet {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn tools(&self, tools: &mut Tools) {
//!         tools
//!             .add("greet", "Greets someone", |args: Greet, _: ToolContext| async move {
//!                 format!("Hello, {}!", args.name)
//!             })
//!             .read_only();
//!     }
//! }
//! ```
//!
//! Prompts and resources are offered in the same way, and the plugin can tell of changes:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use toolgate::plugin::{Completion, Plugin, Prompts, ResourceRequest, Resources, ToolContext, Tools};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Note {
//!     /// What is to be remembered.
//!     text: String,
//! }
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Ask {
//!     /// The language of the answer.
//!     language: String,
//! }
//!
//! #[derive(Default)]
//! struct Notes(Arc<Mutex<Vec<String>>>);
//!
//! impl Plugin for Notes {
//!     fn tools(&self, tools: &mut Tools) {
//!         let (notes, notifier) = (Arc::clone(&self.0), tools.notifier());
//!         tools.add("note", "Remembers something", move |note: Note, _: ToolContext| {
//!             notes.lock().expect("no holder panics").push(note.text);
//!             // Who watches the resource is told.
//!             notifier.updated("notes://all");
//!             async { "Noted." }
//!         });
//!     }
//!
//!     fn prompts(&self, prompts: &mut Prompts) {
//!         prompts
//!             .add("sum-up", "Sums the notes up", |ask: Ask, _: ToolContext| async move {
//!                 format!("Sum up my notes in {}.", ask.language)
//!             })
//!             .complete("language", |typed, _| async move {
//!                 Completion::starting_with(&typed, ["English", "Español"])
//!             });
//!     }
//!
//!     fn resources(&self, resources: &mut Resources) {
//!         let notes = Arc::clone(&self.0);
//!         resources
//!             .add("notes://all", "notes", move |_: ToolContext| {
//!                 let text = notes.lock().expect("no holder panics").join("\n");
//!                 async { text }
//!             })
//!             .mime_type("text/plain");
//!         let notes = Arc::clone(&self.0);
//!         resources.template("notes://{number}", "note", move |note: ResourceRequest, _| {
//!             let number = note.value("number").and_then(|number| number.parse::<usize>().ok());
//!             let notes = notes.lock().expect("no holder panics");
//!             let found = number.and_then(|number| notes.get(number).cloned());
//!             // `None` is a resource that is not there.
//!             async { found }
//!         });
//!     }
//! }
//! ```
//!
//! What it needs it is given at its start, as its manifest asks for it: here by `kind = "handler"` and
//! `resources = { required = ["clock", "vault"] }`.
//!
//! ```
//! use std::sync::{Arc, OnceLock};
//!
//! use async_trait::async_trait;
//! use serde::Deserialize;
//! use serde_json::json;
//! use toolgate::plugin::{HookResult, NoArguments, Plugin, PluginContext, ToolContext, ToolError, Tools};
//!
//! #[derive(Deserialize)]
//! struct Settings {
//!     account: String,
//! }
//!
//! #[derive(Deserialize)]
//! struct Secret {
//!     value: String,
//! }
//!
//! #[derive(Default)]
//! struct SignIn(Arc<OnceLock<PluginContext>>);
//!
//! #[async_trait]
//! impl Plugin for SignIn {
//!     async fn on_init(&self, context: &PluginContext) -> HookResult {
//!         context.settings::<Settings>()?;
//!         self.0.set(context.clone()).ok();
//!         Ok(())
//!     }
//!
//!     fn tools(&self, tools: &mut Tools) {
//!         let given = Arc::clone(&self.0);
//!         tools.add("sign_in", "Signs in", move |_: NoArguments, _: ToolContext| {
//!             let context = given.get().cloned().expect("`on_init` comes before the first call");
//!             async move {
//!                 let settings: Settings = context.settings()?;
//!                 let vault = context.provider("vault")?;
//!                 let asked = json!({ "name": settings.account });
//!                 let secret: Secret = vault.ask("read", &asked).await?;
//!                 let at = context.clock()?.utc();
//!                 Ok::<_, ToolError>(format!("{} signed in at {at}", secret.value.len()))
//!             }
//!         });
//!     }
//! }
//! ```

mod background;

mod cause;

mod clock;

mod completion;

mod contents;

mod context;

mod events;

mod failure;

mod handle;

mod http_client;

mod message;

mod metrics;

mod notifier;

mod plugin_context;

mod programs;

mod prompts;

mod resources;

mod result;

pub mod routes;

mod schema;

mod templates;

mod tools;

mod weight;

mod wording;

use std::sync::Arc;

use async_trait::async_trait;

pub use crate::model::event::{Event, EventId};
use crate::model::fault::Fault;
use crate::plugin::routes::Routes;

pub use background::{Background, IntoWorkResult};
pub(crate) use background::{Work, Workers};
pub(crate) use cause::Cause;
pub use clock::Clock;
pub(crate) use clock::utc;
pub(crate) use completion::Completers;
pub use completion::{Completing, Completion, IntoCompletion, MAX_VALUES};
pub use contents::{Contents, IntoResourceResult};
pub(crate) use context::Call;
pub use context::{Drawers, ToolContext};
pub use events::Events;
pub(crate) use events::{Hub, Way, Wish, Workplace};
pub use failure::{HookResult, RequestError, ToolError};
pub(crate) use failure::{bad_argument, no_resource};
pub use handle::{ListedTool, PluginHandle, PluginKind, PluginRegistry};
pub(crate) use handle::{Reach, Supply, first_text};
pub(crate) use http_client::Fetch;
pub use http_client::HttpClient;
pub use message::{Content, IntoPromptResult, Message, PromptResult};
pub use metrics::{Counter, Gauge, Histogram, PluginMetrics};
pub(crate) use metrics::{Instrument, MetricKind, MetricsSource};
pub(crate) use notifier::Announce;
pub use notifier::Notifier;
pub(crate) use plugin_context::Given;
pub use plugin_context::PluginContext;
pub(crate) use programs::{
    Confinement, Finished, Kept, MAX_OUTPUT_BYTES, Programs, Run, Same, Sandbox, Sockets,
};
pub(crate) use prompts::{Arguments, PromptHandler};
pub use prompts::{BuiltPrompt, PromptOptions, Prompts};
pub(crate) use resources::Place;
pub use resources::{BuiltResource, ResourceOptions, ResourceRequest, Resources};
pub use result::{IntoToolResult, Structured, Worded};
pub use templates::{TemplateError, Templates};
pub(crate) use tools::Handler;
pub use tools::{Annotations, BuiltTool, Category, NoArguments, Risk, ToolOptions, Tools};
pub(crate) use weight::Weigh;
pub use weight::{Change, Weight};
pub use wording::{ContentAnnotations, Icon, Role};

/// Makes an instance of a plugin.
pub type Factory = Arc<dyn Fn() -> Arc<dyn Plugin> + Send + Sync>;

/// A plugin that is part of this program.
///
/// One value serves everyone who calls; what belongs to one session lies in [`ToolContext::drawer`]. The hooks run one
/// after the other: `on_load`, `on_init`, `tools`, `prompts`, `resources`, `routes`, `on_start`, and at the end `on_stop`. A panic
/// in any of them is a failure of the plugin, not of the gateway.
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// Adds its tools. Called once, after `on_init`, so the settings may decide what is offered; and again after
    /// [`Notifier::lists_changed`]. Handlers outlive the call: they hold what they need, usually a clone of an `Arc`.
    fn tools(&self, tools: &mut Tools) {
        let _ = tools;
    }

    /// Adds its prompts. Called when `tools` is, and after it.
    fn prompts(&self, prompts: &mut Prompts) {
        let _ = prompts;
    }

    /// Adds its resources and resource templates. Called when `tools` is, and after `prompts`.
    fn resources(&self, resources: &mut Resources) {
        let _ = resources;
    }

    /// Its HTTP routes under `/ext/{id}`, where it has the grant `ROUTES`. Called when `tools` is, and after `resources`.
    fn routes(&self) -> Option<Routes> {
        None
    }

    /// The files it serves under `/ext/{id}` where it has the grant `STATIC` and its manifest has `[static]`: for plugins
    /// that are compiled in and have no folder. `[static] dir` names the directory in it.
    fn files(&self) -> Option<&'static include_dir::Dir<'static>> {
        None
    }

    /// What a model should know about the use of these tools.
    fn instructions(&self) -> Option<String> {
        None
    }

    /// Whether it promises never to block its thread: no blocking calls, no computation longer than about a
    /// millisecond between two `.await`s. Such a plugin is polled in the task of its caller, which is fastest. All
    /// others run on a thread of their own with a tokio runtime, where a blocked thread delays this plugin only.
    fn cooperative(&self) -> bool {
        false
    }

    /// Has been loaded: before the settings are known.
    async fn on_load(&self) -> HookResult {
        Ok(())
    }

    /// Gets its settings, and the resources that its manifest asks for. Providers among them have been started. Called
    /// again when the operator changes the settings while it runs, unless `config_change` in its manifest says otherwise:
    /// an error then leaves the settings as they were, and it is called once more with those.
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let _ = context;
        Ok(())
    }

    /// Is about to be called.
    async fn on_start(&self) -> HookResult {
        Ok(())
    }

    /// Will not be called again. Only after a successful `on_start`; has ten seconds.
    async fn on_stop(&self) -> HookResult {
        Ok(())
    }

    /// Hears of a failure of its own: a hook that failed, a tool that panicked. `true` says that the plugin has dealt
    /// with it: the gateway then keeps no error against it. The failed hook or call stays failed.
    async fn on_error(&self, fault: &Fault) -> bool {
        let _ = fault;
        false
    }

    /// Says whether it is well.
    async fn health_check(&self) -> HookResult {
        Ok(())
    }
}
