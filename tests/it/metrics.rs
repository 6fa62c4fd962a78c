//! Numbers: what `/metrics` tells, whether Prometheus takes it, and that it stays bounded.

use async_trait::async_trait;
use rustix::process::Signal;
use serde_json::{Value, json};
use toolgate::plugin::{
    HookResult, NoArguments, Plugin, PluginContext, ToolContext, ToolError, Tools,
};

use crate::hostile::{Hostile, calling, failure, text};
use crate::reload::{reload, write};
use crate::support::prometheus::{Prometheus, promtool};
use crate::support::{Latch, LegacySession, Program, Request, TestGateway, modern, plugin, until};
use crate::tokens::{ANN, BOB, token};

async fn metrics(gateway: &TestGateway) -> String {
    let answer = gateway.send(&Request::new("GET", "/metrics")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    answer.text()
}

/// The number that stands behind a name with its labels.
#[track_caller]
fn number(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no `{series}` in\n{text}"));
    line.parse().expect("a number")
}

/// A plugin that fails in one of its tools.
fn failing() -> impl Plugin {
    plugin(|tools: &mut Tools| {
        tools.add("fail", "Fails", |_: NoArguments, _: ToolContext| async {
            Err::<String, _>(ToolError::new("out of cheese"))
        });
    })
}

/// Counts its calls itself.
#[derive(Default)]
struct Shop;

#[async_trait]
impl Plugin for Shop {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let metrics = context.metrics()?;
        let orders = metrics.counter("orders", "Orders that came in", &["shop"])?;
        orders.add(&["north \"1\"\n\u{1b}"], 2);
        let sizes = metrics.histogram(
            "order_size_bytes",
            "How large orders are",
            &[],
            &[10.0, 100.0],
        )?;
        sizes.observe(&[], 50.0);
        metrics
            .gauge("open_orders", "Orders that are open", &[])?
            .set(&[], 7.0);
        assert!(metrics.gauge("orders", "Another", &[]).is_err());
        Ok(())
    }
}

/// O13: `promtool check metrics` is silent on a gateway where everything has happened once; counts move with calls.
#[tokio::test]
async fn promtool_has_nothing_to_say_of_a_busy_gateway() {
    let child = Hostile::new("h", &[]);
    let shop = "[plugins.shop]\nkind = \"handler\"\nresources = { required = [\"metrics\"] }\n";
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .config(&format!("{}\n{shop}", child.text()))
        .plugin("failing", failing())
        .plugin("slow", latch.plugin())
        .plugin("shop", Shop)
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let waits = calling(&gateway, "slow__wait", json!({}));
    until("the call is there", || {
        gateway.plugin("slow").gate.in_flight() == 1
    })
    .await;
    for _ in 0..3 {
        text(&gateway, "h__echo", json!({ "text": "x" })).await;
    }
    gateway
        .send(&modern::call("nobody__nothing", json!({})))
        .await;
    gateway
        .send(&modern::call("failing__fail", json!({})))
        .await;
    gateway
        .send(&modern::request(
            "resources/read",
            json!({ "uri": "no://thing" }),
        ))
        .await;
    gateway.send(&Request::new("GET", "/made/up")).await;
    gateway
        .send(&Request::new("GET", "/api/tools/echo__echo"))
        .await;
    let text = metrics(&gateway).await;
    assert_eq!(promtool(&text), "", "promtool complains of\n{text}");
    let count = |series: &str| number(&text, series);
    assert_eq!(
        count("toolgate_calls_total{plugin=\"h\",tool=\"h__echo\",outcome=\"answered\"}"),
        3.0
    );
    assert_eq!(
        count("toolgate_call_duration_seconds_count{plugin=\"h\",tool=\"h__echo\"}"),
        3.0
    );
    assert_eq!(
        count("toolgate_calls_total{plugin=\"\",tool=\"unknown\",outcome=\"not_found\"}"),
        1.0
    );
    assert_eq!(count("toolgate_calls_in_flight{plugin=\"slow\"}"), 1.0);
    assert_eq!(
        count("toolgate_plugin_state{plugin=\"h\",state=\"active\"}"),
        1.0
    );
    assert_eq!(
        count("toolgate_plugin_state{plugin=\"h\",state=\"error\"}"),
        0.0
    );
    assert!(count("toolgate_plugin_instances{plugin=\"h\"}") >= 1.0);
    assert!(
        text.contains("toolgate_plugin_memory_bytes{plugin=\"h\"}"),
        "{text}"
    );
    assert_eq!(count("toolgate_sessions{kind=\"http\"}"), 1.0);
    assert_eq!(count("toolgate_config_reload_failed"), 0.0);
    let route = |route: &str, method: &str, class: &str| {
        count(&format!(
            "toolgate_http_requests_total{{route=\"{route}\",method=\"{method}\",status_class=\"{class}\"}}"
        ))
    };
    assert_eq!(route("/api/tools/{name}", "GET", "2xx"), 1.0);
    assert_eq!(route("other", "GET", "4xx"), 1.0);
    assert!(route("/mcp", "POST", "2xx") >= 4.0);
    assert!(count("process_resident_memory_bytes") > 1e6);
    assert!(count("process_open_fds") > 1.0);
    let orders = r#"toolgate_plugin_shop_orders_total{shop="north \"1\"??"}"#;
    assert_eq!(count(orders), 2.0);
    assert_eq!(count("toolgate_plugin_shop_open_orders"), 7.0);
    assert_eq!(
        count("toolgate_plugin_shop_order_size_bytes_bucket{le=\"100\"}"),
        1.0
    );
    latch.open();
    waits.await.expect("it ends");
    session.delete(&gateway).await;
    gateway.finish().await;
}

/// O13: a real Prometheus scrapes the gateway and sees calls move.
#[tokio::test]
async fn prometheus_sees_calls_move() {
    let gateway = TestGateway::plain().await;
    let mut prometheus = Prometheus::scraping(gateway.address);
    prometheus.sees("up{job=\"toolgate\"}", 1.0).await;
    let calls = "toolgate_calls_total{tool=\"echo__echo\",outcome=\"answered\"}";
    for round in 1..=2 {
        for _ in 0..5 {
            text(&gateway, "echo__echo", json!({ "text": "x" })).await;
        }
        prometheus.sees(calls, 5.0 * f64::from(round)).await;
    }
    let seconds =
        "histogram_quantile(0.99, sum by (le) (toolgate_call_duration_seconds_bucket)) > bool 0";
    prometheus.sees(seconds, 1.0).await;
    drop(prometheus);
    gateway.finish().await;
}

/// O13: labels are bounded, whatever names are called and whatever paths are asked for.
#[tokio::test]
async fn ten_thousand_names_that_nobody_lists_are_one_series() {
    let gateway = TestGateway::plain().await;
    let mut connection = gateway.connect().await;
    let before = metrics(&gateway).await.lines().count();
    for n in 0..10_000 {
        let mut request = Request::new("POST", &format!("/api/tools/made_up_{n}"))
            .header("content-type", "application/json");
        request.body = b"{}".to_vec();
        assert_eq!(connection.send(&request).await.status, 404);
    }
    let text = metrics(&gateway).await;
    let unknown = "toolgate_calls_total{plugin=\"\",tool=\"unknown\",outcome=\"not_found\"}";
    assert_eq!(number(&text, unknown), 10_000.0);
    assert!(!text.contains("made_up"), "{text}");
    let more = text.lines().count() - before;
    assert!(more < 40, "{more} more lines");
    drop(connection);
    gateway.finish().await;
}

/// RELIABILITY F45: a reload that the configuration spoils is a number.
#[tokio::test]
async fn a_reload_that_failed_is_told() {
    let gateway = TestGateway::plain().await;
    write(&gateway, "[server\n");
    assert_ne!(reload(&gateway).await["code"], 0);
    let text = metrics(&gateway).await;
    assert_eq!(number(&text, "toolgate_config_reload_failed"), 1.0);
    assert_eq!(
        number(&text, "toolgate_config_reloads_total{outcome=\"failed\"}"),
        1.0
    );
    write(&gateway, "");
    assert_eq!(reload(&gateway).await["code"], 0);
    let text = metrics(&gateway).await;
    assert_eq!(number(&text, "toolgate_config_reload_failed"), 0.0);
    gateway.finish().await;
}

/// Numbers name all plugins and tools: they are for who may look at what others do.
#[tokio::test]
async fn numbers_need_a_scope() {
    let config = token("ann", ANN, "scopes = [\"read\"]") + &token("bob", BOB, "");
    let gateway = TestGateway::builder().config(&config).build().await;
    for path in ["/metrics", "/api/overview", "/api/overview/stream"] {
        let ask = |token: Option<&str>| {
            let request = Request::new("GET", path);
            token.map_or(request.clone(), |token| request.token(token))
        };
        assert_eq!(gateway.send(&ask(None)).await.status, 401, "{path}");
        let refused = gateway.send(&ask(Some(BOB))).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(
            refused
                .header("www-authenticate")
                .contains("scope=\"read\""),
            "{path}"
        );
        let mut connection = gateway.connect().await;
        let answer = connection.begin(&ask(Some(ANN))).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    gateway.finish().await;
}

/// The overview at a glance, and the same once a second.
#[tokio::test]
async fn an_overview_shows_the_last_minutes() {
    let gateway = TestGateway::builder()
        .plugin("failing", failing())
        .build()
        .await;
    for _ in 0..4 {
        text(&gateway, "echo__echo", json!({ "text": "x" })).await;
    }
    gateway
        .send(&modern::call("nobody__nothing", json!({})))
        .await;
    let seen = gateway
        .send(&Request::new("GET", "/api/overview?seconds=60"))
        .await
        .json();
    assert_eq!(
        (&seen["calls_total"], &seen["errors_total"]),
        (&json!(5), &json!(1)),
        "{seen}"
    );
    assert_eq!(seen["plugins"]["active"], 2, "{seen}");
    assert_eq!(
        seen["series"]["calls"].as_array().expect("a list").len(),
        60
    );
    assert_eq!(seen["series"]["step_ms"], 1000);
    let echo = &seen["slowest"][0];
    assert_eq!(
        (&echo["tool"], &echo["calls"]),
        (&json!("echo__echo"), &json!(4)),
        "{seen}"
    );
    assert!(
        seen["process"]["rss_bytes"].as_u64() > Some(1_000_000),
        "{seen}"
    );
    let refused = gateway
        .send(&Request::new("GET", "/api/overview?seconds=5"))
        .await;
    assert_eq!(refused.status, 400);
    let mut connection = gateway.connect().await;
    let head = connection
        .begin(&Request::new("GET", "/api/overview/stream"))
        .await;
    assert!(head.is_stream());
    // By then the second of the calls is over.
    let mut sum = 0;
    while sum < 5 {
        let event: Value = connection.event().await.expect("the stream goes on");
        let calls = event["series"]["calls"].as_array().expect("a list").iter();
        sum = calls.filter_map(Value::as_u64).sum();
    }
    drop(connection);
    gateway.finish().await;
}

/// What a child writes to stderr is shown to operators, also of one that has ended, without what a terminal would obey.
#[tokio::test]
async fn the_lines_of_a_child_are_kept_for_operators() {
    let child = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&child.text()).build().await;
    let logs = async || {
        let request = Request::new("GET", "/api/v1/plugin/logs?id=h&limit=2");
        let answer = gateway.send(&request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains('\u{1b}'));
        answer.json()["data"]["lines"]
            .as_array()
            .expect("a list")
            .clone()
    };
    for line in ["one", "two \u{1b}[31m", "three"] {
        text(&gateway, "h__sigh", json!({ "text": line })).await;
    }
    let mut lines = Vec::new();
    while lines
        .last()
        .is_none_or(|line: &Value| line["text"] != "three")
    {
        lines = logs().await;
    }
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["text"], "two \\u{1b}[31m");
    assert_eq!(lines[1]["stream"], "stderr");
    assert!(lines[1]["time"].as_str().expect("a time").ends_with('Z'));
    failure(&gateway, "h__exit", json!({ "code": 3 })).await;
    while lines
        .last()
        .is_none_or(|line| line["text"] != "out of cheese")
    {
        lines = logs().await;
    }
    let unknown = Request::new("GET", "/api/v1/plugin/logs?id=nobody");
    assert_eq!(gateway.send(&unknown).await.status, 404);
    gateway.finish().await;
}

/// O13: the same text under the path of the plugin, for the same scope, where the operator grants it.
#[tokio::test]
async fn the_plugin_tells_the_same() {
    let granted = "[plugins.observability]\nenabled = true\ngrants = [\"ROUTES\"]\n";
    let config = token("ann", ANN, "scopes = [\"read\"]") + &token("bob", BOB, "") + granted;
    let gateway = TestGateway::builder().config(&config).build().await;
    let ask = |path: &str, token: &str| Request::new("GET", path).token(token);
    let answer = gateway.send(&ask("/ext/observability/metrics", ANN)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let names = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("# TYPE"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let direct = gateway.send(&ask("/metrics", ANN)).await.text();
    let known = names(&answer.text());
    assert!(known.iter().all(|line| names(&direct).contains(line)));
    assert_eq!(promtool(&answer.text()), "");
    let refused = gateway.send(&ask("/ext/observability/metrics", BOB)).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let route =
        "toolgate_requests_total{plugin=\"observability\",method=\"route\",outcome=\"answered\"}";
    assert_eq!(number(&direct, route), 1.0);
    gateway.finish().await;
}

/// F42: what the log says of a plugin can be found by its id. Lines that were dropped are counted.
#[tokio::test]
async fn lines_about_a_plugin_are_found_by_its_id() {
    let program = Program::serve(&Hostile::new("h", &[]).text()).await;
    let call = modern::call("h__echo", json!({ "text": "x" }));
    assert_eq!(program.send(&call).await.status, 200);
    let text = program.send(&Request::new("GET", "/metrics")).await.text();
    assert_eq!(number(&text, "toolgate_log_lines_dropped_total"), 0.0);
    program.signal(Signal::INT);
    let (_, lines) = program.ended().await;
    let about: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("plugin.id=h"))
        .collect();
    for word in ["Started", "Called"] {
        assert!(
            about.iter().any(|line| line.contains(word)),
            "{word}: {lines:?}"
        );
    }
}
