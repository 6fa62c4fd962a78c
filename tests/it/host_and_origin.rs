//! Who may reach the gateway from a browser, and from another machine.

use toolgate::config::{Env, load};

use crate::support::{Program, Request, TestGateway, modern};

/// Every kind of route there is, and one there is not.
const PATHS: [&str; 10] = [
    "/mcp",
    "/ext/mcp_http/mcp",
    "/api/tools",
    "/openapi.json",
    "/metrics",
    "/health",
    "/livez",
    "/readyz",
    "/ext/echo/",
    "/nowhere",
];

const VERBS: [&str; 4] = ["GET", "POST", "DELETE", "OPTIONS"];

/// S01.
#[tokio::test]
async fn a_foreign_host_is_refused_on_every_route() {
    let gateway = TestGateway::plain().await;
    for path in PATHS {
        for verb in VERBS {
            let request = Request::new(verb, path).header("host", "evil.example");
            let answer = gateway.send(&request).await;
            assert_eq!(answer.status, 403, "{verb} {path}");
            assert_eq!(answer.json()["error"]["reason"], "host_not_allowed");
        }
    }
    gateway.finish().await;
}

/// S01.
#[tokio::test]
async fn names_that_only_look_local_are_foreign() {
    let gateway = TestGateway::plain().await;
    let port = gateway.address.port();
    let foreign = [
        "evil.example".to_owned(),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1:{port}@evil.example"),
        format!("localhost:{port}.evil.example"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
        String::new(),
    ];
    for host in foreign {
        let request = modern::request("tools/list", serde_json::json!({})).header("host", &host);
        assert_eq!(gateway.send(&request).await.status, 403, "{host:?}");
    }
    for host in [
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
    ] {
        let request = modern::request("tools/list", serde_json::json!({})).header("host", &host);
        assert_eq!(gateway.send(&request).await.status, 200, "{host:?}");
    }
    gateway.finish().await;
}

/// S01.
#[tokio::test]
async fn one_host_header_is_neither_none_nor_two() {
    let gateway = TestGateway::plain().await;
    let local = gateway.address.to_string();
    for second in [local.as_str(), "evil.example"] {
        let request = Request::new("GET", "/health")
            .header("host", &local)
            .header("host", second);
        assert_eq!(gateway.send(&request).await.status, 400, "{second}");
    }
    let mut connection = gateway.connect().await;
    connection.write(b"GET /health HTTP/1.1\r\n\r\n").await;
    assert_eq!(connection.answer().await.status, 400);
    gateway.finish().await;
}

/// S02.
#[tokio::test]
async fn a_foreign_origin_is_refused_on_every_route() {
    let gateway = TestGateway::plain().await;
    for path in PATHS {
        for verb in VERBS {
            let request = Request::new(verb, path).header("origin", "https://evil.example");
            let answer = gateway.send(&request).await;
            assert_eq!(answer.status, 403, "{verb} {path}");
            assert_eq!(answer.json()["error"]["reason"], "origin_not_allowed");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
    }
    gateway.finish().await;
}

/// S02.
#[tokio::test]
async fn an_origin_is_what_the_operator_names_or_this_machine() {
    let config = "[server]\nallowed_origins = [\"https://app.example\"]";
    let gateway = TestGateway::builder().config(config).build().await;
    let list = modern::request("tools/list", serde_json::json!({}));
    let foreign = [
        "null",
        "",
        "https://app.example:8443",
        "http://app.example",
        "https://app.example.evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "file://",
    ];
    for origin in foreign {
        let answer = gateway.send(&list.clone().header("origin", origin)).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    for origin in [
        "https://app.example",
        "http://localhost:3000",
        "http://127.0.0.1:1",
    ] {
        let answer = gateway.send(&list.clone().header("origin", origin)).await;
        assert_eq!(answer.status, 200, "{origin}");
    }
    let twice = list
        .header("origin", "https://app.example")
        .header("origin", "https://app.example");
    assert_eq!(gateway.send(&twice).await.status, 400);
    gateway.finish().await;
}

/// S03.
#[tokio::test]
async fn only_pages_of_allowed_origins_see_answers() {
    let config = "[server]\nallowed_origins = [\"https://app.example\"]";
    let gateway = TestGateway::builder().config(config).build().await;
    let cases = [
        ("https://app.example", Some("https://app.example")),
        ("http://localhost:3000", None),
        ("https://evil.example", None),
    ];
    for (origin, shown) in cases {
        let preflight =
            Request::new("OPTIONS", "/mcp").header("access-control-request-method", "POST");
        for request in [
            preflight,
            modern::request("tools/list", serde_json::json!({})),
        ] {
            let answer = gateway.send(&request.header("origin", origin)).await;
            let header = answer.headers.get("access-control-allow-origin");
            assert_eq!(
                header.map(|value| value.as_bytes()),
                shown.map(str::as_bytes),
                "{origin}"
            );
            assert!(
                !answer
                    .headers
                    .contains_key("access-control-allow-credentials")
            );
            if shown.is_some() {
                assert_eq!(answer.header("vary"), "origin");
            }
        }
    }
    gateway.finish().await;
}

/// S05.
#[test]
fn a_network_address_without_a_token_is_no_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("toolgate.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("the file can be written");
        load(Some(&file), &Env::default())
            .map(drop)
            .map_err(|problems| problems.to_string())
    };
    for address in ["0.0.0.0:8080", "192.0.2.1:8080", "[::]:8080"] {
        let problems = check(&format!("[server]\nlisten = \"{address}\"")).expect_err(address);
        assert!(
            problems.contains("would let everyone in the network call the tools"),
            "{problems}"
        );
        let token =
            "[[auth.tokens]]\nname = \"ann\"\nsha256 = \"aa\"".replace("aa", &"a7".repeat(32));
        check(&format!("[server]\nlisten = \"{address}\"\n{token}")).expect("a token is enough");
    }
    check("[server]\nlisten = \"127.0.0.1:8080\"").expect("this machine needs no token");
}

/// S05.
#[tokio::test]
async fn the_program_does_not_start_on_a_network_address_without_a_token() {
    let (code, said) = Program::run(&["serve", "--listen", "0.0.0.0:0"], "").await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("everyone in the network"), "{said}");
    assert!(!said.contains("listening on http"), "{said}");
}
