//! An MCP server on standard input and output. Standard output belongs to the protocol: print to standard error.

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::stdio;
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

/// The arguments of `greet`: their types and comments become the schema of the tool.
#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Who is greeted.
    name: String,
}

/// The server.
struct Greeter {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Greeter {
    #[tool(
        description = "Greets someone by name.",
        annotations(read_only_hint = true)
    )]
    async fn greet(&self, Parameters(args): Parameters<Greet>) -> String {
        format!("Hello, {}!", args.name)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Greeter {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let greeter = Greeter {
        tool_router: Greeter::tool_router(),
    };
    greeter.serve(stdio()).await?.waiting().await?;
    Ok(())
}
