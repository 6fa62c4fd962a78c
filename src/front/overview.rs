//! `/api/overview`: how the gateway does at a glance, once or once a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::front::admin::answer::bad_request;
use crate::front::health::{Counts, Wellness};
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::live::{Source, live, written};
use crate::front::scope::need;
use crate::metrics::process;
use crate::metrics::recent::{SECONDS, Span};
use crate::model::caller::{Caller, READ};
use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;

/// How many of the slowest tools are named.
const SLOWEST: usize = 10;

/// How often a stream tells how things are.
const STEP: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct OverviewQuery {
    /// How many seconds the series go back, 60 to 300.
    seconds: Option<usize>,
}

/// How the gateway does.
#[derive(Serialize)]
struct Overview {
    version: &'static str,
    uptime_seconds: f64,
    calls_total: u64,
    errors_total: u64,
    /// Of the last ten seconds.
    calls_per_second: f64,
    /// Of the last minute.
    error_rate: f64,
    in_flight: usize,
    sessions: usize,
    plugins: Counts,
    health: Wellness,
    tools: usize,
    series: Series,
    slowest: Vec<Slow>,
    process: Process,
}

/// The last seconds, the oldest first.
#[derive(Serialize)]
struct Series {
    step_ms: u64,
    calls: Vec<u64>,
    errors: Vec<u64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

#[derive(Serialize)]
struct Slow {
    tool: Box<str>,
    plugin: Box<str>,
    calls: u64,
    errors: u64,
    avg_ms: f64,
    p99_ms: f64,
}

#[derive(Serialize)]
struct Process {
    rss_bytes: u64,
    cpu_seconds: f64,
    threads: u64,
    open_files: u64,
}

/// `GET /api/overview`. Needs the scope `read`; plugins and tools are those that the caller sees.
pub(super) async fn show(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<OverviewQuery>, QueryRejection>,
) -> Response<Body> {
    match asked(&caller, query) {
        Ok(seconds) => {
            let overview = Json::of(&Overview::of(&front, &caller, seconds));
            json_response(StatusCode::OK, Body::of(overview.bytes().clone()))
        }
        Err(refused) => *refused,
    }
}

/// `GET /api/overview/stream`: the same as events, one a second. Nothing waits for a reader that is slow: the next event
/// is made when the last one was taken. Ends when the gateway is about to stop.
pub(super) async fn stream(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<OverviewQuery>, QueryRejection>,
) -> Response<Body> {
    let seconds = match asked(&caller, query) {
        Ok(seconds) => seconds,
        Err(refused) => return *refused,
    };
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let ticking = Ticking {
        front: Arc::clone(&front),
        caller,
        seconds,
        ticks,
    };
    live(&front, ticking)
}

/// Looks anew with every tick.
struct Ticking {
    front: Arc<HttpFront>,
    caller: Arc<Caller>,
    seconds: usize,
    ticks: tokio::time::Interval,
}

impl Source for Ticking {
    async fn next(&mut self) -> Option<Bytes> {
        self.ticks.tick().await;
        let overview = Overview::of(&self.front, &self.caller, self.seconds);
        Some(written("overview", None, &Json::of(&overview)))
    }
}

fn asked(
    caller: &Caller,
    query: Result<Query<OverviewQuery>, QueryRejection>,
) -> Result<usize, Box<Response<Body>>> {
    need(caller, READ)?;
    match query.map(|Query(query)| query.seconds.unwrap_or(SECONDS)) {
        Ok(seconds @ 60..=SECONDS) => Ok(seconds),
        _ => Err(Box::new(bad_request(
            "`seconds` is a number from 60 to 300",
        ))),
    }
}

impl Overview {
    fn of(front: &HttpFront, caller: &Caller, seconds: usize) -> Self {
        let registry = front.desk.registry();
        let metrics = front.desk.dispatcher.metrics();
        let (calls_total, errors_total) = metrics.recent.totals();
        let spans = metrics.recent.seconds(Instant::now(), seconds);
        let last = |count| {
            let latest = spans.iter().rev().take(count);
            latest.fold(Span::default(), Span::with)
        };
        let minute = last(60);
        let plugins = registry.plugins();
        let seen = plugins.iter().filter(|plugin| caller.sees(plugin.id()));
        Self {
            version: front.desk.version,
            uptime_seconds: metrics.begun().elapsed().as_secs_f64(),
            calls_total,
            errors_total,
            calls_per_second: part(last(10).calls, 10),
            error_rate: part(minute.errors, minute.calls),
            in_flight: seen.map(|plugin| plugin.gate.in_flight()).sum(),
            sessions: front.sessions().len(),
            plugins: Counts::of(&plugins, caller),
            health: Wellness::of(&plugins, caller),
            tools: registry.with_catalog(|catalog| catalog.entries(caller).count()),
            series: Series::of(&spans),
            slowest: slowest(front, caller),
            process: Process::now(),
        }
    }
}

impl Series {
    fn of(spans: &[Span]) -> Self {
        let quantile = |part| spans.iter().map(|span| span.quantile_ms(part)).collect();
        Self {
            step_ms: 1_000,
            calls: spans.iter().map(|span| span.calls).collect(),
            errors: spans.iter().map(|span| span.errors).collect(),
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
        }
    }
}

/// The tools that take longest on average, of those that were called.
fn slowest(front: &HttpFront, caller: &Caller) -> Vec<Slow> {
    let sees = |id: &str| id.parse::<PluginId>().is_ok_and(|id| caller.sees(&id));
    let tools = front.desk.dispatcher.metrics().calls.tools().into_iter();
    let seen = tools.filter(|tool| tool.calls > 0 && sees(&tool.plugin));
    let mut slow: Vec<Slow> = seen
        .map(|tool| Slow {
            calls: tool.calls,
            errors: tool.errors,
            avg_ms: 1e3 * tool.took.sum * part(1, tool.calls),
            p99_ms: 1e3 * tool.took.quantile(0.99),
            tool: tool.tool,
            plugin: tool.plugin,
        })
        .collect();
    slow.sort_by(|one, other| other.avg_ms.total_cmp(&one.avg_ms));
    slow.truncate(SLOWEST);
    slow
}

impl Process {
    fn now() -> Self {
        let numbers = process::numbers().unwrap_or_default();
        Self {
            rss_bytes: numbers.resident_bytes,
            cpu_seconds: numbers.cpu_seconds,
            threads: numbers.threads,
            open_files: numbers.open_files,
        }
    }
}

/// One number in relation to another; 0 where that is 0.
fn part(one: u64, of: u64) -> f64 {
    match of {
        0 => 0.0,
        of => one as f64 / of as f64,
    }
}
