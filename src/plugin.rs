//! The trait that authors of in-process plugins implement, and what they build tools from.
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

mod context;

mod failure;

mod result;

mod schema;

mod tools;

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::fault::Fault;

pub(crate) use context::Call;
pub use context::{Drawers, ToolContext};
pub use failure::{HookResult, ToolError};
pub use result::{IntoToolResult, Structured};
pub(crate) use tools::Handler;
pub use tools::{Annotations, BuiltTool, Category, NoArguments, ToolOptions, Tools};

/// Makes an instance of a plugin.
pub type Factory = Arc<dyn Fn() -> Arc<dyn Plugin> + Send + Sync>;

/// A plugin that is part of this program.
///
/// One value serves everyone who calls; what belongs to one session lies in [`ToolContext::drawer`]. The hooks run one
/// after the other: `on_load`, `on_init`, `tools`, `on_start`, and at the end `on_stop`. A panic in any of them is a
/// failure of the plugin, not of the gateway.
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// Adds its tools. Called once, after `on_init`, so the settings may decide what is offered. Handlers outlive the
    /// call: they hold what they need, usually a clone of an `Arc`.
    fn tools(&self, tools: &mut Tools);

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

    /// Gets its settings: the `config` of the manifest and of the operator, an object.
    async fn on_init(&self, config: &serde_json::Value) -> HookResult {
        let _ = config;
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
