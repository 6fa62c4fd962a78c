//! A server on the other end of an in-memory pipe.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

use super::*;
use crate::background::Supervisor;
use crate::manifest::parse_toml;
use crate::model::caller::ClientProfile;
use crate::model::fault::FaultKind;
use crate::runtime::lines::Why;

/// How many bytes a direction of the pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// The server's end.
struct Peer {
    input: tokio::io::Lines<BufReader<DuplexStream>>,
    output: DuplexStream,
}

impl Peer {
    async fn next(&mut self) -> Value {
        let line = self.input.next_line().await.expect("a line");
        serde_json::from_str(&line.expect("the pipe is open")).expect("JSON")
    }

    async fn say(&mut self, message: Value) {
        let line = format!("{message}\n");
        let written = self.output.write_all(line.as_bytes()).await;
        written.expect("the pipe is open");
    }

    /// Answers requests as a modern server does until one to listen comes, and gives its id.
    async fn asked_to_listen(&mut self) -> Value {
        loop {
            let request = self.next().await;
            let result = match request["method"].as_str() {
                Some("server/discover") => json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": { "tools": { "listChanged": true } },
                }),
                Some("tools/list") => json!({ "resultType": "complete", "tools": [] }),
                Some("subscriptions/listen") => return request["id"].clone(),
                other => unreachable!("{other:?}"),
            };
            let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
            self.say(answer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_modern_server_that_ends_our_subscription_is_asked_for_another() {
    let (input, its_input) = duplex(PIPE_BYTES);
    let (its_output, output) = duplex(PIPE_BYTES);
    let mut peer = Peer {
        input: BufReader::new(its_input).lines(),
        output: its_output,
    };
    let text = "id = \"up\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\n[mcp_stdio]\ncommand = [\"up\"]\n";
    let manifest = Arc::new(parse_toml(text).unwrap_or_else(|problems| panic!("{problems:?}")));
    let supervisor = Supervisor::new();
    let profile = Arc::new(ClientProfile::bare());
    let session = Session::new("s".into(), "me".into(), profile);
    let host = Host {
        session: Some(Arc::clone(&session)),
        ..Host::of(manifest.id.clone(), supervisor, "0.0.0")
    };
    let why: Why = Box::new(|| Box::pin(async { Fault::new(FaultKind::Unavailable, "it ended") }));
    let pipe = (output, input);
    let lines = Lines::start(manifest.id.clone(), pipe, PIPE_BYTES, &host, why);
    let serving = async {
        let first = peer.asked_to_listen().await;
        let about = json!({ "io.modelcontextprotocol/subscriptionId": first });
        peer.say(json!({
            "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": { "_meta": about, "notifications": { "toolsListChanged": true } },
        }))
        .await;
        // It sends no result.
        peer.say(json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": first },
        }))
        .await;
        (first, peer.asked_to_listen().await)
    };
    let opening = Server::open(lines, &manifest, EraChoice::Modern, host);
    let both = futures::future::join(opening, serving);
    let bound = Duration::from_secs(30);
    let (server, (first, second)) = tokio::time::timeout(bound, both)
        .await
        .expect("it asks again");
    assert_ne!(first, second);
    let server = server.expect("it starts");
    assert!(server.is_open());
    // It is everyone's.
    assert_eq!(Arc::strong_count(&session), 1);
}
