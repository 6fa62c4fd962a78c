//! A client on the standard streams of a gateway, which are pipes in memory here.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::legacy::initialize_params;
use crate::support::{TestGateway, within};

/// How many bytes a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// The client.
pub(crate) struct StdioClient {
    input: Option<DuplexStream>,
    output: BufReader<DuplexStream>,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl StdioClient {
    pub(crate) fn start(gateway: &TestGateway) -> Self {
        let (input, its_input) = tokio::io::duplex(PIPE_BYTES);
        let (its_output, output) = tokio::io::duplex(PIPE_BYTES);
        let app = Arc::clone(&gateway.app);
        let stop = CancellationToken::new();
        let told = stop.clone();
        let serving = tokio::spawn(async move {
            app.serve_stdio((its_input, its_output), told).await;
        });
        Self {
            input: Some(input),
            output: BufReader::new(output),
            serving,
            stop,
        }
    }

    /// A client that has opened a session.
    pub(crate) async fn initialized(gateway: &TestGateway, version: &str) -> Self {
        Self::initialized_with(gateway, version, json!({})).await
    }

    /// A client of these capabilities that has opened a session.
    pub(crate) async fn initialized_with(
        gateway: &TestGateway,
        version: &str,
        capabilities: Value,
    ) -> Self {
        let mut client = Self::start(gateway);
        let params = initialize_params(version, capabilities);
        let answer = client.ask("init", "initialize", params).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        client.tell("notifications/initialized", json!({})).await;
        client
    }

    /// Sends bytes, whatever they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        within("the gateway reads", input.write_all(bytes))
            .await
            .expect("the gateway reads");
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes()).await;
    }

    /// Sends a legacy request.
    pub(crate) async fn request(&mut self, id: impl Into<Value>, method: &str, params: Value) {
        self.send(
            &json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params }),
        )
        .await;
    }

    /// Sends a legacy request and reads the next message.
    pub(crate) async fn ask(&mut self, id: impl Into<Value>, method: &str, params: Value) -> Value {
        self.request(id, method, params).await;
        self.next().await
    }

    pub(crate) async fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    /// Reads the next message.
    pub(crate) async fn next(&mut self) -> Value {
        self.next_or_end().await.expect("the gateway goes on")
    }

    /// Reads the next message; `None` at the end of the output.
    pub(crate) async fn next_or_end(&mut self) -> Option<Value> {
        let line = self.line().await?;
        Some(serde_json::from_str(&line).unwrap_or_else(|err| panic!("no JSON ({err}): {line}")))
    }

    /// Reads the next line, as it is; `None` at the end of the output.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = within("the gateway writes", self.output.read_line(&mut line)).await;
        if read.expect("the output is UTF-8") == 0 {
            return None;
        }
        assert_eq!(line.pop(), Some('\n'), "a whole line: {line}");
        Some(line)
    }

    /// Tells the gateway to stop, as a signal does.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the front to end.
    pub(crate) async fn ended(&mut self) {
        within("the front ends", &mut self.serving)
            .await
            .expect("the front does not panic");
    }

    /// Ends the input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    /// Ends the input and waits for the gateway to end; gives what it still wrote.
    pub(crate) async fn finish(mut self) -> Vec<Value> {
        self.close();
        self.ended().await;
        let mut rest = Vec::new();
        while let Some(message) = self.next_or_end().await {
            rest.push(message);
        }
        rest
    }
}
