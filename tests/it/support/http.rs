//! An HTTP client that sends exactly what it is told to, and reads answers and streams.

use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::within;

/// How much a narrow connection takes in before its client reads.
const NARROW_BYTES: u32 = 4 << 10;

/// What is to be sent.
#[derive(Clone)]
pub(crate) struct Request {
    verb: String,
    path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One event of a stream, with or without a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) retry: Option<u64>,
    pub(crate) message: Option<Value>,
}

/// A connection to the gateway.
pub(crate) struct Connection {
    stream: TcpStream,
    read: BytesMut,
    /// What is left of the chunk that is being read.
    chunk: usize,
}

impl Request {
    pub(crate) fn new(verb: &str, path: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A message for the MCP endpoint, with the headers every such message has.
    pub(crate) fn message(body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", "/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        request.body = body.into();
        request
    }

    /// Adds a header, also one that is there already.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a header to this one value.
    #[must_use]
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// With this body, as JSON.
    #[must_use]
    pub(crate) fn body_of(self, body: &Value) -> Self {
        let mut request = self.set("content-type", "application/json");
        request.body = body.to_string().into_bytes();
        request
    }

    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// The same request to another path.
    #[must_use]
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    #[must_use]
    pub(crate) fn token(self, token: &str) -> Self {
        self.set("authorization", &format!("Bearer {token}"))
    }

    /// What goes over the wire. `Host` and `Content-Length` are right unless the request says otherwise.
    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{} {} HTTP/1.1\r\n", self.verb, self.path);
        if !has("host") {
            head.push_str(&format!("host: {address}\r\n"));
        }
        if !has("content-length") && !has("transfer-encoding") && !self.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|err| panic!("no JSON ({err}): {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The code of the JSON-RPC error in it.
    #[track_caller]
    pub(crate) fn code(&self) -> i64 {
        self.json()["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no error code: {} {}", self.status, self.text()))
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.header("content-type") == "text/event-stream"
    }

    /// The messages of an answer that is a stream.
    pub(crate) fn events(&self) -> Vec<Value> {
        assert!(self.is_stream(), "no stream: {}", self.text());
        let text = self.text();
        let events = text.split("\n\n").filter(|event| !event.is_empty());
        events.filter_map(message).collect()
    }
}

/// The message in one event, unless it has none.
fn message(event: &str) -> Option<Value> {
    let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
    let data: Vec<&str> = data.map(str::trim_start).collect();
    (!data.concat().is_empty())
        .then(|| serde_json::from_str(&data.join("\n")).expect("events hold JSON"))
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = within("the gateway accepts", TcpStream::connect(address)).await;
        let stream = stream.expect("the gateway listens");
        stream.set_nodelay(true).expect("a TCP stream");
        Self {
            stream,
            read: BytesMut::new(),
            chunk: 0,
        }
    }

    /// A connection of a client with little room for what it does not read.
    pub(crate) async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket
            .set_recv_buffer_size(NARROW_BYTES)
            .expect("the size can be set");
        let stream = within("the gateway accepts", socket.connect(address)).await;
        Self {
            stream: stream.expect("the gateway listens"),
            read: BytesMut::new(),
            chunk: 0,
        }
    }

    /// Sends bytes; `false` when the gateway has closed the connection.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        within("the gateway reads", self.stream.write_all(bytes))
            .await
            .is_ok()
    }

    /// Sends bytes, whatever they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let written = within("the gateway reads", self.stream.write_all(bytes)).await;
        written.expect("the gateway reads");
    }

    fn peer(&self) -> SocketAddr {
        self.stream.peer_addr().expect("the connection is open")
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &Request) -> Answer {
        self.write(&request.bytes(self.peer())).await;
        self.answer().await
    }

    /// Sends a request and reads the head of its answer; the body is left to be read.
    pub(crate) async fn begin(&mut self, request: &Request) -> Answer {
        self.write(&request.bytes(self.peer())).await;
        self.head().await
    }

    /// Reads a head.
    pub(crate) async fn head(&mut self) -> Answer {
        let status = self.line().await;
        let status = status
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.expect("a status line");
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "", "a header");
                return Answer {
                    status,
                    headers,
                    body: Bytes::new(),
                };
            };
            let name: HeaderName = name.parse().expect("a header name");
            headers.append(
                name,
                HeaderValue::from_str(value.trim()).expect("a header value"),
            );
        }
    }

    /// Reads a whole answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        if answer.header("transfer-encoding") == "chunked" {
            let mut body = Vec::new();
            while let Some(part) = self.part().await {
                body.extend_from_slice(&part);
            }
            answer.body = body.into();
        } else if let Ok(length) = answer.header("content-length").parse() {
            self.have(length).await;
            answer.body = self.read.split_to(length).freeze();
        }
        answer
    }

    /// Reads the next message of a stream; `None` at its end. Comments and empty events are passed over.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        loop {
            // The gateway writes an event in one piece.
            let part = self.part().await?;
            let text = std::str::from_utf8(&part).expect("events are UTF-8");
            if let Some(message) = message(text) {
                return Some(message);
            }
        }
    }

    /// Reads the next event of a stream, whatever it holds; `None` at its end. Comments are passed over.
    pub(crate) async fn whole_event(&mut self) -> Option<Event> {
        loop {
            let part = self.part().await?;
            let text = std::str::from_utf8(&part).expect("events are UTF-8");
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            if !text.starts_with(':') {
                return Some(Event {
                    id: field("id: ").unwrap_or_default().to_owned(),
                    retry: field("retry: ").and_then(|retry| retry.parse().ok()),
                    message: message(text),
                });
            }
        }
    }

    /// Reads the next part of a chunked body; `None` at its end.
    pub(crate) async fn part(&mut self) -> Option<Bytes> {
        let size = self.line().await;
        self.chunk = usize::from_str_radix(&size, 16).expect("the size of a chunk");
        self.have(self.chunk + 2).await;
        let part = self.read.split_to(self.chunk).freeze();
        self.read.advance(2);
        (self.chunk > 0).then_some(part)
    }

    /// Whether the gateway closes the connection without another word.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more().await
    }

    /// Everything the gateway writes until it closes the connection.
    pub(crate) async fn rest(&mut self) -> Bytes {
        while self.more().await {}
        self.read.split().freeze()
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.split_to(end);
                self.read.advance(2);
                return String::from_utf8(line.to_vec()).expect("lines are ASCII");
            }
            assert!(
                self.more().await,
                "the gateway closed in the middle: {:?}",
                self.read
            );
        }
    }

    async fn have(&mut self, count: usize) {
        while self.read.len() < count {
            assert!(
                self.more().await,
                "the gateway closed in the middle: {:?}",
                self.read
            );
        }
    }

    async fn more(&mut self) -> bool {
        let read = within("the gateway writes", self.stream.read_buf(&mut self.read)).await;
        // A connection that is reset is over too.
        read.unwrap_or(0) > 0
    }
}
