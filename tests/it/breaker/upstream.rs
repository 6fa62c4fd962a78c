//! A modern MCP server over HTTP whose calls are answered as a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// How calls of tools are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// With a result.
    Well,
    /// With this status and nothing else.
    Status(&'static str),
    /// Like everything else, with 429 and the wish to be left alone for a second.
    Limited,
    /// Not at all: the connection is closed.
    Broken,
    /// Not at all, nor anything else: the connection stays open.
    Silent,
    /// With a result, once the test lets it.
    Held,
}

/// The server. Ends with the runtime of its test.
pub(crate) struct Upstream {
    port: u16,
    mood: watch::Sender<Mood>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    calls: AtomicUsize,
    /// When requests of any kind came.
    came: Mutex<Vec<Instant>>,
    go: Notify,
}

impl Upstream {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (mood, state) = (watch::Sender::new(mood), Arc::new(State::default()));
        let (moods, shared) = (mood.subscribe(), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, moods.clone(), Arc::clone(&shared)));
            }
        });
        Self { port, mood, state }
    }

    /// An entry of `[plugins]` for it, with more lines.
    pub(crate) fn entry(&self, lines: &str) -> String {
        let port = self.port;
        format!(
            "[plugins.up]\nruntime = \"mcp_http\"\nera = \"modern\"\nmcp_http = {{ url = \"http://127.0.0.1:{port}/mcp\" }}\n{lines}\n"
        )
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Lets one call go that is held.
    pub(crate) fn let_go(&self) {
        self.state.go.notify_one();
    }

    /// How many calls have come.
    pub(crate) fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// When requests of any kind came.
    pub(crate) fn came(&self) -> Vec<Instant> {
        let came = self.state.came.lock();
        came.expect("no holder of this lock panics").clone()
    }
}

impl State {
    fn note(&self) {
        let mut came = self.came.lock().expect("no holder of this lock panics");
        came.push(Instant::now());
    }
}

async fn serve(mut socket: TcpStream, moods: watch::Receiver<Mood>, state: Arc<State>) {
    let mut buffer = Vec::new();
    while let Some(message) = read(&mut socket, &mut buffer).await {
        state.note();
        let result = |result: &Value| {
            let text = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            answer(
                "200 OK",
                "content-type: application/json\r\n",
                &text.to_string(),
            )
        };
        let mood = *moods.borrow();
        if mood == Mood::Silent {
            state.calls.fetch_add(1, Ordering::SeqCst);
            return std::future::pending().await;
        }
        let text = match message["method"].as_str().unwrap_or_default() {
            _ if mood == Mood::Limited => answer("429 Too Many Requests", "retry-after: 1\r\n", ""),
            "server/discover" => result(&json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"],
                "capabilities": { "tools": {} }, "ttlMs": 0, "cacheScope": "private",
            })),
            "tools/list" => result(&json!({
                "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }],
            })),
            "tools/call" => {
                state.calls.fetch_add(1, Ordering::SeqCst);
                if mood == Mood::Held {
                    state.go.notified().await;
                }
                match mood {
                    Mood::Well | Mood::Held => {
                        result(&json!({ "resultType": "complete", "content": [] }))
                    }
                    Mood::Status(status) => answer(status, "", ""),
                    Mood::Broken | Mood::Silent | Mood::Limited => return,
                }
            }
            _ => answer("404 Not Found", "", ""),
        };
        if socket.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Value> {
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if buffer.len() >= whole {
                let message = serde_json::from_slice(&buffer[end + 4..whole]);
                buffer.drain(..whole);
                return Some(message.unwrap_or_default());
            }
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
