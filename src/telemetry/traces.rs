//! Sends spans of calls to a collector: OTLP over HTTP, in batches, by one task.
//!
//! Calls never wait for it. While the collector is away spans are dropped and counted (`toolgate_spans_dropped_total`), and
//! the log says so once; at the end of the gateway what still waits is sent within a bound.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient as OtlpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::metrics::Metrics;
use crate::metrics::spans::{Ended, Side, Spans};
use crate::plugin::HttpClient;
use crate::runtime::mcp_http::outbound;
use crate::telemetry::config::TracesConfig;

/// The most spans that are sent together.
const MAX_BATCH: usize = 512;

/// How long is waited for more of them.
const GATHER: Duration = Duration::from_millis(500);

/// How long the collector may take.
const SEND: Duration = Duration::from_secs(10);

/// How long it may take for what is under way when the gateway stops, and then for all the rest.
const LAST: Duration = Duration::from_millis(800);

/// Has calls traced from now on, if that is wanted.
pub(crate) fn begin(
    config: &TracesConfig,
    metrics: &Metrics,
    supervisor: &Supervisor,
    version: &'static str,
) {
    if !config.enabled {
        return;
    }
    match exporter(config, version) {
        Ok(exporter) => {
            let (spans, out) = Spans::new(config.sample_ratio);
            metrics.trace_to(spans.clone());
            let sender = Sender {
                exporter,
                spans,
                scope: InstrumentationScope::builder("toolgate")
                    .with_version(version)
                    .build(),
                is_away: false,
            };
            supervisor.spawn("traces", |stop| sender.run(out, stop));
        }
        Err(why) => tracing::error!("Traces are not sent: {why}"),
    }
}

fn exporter(config: &TracesConfig, version: &'static str) -> Result<SpanExporter, String> {
    let headers = config.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let built = SpanExporter::builder()
        .with_http()
        .with_http_client(Client(outbound(version)))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(config.target())
        .with_headers(headers.collect())
        .with_timeout(SEND)
        .build();
    let mut exporter = built.map_err(|err| err.to_string())?;
    let name = config
        .service_name
        .clone()
        .unwrap_or_else(|| "toolgate".to_owned());
    let resource = Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.version", version));
    exporter.set_resource(&resource.build());
    Ok(exporter)
}

/// Our own client, which knows the certificates of this machine.
#[derive(Debug)]
struct Client(HttpClient);

#[async_trait]
impl OtlpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(self.0.send(request).await?)
    }
}

struct Sender {
    exporter: SpanExporter,
    spans: Spans,
    scope: InstrumentationScope,
    is_away: bool,
}

impl Sender {
    async fn run(mut self, mut out: Receiver<Ended>, stop: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let gather = async {
                if out.recv_many(&mut batch, MAX_BATCH).await == 0 {
                    return;
                }
                let more = async {
                    while batch.len() < MAX_BATCH && out.recv_many(&mut batch, MAX_BATCH).await > 0
                    {
                    }
                };
                timeout(GATHER, more).await.ok();
            };
            tokio::select! {
                () = gather => {}
                () = stop.cancelled() => break,
            }
            self.send(std::mem::take(&mut batch), &stop).await;
        }
        out.close();
        while let Ok(span) = out.try_recv() {
            batch.push(span);
        }
        let count = batch.len();
        if timeout(LAST, self.send_all(batch)).await.is_err() {
            self.spans.lost(count);
        }
    }

    /// Sends what is there; when the gateway stops meanwhile, that is soon over.
    async fn send(&mut self, batch: Vec<Ended>, stop: &CancellationToken) {
        let count = batch.len();
        let over = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST).await;
        };
        let sent = tokio::select! {
            () = self.send_all(batch) => true,
            () = over => false,
        };
        if !sent {
            self.spans.lost(count);
        }
    }

    async fn send_all(&mut self, batch: Vec<Ended>) {
        let mut batch = batch.into_iter().peekable();
        while batch.peek().is_some() {
            let part: Vec<SpanData> = batch
                .by_ref()
                .take(MAX_BATCH)
                .map(|span| self.told(span))
                .collect();
            let count = part.len();
            let sent = timeout(SEND, self.exporter.export(part)).await;
            let failed = match sent {
                Ok(Ok(())) => None,
                Ok(Err(err)) => Some(err.to_string()),
                Err(_) => Some("it did not answer in time".to_owned()),
            };
            match failed {
                None => self.spans.sent(count),
                Some(_) => self.spans.lost(count),
            }
            self.note(failed);
        }
    }

    /// Says once that the collector is away, and once that it is back.
    fn note(&mut self, failed: Option<String>) {
        let was_away = std::mem::replace(&mut self.is_away, failed.is_some());
        match failed {
            Some(why) if !was_away => {
                tracing::warn!("Spans are dropped, the collector does not take them: {why:?}");
            }
            None if was_away => tracing::info!("The collector takes spans again"),
            _ => {}
        }
    }

    fn told(&self, span: Ended) -> SpanData {
        let place = |id| SpanId::from_bytes(id);
        let context = SpanContext::new(
            TraceId::from_bytes(span.context.trace),
            place(span.context.span),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        let attributes = span.attributes.into_iter();
        let mut attributes: Vec<KeyValue> = attributes
            .map(|(key, value)| KeyValue::new(key, value))
            .collect();
        let status = match span.error {
            None => Status::Unset,
            Some(word) => {
                attributes.push(KeyValue::new("error.type", word.clone()));
                Status::error(word)
            }
        };
        SpanData {
            span_context: context,
            parent_span_id: span.parent.map_or(SpanId::INVALID, |(id, _)| place(id)),
            parent_span_is_remote: span.parent.is_some_and(|(_, is_remote)| is_remote),
            span_kind: match span.side {
                Side::Server => SpanKind::Server,
                Side::Client => SpanKind::Client,
                Side::Inside => SpanKind::Internal,
            },
            name: span.name.into(),
            start_time: span.begun,
            end_time: span.ended,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}
