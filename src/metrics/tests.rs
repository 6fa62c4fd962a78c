//! All numbers together.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn the_text_is_what_prometheus_reads() {
    let metrics = Metrics::new();
    metrics
        .calls
        .of_tool("echo", "echo__echo")
        .add("answered", 120);
    metrics
        .calls
        .of_tool("echo", "echo__echo")
        .add("timeout", 2_000_000);
    metrics.calls.add_unknown("not_found");
    metrics.calls.add_request("echo", "prompts/get", "answered");
    metrics
        .recent
        .add(Instant::now(), Duration::from_millis(1), "answered");
    for _ in 0..2 {
        metrics
            .read_from(|page| page.level("toolgate_sessions", "Sessions", &[("kind", "http")], 2));
    }
    let text = metrics.text();
    for line in [
        "# TYPE toolgate_calls_total counter",
        "toolgate_calls_total{plugin=\"echo\",tool=\"echo__echo\",outcome=\"answered\"} 1",
        "toolgate_calls_total{plugin=\"echo\",tool=\"echo__echo\",outcome=\"timeout\"} 1",
        "toolgate_calls_total{plugin=\"\",tool=\"unknown\",outcome=\"not_found\"} 1",
        "toolgate_call_duration_seconds_bucket{plugin=\"echo\",tool=\"echo__echo\",le=\"0.0005\"} 1",
        "toolgate_requests_total{plugin=\"echo\",method=\"prompts/get\",outcome=\"answered\"} 1",
        "toolgate_sessions{kind=\"http\"} 4",
    ] {
        assert!(
            text.lines().any(|found| found.starts_with(line)),
            "{line} is not in\n{text}"
        );
    }
    assert!(text.contains("process_cpu_seconds_total"), "{text}");
}

/// O13: labels are bounded, whatever is called.
#[test]
fn tools_above_the_bound_are_counted_together() {
    let calls = Calls::default();
    for n in 0..10_000 {
        calls.of_tool("p", &format!("t{n}")).add("answered", 1);
    }
    assert_eq!(calls.tools().len(), calls::MAX_TOOLS + 1);
    let all: u64 = calls.tools().iter().map(|tool| tool.calls).sum();
    assert_eq!(all, 10_000);
}
