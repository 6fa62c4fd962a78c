//! A gateway that has the plugin `greeter` compiled in.

use std::process::ExitCode;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use toolgate::app::compiled_in;
use toolgate::builtin::{self, Builtin};
use toolgate::plugin::{Plugin, ToolContext, Tools};

/// The plugin.
struct Greeter;

/// The arguments of `greet`: their types and comments become the schema of the tool.
#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Who is greeted.
    name: String,
}

impl Plugin for Greeter {
    fn tools(&self, tools: &mut Tools) {
        tools
            .add(
                "greet",
                "Greets someone by name.",
                |args: Greet, _: ToolContext| async move { format!("Hello, {}!", args.name) },
            )
            .read_only();
    }

    /// It never blocks its thread.
    fn cooperative(&self) -> bool {
        true
    }
}

fn main() -> ExitCode {
    let mut plugins = builtin::all();
    plugins.push(Builtin {
        id: "greeter",
        manifest_toml: include_str!("../plugin.toml"),
        factory: Arc::new(|| Arc::new(Greeter)),
    });
    toolgate::cli::main_with(&plugins, compiled_in(&plugins))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolgate::testing::TestGateway;

    use super::*;

    #[tokio::test]
    async fn it_greets() {
        let gateway = TestGateway::builder()
            .plugin("greeter", Greeter)
            .build()
            .await
            .expect("it starts");
        let result = gateway
            .call("greeter__greet", json!({ "name": "Ada" }))
            .await
            .expect("it answers");
        assert_eq!(result["content"][0]["text"], "Hello, Ada!");
        assert!(gateway.stop().await.is_empty());
    }
}
