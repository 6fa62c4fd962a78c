//! Names, bodies and methods at the edges of what HTTP allows.

use toolgate::plugin::{NoArguments, ToolContext};

use crate::rest::{call, refused};
use crate::support::{Request, TestGateway, plugin};

#[tokio::test]
async fn a_name_may_be_written_with_escapes_and_have_dots() {
    let names = plugin(|tools| {
        for name in ["prom.query", "a/b"] {
            tools.add(name, "Answers", |_: NoArguments, _: ToolContext| async {
                "here"
            });
        }
    });
    let gateway = TestGateway::builder()
        .plugin("p", names)
        .config("[plugins.p]\nprefix = \"\"\n")
        .build()
        .await;
    for path in ["prom.query", "prom%2Equery", "%70rom.query"] {
        assert_eq!(gateway.send(&call(path, "{}")).await.status, 200, "{path}");
    }
    // No name that is listed has a slash, however it is written.
    for path in [
        "a/b",
        "a%2Fb",
        "..",
        "%2e%2e",
        "",
        "prom.query/",
        "prom.query%00",
        "%F0%9F%92%A9",
    ] {
        assert_eq!(
            refused(&gateway.send(&call(path, "{}")).await, 404),
            "not_found",
            "{path}"
        );
    }
    assert_eq!(
        refused(&gateway.send(&call("%ff", "{}")).await, 400),
        "bad_request"
    );
    let all = gateway
        .send(&Request::new("GET", "/api/tools"))
        .await
        .json();
    let all = all.as_array().expect("an array").iter();
    let fitted = all
        .filter_map(|tool| tool["name"].as_str())
        .find(|name| name.starts_with("a_b_"));
    let fitted = fitted.expect("listed under a name that fits").to_owned();
    assert_eq!(gateway.send(&call(&fitted, "{}")).await.status, 200);
    gateway.finish().await;
}

#[tokio::test]
async fn a_body_must_be_a_json_object() {
    let gateway = TestGateway::plain().await;
    for (body, byte) in [
        ("", 0),
        (r#"{"a":1"#, 6),
        (r#"{"a":1,"a":2}"#, 10),
        ("{}x", 2),
        ("{\"a\":\"\\ud800\"}", 12),
    ] {
        let answer = gateway.send(&call("echo__echo", body)).await;
        assert_eq!(refused(&answer, 400), "invalid_json", "{body}");
        assert_eq!(answer.json()["error"]["byte"], byte, "{body}");
    }
    for body in ["[]", "null", "\"{}\"", "1"] {
        let answer = gateway.send(&call("echo__echo", body)).await;
        assert_eq!(refused(&answer, 400), "bad_request", "{body}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let gateway = TestGateway::plain().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonl",
        "",
    ] {
        let request = call("echo__echo", "{}").set("content-type", kind);
        assert_eq!(
            refused(&gateway.send(&request).await, 415),
            "unsupported_media_type",
            "{kind}"
        );
    }
    let request = call("echo__echo", "{}").without("content-type");
    refused(&gateway.send(&request).await, 415);
    let request = call("echo__echo", "{}").set("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(gateway.send(&request).await.status, 200);
    gateway.finish().await;
}

#[tokio::test]
async fn a_body_is_bounded_in_size_and_time() {
    let config = "[server]\nmax_body_bytes = 1024\nbody_timeout_ms = 50\n";
    let gateway = TestGateway::builder().config(config).build().await;
    let fits = format!(r#"{{"text":"{}"}}"#, "a".repeat(1024 - 11));
    assert_eq!(fits.len(), 1024);
    assert_eq!(gateway.send(&call("echo__echo", &fits)).await.status, 200);
    let answer = gateway.send(&call("echo__echo", &format!("{fits} "))).await;
    assert_eq!(refused(&answer, 413), "too_large");
    let chunked = call("echo__echo", &format!("401\r\n{fits} \r\n0\r\n\r\n"));
    let answer = gateway
        .send(&chunked.header("transfer-encoding", "chunked"))
        .await;
    assert_eq!(refused(&answer, 413), "too_large");
    let late = call("echo__echo", "{").header("content-length", "2");
    assert_eq!(refused(&gateway.send(&late).await, 408), "too_slow");
    gateway.finish().await;
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_the_same_form() {
    let gateway = TestGateway::plain().await;
    for path in [
        "/",
        "/api",
        "/api/tools/",
        "/api/tools/a/b",
        "/apis",
        "/livez/",
    ] {
        assert_eq!(
            refused(&gateway.send(&Request::new("GET", path)).await, 404),
            "not_found",
            "{path}"
        );
    }
    for (verb, path, allow) in [
        ("DELETE", "/api/tools", "GET,HEAD"),
        ("PUT", "/api/tools/echo__echo", "GET,HEAD,POST"),
        ("POST", "/openapi.json", "GET,HEAD"),
        ("POST", "/livez", "GET,HEAD"),
        ("BREW", "/health", "GET,HEAD"),
    ] {
        let answer = gateway.send(&Request::new(verb, path)).await;
        assert_eq!(refused(&answer, 405), "method_not_allowed", "{verb} {path}");
        assert_eq!(answer.header("allow"), allow, "{verb} {path}");
    }
    for query in ["all=1", "all=", "all"] {
        let request = Request::new("GET", &format!("/api/tools?{query}"));
        assert_eq!(
            refused(&gateway.send(&request).await, 400),
            "bad_request",
            "{query}"
        );
    }
    gateway.finish().await;
}
