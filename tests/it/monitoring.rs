//! The plugin `monitoring`: what it asks Prometheus, Loki and Sentry, and what it makes of their answers. F20–F23

use serde_json::{Value, json};

use crate::rest::call;
use crate::support::prometheus::Prometheus;
use crate::support::stand_in::{Asked, StandIn};
use crate::support::{Answer, TestGateway};

/// A gateway whose plugin has these settings, in TOML.
async fn gateway(settings: &str) -> TestGateway {
    let config =
        format!("[plugins.monitoring]\nenabled = true\n[plugins.monitoring.config]\n{settings}");
    TestGateway::builder().config(&config).build().await
}

fn text(answer: &Answer) -> String {
    let text = &answer.json()["content"][0]["text"];
    text.as_str().expect("a text").to_owned()
}

fn prometheus(asked: &Asked) -> (u16, Value) {
    let series = |name: &str, values: Value, key: &str| {
        let mut series = json!({ "metric": { "__name__": name, "job": "shop" } });
        series[key] = values;
        series
    };
    let data = match (asked.line.as_str(), asked.query("query")) {
        (_, "bad(") => {
            let error = json!({ "status": "error", "errorType": "bad_data", "error": "parse error: unclosed" });
            return (400, error);
        }
        (_, "up[5m]") => {
            let values = json!([[1, "0"], [2, "5"], [3, "10"]]);
            json!({ "resultType": "matrix", "result": [series("up", values, "values")] })
        }
        (_, "1") => json!({ "resultType": "scalar", "result": [1.5, "1"] }),
        (_, "many") => {
            let many = (0..150).map(|_| series("m", json!([1.0, "2"]), "value"));
            json!({ "resultType": "vector", "result": many.collect::<Vec<_>>() })
        }
        ("GET /prom/api/v1/query", _) => {
            json!({ "resultType": "vector", "result": [series("up", json!([1.5, "NaN"]), "value")] })
        }
        _ => {
            let values = json!([[1, "0"], [2, "5"], [3, "10"]]);
            json!({ "resultType": "matrix", "result": [series("up", values, "values")] })
        }
    };
    (
        200,
        json!({ "status": "success", "data": data, "warnings": ["odd"] }),
    )
}

#[tokio::test]
async fn prometheus_is_asked_for_a_moment() {
    let server = StandIn::start(prometheus).await;
    let settings = format!(
        "prometheus = {{ url = '{}/prom/', token = 'secret' }}",
        server.url()
    );
    let gateway = gateway(&settings).await;
    let answer = gateway
        .send(&call(
            "prom.query",
            r#"{"query":"up","time":"1970-01-01T00:00:07Z"}"#,
        ))
        .await;
    assert_eq!(
        text(&answer),
        "SERIES          VALUE\nup{job=\"shop\"}  NaN\nWarning: odd\n"
    );
    let found = &answer.json()["structuredContent"];
    assert_eq!(found["series"][0]["points"], json!([[1.5, "NaN"]]));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].query("query"), asked[0].query("time")),
        ("up", "7")
    );
    assert_eq!(asked[0].header("authorization"), "Bearer secret");
    let one = gateway.send(&call("prom.query", r#"{"query":"1"}"#)).await;
    assert_eq!(
        one.json()["structuredContent"]["series"][0]["points"],
        json!([[1.5, "1"]])
    );
    let many = gateway
        .send(&call("prom.query", r#"{"query":"many"}"#))
        .await;
    assert_eq!(many.json()["structuredContent"]["omitted"], 50);
    assert!(text(&many).contains("… and 50 more series"));
    gateway.finish().await;
}

/// A range selector gives samples, not a value: that there are several shows.
#[tokio::test]
async fn samples_are_told_as_a_series_and_times_may_be_numbers() {
    let server = StandIn::start(prometheus).await;
    let gateway = gateway(&format!("prometheus.url = '{}/prom'", server.url())).await;
    let answer = gateway
        .send(&call("prom.query", r#"{"query":"up[5m]","time":7}"#))
        .await;
    let expect = "SERIES          MIN  MEAN  MAX  LAST  OVER TIME\nup{job=\"shop\"}  0    5     10   10    ▁▅█\nWarning: odd\n";
    assert_eq!(text(&answer), expect);
    let range = r#"{"query":"up","start":1,"end":3.5,"step":"1s"}"#;
    let answer = gateway.send(&call("prom.query_range", range)).await;
    assert_ne!(answer.json()["isError"], true, "{}", answer.text());
    let asked = server.asked();
    assert_eq!(asked[0].query("time"), "7");
    assert_eq!(
        (asked[1].query("start"), asked[1].query("end")),
        ("1", "3.5")
    );
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_used_where_nothing_is_given_stands_in_the_schemas() {
    let gateway =
        gateway("prometheus.url = 'http://127.0.0.1:9'\nloki.url = 'http://127.0.0.1:9'").await;
    let all = gateway
        .send(&crate::support::modern::request("tools/list", json!({})))
        .await
        .json();
    for (tool, argument, usual) in [
        ("prom.query", "limit", json!(100)),
        ("prom.query_range", "limit", json!(100)),
        ("loki.query", "limit", json!(100)),
        ("loki.query", "first", json!("newest")),
    ] {
        let tools = all["result"]["tools"].as_array().expect("a list");
        let tool = tools.iter().find(|known| known["name"] == tool);
        let schema = &tool.expect("it is listed")["inputSchema"];
        assert_eq!(
            schema["properties"][argument]["default"], usual,
            "{argument}"
        );
    }
    gateway.finish().await;
}

/// What a service does not do is told with its name and where it is.
#[tokio::test]
async fn answers_that_do_not_come_whole_name_their_service() {
    let server = StandIn::start(|_| (200, json!("x".repeat(9 << 20)))).await;
    let gateway = gateway(&format!("prometheus.url = '{}/prom'", server.url())).await;
    let answer = gateway.send(&call("prom.query", r#"{"query":"up"}"#)).await;
    let begin = format!("Prometheus at {}: ", server.address);
    assert!(text(&answer).starts_with(&begin), "{}", answer.text());
    assert!(text(&answer).contains("larger than"), "{}", answer.text());
    gateway.finish().await;
}

/// Nothing that could be asked is a mistake, not a plugin without tools.
#[tokio::test]
async fn settings_without_a_service_are_refused_with_the_keys_there_are() {
    let (code, said) = crate::support::Program::run(&["check"], "[plugins.monitoring]\n").await;
    assert_ne!(code, 0, "{said}");
    for part in ["less than 1 property", "`prometheus`, `loki`, `sentry`"] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn prometheus_is_asked_for_a_time_and_its_series_are_drawn() {
    let server = StandIn::start(prometheus).await;
    let gateway = gateway(&format!("prometheus.url = '{}/prom'", server.url())).await;
    let answer = gateway
        .send(&call(
            "prom.query_range",
            r#"{"query":"up","start":"1","end":"3","step":"1s"}"#,
        ))
        .await;
    let expect = "SERIES          MIN  MEAN  MAX  LAST  OVER TIME\nup{job=\"shop\"}  0    5     10   10    ▁▅█\nWarning: odd\n";
    assert_eq!(text(&answer), expect);
    let asked = server.asked();
    assert_eq!(asked[0].line, "GET /prom/api/v1/query_range");
    let range = ["start", "end", "step"].map(|name| asked[0].query(name));
    assert_eq!(range, ["1", "3", "1"]);
    gateway.finish().await;
}

#[tokio::test]
async fn failures_are_told_in_sentences_and_nothing_is_asked_for_what_is_wrong() {
    let server = StandIn::start(prometheus).await;
    let gateway = gateway(&format!("prometheus.url = '{}'", server.url())).await;
    for (tool, arguments, part) in [
        (
            "prom.query",
            r#"{"query":"bad("}"#,
            "Prometheus answered 400 Bad Request: parse error: unclosed",
        ),
        (
            "prom.query",
            r#"{"query":"up","time":"soon"}"#,
            "`soon` is not a time",
        ),
        (
            "prom.query_range",
            r#"{"query":"up","start":"now","end":"-1h"}"#,
            "`end` must be after `start`",
        ),
        (
            "prom.query_range",
            r#"{"query":"up","step":"1s"}"#,
            "take a step of 4s",
        ),
    ] {
        let answer = gateway.send(&call(tool, arguments)).await;
        assert!(text(&answer).contains(part), "{}", answer.text());
        assert_eq!(answer.json()["isError"], true);
    }
    assert_eq!(server.asked().len(), 1);
    gateway.finish().await;
}

/// F20, F21: a real Prometheus that scrapes the gateway which asks it. The address is set while the gateway runs.
#[tokio::test]
async fn a_real_prometheus_tells_how_often_the_gateway_was_called() {
    let gateway = gateway("prometheus.url = 'http://127.0.0.1:9'").await;
    let mut prometheus = Prometheus::scraping(gateway.address);
    let settings = json!({ "prometheus": { "url": prometheus.url() } });
    let settings = crate::support::Request::new("PUT", "/api/config/monitoring").body_of(&settings);
    let set = gateway.send(&settings).await;
    assert_eq!(set.status, 200, "{}", set.text());
    let (calls, mut made) = (
        r#"toolgate_calls_total{tool="echo__echo",outcome="answered"}"#,
        0,
    );
    for wanted in [3.0, 8.0] {
        while f64::from(made) < wanted {
            let echoed = gateway.send(&call("echo__echo", r#"{"text":"hi"}"#)).await;
            assert_eq!(echoed.status, 200, "{}", echoed.text());
            made += 1;
        }
        prometheus.sees(calls, wanted).await;
        let asked = json!({ "query": calls }).to_string();
        let answer = gateway.send(&call("prom.query", &asked)).await;
        let found = answer.json()["structuredContent"].clone();
        assert_eq!(found["result_type"], "vector", "{}", answer.text());
        let value = found["series"][0]["points"][0][1]
            .as_str()
            .map(str::parse::<f64>);
        let value = value.expect("a value").expect("a number");
        assert!(value >= wanted, "{value} of {wanted} calls");
    }
    let asked = r#"{"query":"up","start":"-30s","step":"1s"}"#;
    let answer = gateway.send(&call("prom.query_range", asked)).await;
    let series = answer.json()["structuredContent"]["series"][0].clone();
    let labels = [&series["labels"]["__name__"], &series["labels"]["job"]];
    assert_eq!(labels, ["up", "toolgate"], "{}", answer.text());
    let points = series["points"].as_array().expect("points");
    assert_eq!(points.last().expect("it was scraped")[1], "1");
    let table = text(&answer);
    assert!(
        table.starts_with("SERIES") && table.contains("job=\"toolgate\"}  1    1     1    1"),
        "{table}"
    );
    for (query, part) in [
        ("sum(", "Prometheus answered 400 Bad Request: "),
        ("nothing_of_the_kind", "No series"),
    ] {
        let asked = json!({ "query": query }).to_string();
        let answer = gateway.send(&call("prom.query", &asked)).await;
        assert!(text(&answer).contains(part), "{}", answer.text());
    }
    // Samples as they were scraped, through the tool for one moment.
    let samples = gateway
        .send(&call("prom.query", r#"{"query":"up[30s]"}"#))
        .await;
    assert_eq!(samples.json()["structuredContent"]["result_type"], "matrix");
    gateway.finish().await;
}

#[tokio::test]
async fn what_the_tools_do_is_said_of_them() {
    let gateway = gateway("prometheus.url = 'http://127.0.0.1:9'\nloki.url = 'http://127.0.0.1:9'\nsentry = { url = 'http://127.0.0.1:9', token = 't', organization = 'o' }").await;
    let all = gateway
        .send(&crate::support::modern::request("tools/list", json!({})))
        .await
        .json();
    let all = all["result"]["tools"].as_array().expect("a list").clone();
    for name in [
        "prom.query",
        "prom.query_range",
        "loki.query",
        "sentry.get_issue",
    ] {
        let tool = all.iter().find(|tool| tool["name"] == name);
        let tool = tool.unwrap_or_else(|| panic!("{name} is listed"));
        let meta = &tool["_meta"];
        assert_eq!(meta["toolgate/category"], "diagnostic", "{name}");
        assert_eq!(meta["toolgate/risk"], "low", "{name}");
        assert_eq!(meta["toolgate/timeout_ms"], 65_000, "{name}");
        assert!(meta["toolgate/blast_radius"].is_string(), "{name}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{name}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn only_services_that_are_configured_have_tools() {
    let gateway = gateway("loki.url = 'http://127.0.0.1:9'").await;
    let all = gateway
        .send(&crate::support::Request::new("GET", "/api/tools"))
        .await;
    let all = all.json();
    let names = all
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].clone());
    let own: Vec<Value> = names
        .filter(|name| {
            name != "echo__echo" && !name.as_str().is_some_and(|name| name.starts_with("echo"))
        })
        .collect();
    assert_eq!(own, ["loki.query"]);
    let answer = gateway.send(&call("loki.query", r#"{"query":"{}"}"#)).await;
    assert!(
        text(&answer).contains("could not be reached"),
        "{}",
        answer.text()
    );
    gateway.finish().await;
}

#[tokio::test]
async fn loki_gives_lines_by_time() {
    let server = StandIn::start(|asked| match asked.query("query") {
        "rate" => (200, json!({ "status": "success", "data": { "resultType": "matrix", "result": [] } })),
        _ => {
            let streams = json!([
                { "stream": { "app": "a" }, "values": [["2000000000", "second\u{1b}[1m\nforged"]] },
                { "stream": { "app": "b" }, "values": [["3000000000", "third"], ["1000000000", "first"]] },
            ]);
            (200, json!({ "status": "success", "data": { "resultType": "streams", "result": streams } }))
        }
    })
    .await;
    let settings = format!(
        "loki = {{ url = '{}', headers = {{ X-Scope-OrgID = 'shop' }} }}",
        server.url()
    );
    let gateway = gateway(&settings).await;
    let arguments =
        r#"{"query":"{app=~\".+\"}","start":"0","end":"10","limit":3,"first":"oldest"}"#;
    let answer = gateway.send(&call("loki.query", arguments)).await;
    let expect = "1970-01-01T00:00:01.000Z [app=b] first\n1970-01-01T00:00:02.000Z [app=a] second [1m forged\n\
        1970-01-01T00:00:03.000Z [app=b] third\n… there may be more lines: ask for a shorter time or a greater limit\n";
    assert_eq!(text(&answer), expect);
    assert_eq!(
        answer.json()["structuredContent"]["lines"][1]["line"],
        "second\u{1b}[1m\nforged"
    );
    let asked = server.asked();
    assert_eq!(asked[0].line, "GET /loki/api/v1/query_range");
    assert_eq!(asked[0].header("x-scope-orgid"), "shop");
    let values = ["start", "end", "limit", "direction"].map(|name| asked[0].query(name));
    assert_eq!(values, ["0", "10000000000", "3", "forward"]);
    let backwards = r#"{"query":"x","start":"now","end":"-1h"}"#;
    let backwards = gateway.send(&call("loki.query", backwards)).await;
    assert!(text(&backwards).contains("`end` must be after `start`"));
    let counted = gateway
        .send(&call("loki.query", r#"{"query":"rate"}"#))
        .await;
    assert!(
        text(&counted).contains("counts lines"),
        "{}",
        counted.text()
    );
    gateway.finish().await;
}

fn sentry(asked: &Asked) -> (u16, Value) {
    let issue = json!({
        "id": "42", "shortId": "SHOP-1A", "title": "ValueError: no cart", "culprit": "shop.cart in total",
        "level": "error", "status": "unresolved", "project": { "slug": "shop" }, "count": "7", "userCount": 3,
        "firstSeen": "2026-01-01T00:00:00Z", "lastSeen": "2026-01-02T00:00:00Z", "permalink": "https://sentry.example/42",
    });
    match asked.line.as_str() {
        "GET /api/0/organizations/acme/issues/42/" => (200, issue),
        "GET /api/0/organizations/acme/issues/44/" => {
            let mut other = issue;
            other["id"] = "44".into();
            (200, other)
        }
        "GET /api/0/organizations/acme/issues/44/events/latest/" => (500, json!("out of order")),
        "GET /api/0/organizations/acme/shortids/SHOP-1A/" => (200, json!({ "group": issue })),
        "GET /api/0/organizations/acme/issues/42/events/latest/" => {
            let frame =
                json!({ "filename": "cart.py", "lineNo": 12, "function": "total", "inApp": true });
            let value = json!({ "type": "ValueError", "value": "no cart", "stacktrace": { "frames": [frame] } });
            let entries = json!([{ "type": "exception", "data": { "values": [value] } }]);
            (
                200,
                json!({ "eventID": "e1", "dateCreated": "2026-01-02T00:00:00Z", "entries": entries, "tags": [{ "key": "release", "value": "1.2" }] }),
            )
        }
        _ => (
            404,
            json!({ "detail": "The requested resource does not exist" }),
        ),
    }
}

#[tokio::test]
async fn sentry_tells_of_an_issue_by_number_or_name() {
    let server = StandIn::start(sentry).await;
    let settings = format!(
        "sentry = {{ url = '{}', token = 't', organization = 'acme' }}",
        server.url()
    );
    let gateway = gateway(&settings).await;
    for issue in ["42", "SHOP-1A"] {
        let answer = gateway
            .send(&call(
                "sentry.get_issue",
                &json!({ "issue": issue }).to_string(),
            ))
            .await;
        let text = text(&answer);
        for part in [
            "SHOP-1A ValueError: no cart (error, unresolved)",
            "7 times to 3 users",
            "cart.py:12 in total",
            "release=1.2",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(answer.json()["structuredContent"]["latest"]["id"], "e1");
    }
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.header("authorization") == "Bearer t")
    );
    let alone = gateway
        .send(&call("sentry.get_issue", r#"{"issue":"44"}"#))
        .await;
    let words = text(&alone);
    assert!(
        words.contains("When it last happened is not known: Sentry answered 500"),
        "{words}"
    );
    server.asked();
    let unknown = gateway
        .send(&call("sentry.get_issue", r#"{"issue":"43"}"#))
        .await;
    assert!(text(&unknown).contains("404 Not Found: The requested resource does not exist"));
    let elsewhere = gateway
        .send(&call("sentry.get_issue", r#"{"issue":"../../users"}"#))
        .await;
    assert!(text(&elsewhere).contains("letters, digits"));
    assert_eq!(server.asked().len(), 1);
    gateway.finish().await;
}
