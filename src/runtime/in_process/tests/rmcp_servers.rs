//! Servers written with rmcp, hosted in this process.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;
use crate::runtime::rmcp_host::host as host_rmcp;
use crate::wire::list::ListKind;

/// Says what became of the calls of its tools.
#[derive(Clone)]
struct Server(UnboundedSender<&'static str>);

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("Be kind.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(serde_json::Map::from_iter([(
            "type".to_owned(),
            "object".into(),
        )]));
        let tool = |name| Tool::new(name, "", Arc::clone(&schema));
        let tools = ["say", "hang"].map(tool);
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "say" => {
                if let Some(token) = context.meta.get_progress_token() {
                    let half = ProgressNotificationParam::new(token, 0.5);
                    context
                        .peer
                        .notify_progress(half)
                        .await
                        .expect("the pipe is open");
                }
                let said = request.arguments.unwrap_or_default();
                let text = ContentBlock::text(serde_json::Value::Object(said).to_string());
                Ok(CallToolResult::success(vec![text]).into())
            }
            _ => {
                self.0.send("begun").expect("the test listens");
                context.ct.cancelled().await;
                self.0.send("cancelled").expect("the test listens");
                Err(ErrorData::internal_error("cancelled", None))
            }
        }
    }
}

async fn served() -> (
    Arc<dyn Instance>,
    tokio::sync::mpsc::UnboundedReceiver<&'static str>,
) {
    let (tell, told) = unbounded_channel();
    let hosted = host_rmcp(move || Server(tell.clone()));
    let runtime = InProcess::new().with_rmcp("builtin:p", hosted);
    let plugin = runtime
        .start(manifest(""), host())
        .await
        .expect("the server starts");
    (plugin, told)
}

#[tokio::test]
async fn a_server_is_listed_and_called() {
    let (plugin, _told) = served().await;
    let surface = Arc::clone(&plugin.surface().borrow());
    let names: Vec<_> = surface
        .list(ListKind::Tools)
        .definitions
        .iter()
        .map(|tool| &*tool.name)
        .collect();
    assert_eq!(names, ["say", "hang"]);
    assert_eq!(surface.instructions.as_deref(), Some("Be kind."));

    let ear = Arc::new(Ear::default());
    let asked = call(
        "say",
        r#","arguments":{"z":1,"a":2},"_meta":{"progressToken":"mine"}"#,
    );
    let answer = text(plugin.request(asked, &heard_by(&ear)).await);
    assert!(answer.contains(r#""text":"{\"z\":1,\"a\":2}""#), "{answer}");
    assert_eq!(
        ear.heard(),
        [r#"notifications/progress {"progressToken":"mine","progress":0.5}"#]
    );
    plugin
        .probe(Duration::from_secs(5))
        .await
        .expect("it is well");
    plugin.stop().await;
    plugin.stop().await;
    plugin.ended().cancelled().await;
    assert_eq!(plugin.last_words().as_deref(), Some("it closed its pipe"));
}

#[tokio::test]
async fn an_abandoned_call_is_cancelled_in_the_server() {
    let (plugin, mut told) = served().await;
    let around = context();
    let mut running = plugin.request(call("hang", ""), &around);
    assert!(futures::poll!(&mut running).is_pending());
    assert_eq!(told.recv().await, Some("begun"));
    drop(running);
    assert_eq!(told.recv().await, Some("cancelled"));
    plugin.stop().await;
}

#[tokio::test]
async fn an_instance_that_is_dropped_takes_its_server_along() {
    let (plugin, mut told) = served().await;
    let ended = plugin.ended().clone();
    drop(plugin);
    ended.cancelled().await;
    assert_eq!(told.recv().await, None);
}
