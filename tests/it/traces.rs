//! Spans of calls: which trace they belong to, what plugins are told of it, and that a collector delays nobody.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use toolgate::plugin::{Plugin, ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;

use crate::hostile::{result_of, text, text_of};
use crate::support::{Request, TestGateway, modern, plugin, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "00f067aa0ba902b7";

/// One span as a collector sees it.
#[derive(Debug, Clone)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    /// 2 is a server, 3 a client.
    kind: u64,
    attributes: Vec<(String, String)>,
}

impl Span {
    fn get(&self, key: &str) -> &str {
        let mut all = self.attributes.iter();
        all.find(|(known, _)| known == key)
            .map_or("", |(_, value)| value)
    }
}

/// Stands in for a collector: takes what is posted to it.
struct Collector {
    address: String,
    spans: Arc<Mutex<Vec<Span>>>,
    heads: Arc<Mutex<Vec<String>>>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (taken, asked) = (Arc::clone(&spans), Arc::clone(&heads));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (taken, asked) = (Arc::clone(&taken), Arc::clone(&asked));
                tokio::spawn(async move {
                    while let Some((head, body)) = request(&mut stream).await {
                        asked.lock().expect("fine").push(head);
                        let read = message(&body, &[1, 2, 2])
                            .into_iter()
                            .map(|span| span_of(&span));
                        taken.lock().expect("fine").extend(read);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                        stream.write_all(answer).await.ok();
                    }
                });
            }
        });
        Self {
            address,
            spans,
            heads,
            _task: tokio_util::task::AbortOnDropHandle::new(task),
        }
    }

    fn config(&self) -> String {
        format!(
            "[telemetry.traces]\nenabled = true\nendpoint = \"http://{}\"\nheaders = {{ x-key = \"abc\" }}\nservice_name = \"gate\"\n",
            self.address
        )
    }

    /// Waits for so many spans of this trace.
    async fn of(&self, trace: &str, count: usize) -> Vec<Span> {
        let found = || {
            let spans = self.spans.lock().expect("fine").clone();
            let found = spans.into_iter().filter(|span| span.trace == trace);
            found.collect::<Vec<_>>()
        };
        until("the spans arrive", || found().len() >= count).await;
        found()
    }
}

/// One request with a length.
async fn request(stream: &mut tokio::net::TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length
            .and_then(|text| text.trim().parse().ok())
            .expect("a length");
        while read.len() < end + 4 + length {
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        }
        return Some((head, read[end + 4..].to_vec()));
    }
}

/// The fields of a message in protobuf: their numbers, and what is in them.
fn fields(mut text: &[u8]) -> Vec<(u64, Field)> {
    let mut found = Vec::new();
    while !text.is_empty() {
        let key = number(&mut text);
        let size = match key & 7 {
            0 => {
                found.push((key >> 3, Field::Number(number(&mut text))));
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut text)).expect("a length"),
            5 => 4,
            other => panic!("no such kind: {other}"),
        };
        let (bytes, rest) = text.split_at(size);
        found.push((key >> 3, Field::Bytes(bytes.to_vec())));
        text = rest;
    }
    found
}

enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn number(text: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = text.split_first().expect("a number ends");
        *text = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// The messages at this path of fields.
fn message(text: &[u8], path: &[u64]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = path.split_first() else {
        return vec![text.to_vec()];
    };
    let inside = fields(text)
        .into_iter()
        .filter_map(|(field, value)| match value {
            Field::Bytes(bytes) if field == *first => Some(bytes),
            _ => None,
        });
    inside.flat_map(|bytes| message(&bytes, rest)).collect()
}

/// `opentelemetry.proto.trace.v1.Span`.
fn span_of(text: &[u8]) -> Span {
    let one = |path: &[u64]| message(text, path).into_iter().next().unwrap_or_default();
    let hex = |bytes: Vec<u8>| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let words = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let kind = fields(text)
        .into_iter()
        .find_map(|(field, value)| match value {
            Field::Number(kind) if field == 6 => Some(kind),
            _ => None,
        });
    let attributes = message(text, &[9]).into_iter().map(|pair| {
        let part = |path: &[u64]| message(&pair, path).into_iter().next().unwrap_or_default();
        (words(part(&[1])), words(part(&[2, 1])))
    });
    Span {
        trace: hex(one(&[1])),
        id: hex(one(&[2])),
        parent: hex(one(&[4])),
        name: words(one(&[5])),
        kind: kind.unwrap_or(0),
        attributes: attributes.collect(),
    }
}

/// A plugin that says which `_meta` it sees.
fn seeing() -> impl Plugin {
    plugin(|tools: &mut Tools| {
        let definition = Json::literal(r#"{"name":"meta","inputSchema":{"type":"object"}}"#);
        tools.raw(definition, |_, context: ToolContext| async move {
            let seen = context.meta().to_json();
            let content = json!({ "content": [{ "type": "text", "text": seen.as_str() }] });
            Ok::<_, ToolError>(Json::of(&content))
        });
    })
}

fn traced(meta: Value) -> Request {
    modern::request(
        "tools/call",
        json!({ "name": "see__meta", "arguments": {}, "_meta": meta }),
    )
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{CLIENT}-{flags}")
}

/// What the plugin was told, of a request.
async fn seen(gateway: &TestGateway, request: &Request) -> Value {
    let told = text_of(&result_of(&gateway.send(request).await));
    serde_json::from_str(&told).expect("it shows JSON")
}

/// O13: a call joins the trace of its client, whichever way that names it, and the plugin is told of its own span.
#[tokio::test]
async fn a_call_is_part_of_the_trace_of_its_client() {
    let collector = Collector::start().await;
    let gateway = TestGateway::builder()
        .config(&collector.config())
        .plugin("see", seeing())
        .build()
        .await;
    let by_meta = traced(json!({ "traceparent": parent("01"), "tracestate": "a=1" }));
    let by_header = traced(json!({})).header("traceparent", &parent("01").replace("0af7", "1af7"));
    for (request, trace) in [
        (by_meta, TRACE.to_owned()),
        (by_header, TRACE.replace("0af7", "1af7")),
    ] {
        let seen = seen(&gateway, &request).await;
        let spans = collector.of(&trace, 2).await;
        let of_kind = |kind| {
            spans
                .iter()
                .find(|span| span.kind == kind)
                .expect("it is there")
        };
        let (server, client) = (of_kind(2), of_kind(3));
        assert_eq!(server.parent, CLIENT);
        assert_eq!(client.parent, server.id);
        assert_eq!(seen["traceparent"], format!("00-{trace}-{}-01", client.id));
        assert_eq!(server.name, "tools/call see__meta");
        assert_eq!(server.get("mcp.method.name"), "tools/call");
        assert_eq!(server.get("gen_ai.tool.name"), "see__meta");
        assert_eq!(client.get("gen_ai.tool.name"), "meta");
        assert_eq!(client.get("toolgate.plugin"), "see");
        assert_eq!(server.get("error.type"), "");
    }
    let heads = collector.heads.lock().expect("fine").join("\n");
    assert!(heads.starts_with("post /v1/traces "), "{heads}");
    assert!(heads.contains("x-key: abc"), "{heads}");
    // One that its client does not record is not recorded here, and is told on as it is.
    let unrecorded = parent("00").replace("0af7", "2af7");
    let seen = seen(&gateway, &traced(json!({ "traceparent": unrecorded }))).await;
    assert_eq!(seen["traceparent"], unrecorded);
    gateway.finish().await;
    let all = collector.spans.lock().expect("fine").clone();
    assert_eq!(all.len(), 4, "{all:?}");
}

/// A call without a trace begins one; what went wrong stands in it. What is under way at the end is sent.
#[tokio::test]
async fn a_failure_is_told_and_the_last_spans_are_sent() {
    let collector = Collector::start().await;
    let gateway = TestGateway::builder()
        .config(&collector.config())
        .build()
        .await;
    let answer = gateway
        .send(&modern::call("nobody__nothing", json!({})))
        .await;
    assert_eq!(answer.status, 200);
    gateway.finish().await;
    let spans = collector.spans.lock().expect("fine").clone();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(
        (spans[0].parent.as_str(), spans[0].get("error.type")),
        ("", "not_found")
    );
}

/// With traces off, what a client says of its trace passes through as it is, and no header becomes anything.
#[tokio::test]
async fn without_traces_nothing_is_touched() {
    let gateway = TestGateway::builder().plugin("see", seeing()).build().await;
    let odd = json!({ "traceparent": "00-odd", "tracestate": "a=1", "baggage": "b=2" });
    let seen_odd = seen(&gateway, &traced(odd.clone())).await;
    for key in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(seen_odd[key], odd[key]);
    }
    let headed = traced(json!({})).header("traceparent", &parent("01"));
    assert_eq!(seen(&gateway, &headed).await["traceparent"], Value::Null);
    gateway.finish().await;
}

/// A collector that never answers delays no call, and not the end of the gateway.
#[tokio::test]
async fn a_silent_collector_delays_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = silent.local_addr().expect("it is bound");
    let gateway = TestGateway::builder()
        .config(&sent_to(&address))
        .build()
        .await;
    for _ in 0..20 {
        text(&gateway, "echo__echo", json!({ "text": "x" })).await;
    }
    let began = std::time::Instant::now();
    gateway.finish().await;
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(3), "{took:?}");
}

/// What a collector does not take is counted.
#[tokio::test]
async fn lost_spans_are_counted() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = gone.local_addr().expect("it is bound");
    drop(gone);
    let gateway = TestGateway::builder()
        .config(&sent_to(&address))
        .build()
        .await;
    text(&gateway, "echo__echo", json!({ "text": "x" })).await;
    let spans = gateway.app.desk.dispatcher.metrics().spans().cloned();
    let spans = spans.expect("they are wanted");
    until("both are given up", || spans.dropped() == 2).await;
    let metrics = gateway.send(&Request::new("GET", "/metrics")).await.text();
    assert!(
        metrics.contains("toolgate_spans_dropped_total 2"),
        "{metrics}"
    );
    gateway.finish().await;
}

fn sent_to(address: &std::net::SocketAddr) -> String {
    format!("[telemetry.traces]\nenabled = true\nendpoint = \"http://{address}\"\n")
}
