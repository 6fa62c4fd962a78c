//! What authors of plugins test with: a gateway in the test's own process, and the contract that every plugin must keep.
//!
//! ```
//! use serde_json::json;
//! use toolgate::plugin::{NoArguments, Plugin, ToolContext, Tools};
//! use toolgate::testing::TestGateway;
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn tools(&self, tools: &mut Tools) {
//!         tools.add("greet", "Greets you", |_: NoArguments, _: ToolContext| async { "Hello!" });
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
//! # runtime.block_on(async {
//! let gateway = TestGateway::builder()
//!     .plugin("greeter", Greeter)
//!     .build()
//!     .await
//!     .expect("the plugin starts");
//! let result = gateway.call("greeter__greet", json!({})).await.expect("it answers");
//! assert_eq!(result["content"][0]["text"], "Hello!");
//! assert!(gateway.stop().await.is_empty(), "nothing is left running");
//! # });
//! ```
//!
//! A plugin of any runtime that lies in a folder is tried by `toolgate plugins test DIR`, or from a test by
//! [`contract::check`].

pub mod contract;

mod gateway;

pub use gateway::{Builder, TestGateway};
