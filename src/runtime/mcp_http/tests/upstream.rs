//! A server that does with its connections whatever a test wants.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::background::Supervisor;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Which of the connections it came on.
    pub(crate) connection: usize,
    pub(crate) verb: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the server does about a request.
pub(crate) enum Step {
    Write(String),
    /// Waits until the test gives way.
    Gate(Arc<Semaphore>),
    Close,
    /// Ends the connection with a TCP reset.
    Reset,
    /// Waits until the client closes the connection.
    Hold,
}

pub(crate) type Handler = dyn Fn(&Seen) -> Vec<Step> + Send + Sync;

/// A server on a free port of this machine. Ends with the runtime of its test.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    /// What the connections were asked that the client closed while they were held.
    pub(crate) hung_up: mpsc::UnboundedReceiver<Seen>,
    tasks: Supervisor,
}

impl Upstream {
    pub(crate) async fn start(
        handler: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (told, seen) = mpsc::unbounded_channel();
        let (told_end, hung_up) = mpsc::unbounded_channel();
        let tasks = Supervisor::new();
        let handler: Arc<Handler> = Arc::new(handler);
        let inner = tasks.clone();
        tasks.spawn("upstream", |stop| async move {
            for connection in 0.. {
                let socket = tokio::select! {
                    accepted = listener.accept() => accepted.expect("it listens").0,
                    () = stop.cancelled() => break,
                };
                let (handler, told) = (Arc::clone(&handler), told.clone());
                let (told_end, stop) = (told_end.clone(), stop.clone());
                inner.spawn_request(async move {
                    tokio::select! {
                        () = serve((connection, socket), &*handler, told, told_end) => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
        });
        Self {
            port,
            seen,
            hung_up,
            tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The next request whose method, of MCP or of HTTP, is `name`.
    pub(crate) async fn next(&mut self, name: &str) -> Seen {
        loop {
            let seen = self.seen.recv().await.expect("the server runs");
            if seen.rpc() == name || seen.verb == name {
                return seen;
            }
        }
    }

    /// How many requests of that method have come that nobody has looked at.
    pub(crate) fn count(&mut self, name: &str) -> usize {
        std::iter::from_fn(|| self.seen.try_recv().ok())
            .filter(|seen| seen.rpc() == name || seen.verb == name)
            .count()
    }

    /// Closes all connections and the port.
    pub(crate) fn die(&self) {
        self.tasks.stopping().cancel();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.die();
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(key, _)| key == name);
        let found = all.next().map(|(_, value)| &**value);
        assert!(all.next().is_none(), "`{name}` was sent twice");
        found
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The method of the message; `answer` for an answer to a question of ours, empty for no message.
    pub(crate) fn rpc(&self) -> String {
        match self.json() {
            Value::Null => String::new(),
            message => message["method"].as_str().unwrap_or("answer").to_owned(),
        }
    }

    /// A result for it.
    pub(crate) fn result(&self, result: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.json()["id"], "result": result })
    }
}

async fn serve(
    (connection, mut socket): (usize, TcpStream),
    handler: &Handler,
    told: mpsc::UnboundedSender<Seen>,
    told_end: mpsc::UnboundedSender<Seen>,
) {
    let mut buffer = Vec::new();
    while let Some(mut seen) = read(&mut socket, &mut buffer).await {
        seen.connection = connection;
        let steps = handler(&seen);
        // A test that is over does not look.
        drop(told.send(seen.clone()));
        for step in steps {
            match step {
                Step::Write(text) => {
                    if socket.write_all(text.as_bytes()).await.is_err() {
                        drop(told_end.send(seen));
                        return;
                    }
                }
                Step::Gate(gate) => gate.acquire().await.expect("it stays open").forget(),
                Step::Close => return,
                Step::Reset => {
                    socket2::SockRef::from(&socket)
                        .set_linger(Some(std::time::Duration::ZERO))
                        .expect("a TCP socket has it");
                    return;
                }
                Step::Hold => {
                    while !matches!(socket.read(&mut [0; 1024]).await, Ok(0) | Err(_)) {}
                    drop(told_end.send(seen));
                    return;
                }
            }
        }
    }
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < end + 4 + length {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
    buffer.drain(..end + 4 + length);
    Some(Seen {
        connection: 0,
        verb: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers,
        body,
    })
}

/// A whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<Step> {
    vec![Step::Write(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    ))]
}

/// A JSON answer.
pub(crate) fn json_answer(body: &Value) -> Vec<Step> {
    answer(
        "200 OK",
        "content-type: application/json\r\n",
        &body.to_string(),
    )
}

/// The beginning of a stream of events.
pub(crate) fn stream() -> Step {
    Step::Write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned(),
    )
}

/// One event.
pub(crate) fn event(message: &Value) -> Step {
    chunk(&format!("event: message\ndata: {message}\n\n"))
}

pub(crate) fn chunk(text: &str) -> Step {
    Step::Write(format!("{:x}\r\n{text}\r\n", text.len()))
}

/// The orderly end of a stream.
pub(crate) fn end() -> Step {
    Step::Write("0\r\n\r\n".to_owned())
}

/// A modern server that answers calls with `calls`.
pub(crate) fn modern(
    calls: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    move |seen| match &*seen.rpc() {
        "server/discover" => json_answer(&seen.result(&json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": {} }, "ttlMs": 0, "cacheScope": "private",
        }))),
        "tools/list" => json_answer(&seen.result(&tools(&["echo"]))),
        _ => calls(seen),
    }
}

/// A legacy server with the session `s1`, without a standing stream, that answers calls with `calls`.
pub(crate) fn legacy(
    calls: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    move |seen| match (&*seen.verb, &*seen.rpc()) {
        ("GET", _) => answer("405 Method Not Allowed", "", ""),
        ("DELETE", _) => answer("200 OK", "", ""),
        (_, "server/discover") => {
            let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": "Bad Request: Server not initialized" } });
            answer(
                "400 Bad Request",
                "content-type: application/json\r\n",
                &error.to_string(),
            )
        }
        (_, "initialize") => initialized(seen, "s1"),
        (_, "tools/list") => json_answer(&seen.result(&tools(&["echo"]))),
        (_, "tools/call") => calls(seen),
        _ => answer("202 Accepted", "", ""),
    }
}

/// The answer to `initialize` that opens `session`.
pub(crate) fn initialized(seen: &Seen, session: &str) -> Vec<Step> {
    let result = seen.result(&json!({
        "protocolVersion": "2025-11-25", "capabilities": { "tools": { "listChanged": true }, "logging": {} },
        "serverInfo": { "name": "test", "version": "0" },
    }));
    let headers = format!("content-type: application/json\r\nmcp-session-id: {session}\r\n");
    answer("200 OK", &headers, &result.to_string())
}

/// A list of tools.
pub(crate) fn tools(names: &[&str]) -> Value {
    let tools = names
        .iter()
        .map(|name| json!({ "name": name, "inputSchema": { "type": "object" } }));
    json!({ "tools": tools.collect::<Vec<_>>() })
}
