//! Routes of manifests, which stand for tools, and routers of plugins in process.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolgate::plugin::{Plugin, ToolContext, ToolError, Tools};

use crate::ext::get;
use crate::support::{Request, Site, TestGateway, plugin};

#[derive(Deserialize, JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
    #[serde(default)]
    note: Option<String>,
}

/// Adds, makes a page, fails.
fn sums() -> impl Plugin {
    plugin(|tools: &mut Tools| {
        tools.add("add", "Adds", |sum: Sum, _: ToolContext| async move {
            toolgate::plugin::Structured(json!({ "sum": sum.a + sum.b, "note": sum.note }))
        });
        tools.add(
            "page",
            "Makes a page",
            |sum: Sum, _: ToolContext| async move { format!("<p>{}</p>", sum.a + sum.b) },
        );
        tools.add("fail", "Fails", |_: Sum, _: ToolContext| async {
            Err::<String, _>(ToolError::new("no disk left"))
        });
    })
}

const CONFIG: &str = r#"
[plugins.sums]
requests = ["ROUTES", "TOOLS"]
grants = ["ROUTES"]
[[plugins.sums.routes]]
path = "/add"
tool = "add"
[[plugins.sums.routes]]
method = "POST"
path = "/add/{a}"
tool = "add"
status = 201
[[plugins.sums.routes]]
path = "/page/{a}/{b}"
tool = "page"
content_type = "text/html"
[[plugins.sums.routes]]
path = "/fail/{a}/{b}"
tool = "fail"
"#;

async fn gateway(config: &str) -> TestGateway {
    let builder = TestGateway::builder().config(config);
    builder.plugin("sums", sums()).build().await
}

/// O3: path, query and body become arguments, the result becomes the answer; the tool need not be listed.
#[tokio::test]
async fn a_route_calls_its_tool() {
    let gateway = gateway(CONFIG).await;
    let answer = get(&gateway, "/ext/sums/add?a=1&b=41&note=7").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), json!({ "sum": 42, "note": "7" }));
    let post = |path: &str, body: Value| Request::new("POST", path).body_of(&body);
    let answer = post("/ext/sums/add/40?b=1&note=query", json!({ "b": 2, "a": 9 }));
    let answer = gateway.send(&answer).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "sum": 42, "note": "query" }));
    let page = get(&gateway, "/ext/sums/page/1/2").await;
    assert_eq!(
        (page.header("content-type"), page.text().as_str()),
        ("text/html", "<p>3</p>")
    );
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'self'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(gateway.records.count("add", "answered"), 2);
    gateway.finish().await;
}

/// O3, O28: what is wrong is said with its place; the plugin is not called.
#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let gateway = gateway(CONFIG).await;
    let wrong = get(&gateway, "/ext/sums/add?a=one&b=2").await;
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    assert!(wrong.text().contains("/a"), "{}", wrong.text());
    let twice = get(&gateway, "/ext/sums/add?a=1&a=2&b=2").await;
    assert_eq!(twice.status, 400, "{}", twice.text());
    let failed = get(&gateway, "/ext/sums/fail/1/2").await;
    assert_eq!(failed.status, 500);
    assert_eq!(failed.json()["detail"], "no disk left");
    let other = gateway.send(&Request::new("DELETE", "/ext/sums/add")).await;
    assert_eq!((other.status, other.header("allow")), (405, "GET"));
    let mut form = Request::new("POST", "/ext/sums/add/1").header("content-type", "text/plain");
    form.body = b"{}".to_vec();
    assert_eq!(gateway.send(&form).await.status, 415);
    form = form.set("content-type", "application/json");
    form.body = b"{".to_vec();
    assert_eq!(gateway.send(&form).await.status, 400);
    assert_eq!(get(&gateway, "/ext/sums/else").await.status, 404);
    assert_eq!(get(&gateway, "/ext/sums/page/1/%ff").await.status, 400);
    let image = Request::new("GET", "/ext/sums/add?a=1&b=2").header("sec-fetch-site", "cross-site");
    assert_eq!(gateway.send(&image).await.status, 403);
    gateway.finish().await;
}

/// O2: a route is no way around the operator's policy.
#[tokio::test]
async fn the_policy_holds_for_routes() {
    let config = format!("[policy]\ndeny = [\"sums__add\"]\n{CONFIG}");
    let gateway = gateway(&config).await;
    let answer = get(&gateway, "/ext/sums/add?a=1&b=2").await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(get(&gateway, "/ext/sums/page/1/2").await.status, 200);
    gateway.finish().await;
}

/// O3: a panic in a route is the plugin's, wherever it runs.
#[tokio::test]
async fn a_route_that_panics_harms_nobody() {
    for site in [Site::new(), Site::on_a_thread()] {
        let gateway = TestGateway::builder()
            .config("[plugins.hello]\nrequests = [\"ROUTES\"]\n")
            .plugin("hello", site)
            .build()
            .await;
        let answer = get(&gateway, "/ext/hello/panic").await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert!(
            !answer.text().contains("as the test wants"),
            "{}",
            answer.text()
        );
        assert_eq!(get(&gateway, "/ext/hello/greet").await.status, 200);
        assert_eq!(gateway.records.count("", "broken"), 1);
        gateway.finish().await;
    }
}

/// O33: the same ping in a process of its own, as it is shipped.
#[tokio::test]
async fn the_example_over_a_pipe_answers() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/examples/ping-stdio");
    let config = format!(
        "plugin_dirs = [\"{folder}\"]\n[plugins.ping-stdio]\ngrants = [\"TOOLS\", \"ROUTES\"]\n"
    );
    let gateway = TestGateway::builder().config(&config).build().await;
    for (path, times) in [("ping", 1), ("ping?times=2", 2), ("ping/3", 3)] {
        let answer = get(&gateway, &format!("/ext/ping-stdio/{path}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json(), json!({ "pong": true, "times": times }));
    }
    gateway.finish().await;
}
